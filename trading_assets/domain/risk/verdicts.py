"""The records of risk: an intent comes in, a verdict with every rule's answer goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from trading_assets.domain.risk.activity import OpenOrder, SentOrder
from trading_assets.domain.risk.circumstances import Circumstances
from trading_assets.domain.risk.day_trades import DayTradeRecord
from trading_assets.domain.risk.market_view import NOTHING_KNOWN, MarketView
from trading_assets.domain.risk.protections import Lock
from trading_assets.domain.values import ReasonCode, Side


class Purpose(StrEnum):
    """What an intent does to the strategy's own position. A change of sign is a close and an open: two legs.

    FLATTEN is no strategy's wish: a person, or a breaker, had what is held closed.
    """

    OPEN = "open"
    INCREASE = "increase"
    REDUCE = "reduce"
    CLOSE = "close"
    FLATTEN = "flatten"


@dataclass(frozen=True, slots=True)
class Intent:
    """What one strategy wants to trade at one bar close, before risk has seen it. `qty` is unsigned whole shares.

    A target that could not be sized (no price, say) is an intent of zero shares, so that its denial is recorded.
    `sizing` is the method, `sizing_inputs` what it was computed from, what it wants to hold, and why. Intents of one
    strategy and moment with the same `group` are legs of one trade: they pass together or not at all.
    """

    intent_id: str
    account_id: str
    strategy: str
    strategy_version: str
    symbol: str
    side: Side
    purpose: Purpose
    decision_at: datetime
    session_date: date
    target_weight: Decimal
    qty: Decimal
    leg: int = 0
    sizing: str = "fixed_fractional"
    sizing_inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    group: str | None = None


class TradingState(StrEnum):
    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """Everything the rules may look at, as of `at`. Quantities are signed shares, money is USD.

    positions / strategy_positions: filled so far, by symbol / by (strategy, symbol).
    working_buys / working_sells: unfilled shares of working orders by symbol, unsigned.
    strategy_working_buys / strategy_working_sells: the same by (strategy, symbol).
    working_buy_value_usd: what those buys may cost in the worst case: shares x price x exposure.WORST_FILL[Side.BUY].
    cash_usd: settled cash. start_equity_usd: equity at the previous session's close, plus flows since.
    reference_prices: raw close of the bar that closed at `at`. marks: latest known raw price of everything held.
    gates: state of the quality gate by symbol; no entry counts as closed.
    tripped_breakers: names of breakers that are latched.
    trading_state: the account's, as declared or as a tripped breaker's action has it; strategy_states / symbol_states:
    those declared for a strategy / a symbol, where there are any. locks: what protections keep from being opened.
    closed_trades: returns of each strategy's closed trades on what they were entered for, in order of time.
    market: what the bars known at `at` say about symbols.
    strategy_equity_usd: each strategy's part of the capital, with what it has won or lost on prices since.

    sent_orders: those of the session so far; open_orders: those that may still trade. day_trades: of the sessions that
    the pattern day trader rule looks at; None where the account is none it is about. circumstances: what surrounds the
    review; None, and whatever needs it is missing input.

    A symbol absent from positions or working shares is flat; a value that is None or not finite is missing input.
    """

    at: datetime
    session_date: date
    trading_state: TradingState
    equity_usd: Decimal
    cash_usd: Decimal
    start_equity_usd: Decimal
    high_water_mark_usd: Decimal
    positions: Mapping[str, Decimal]
    strategy_positions: Mapping[tuple[str, str], Decimal]
    working_buys: Mapping[str, Decimal]
    working_sells: Mapping[str, Decimal]
    strategy_working_buys: Mapping[tuple[str, str], Decimal]
    strategy_working_sells: Mapping[tuple[str, str], Decimal]
    working_buy_value_usd: Decimal
    reference_prices: Mapping[str, Decimal]
    marks: Mapping[str, Decimal]
    gates: Mapping[str, str]
    tripped_breakers: frozenset[str] = frozenset()
    closed_trades: Mapping[str, Sequence[Decimal]] = field(default_factory=dict)
    strategy_states: Mapping[str, TradingState] = field(default_factory=dict)
    symbol_states: Mapping[str, TradingState] = field(default_factory=dict)
    locks: Sequence[Lock] = ()
    market: MarketView = NOTHING_KNOWN
    strategy_equity_usd: Mapping[str, Decimal] = field(default_factory=dict)
    sent_orders: Sequence[SentOrder] = ()
    open_orders: Sequence[OpenOrder] = ()
    day_trades: DayTradeRecord | None = None
    circumstances: Circumstances | None = None


class CheckResult(NamedTuple):
    """One rule's answer to one intent.

    `value` and `limit` are USD, shares or shares of equity, as the rule's title says. A failed check sets `allowed_qty`
    when it would let a part through: the most whole shares it accepts; None denies the whole intent. `inputs` are the
    numbers it was answered by, as text.
    """

    rule_id: str
    is_passed: bool
    reason_code: ReasonCode | None
    value: float | None
    limit: float | None
    allowed_qty: Decimal | None = None
    inputs: Mapping[str, str] = MappingProxyType({})


class Outcome(StrEnum):
    APPROVED = "approved"
    REDUCED = "reduced"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Risk's answer to one intent, with the answer of every rule in the order of the catalogue.

    `reason_codes` of a denial are all reasons; of a reduction only those of the caps that set `approved_qty`.
    `reference_price` and `equity_usd` are None when the review did not have them.
    """

    intent: Intent
    outcome: Outcome
    approved_qty: Decimal
    reason_codes: tuple[ReasonCode, ...]
    checks: Sequence[CheckResult]
    reference_price: Decimal | None
    equity_usd: Decimal | None
