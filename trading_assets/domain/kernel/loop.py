"""The compiled time loop: fills, marks, bookings, breakers and decisions of every moment, as simulation.advance,
decide and submit do them for market orders of the day.

It stops where it needs more rows, the order of competing orders, or arithmetic that it does not have, before it has
changed anything of the moment that would be done twice.
"""

from __future__ import annotations

from trading_assets.domain.kernel.arithmetic import ceiling_of, divided, floor_of, half_even
from trading_assets.domain.kernel.arrays import (
    ACTION_KIND,
    ACTION_SETTLES,
    ACTION_SYMBOL,
    ACTION_TERMS,
    ACTIVITIES,
    ACTIVITY_AMOUNT,
    ACTIVITY_KIND,
    ACTIVITY_MOMENT,
    ACTIVITY_QTY,
    ACTIVITY_SETTLES,
    ACTIVITY_STRATEGY,
    ACTIVITY_SYMBOL,
    BILLION,
    BREAKER_IS_TRIPPED,
    BREAKER_MOMENT,
    BREAKER_NUMBER,
    BREAKERS,
    CASH,
    CENT,
    COST,
    DAILY_LOSS,
    DAILY_LOSS_STOP_ALL,
    DID_SPLIT,
    DIVIDEND,
    DIVIDENDS,
    DONE,
    DRAWDOWN,
    EQUITY_CASH,
    EQUITY_COST,
    EQUITY_DIVIDENDS,
    EQUITY_FEES,
    EQUITY_HIGH_WATER,
    EQUITY_POSITIONS,
    EQUITY_REALISED,
    EQUITY_RECEIVABLE,
    FEE_SEC,
    FEE_TAF,
    FEE_TAF_CAP,
    FEES,
    FILL_INTENT,
    FILL_MOMENT,
    FILL_PRICE,
    FILL_QTY,
    FILLS,
    GROW,
    HIGH_WATER,
    INTENTS,
    MILLION,
    MOMENT,
    MOST_MONEY,
    ORDER_BOOK_RANK,
    ORDER_INTENT,
    ORDER_MOMENT,
    ORDER_OPEN_RANK,
    ORDER_PLANNED,
    ORDER_RANKED_AT,
    ORDER_REMAINING,
    ORDER_SIDE,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ORDERS,
    PAID_DIVIDEND,
    PAID_FRACTION,
    PAID_SEC,
    PAID_TAF,
    PENDING,
    PENDING_AMOUNT,
    PENDING_DAY,
    PRICE_STEP,
    RANK,
    REALISED,
    RECEIVABLE,
    REFUSED,
    SESSION,
    SOLD_VALUE,
    START_EQUITY,
    TAF,
    VALUE,
    Ints,
    Log,
    Market,
    State,
    Terms,
    Wants,
)
from trading_assets.domain.kernel.compiler import compiled, entry
from trading_assets.domain.kernel.decisions import decide

UNBOOKED = -1
MOST_E9 = 4.0e18
"""Beyond it, shares in 1e-9 would not fit."""


@entry
def live(market: Market, wants: Wants, terms: Terms, state: State, log: Log) -> int:
    """Live through the moments from state's own one on; DONE, or why not."""
    numbers = state.numbers
    for moment in range(numbers[MOMENT], market.ends.size):
        if not _has_room(market, state, log, market.session[moment]):
            return GROW
        if market.session[moment] != numbers[SESSION] and not _begin_session(market, state, log, moment):
            return REFUSED
        if numbers[ORDERS]:
            if _needs_ranks(market, terms, state, log, moment):
                return RANK
            _take_fills(market, terms, state, log, moment)
        if not _mark(market, state, moment):
            return REFUSED
        if market.closes_session[moment]:
            _end_session(market, state, log, moment)
        _write_equity(state, log, moment)
        _trip_breakers(terms, state, log, moment)
        if wants.is_decision[moment] and not decide(market, wants, terms, state, log, moment):
            return REFUSED
        numbers[MOMENT] = moment + 1
    return DONE


@compiled
def _has_room(market: Market, state: State, log: Log, session: int) -> bool:
    """Whether the logs have rows for all that one moment can bring."""
    numbers = state.numbers
    strategies, symbols = state.qty.shape
    most = 2 * strategies * symbols
    actions = strategies * (market.first_action[session + 1] - market.first_action[session])
    return bool(
        numbers[INTENTS] + most <= log.intents.shape[0]
        and numbers[ORDERS] + most <= log.orders.shape[0]
        and numbers[FILLS] + numbers[ORDERS] <= log.fills.shape[0]
        and numbers[ACTIVITIES] + 2 * actions + 2 <= log.activities.shape[0]
        and numbers[PENDING] + actions <= log.pending.shape[0]
        and numbers[BREAKERS] + 4 <= log.breakers.shape[0]
    )


