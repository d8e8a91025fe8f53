"""Rows of the compiled loop's log that several of its parts write, and what they do to the account's sums."""

from __future__ import annotations

from trading_assets.domain.kernel.arrays import (
    ACTIVITIES,
    ACTIVITY_AMOUNT,
    ACTIVITY_KIND,
    ACTIVITY_MOMENT,
    ACTIVITY_QTY,
    ACTIVITY_SETTLES,
    ACTIVITY_STRATEGY,
    ACTIVITY_SYMBOL,
    BREAKER_IS_TRIPPED,
    BREAKER_MOMENT,
    BREAKER_NUMBER,
    BREAKERS,
    ORDER_REMAINING,
    ORDER_SIDE,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ORDERS,
    REALISED,
    Ints,
    Log,
    State,
)
from trading_assets.domain.kernel.compiler import compiled


@compiled
def log_breaker(state: State, log: Log, moment: int, breaker: int, is_tripped: int) -> None:
    row = log.breakers[state.numbers[BREAKERS]]
    row[BREAKER_MOMENT], row[BREAKER_NUMBER], row[BREAKER_IS_TRIPPED] = moment, breaker, is_tripped
    state.numbers[BREAKERS] += 1


@compiled
def log_activity(
    state: State, log: Log, moment: int, kind: int, strategy: int, symbol: int, qty: int, amount: int, settles: int
) -> None:
    row = log.activities[state.numbers[ACTIVITIES]]
    row[ACTIVITY_KIND], row[ACTIVITY_MOMENT], row[ACTIVITY_STRATEGY] = kind, moment, strategy
    row[ACTIVITY_SYMBOL], row[ACTIVITY_QTY] = symbol, qty
    row[ACTIVITY_AMOUNT], row[ACTIVITY_SETTLES] = amount, settles
    state.numbers[ACTIVITIES] += 1


@compiled
def realise(state: State, strategy: int, amount: int) -> None:
    state.numbers[REALISED] += amount
    state.realised[strategy] += amount


@compiled
def take_off(state: State, order: Ints, qty: int) -> None:
    """Let the order wait for `qty` shares less (negative: more), wherever they are counted."""
    strategy, symbol = order[ORDER_STRATEGY], order[ORDER_SYMBOL]
    order[ORDER_REMAINING] -= qty
    state.projected[strategy, symbol] -= order[ORDER_SIDE] * qty
    if order[ORDER_SIDE] > 0:
        state.buys[symbol] -= qty
    else:
        state.sells[symbol] -= qty
        state.strategy_sells[strategy, symbol] -= qty


@compiled
def move_row(rows: Ints, source: int, target: int) -> None:
    for column in range(rows.shape[1]):
        rows[target, column] = rows[source, column]


@compiled
def drop_finished(state: State, log: Log) -> None:
    kept = 0
    for number in range(state.numbers[ORDERS]):
        if log.orders[number, ORDER_REMAINING] > 0:
            if kept != number:
                move_row(log.orders, number, kept)
            kept += 1
    state.numbers[ORDERS] = kept
