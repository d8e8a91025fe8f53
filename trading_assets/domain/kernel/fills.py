"""Market orders of the day in the compiled loop: what each gets of the next bar, and what that does to the account."""

from __future__ import annotations

from trading_assets.domain.kernel.arithmetic import floor_of, half_even
from trading_assets.domain.kernel.arrays import (
    CASH,
    COST,
    FEE_TAF,
    FEE_TAF_CAP,
    FILL_INTENT,
    FILL_MOMENT,
    FILL_PRICE,
    FILL_QTY,
    FILLS,
    MILLION,
    ORDER_AVAILABLE,
    ORDER_BOOK_RANK,
    ORDER_INTENT,
    ORDER_MOMENT,
    ORDER_OPEN,
    ORDER_OPEN_RANK,
    ORDER_PLANNED,
    ORDER_RANKED_AT,
    ORDER_REMAINING,
    ORDER_SIDE,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ORDERS,
    PRICE_STEP,
    SOLD_VALUE,
    TAF,
    Ints,
    Log,
    Market,
    State,
    Terms,
)
from trading_assets.domain.kernel.compiler import compiled
from trading_assets.domain.kernel.logs import drop_finished, realise, take_off

UNBOOKED = -1


@compiled
def meet(market: Market, terms: Terms, state: State, log: Log, moment: int) -> bool:
    """Tell each order which bar it meets: the symbol's of this moment, if it was sent no later than that began.

    Whether any of them shares its symbol. All orders first: their prices, wherever they are, are fetched at once.
    """
    is_shared = False
    for number in range(state.numbers[ORDERS]):
        order = log.orders[number]
        symbol = order[ORDER_SYMBOL]
        is_in_time = market.starts[moment] >= market.ends[order[ORDER_MOMENT]]
        order[ORDER_OPEN] = int(market.open[moment, symbol]) if is_in_time else 0
        order[ORDER_AVAILABLE] = floor_of(market.volume[moment, symbol], terms.volume_limit, MILLION)
        order[ORDER_PLANNED] = UNBOOKED
        is_shared |= state.waiting[symbol] > 1
    return is_shared


@compiled
def needs_ranks(state: State, log: Log, moment: int) -> bool:
    """Whether the outcome depends on the order of competing orders, which their ids decide.

    It does where they want more than the bar has, and where two of them change the same position.
    """
    for number in range(state.numbers[ORDERS]):
        order = log.orders[number]
        symbol = order[ORDER_SYMBOL]
        if state.waiting[symbol] < 2 or order[ORDER_RANKED_AT] == moment or order[ORDER_OPEN] <= 0:
            continue
        wanted, is_shared = 0, False
        for other in range(state.numbers[ORDERS]):
            rival = log.orders[other]
            if rival[ORDER_SYMBOL] == symbol and rival[ORDER_OPEN] > 0:
                wanted += rival[ORDER_REMAINING]
                is_shared = is_shared or (other != number and rival[ORDER_STRATEGY] == order[ORDER_STRATEGY])
        if is_shared or wanted > order[ORDER_AVAILABLE]:
            return True
    return False


@compiled
def take_fills(market: Market, terms: Terms, state: State, log: Log, moment: int) -> None:
    """What `meet` has told each order, executed."""
    count = state.numbers[ORDERS]
    for number in range(count):
        order = log.orders[number]
        if order[ORDER_PLANNED] != UNBOOKED or order[ORDER_OPEN] <= 0:
            continue
        symbol = order[ORDER_SYMBOL]
        if state.waiting[symbol] == 1:
            order[ORDER_PLANNED] = min(order[ORDER_AVAILABLE], order[ORDER_REMAINING])
            _fill(market, terms, state, log, moment, order)
        else:
            _plan(log, symbol, count, order[ORDER_AVAILABLE])
            _book(market, terms, state, log, moment, symbol, count)
    drop_finished(state, log)


