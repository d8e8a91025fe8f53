"""The risk review in the compiled loop: the catalogue's own functions over the projection of the account.

What the readings of risk/readings and the Projection give the live review is worked out here from the arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from trading_assets.domain.kernel import rows
from trading_assets.domain.kernel.arrays import (
    BILLION,
    CASH,
    DAILY_LOSS,
    DAILY_LOSS_STOP_ALL,
    DRAWDOWN,
    GROSS,
    GROSS_VALUE,
    HIGH_WATER,
    IS_BOUND,
    MARGIN,
    MILLION,
    ORDERS,
    PRICE_STEP,
    RESERVED,
    SESSION,
    SHORT_IS_EASY,
    SHORT_IS_SHORTABLE,
    SHORT_LOWEST,
    SHORT_PREVIOUS_CLOSE,
    START_EQUITY,
    UNKNOWN,
    VALUE,
    Market,
    State,
    Terms,
)
from trading_assets.domain.kernel.compiler import compiled
from trading_assets.domain.risk import margin_rules
from trading_assets.domain.risk.exposure import SHORT_RESERVE, WORST_PPM
from trading_assets.domain.risk.rules import ruling
from trading_assets.domain.risk.rules.permission import OPEN
from trading_assets.domain.values import Side

WORST_BUY, WORST_SELL = WORST_PPM[Side.BUY], WORST_PPM[Side.SELL]
_OF_PRICES = (
    rows.STOP_SIDE,
    rows.ORDER_NOTIONAL,
    rows.BUYING_POWER,
    rows.POSITION,
    rows.GROSS_EXPOSURE,
    rows.MAINTENANCE,
)
NOTHING_FAILED = 2**62
MOST_LONG_MARGIN = margin_rules.LONG_MAINTENANCE_PPM + MILLION // PRICE_STEP
"""Parts per million: no more than one for each share is rounded up, and no share costs less than PRICE_STEP."""

floor_share, ceil_share = compiled(ruling.floor_share), compiled(ruling.ceil_share)
long_maintenance, short_maintenance = compiled(margin_rules.long_maintenance), compiled(margin_rules.short_maintenance)


def _rule(row: int) -> Callable[..., Any]:
    """The rule's function with the functions that it calls compiled too."""
    function: Any = rows.OF_ID[rows.RULE_IDS[row]].function
    names = {**function.__globals__, "floor_share": floor_share, "ceil_share": ceil_share}
    asked: Callable[..., Any] = compiled(FunctionType(function.__code__, names, function.__name__))
    return asked


not_halted = _rule(rows.NOT_HALTED)
only_closing = _rule(rows.ONLY_CLOSING)
quality_gate = _rule(rows.QUALITY_GATE)
whole_quantity = _rule(rows.WHOLE_QUANTITY)
order_quantity = _rule(rows.ORDER_QUANTITY)
order_notional = _rule(rows.ORDER_NOTIONAL)
buying_power = _rule(rows.BUYING_POWER)
short_sale = _rule(rows.SHORT_SALE)
short_sale_restriction = _rule(rows.SHORT_SALE_RESTRICTION)
borrowed_shares = _rule(rows.BORROWED_SHARES)
position = _rule(rows.POSITION)
gross_exposure = _rule(rows.GROSS_EXPOSURE)
daily_loss = _rule(rows.DAILY_LOSS_STOP)
drawdown = _rule(rows.DRAWDOWN_STOP)
maintenance_excess = _rule(rows.MAINTENANCE)


@compiled
def begin_review(state: State) -> None:
    """The worst gross exposure and the reserved cash of all that is held and works, before anything is approved.

    Of an account that holds no short position and has no order at work the margin is a bound; `judge` asks for the
    exact one when it matters.
    """
    numbers, projection = state.numbers, state.projection
    if numbers[ORDERS] == 0 and numbers[GROSS_VALUE] == numbers[VALUE]:
        projection[GROSS], projection[RESERVED] = numbers[VALUE], 0
        projection[MARGIN], projection[IS_BOUND] = ceil_share(numbers[VALUE], MOST_LONG_MARGIN), 1
        return
    gross, working, reserved = 0, 0, 0
    for symbol in range(state.net.size):
        held, buys, sells = int(state.net[symbol]), state.buys[symbol], state.sells[symbol]
        price = int(state.marks[symbol])
        gross += max(abs(held + buys), abs(sells - held)) * price
        working += buys * price
        if sells > held:
            short, worst_short = max(0, -held), max(0, sells - held)
            reserved += short * SHORT_RESERVE * price + (worst_short - short) * ceil_share(price, WORST_SELL)
    projection[GROSS], projection[RESERVED] = gross, reserved + ceil_share(working, WORST_BUY)
    _know_margin(state)


