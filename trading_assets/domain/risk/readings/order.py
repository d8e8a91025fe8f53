"""Readings of one intent, its symbol, and what the account already has or wants of it.

Fractions of a share count as whole ones on their worse side.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trading_assets.domain.risk.breakers import effective_state
from trading_assets.domain.risk.inputs import InputMissingError, finite, positive
from trading_assets.domain.risk.rules.ruling import GATE, STATE, Count, Direction, Gate, NanoShares, Shares, State, Usd
from trading_assets.domain.risk.verdicts import Purpose, TradingState
from trading_assets.domain.values import Side

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case


def trading_state(case: Case) -> State:
    """The tightest of those declared for account, strategy and symbol, and of what latched breakers lead to.

    To what a person has flattened it is always reducing: a halt lets it through, and it may only close.
    """
    snapshot, intent = case.snapshot, case.intent
    if not isinstance(snapshot.trading_state, TradingState):
        raise InputMissingError("trading_state")
    if intent.purpose is Purpose.FLATTEN:
        return STATE.words.index(TradingState.REDUCING)
    return STATE.words.index(effective_state(snapshot, intent.strategy, intent.symbol))


def direction(case: Case) -> Direction:
    return case.intent.side.sign


def requested_qty(case: Case) -> NanoShares:
    """The quantity as it was asked for, whole or not, positive or not."""
    return floor(finite(case.intent.qty, "qty").scaleb(9))


def qty_decimals(case: Case) -> Count:
    """With how many decimals the quantity is written."""
    return max(0, -int(finite(case.intent.qty, "qty").as_tuple().exponent))


def qty(case: Case) -> Shares:
    return ceil(positive(case.intent.qty, "qty"))


def group_qty(case: Case) -> Shares:
    """Shares that are left of this order when its group passes as a whole; the review sets it for those in a group."""
    return int(case["qty"])


def gate(case: Case) -> Gate:
    """State of the quality gate of the symbol's bars; a state of another name counts as closed."""
    state = case.snapshot.gates.get(case.intent.symbol, "absent")
    return GATE.words.index(state if state in GATE.words else "closed")


def reference_price(case: Case) -> Usd:
    """Raw close of the bar that was decided on."""
    return case.projection.reference_price(case.intent.symbol)


def worst_price(case: Case) -> Usd:
    """What the broker asks buying power for: the reference price and its premium for a market order of this side."""
    return case.projection.worst_price(case.intent.symbol, case.intent.side)


def directed_qty(case: Case) -> Shares:
    """Shares held along the side when all orders of that side fill and none of the other; negative: against it."""
    return case.projection.directed_qty(case.intent.symbol, case.intent.side)


def closable_qty(case: Case) -> Shares:
    """Shares that an order of this side can surely close: beyond them it would open or flip the position."""
    return case.projection.closable_qty(case.intent.symbol, case.intent.side)


def worst_qty(case: Case) -> Shares:
    """The largest absolute position that any subset of the orders can lead to."""
    return case.projection.worst_qty(case.intent.symbol)


def strategy_long_qty(case: Case) -> Shares:
    """Shares that the strategy owns when all its sells fill and none of its buys; 0 when it is short."""
    return max(0, -case.projection.strategy_directed_qty(case.intent.strategy, case.intent.symbol, Side.SELL))


def other_symbols_usd(case: Case) -> Usd:
    """Sum of the worst absolute values of all other symbols."""
    return case.projection.gross_without_usd(case.intent.symbol)


def reserved_usd(case: Case) -> Usd:
    """Cash that working orders, approvals of this moment and short positions may still need."""
    return case.projection.reserved_usd()


READINGS = (
    trading_state,
    direction,
    requested_qty,
    qty_decimals,
    qty,
    group_qty,
    gate,
    reference_price,
    worst_price,
    directed_qty,
    closable_qty,
    worst_qty,
    strategy_long_qty,
    other_symbols_usd,
    reserved_usd,
)