@compiled
def _plan(log: Log, symbol: int, count: int, left: int) -> None:
    """Share what the bar has: first come, first served, then by rank."""
    while True:
        next_one = UNBOOKED
        for number in range(count):
            order = log.orders[number]
            if order[ORDER_SYMBOL] != symbol or order[ORDER_PLANNED] != UNBOOKED or order[ORDER_OPEN] <= 0:
                continue
            if next_one == UNBOOKED or (
                (order[ORDER_MOMENT], order[ORDER_OPEN_RANK])
                < (log.orders[next_one, ORDER_MOMENT], log.orders[next_one, ORDER_OPEN_RANK])
            ):
                next_one = number
        if next_one == UNBOOKED:
            return
        log.orders[next_one, ORDER_PLANNED] = min(left, log.orders[next_one, ORDER_REMAINING])
        left -= log.orders[next_one, ORDER_PLANNED]


@compiled
def _book(market: Market, terms: Terms, state: State, log: Log, moment: int, symbol: int, count: int) -> None:
    """Book what is planned for one symbol, by rank."""
    booked = UNBOOKED
    while True:
        next_one = UNBOOKED
        for number in range(count):
            order = log.orders[number]
            rank = order[ORDER_BOOK_RANK] * count + number
            if order[ORDER_SYMBOL] != symbol or order[ORDER_PLANNED] <= 0 or rank <= booked:
                continue
            if next_one == UNBOOKED or rank < log.orders[next_one, ORDER_BOOK_RANK] * count + next_one:
                next_one = number
        if next_one == UNBOOKED:
            return
        booked = log.orders[next_one, ORDER_BOOK_RANK] * count + next_one
        _fill(market, terms, state, log, moment, log.orders[next_one])


@compiled
def _fill(market: Market, terms: Terms, state: State, log: Log, moment: int, order: Ints) -> None:
    """Execute what is planned of one order at the open, slipped and rounded half to even."""
    numbers, qty = state.numbers, order[ORDER_PLANNED]
    if qty <= 0:
        return
    strategy, symbol, side = order[ORDER_STRATEGY], order[ORDER_SYMBOL], order[ORDER_SIDE]
    slipped = MILLION + side * terms.slippage
    price = half_even(order[ORDER_OPEN], slipped, MILLION * PRICE_STEP) * PRICE_STEP
    row = log.fills[numbers[FILLS]]
    row[FILL_INTENT], row[FILL_MOMENT], row[FILL_QTY], row[FILL_PRICE] = order[ORDER_INTENT], moment, qty, price
    numbers[FILLS] += 1
    numbers[CASH] -= side * qty * price
    _trade(state, strategy, symbol, side * qty, side * qty * price)
    # What a strategy holds when all its orders are filled does not change by filling one of them.
    take_off(state, order, qty)
    state.projected[strategy, symbol] += side * qty
    if side < 0:
        fees = market.fees[market.session[moment]]
        charge = qty * fees[FEE_TAF]
        numbers[SOLD_VALUE] += qty * price
        numbers[TAF] += charge if fees[FEE_TAF_CAP] < 0 else min(charge, fees[FEE_TAF_CAP])
    if order[ORDER_REMAINING] == 0:
        state.waiting[symbol] -= 1


@compiled
def _trade(state: State, strategy: int, symbol: int, signed_qty: int, cost: int) -> None:
    """Position.trade of the ledger; `cost` is a price times `signed_qty`."""
    numbers, old = state.numbers, int(state.qty[strategy, symbol])
    new, carried = old + signed_qty, state.cost[strategy, symbol]
    if old * float(signed_qty) >= 0:
        kept = carried + cost
    elif new == 0 or (new > 0) == (old > 0):
        released = carried if new == 0 else half_even(carried, abs(signed_qty), abs(old))
        realise(state, strategy, -cost - released)
        kept = carried - released
    else:
        closing = cost // signed_qty * -old
        realise(state, strategy, -closing - carried)
        kept = cost - closing
    state.qty[strategy, symbol], state.cost[strategy, symbol] = new, kept
    state.net[symbol] += signed_qty
    state.carried[strategy] += kept - carried
    numbers[COST] += kept - carried