# The session's begin ------------------------------------------------------------------------------


@compiled
def _begin_session(market: Market, state: State, log: Log, moment: int) -> bool:
    """Settlement, the clearance that time brings, and corporate actions; False for what does not fit."""
    numbers, session = state.numbers, market.session[moment]
    numbers[START_EQUITY] = numbers[CASH] + numbers[RECEIVABLE] + numbers[VALUE]
    numbers[SOLD_VALUE] = numbers[TAF] = 0
    if numbers[START_EQUITY] < market.least_equity[session]:
        return False
    _settle(state, log, market.days[session])
    if 0 <= state.tripped[DAILY_LOSS] < session:
        state.tripped[DAILY_LOSS] = -1
        _log_breaker(state, log, moment, DAILY_LOSS, 0)
    for row in range(market.first_action[session], market.first_action[session + 1]):
        action = market.actions[row]
        if action[ACTION_KIND] == DIVIDEND:
            _pay_dividend(state, log, moment, action, market.days[session])
        elif not _split(market, state, log, moment, action):
            return False
    numbers[SESSION] = session
    return True


@compiled
def _settle(state: State, log: Log, day: int) -> None:
    numbers, kept = state.numbers, 0
    for row in range(numbers[PENDING]):
        if log.pending[row, PENDING_DAY] <= day:
            numbers[RECEIVABLE] -= log.pending[row, PENDING_AMOUNT]
            numbers[CASH] += log.pending[row, PENDING_AMOUNT]
        else:
            _move_row(log.pending, row, kept)
            kept += 1
    numbers[PENDING] = kept


