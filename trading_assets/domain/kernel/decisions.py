"""What is decided at one moment: intents from targets, the risk review of each, and the orders it lets pass."""

from __future__ import annotations

from trading_assets.domain.kernel.arithmetic import ceiling_of, floor_of
from trading_assets.domain.kernel.arrays import (
    APPROVED,
    BILLION,
    CANDIDATE_LEG,
    CANDIDATE_PURPOSE,
    CANDIDATE_QTY,
    CANDIDATE_STRATEGY,
    CANDIDATE_SYMBOL,
    CASH,
    CLOSE,
    INCREASE,
    INTENT_LEG,
    INTENT_MOMENT,
    INTENT_PURPOSE,
    INTENT_REASONS,
    INTENT_SIDE,
    INTENT_STRATEGY,
    INTENT_SYMBOL,
    INTENTS,
    MILLION,
    NO_TARGET,
    OPEN,
    ORDER_BOOK_RANK,
    ORDER_INTENT,
    ORDER_MOMENT,
    ORDER_OPEN_RANK,
    ORDER_RANKED_AT,
    ORDER_REMAINING,
    ORDER_SIDE,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ORDERS,
    RECEIVABLE,
    REDUCE,
    VALUE,
    WANTED,
    Log,
    Market,
    State,
    Terms,
    Wants,
)
from trading_assets.domain.kernel.compiler import compiled
from trading_assets.domain.kernel.review import approve, begin_review, judge

# A band is surely kept where floating point says so by more than its own error.
SURELY = 1 - 1e-9
BUY, SELL = 1, -1


@compiled
def decide(market: Market, wants: Wants, terms: Terms, state: State, log: Log, moment: int) -> bool:
    """Sells before buys, then by strategy, symbol and leg; False for a position that would not fit."""
    numbers = state.numbers
    equity = numbers[CASH] + numbers[RECEIVABLE] + numbers[VALUE]
    count = _intents(market, wants, terms, state, moment, equity)
    if count[0] + count[1] == 0:
        return True
    begin_review(state)
    projection = state.projection
    for index, side in enumerate((SELL, BUY)):
        for number in range(count[index]):
            candidate = state.candidates[index, number]
            strategy, symbol = candidate[CANDIDATE_STRATEGY], candidate[CANDIDATE_SYMBOL]
            qty, row = candidate[CANDIDATE_QTY], numbers[INTENTS]
            approved, reasons = judge(market, terms, state, projection, moment, equity, strategy, symbol, side, qty)
            intent = log.intents[row]
            intent[INTENT_MOMENT], intent[INTENT_STRATEGY], intent[INTENT_SYMBOL] = moment, strategy, symbol
            intent[INTENT_SIDE], intent[INTENT_PURPOSE] = side, candidate[CANDIDATE_PURPOSE]
            intent[INTENT_LEG], intent[INTENT_REASONS] = candidate[CANDIDATE_LEG], reasons
            log.shares[row, WANTED], log.shares[row, APPROVED] = qty, approved
            numbers[INTENTS] += 1
            if approved:
                approve(state, projection, symbol, side, approved)
                _send(state, log, moment, row, strategy, symbol, side, approved)
                worst = max(abs(state.net[symbol] + state.buys[symbol]), abs(state.sells[symbol] - state.net[symbol]))
                if worst > market.most_shares[symbol]:
                    return False
    return True


@compiled
def _intents(market: Market, wants: Wants, terms: Terms, state: State, moment: int, equity: int) -> tuple[int, int]:
    """Fill `candidates` with what to sell (0) and what to buy (1); returns how many of each."""
    sells, buys = 0, 0
    equity_share, band = equity / BILLION, ceiling_of(equity, terms.rebalance_band, MILLION)
    small = band * SURELY
    close, weights, projected = market.close[moment], wants.weights[moment], state.projected
    for strategy in range(projected.shape[0]):
        for symbol in range(close.size):
            weight = weights[strategy, symbol]
            if weight == NO_TARGET:
                continue
            held, price = projected[strategy, symbol], close[symbol]
            first, purpose, second = 0, CLOSE, 0
            if weight == 0:
                if held == 0:
                    continue
                first = -held
            elif price <= 0:
                purpose = INCREASE if held else OPEN
                if weight < 0:
                    _propose(state, 0, sells, strategy, symbol, purpose, 0, 0)
                    sells += 1
                else:
                    _propose(state, 1, buys, strategy, symbol, purpose, 0, 0)
                    buys += 1
                continue
            else:
                if (held > 0) == (weight > 0) and held != 0:
                    value = float(abs(held)) * price
                    # Rounding down to whole shares moves the value by less than one share.
                    if abs(abs(weight) * equity_share - value) + price < small:
                        continue
                wanted = floor_of(equity, abs(weight), BILLION) // price
                if weight < 0:
                    wanted = -wanted
                if held == 0 or wanted == 0 or (held > 0) != (wanted > 0):
                    first, second = -held, wanted
                elif abs(wanted - held) * price >= band:
                    first = wanted - held
                    purpose = INCREASE if abs(wanted) > abs(held) else REDUCE
            leg = 0
            if first > 0:
                _propose(state, 1, buys, strategy, symbol, purpose, leg, first)
                buys, leg = buys + 1, 1
            elif first < 0:
                _propose(state, 0, sells, strategy, symbol, purpose, leg, -first)
                sells, leg = sells + 1, 1
            if second > 0:
                _propose(state, 1, buys, strategy, symbol, OPEN, leg, second)
                buys += 1
            elif second < 0:
                _propose(state, 0, sells, strategy, symbol, OPEN, leg, -second)
                sells += 1
    return sells, buys


@compiled
def _propose(
    state: State, index: int, number: int, strategy: int, symbol: int, purpose: int, leg: int, qty: int
) -> None:
    row = state.candidates[index, number]
    row[CANDIDATE_STRATEGY], row[CANDIDATE_SYMBOL] = strategy, symbol
    row[CANDIDATE_PURPOSE], row[CANDIDATE_LEG], row[CANDIDATE_QTY] = purpose, leg, qty


@compiled
def _send(state: State, log: Log, moment: int, intent: int, strategy: int, symbol: int, side: int, qty: int) -> None:
    """A market order of the day, which works from the next bar on."""
    order = log.orders[state.numbers[ORDERS]]
    order[ORDER_INTENT], order[ORDER_STRATEGY], order[ORDER_SYMBOL] = intent, strategy, symbol
    order[ORDER_SIDE], order[ORDER_REMAINING], order[ORDER_MOMENT] = side, qty, moment
    order[ORDER_OPEN_RANK] = order[ORDER_BOOK_RANK] = 0
    order[ORDER_RANKED_AT] = -1
    state.numbers[ORDERS] += 1
    state.waiting[symbol] += 1
    state.projected[strategy, symbol] += side * qty
    if side > 0:
        state.buys[symbol] += qty
    else:
        state.sells[symbol] += qty
        state.strategy_sells[strategy, symbol] += qty