@compiled
def _know_margin(state: State) -> None:
    """The maintenance margin of all that is held, works and was approved, to the last digit."""
    margin = 0
    for symbol in range(state.net.size):
        held, price = int(state.net[symbol]), int(state.marks[symbol])
        margin += _margin(held + state.buys[symbol], state.sells[symbol] - held, price)
    state.projection[MARGIN], state.projection[IS_BOUND] = margin, 0


@compiled
def judge(
    market: Market,
    terms: Terms,
    state: State,
    moment: int,
    equity: int,
    strategy: int,
    symbol: int,
    side: int,
    qty: int,
) -> tuple[int, int]:
    """The approved shares, zero for a denial, and the reasons (rows.MISSING says how they are packed)."""
    price = int(market.close[moment, symbol])
    # Nearly always nothing fails: what is not looked at, such as what each rule would allow, is not worked out.
    if not _answer(market, terms, state, moment, price, equity, strategy, symbol, side, qty)[1]:
        return qty, 0
    # A bound that is not passed says nothing: the margin may be less.
    if state.projection[IS_BOUND]:
        _know_margin(state)
    least, failed, binding = _answer(market, terms, state, moment, price, equity, strategy, symbol, side, qty)
    if not failed:
        return qty, 0
    return (least, binding) if 1 <= least < qty else (0, failed)


@compiled
def _answer(
    market: Market,
    terms: Terms,
    state: State,
    moment: int,
    price: int,
    equity: int,
    strategy: int,
    symbol: int,
    side: int,
    qty: int,
) -> tuple[int, int, int]:
    """Every rule asked, as `_with` puts it."""
    answer = _of_account(market, terms, state, equity, strategy, symbol, side, qty)
    if terms.allow_short and side < 0 < qty:
        answer = _of_short(answer, market, state, moment, symbol, qty)
    return _of_prices(answer, terms, state, price, equity, symbol, side, qty)


@compiled
def _of_account(
    market: Market, terms: Terms, state: State, equity: int, strategy: int, symbol: int, side: int, qty: int
) -> tuple[int, int, int]:
    """What the rules answer that need no price."""
    numbers = state.numbers
    directed, _ = _directed(state, symbol, side)
    closable = max(0, -directed)
    is_stop_new, is_stop_all = state.tripped[DAILY_LOSS] >= 0, state.tripped[DAILY_LOSS_STOP_ALL] >= 0
    is_drawdown = state.tripped[DRAWDOWN] >= 0
    trading_state = 1 if is_stop_all or is_drawdown else 0
    gate = OPEN if market.gates[numbers[SESSION], symbol] else 0
    answer = (NOTHING_FAILED, 0, 0)
    answer = _with(answer, rows.NOT_HALTED, not_halted(trading_state))
    answer = _with(answer, rows.QUALITY_GATE, quality_gate(gate))
    answer = _with(answer, rows.WHOLE_QUANTITY, whole_quantity(qty * BILLION, 0))
    if qty <= 0:
        for row in (rows.ONLY_CLOSING, rows.ORDER_QUANTITY, rows.SHORT_SALE, rows.DAILY_LOSS_STOP, rows.DRAWDOWN_STOP):
            answer = _without(answer, row)
        return answer
    own = max(0, int(state.qty[strategy, symbol]) - state.strategy_sells[strategy, symbol])
    answer = _with(answer, rows.ONLY_CLOSING, only_closing(trading_state, qty, closable))
    answer = _with(answer, rows.ORDER_QUANTITY, order_quantity(qty, terms.max_order_qty))
    answer = _with(answer, rows.SHORT_SALE, short_sale(side, qty, own, terms.allow_short))
    start, stop_new, stop_all = numbers[START_EQUITY], terms.stop_new_daily_loss, terms.stop_all_daily_loss
    loss = daily_loss(qty, closable, equity, start, stop_new, stop_all, is_stop_new, is_stop_all)
    answer = _with(answer, rows.DAILY_LOSS_STOP, loss)
    peak, most = numbers[HIGH_WATER], terms.stop_all_drawdown
    return _with(answer, rows.DRAWDOWN_STOP, drawdown(qty, closable, equity, peak, most, is_drawdown))


