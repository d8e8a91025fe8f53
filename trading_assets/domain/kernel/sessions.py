"""A session's begin and end in the compiled loop: settlement, corporate actions, fees, what is held at the close."""

from __future__ import annotations

from trading_assets.domain.kernel.arithmetic import ceiling_of, divided, half_even
from trading_assets.domain.kernel.arrays import (
    ACTION_KIND,
    ACTION_SETTLES,
    ACTION_SYMBOL,
    ACTION_TERMS,
    BILLION,
    CASH,
    CENT,
    COST,
    DAILY_LOSS,
    DID_SPLIT,
    DIVIDEND,
    DIVIDENDS,
    FEE_SEC,
    FEES,
    MILLION,
    MOST_GROSS,
    ORDER_REMAINING,
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
    RECEIVABLE,
    SESSION,
    SOLD_VALUE,
    START_EQUITY,
    TAF,
    VALUE,
    Ints,
    Log,
    Market,
    State,
)
from trading_assets.domain.kernel.compiler import compiled
from trading_assets.domain.kernel.logs import drop_finished, log_activity, log_breaker, move_row, realise, take_off
from trading_assets.domain.kernel.marks import worth

MOST_E9 = 4.0e18
"""Beyond it, shares in 1e-9 would not fit."""


@compiled
def begin_session(market: Market, state: State, log: Log, moment: int) -> bool:
    """Settlement, the clearance that time brings, and corporate actions; False for what does not fit."""
    numbers, session = state.numbers, market.session[moment]
    numbers[START_EQUITY] = numbers[CASH] + numbers[RECEIVABLE] + numbers[VALUE]
    numbers[SOLD_VALUE] = numbers[TAF] = 0
    if numbers[START_EQUITY] < market.least_equity[session]:
        return False
    _settle(state, log, market.days[session])
    if 0 <= state.tripped[DAILY_LOSS] < session:
        state.tripped[DAILY_LOSS] = -1
        log_breaker(state, log, moment, DAILY_LOSS, 0)
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
            move_row(log.pending, row, kept)
            kept += 1
    numbers[PENDING] = kept


@compiled
def _pay_dividend(state: State, log: Log, moment: int, action: Ints, day: int) -> None:
    numbers, symbol = state.numbers, action[ACTION_SYMBOL]
    for strategy in range(state.qty.shape[0]):
        qty = int(state.qty[strategy, symbol])
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
        log_activity(state, log, moment, PAID_DIVIDEND, strategy, symbol, 0, amount, action[ACTION_SETTLES])


@compiled
def _split(market: Market, state: State, log: Log, moment: int, action: Ints) -> bool:
    """New shares for old ones, cash for the fractional rest at the open, whole new shares in working orders."""
    numbers, symbol, ratio = state.numbers, action[ACTION_SYMBOL], action[ACTION_TERMS]
    price, is_held = int(market.open[moment, symbol]), False
    for strategy in range(state.qty.shape[0]):
        is_held = is_held or state.qty[strategy, symbol] != 0
        if abs(state.qty[strategy, symbol]) * float(ratio) > MOST_E9:
            return False
    if is_held:
        if price <= 0:
            price, rest = divided(int(state.marks[symbol]), BILLION, ratio)
            if rest or price < PRICE_STEP:
                return False
        state.marks[symbol] = price
    for strategy in range(state.qty.shape[0]):
        old = int(state.qty[strategy, symbol])
        if old:
            day = market.days[market.session[moment]]
            shares = old * ratio
            log_activity(state, log, moment, DID_SPLIT, strategy, symbol, shares - old * BILLION, 0, day)
            whole = abs(shares) // BILLION * (1 if shares > 0 else -1)
            rest = shares - whole * BILLION
            state.net[symbol] += whole - old
            state.qty[strategy, symbol] = whole
            state.projected[strategy, symbol] += whole - old
            if rest:
                amount = half_even(rest, price, BILLION)
                log_activity(state, log, moment, PAID_FRACTION, strategy, symbol, -rest, amount, day)
                cost = state.cost[strategy, symbol]
                released = half_even(cost, abs(rest), abs(shares)) if whole else cost
                state.cost[strategy, symbol] -= released
                state.carried[strategy] -= released
                numbers[COST] -= released
                realise(state, strategy, amount - released)
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
            take_off(state, order, order[ORDER_REMAINING] - order[ORDER_REMAINING] * ratio // BILLION)
            if order[ORDER_REMAINING] <= 0:
                state.waiting[symbol] -= 1
    drop_finished(state, log)
    return True


@compiled
def end_session(market: Market, state: State, log: Log, moment: int) -> bool:
    """Fees of the session's sales, each rounded up to the cent, the end of all orders, and what is held; False where
    that is too much."""
    numbers, session = state.numbers, market.session[moment]
    sec = CENT * ceiling_of(numbers[SOLD_VALUE], market.fees[session, FEE_SEC], MILLION * MILLION * CENT)
    taf = CENT * ceiling_of(numbers[TAF], 1, BILLION // 100)
    for kind, amount in ((PAID_SEC, sec), (PAID_TAF, taf)):
        if amount:
            numbers[CASH] -= amount
            numbers[FEES] += amount
            log_activity(state, log, moment, kind, -1, -1, 0, -amount, market.days[session])
    for number in range(numbers[ORDERS]):
        order = log.orders[number]
        state.waiting[order[ORDER_SYMBOL]] -= 1
        take_off(state, order, order[ORDER_REMAINING])
    numbers[ORDERS] = 0
    log.gross[session] = 0
    for strategy in range(state.qty.shape[0]):
        value, gross = worth(state.qty[strategy], state.marks)
        if not gross < MOST_GROSS:
            return False
        log.profit[session, strategy] = state.realised[strategy] + int(value) - state.carried[strategy]
        log.gross[session] += int(gross)
    return True
