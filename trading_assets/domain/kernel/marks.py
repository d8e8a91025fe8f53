"""What the account is worth at the closes of a moment in the compiled loop, and the breakers that this trips."""

from __future__ import annotations

from trading_assets.domain.kernel.arithmetic import ceiling_of
from trading_assets.domain.kernel.arrays import (
    CASH,
    COST,
    DAILY_LOSS,
    DAILY_LOSS_STOP_ALL,
    DIVIDENDS,
    DRAWDOWN,
    EQUITY_CASH,
    EQUITY_COST,
    EQUITY_DIVIDENDS,
    EQUITY_FEES,
    EQUITY_HIGH_WATER,
    EQUITY_POSITIONS,
    EQUITY_REALISED,
    EQUITY_RECEIVABLE,
    FEES,
    GROSS_VALUE,
    HIGH_WATER,
    MILLION,
    MOST_GROSS,
    MOST_MONEY,
    ORDER_SYMBOL,
    ORDERS,
    REALISED,
    RECEIVABLE,
    SESSION,
    START_EQUITY,
    VALUE,
    Exact,
    Log,
    Market,
    State,
    Terms,
)
from trading_assets.domain.kernel.compiler import compiled, summed
from trading_assets.domain.kernel.logs import log_breaker


@compiled
def mark(market: Market, state: State, moment: int) -> bool:
    """Value the account at the closes of the moment; False for an account of more money than there is room for."""
    numbers = state.numbers
    value, gross = _marked(state.net, market.close[moment], state.marks)
    if not gross < MOST_GROSS:
        return False
    numbers[VALUE], numbers[GROSS_VALUE] = int(value), int(gross)
    equity = numbers[CASH] + numbers[RECEIVABLE] + numbers[VALUE]
    numbers[HIGH_WATER] = max(numbers[HIGH_WATER], equity)
    return bool(0 < equity < MOST_MONEY)


@summed
def _marked(qty: Exact, close: Exact, marks: Exact) -> tuple[float, float]:
    """`worth` at the newest close of every symbol, which `marks` remembers."""
    value, gross = 0.0, 0.0
    for symbol in range(marks.size):
        price = close[symbol] if close[symbol] > 0 else marks[symbol]
        marks[symbol] = price
        one = qty[symbol] * price
        value += one
        gross += abs(one)
    return value, gross


@summed
def worth(qty: Exact, marks: Exact) -> tuple[float, float]:
    """The value of what is held, and its gross value; exact when the latter is below MOST_GROSS."""
    value, gross = 0.0, 0.0
    for symbol in range(marks.size):
        one = qty[symbol] * marks[symbol]
        value += one
        gross += abs(one)
    return value, gross


@compiled
def write_equity(state: State, log: Log, moment: int) -> None:
    numbers, row = state.numbers, log.equity[moment]
    row[EQUITY_CASH], row[EQUITY_RECEIVABLE] = numbers[CASH], numbers[RECEIVABLE]
    row[EQUITY_POSITIONS], row[EQUITY_COST] = numbers[VALUE], numbers[COST]
    row[EQUITY_REALISED], row[EQUITY_DIVIDENDS] = numbers[REALISED], numbers[DIVIDENDS]
    row[EQUITY_FEES], row[EQUITY_HIGH_WATER] = numbers[FEES], numbers[HIGH_WATER]


@compiled
def trip_breakers(terms: Terms, state: State, log: Log, moment: int) -> None:
    numbers = state.numbers
    equity = numbers[CASH] + numbers[RECEIVABLE] + numbers[VALUE]
    start, peak = numbers[START_EQUITY], numbers[HIGH_WATER]
    measures = (
        (DAILY_LOSS, start, terms.stop_new_daily_loss),
        (DAILY_LOSS_STOP_ALL, start, terms.stop_all_daily_loss),
        (DRAWDOWN, peak, terms.stop_all_drawdown),
    )
    for breaker, base, limit in measures:
        if state.tripped[breaker] < 0 < equity and base > 0 and base - equity >= ceiling_of(base, limit, MILLION):
            state.tripped[breaker] = numbers[SESSION]
            log_breaker(state, log, moment, breaker, 1)


@compiled
def ends_orders(state: State, log: Log) -> bool:
    """Whether a tripped breaker cancels an order at work: one that does not surely close what is held."""
    if state.tripped[DAILY_LOSS_STOP_ALL] < 0 and state.tripped[DRAWDOWN] < 0:
        return False
    for number in range(state.numbers[ORDERS]):
        symbol = log.orders[number, ORDER_SYMBOL]
        held, buys, sells = int(state.net[symbol]), state.buys[symbol], state.sells[symbol]
        if buys > max(0, -held) or sells > max(0, held):
            return True
    return False