@compiled
def _of_short(
    answer: tuple[int, int, int], market: Market, state: State, moment: int, symbol: int, qty: int
) -> tuple[int, int, int]:
    """And with what the rules answer that have a say where a sale opens or enlarges a short position."""
    closable, asked = max(0, -_directed(state, symbol, -1)[0]), market.shorts[moment, symbol]
    if qty <= closable:
        return answer
    lowest, previous = asked[SHORT_LOWEST], asked[SHORT_PREVIOUS_CLOSE]
    if lowest == UNKNOWN:
        answer = _without(answer, rows.SHORT_SALE_RESTRICTION)
    else:
        fall = short_sale_restriction(-1, qty, closable, lowest, previous, True)
        answer = _with(answer, rows.SHORT_SALE_RESTRICTION, fall)
    borrowed = borrowed_shares(-1, qty, closable, asked[SHORT_IS_SHORTABLE], asked[SHORT_IS_EASY], True)
    return _with(answer, rows.BORROWED_SHARES, borrowed)


@compiled
def _of_prices(
    answer: tuple[int, int, int],
    terms: Terms,
    state: State,
    price: int,
    equity: int,
    symbol: int,
    side: int,
    qty: int,
) -> tuple[int, int, int]:
    """And with what the rules answer that need one."""
    if qty <= 0 or price <= 0:
        for row in _OF_PRICES:
            answer = _without(answer, row)
        return answer
    projection, cash = state.projection, state.numbers[CASH]
    directed, worst_qty = _directed(state, symbol, side)
    closable = max(0, -directed)
    notional = order_notional(qty, closable, price, equity, terms.max_order_notional)
    answer = _with(answer, rows.ORDER_NOTIONAL, notional)
    worst_price = ceil_share(price, WORST_BUY if side > 0 else WORST_SELL)
    power = buying_power(qty, closable, worst_price, cash, projection[RESERVED], equity, terms.cash_buffer)
    answer = _with(answer, rows.BUYING_POWER, power)
    answer = _with(answer, rows.POSITION, position(qty, directed, price, equity, terms.max_position))
    others = projection[GROSS] - worst_qty * price
    exposure = gross_exposure(qty, directed, worst_qty, others, price, equity, terms.max_gross_exposure)
    answer = _with(answer, rows.GROSS_EXPOSURE, exposure)
    net, buys, sells = int(state.net[symbol]), state.buys[symbol], state.sells[symbol]
    other_margin = projection[MARGIN] - _margin(net + buys, sells - net, price)
    a_share = long_maintenance(price) if side > 0 else short_maintenance(price)
    excess = maintenance_excess(qty, directed, worst_qty, a_share, other_margin, equity, terms.margin_buffer)
    return _with(answer, rows.MAINTENANCE, excess)


@compiled
def approve(state: State, symbol: int, side: int, qty: int) -> None:
    """Count `qty` shares as an order that may fill; the caller adds it to the working orders afterwards."""
    directed, before = _directed(state, symbol, side)
    projection, price, net = state.projection, int(state.marks[symbol]), int(state.net[symbol])
    opening = max(0, qty - max(0, -directed))
    projection[RESERVED] += opening * ceil_share(price, WORST_BUY if side > 0 else WORST_SELL)
    bought = net + state.buys[symbol] + (qty if side > 0 else 0)
    sold = state.sells[symbol] - net + (qty if side < 0 else 0)
    projection[GROSS] += (max(abs(bought), abs(sold)) - before) * price
    projection[MARGIN] += _margin(bought, sold, price)
    projection[MARGIN] -= _margin(net + state.buys[symbol], state.sells[symbol] - net, price)


@compiled
def _margin(bought: int, sold: int, price: int) -> int:
    """The larger maintenance margin of what is held when all buys, or all sells, are filled."""
    return max(max(0, bought) * long_maintenance(price), max(0, sold) * short_maintenance(price))


@compiled
def _directed(state: State, symbol: int, side: int) -> tuple[int, int]:
    """Shares held along the side when all orders of that side fill, and the worst of both sides."""
    net, buys, sells = int(state.net[symbol]), state.buys[symbol], state.sells[symbol]
    return net + buys if side > 0 else sells - net, max(abs(net + buys), abs(sells - net))


@compiled
def _with(answer: tuple[int, int, int], row: int, asked: Any) -> tuple[int, int, int]:
    """The fewest allowed shares, the rows that failed, and those of them that allow no more than the fewest."""
    least, failed, binding = answer
    if asked.is_passed:
        return answer
    allowed, bit = max(0, asked.allowed_qty), 1 << row
    if allowed == least:
        return least, failed | bit, binding | bit
    return (allowed, failed | bit, bit) if allowed < least else (least, failed | bit, binding)


@compiled
def _without(answer: tuple[int, int, int], row: int) -> tuple[int, int, int]:
    """A rule that lacks a number denies."""
    return 0, answer[1] | 1 << (rows.MISSING + row), answer[2]