@compiled
def _pay_dividend(state: State, log: Log, moment: int, action: Ints, day: int) -> None:
    numbers, symbol = state.numbers, action[ACTION_SYMBOL]
    for strategy in range(state.qty.shape[0]):
        qty = state.qty[strategy, symbol]
        if qty == 0:
            continue
        amount = half_even(qty, action[ACTION_TERMS], BILLION // MILLION)
        numbers[DIVIDENDS] += amount
        if action[ACTION_SETTLES] > day:
            row = log.pending[numbers[PENDING]]
            row[PENDING_DAY], row[PENDING_AMOUNT] = action[ACTION_SETTLES], amount
            numbers[PENDING] += 1
            numbers[RECEIVABLE] += amount
        else:
            numbers[CASH] += amount
        _log_activity(state, log, moment, PAID_DIVIDEND, strategy, symbol, 0, amount, action[ACTION_SETTLES])


@compiled
def _split(market: Market, state: State, log: Log, moment: int, action: Ints) -> bool:
    """New shares for old ones, cash for the fractional rest at the open, whole new shares in working orders."""
    numbers, symbol, ratio = state.numbers, action[ACTION_SYMBOL], action[ACTION_TERMS]
    price, is_held = market.open[moment, symbol], False
    for strategy in range(state.qty.shape[0]):
        is_held = is_held or state.qty[strategy, symbol] != 0
        if abs(state.qty[strategy, symbol]) * float(ratio) > MOST_E9:
            return False
    if is_held:
        if price <= 0:
            price, rest = divided(state.marks[symbol], BILLION, ratio)
            if rest:
                return False
        state.marks[symbol] = price
    for strategy in range(state.qty.shape[0]):
        old = state.qty[strategy, symbol]
        if old:
            day = market.days[market.session[moment]]
            shares = old * ratio
            _log_activity(state, log, moment, DID_SPLIT, strategy, symbol, shares - old * BILLION, 0, day)
            whole = abs(shares) // BILLION * (1 if shares > 0 else -1)
            rest = shares - whole * BILLION
            state.net[symbol] += whole - old
            state.qty[strategy, symbol] = whole
            state.projected[strategy, symbol] += whole - old
            if rest:
                amount = half_even(rest, price, BILLION)
                _log_activity(state, log, moment, PAID_FRACTION, strategy, symbol, -rest, amount, day)
                cost = state.cost[strategy, symbol]
                released = half_even(cost, abs(rest), abs(shares)) if whole else cost
                state.cost[strategy, symbol] -= released
                numbers[COST] -= released
                _realise(state, strategy, amount - released)
                numbers[CASH] += amount
    return _split_orders(state, log, symbol, ratio) and abs(state.net[symbol]) <= market.most_shares[symbol]


@compiled
def _split_orders(state: State, log: Log, symbol: int, ratio: int) -> bool:
    numbers = state.numbers
    for number in range(numbers[ORDERS]):
        order = log.orders[number]
        if order[ORDER_SYMBOL] == symbol:
            if order[ORDER_REMAINING] * float(ratio) > MOST_E9:
                return False
            _take_off(state, order, order[ORDER_REMAINING] - order[ORDER_REMAINING] * ratio // BILLION)
            if order[ORDER_REMAINING] <= 0:
                state.waiting[symbol] -= 1
    _drop_finished(state, log)
    return True


# Fills --------------------------------------------------------------------------------------------


@compiled
def _meets(market: Market, order: Ints, moment: int) -> bool:
    """Whether the order was sent no later than the symbol's bar of this moment began."""
    has_bar = market.open[moment, order[ORDER_SYMBOL]] > 0
    return bool(has_bar and market.starts[moment] >= market.ends[order[ORDER_MOMENT]])


@compiled
def _available(market: Market, terms: Terms, moment: int, symbol: int) -> int:
    return floor_of(market.volume[moment, symbol], terms.volume_limit, MILLION)


@compiled
def _needs_ranks(market: Market, terms: Terms, state: State, log: Log, moment: int) -> bool:
    """Whether the outcome depends on the order of competing orders, which their ids decide.

    It does where they want more than the bar has, and where two of them change the same position.
    """
    for number in range(state.numbers[ORDERS]):
        order = log.orders[number]
        symbol = order[ORDER_SYMBOL]
        if state.waiting[symbol] < 2 or order[ORDER_RANKED_AT] == moment or not _meets(market, order, moment):
            continue
        wanted, is_shared = 0, False
        for other in range(state.numbers[ORDERS]):
            rival = log.orders[other]
            if rival[ORDER_SYMBOL] == symbol and _meets(market, rival, moment):
                wanted += rival[ORDER_REMAINING]
                is_shared = is_shared or (other != number and rival[ORDER_STRATEGY] == order[ORDER_STRATEGY])
        if is_shared or wanted > _available(market, terms, moment, symbol):
            return True
    return False


@compiled
def _take_fills(market: Market, terms: Terms, state: State, log: Log, moment: int) -> None:
    count = state.numbers[ORDERS]
    for number in range(count):
        log.orders[number, ORDER_PLANNED] = UNBOOKED
    for number in range(count):
        order = log.orders[number]
        if order[ORDER_PLANNED] != UNBOOKED or not _meets(market, order, moment):
            continue
        symbol = order[ORDER_SYMBOL]
        left = _available(market, terms, moment, symbol)
        if state.waiting[symbol] == 1:
            order[ORDER_PLANNED] = min(left, order[ORDER_REMAINING])
            _fill(market, terms, state, log, moment, order)
        else:
            _plan(market, log, moment, symbol, count, left)
            _book(market, terms, state, log, moment, symbol, count)
    _drop_finished(state, log)


@compiled
def _plan(market: Market, log: Log, moment: int, symbol: int, count: int, left: int) -> None:
    """Share what the bar has: first come, first served, then by rank."""
    while True:
        next_one = UNBOOKED
        for number in range(count):
            order = log.orders[number]
            if order[ORDER_SYMBOL] != symbol or order[ORDER_PLANNED] != UNBOOKED or not _meets(market, order, moment):
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
            if order[ORDER_SYMBOL] == symbol and order[ORDER_PLANNED] > 0 and rank > booked:
                best = log.orders[next_one, ORDER_BOOK_RANK] * count + next_one
                if next_one == UNBOOKED or rank < best:
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
    price = half_even(market.open[moment, symbol], slipped, MILLION * PRICE_STEP) * PRICE_STEP
    row = log.fills[numbers[FILLS]]
    row[FILL_INTENT], row[FILL_MOMENT], row[FILL_QTY], row[FILL_PRICE] = order[ORDER_INTENT], moment, qty, price
    numbers[FILLS] += 1
    numbers[CASH] -= side * qty * price
    _trade(state, strategy, symbol, side * qty, side * qty * price)
    # What a strategy holds when all its orders are filled does not change by filling one of them.
    _take_off(state, order, qty)
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
    numbers, old = state.numbers, state.qty[strategy, symbol]
    new, carried = old + signed_qty, state.cost[strategy, symbol]
    if old * float(signed_qty) >= 0:
        kept = carried + cost
    elif new == 0 or (new > 0) == (old > 0):
        released = carried if new == 0 else half_even(carried, abs(signed_qty), abs(old))
        _realise(state, strategy, -cost - released)
        kept = carried - released
    else:
        closing = cost // signed_qty * -old
        _realise(state, strategy, -closing - carried)
        kept = cost - closing
    state.qty[strategy, symbol], state.cost[strategy, symbol] = new, kept
    state.net[symbol] += signed_qty
    numbers[COST] += kept - carried


@compiled
def _realise(state: State, strategy: int, amount: int) -> None:
    state.numbers[REALISED] += amount
    state.realised[strategy] += amount


@compiled
def _take_off(state: State, order: Ints, qty: int) -> None:
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
def _move_row(rows: Ints, source: int, target: int) -> None:
    for column in range(rows.shape[1]):
        rows[target, column] = rows[source, column]


@compiled
def _drop_finished(state: State, log: Log) -> None:
    kept = 0
    for number in range(state.numbers[ORDERS]):
        if log.orders[number, ORDER_REMAINING] > 0:
            if kept != number:
                _move_row(log.orders, number, kept)
            kept += 1
    state.numbers[ORDERS] = kept


# Marks, the session's end, breakers -----------------------------------------------------------------


@compiled
def _mark(market: Market, state: State, moment: int) -> bool:
    """Value the account at the closes of the moment; False for an account of more money than there is room for."""
    numbers, value = state.numbers, 0
    close, marks, net = market.close[moment], state.marks, state.net
    for symbol in range(marks.size):
        if close[symbol] > 0:
            marks[symbol] = close[symbol]
        value += net[symbol] * marks[symbol]
    equity = numbers[CASH] + numbers[RECEIVABLE] + value
    numbers[VALUE] = value
    numbers[HIGH_WATER] = max(numbers[HIGH_WATER], equity)
    return bool(0 < equity < MOST_MONEY)


@compiled
def _end_session(market: Market, state: State, log: Log, moment: int) -> None:
    """Fees of the session's sales, each rounded up to the cent, the end of all orders, and what is held."""
    numbers, session = state.numbers, market.session[moment]
    sec = CENT * ceiling_of(numbers[SOLD_VALUE], market.fees[session, FEE_SEC], MILLION * MILLION * CENT)
    taf = CENT * ceiling_of(numbers[TAF], 1, BILLION // 100)
    for kind, amount in ((PAID_SEC, sec), (PAID_TAF, taf)):
        if amount:
            numbers[CASH] -= amount
            numbers[FEES] += amount
            _log_activity(state, log, moment, kind, -1, -1, 0, -amount, market.days[session])
    for number in range(numbers[ORDERS]):
        order = log.orders[number]
        state.waiting[order[ORDER_SYMBOL]] -= 1
        _take_off(state, order, order[ORDER_REMAINING])
    numbers[ORDERS] = 0
    gross = 0
    for strategy in range(state.qty.shape[0]):
        profit = state.realised[strategy]
        for symbol in range(state.marks.size):
            gross += abs(state.qty[strategy, symbol]) * state.marks[symbol]
            profit += state.qty[strategy, symbol] * state.marks[symbol] - state.cost[strategy, symbol]
        log.profit[session, strategy] = profit
    log.gross[session] = gross


@compiled
def _write_equity(state: State, log: Log, moment: int) -> None:
    numbers, row = state.numbers, log.equity[moment]
    row[EQUITY_CASH], row[EQUITY_RECEIVABLE] = numbers[CASH], numbers[RECEIVABLE]
    row[EQUITY_POSITIONS], row[EQUITY_COST] = numbers[VALUE], numbers[COST]
    row[EQUITY_REALISED], row[EQUITY_DIVIDENDS] = numbers[REALISED], numbers[DIVIDENDS]
    row[EQUITY_FEES], row[EQUITY_HIGH_WATER] = numbers[FEES], numbers[HIGH_WATER]


@compiled
def _trip_breakers(terms: Terms, state: State, log: Log, moment: int) -> None:
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
            _log_breaker(state, log, moment, breaker, 1)


@compiled
def _log_breaker(state: State, log: Log, moment: int, breaker: int, is_tripped: int) -> None:
    row = log.breakers[state.numbers[BREAKERS]]
    row[BREAKER_MOMENT], row[BREAKER_NUMBER], row[BREAKER_IS_TRIPPED] = moment, breaker, is_tripped
    state.numbers[BREAKERS] += 1


@compiled
def _log_activity(
    state: State, log: Log, moment: int, kind: int, strategy: int, symbol: int, qty: int, amount: int, settles: int
) -> None:
    row = log.activities[state.numbers[ACTIVITIES]]
    row[ACTIVITY_KIND], row[ACTIVITY_MOMENT], row[ACTIVITY_STRATEGY] = kind, moment, strategy
    row[ACTIVITY_SYMBOL], row[ACTIVITY_QTY] = symbol, qty
    row[ACTIVITY_AMOUNT], row[ACTIVITY_SETTLES] = amount, settles
    state.numbers[ACTIVITIES] += 1
