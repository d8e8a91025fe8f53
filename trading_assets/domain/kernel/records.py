"""From the rows of the compiled loop's log to the records of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.execution.ids import activity_id, execution_id
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill
from trading_assets.domain.journal import BreakerState, EquityPoint
from trading_assets.domain.kernel.arrays import (
    ACTIVITIES,
    ACTIVITY_AMOUNT,
    ACTIVITY_KIND,
    ACTIVITY_MOMENT,
    ACTIVITY_QTY,
    ACTIVITY_SETTLES,
    ACTIVITY_STRATEGY,
    ACTIVITY_SYMBOL,
    APPROVED,
    BREAKER_IS_TRIPPED,
    BREAKER_NUMBER,
    BREAKERS,
    EQUITY_CASH,
    EQUITY_COST,
    EQUITY_DIVIDENDS,
    EQUITY_FEES,
    EQUITY_HIGH_WATER,
    EQUITY_POSITIONS,
    EQUITY_REALISED,
    EQUITY_RECEIVABLE,
    FILL_INTENT,
    FILL_MOMENT,
    FILL_PRICE,
    FILL_QTY,
    FILLS,
    INTENT_LEG,
    INTENT_MOMENT,
    INTENT_PURPOSE,
    INTENT_SIDE,
    INTENT_STRATEGY,
    INTENT_SYMBOL,
    INTENTS,
    PAID_SEC,
    PAID_TAF,
    REASONS,
    WANTED,
)
from trading_assets.domain.kernel.rows import reason_codes
from trading_assets.domain.kernel.run import PURPOSES, Life
from trading_assets.domain.risk.breakers import Breaker
from trading_assets.domain.risk.verdicts import Purpose
from trading_assets.domain.values import ReasonCode, Side

# In the order of the constants in arrays.py.
_KINDS = (
    ActivityKind.DIVIDEND,
    ActivityKind.SPLIT,
    ActivityKind.CASH_IN_LIEU,
    ActivityKind.FEE_SEC,
    ActivityKind.FEE_TAF,
)
_BREAKERS = (Breaker.DAILY_LOSS, Breaker.DAILY_LOSS_STOP_ALL, Breaker.DRAWDOWN)


def usd(micro: int) -> Decimal:
    return Decimal(int(micro)).scaleb(-6)


def deposit_of(life: Life, opening_cash_usd: Decimal) -> Activity:
    """What the account began with."""
    first = life.stretch.sessions[0]
    return Activity(
        activity_id=activity_id(life.names.account_id, ActivityKind.DEPOSIT, first.date, None, None),
        account_id=life.names.account_id,
        kind=ActivityKind.DEPOSIT,
        at=first.opens_at,
        settles_on=first.date,
        session_date=first.date,
        amount_usd=opening_cash_usd,
    )


def fills_of(life: Life) -> Iterator[Fill]:
    """Every fill, in order of the moments."""
    stretch, log = life.stretch, life.log
    names: dict[int, str] = {}
    for row in log.fills[: int(life.state.numbers[FILLS])].tolist():
        intent, moment = row[FILL_INTENT], row[FILL_MOMENT]
        if intent not in names:
            names[intent] = life.order_name(intent)
        wanted, begun = log.intents[intent], stretch.begin_of(moment)
        yield Fill(
            execution_id=execution_id(names[intent], begun, 0),
            client_order_id=names[intent],
            account_id=life.names.account_id,
            strategy=life.names.strategies[wanted[INTENT_STRATEGY]][0],
            symbol=stretch.symbols[wanted[INTENT_SYMBOL]],
            side=Side.BUY if wanted[INTENT_SIDE] > 0 else Side.SELL,
            qty=Decimal(row[FILL_QTY]),
            price=Decimal(row[FILL_PRICE]).scaleb(-6),
            filled_at=begun,
            booked_at=stretch.ends[moment],
            session_date=stretch.sessions[stretch.market.session[moment]].date,
        )


def activities_of(life: Life) -> Iterator[Activity]:
    """Dividends, splits, cash for fractions and fees, as they were booked; without what is told about them."""
    stretch, log, account_id = life.stretch, life.log, life.names.account_id
    for row in log.activities[: int(life.state.numbers[ACTIVITIES])].tolist():
        kind, trading = _KINDS[row[ACTIVITY_KIND]], stretch.sessions[stretch.market.session[row[ACTIVITY_MOMENT]]]
        is_fee = row[ACTIVITY_KIND] in {PAID_SEC, PAID_TAF}
        strategy = None if is_fee else life.names.strategies[row[ACTIVITY_STRATEGY]][0]
        symbol = None if is_fee else stretch.symbols[row[ACTIVITY_SYMBOL]]
        yield Activity(
            activity_id=activity_id(account_id, kind, trading.date, symbol, strategy),
            account_id=account_id,
            kind=kind,
            at=trading.closes_at if is_fee else trading.opens_at,
            settles_on=date.fromordinal(row[ACTIVITY_SETTLES]),
            session_date=trading.date,
            strategy=strategy,
            symbol=symbol,
            qty_delta=Decimal(row[ACTIVITY_QTY]).scaleb(-9),
            amount_usd=usd(row[ACTIVITY_AMOUNT]),
        )


class Judged(NamedTuple):
    """What risk made of one intent."""

    decision_at: datetime
    strategy: str
    symbol: str
    side: Side
    purpose: Purpose
    leg: int
    qty: Decimal
    approved_qty: Decimal
    reason_codes: tuple[ReasonCode, ...]


def verdicts_of(life: Life) -> Iterator[Judged]:
    """Every intent, in the order of the review."""
    count = int(life.state.numbers[INTENTS])
    for row, answer in zip(life.log.intents[:count].tolist(), life.log.answers[:count].tolist(), strict=True):
        yield Judged(
            life.stretch.ends[row[INTENT_MOMENT]],
            life.names.strategies[row[INTENT_STRATEGY]][0],
            life.stretch.symbols[row[INTENT_SYMBOL]],
            Side.BUY if row[INTENT_SIDE] > 0 else Side.SELL,
            PURPOSES[row[INTENT_PURPOSE]],
            row[INTENT_LEG],
            Decimal(answer[WANTED]),
            Decimal(answer[APPROVED]),
            reason_codes(answer[REASONS]),
        )


def breakers_of(life: Life) -> list[tuple[Breaker, BreakerState]]:
    """Which breaker was latched or cleared, in turn."""
    rows = life.log.breakers[: int(life.state.numbers[BREAKERS])].tolist()
    states = BreakerState.CLEARED, BreakerState.TRIPPED
    return [(_BREAKERS[row[BREAKER_NUMBER]], states[row[BREAKER_IS_TRIPPED]]) for row in rows]


def equity_point(life: Life, moment: int, flows_usd: Decimal) -> EquityPoint:
    """The account at the close of `moment`."""
    row = life.log.equity[moment].tolist()
    cash, receivable, positions = usd(row[EQUITY_CASH]), usd(row[EQUITY_RECEIVABLE]), usd(row[EQUITY_POSITIONS])
    return EquityPoint(
        account_id=life.names.account_id,
        at=life.stretch.ends[moment],
        session_date=life.stretch.sessions[life.stretch.market.session[moment]].date,
        cash_usd=cash,
        receivable_usd=receivable,
        positions_usd=positions,
        equity_usd=cash + receivable + positions,
        realised_usd=usd(row[EQUITY_REALISED]),
        unrealised_usd=positions - usd(row[EQUITY_COST]),
        dividends_usd=usd(row[EQUITY_DIVIDENDS]),
        fees_usd=usd(row[EQUITY_FEES]),
        flows_usd=flows_usd,
        high_water_mark_usd=usd(row[EQUITY_HIGH_WATER]),
    )
