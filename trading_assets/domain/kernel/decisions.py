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
    REASONS,
    RECEIVABLE,
    REDUCE,
    VALUE,
    WANTED,
    Bytes,
    Exact,
    Log,
    Market,
    State,
    Terms,
    Wants,
    Weights,
)
from trading_assets.domain.kernel.compiler import compiled
from trading_assets.domain.kernel.memory import fetch_early
from trading_assets.domain.kernel.review import approve, begin_review, judge

# A band is surely kept where floating point says so by more than its own error.
SURELY = 1 - 1e-9
NO_WEIGHT = float(NO_TARGET)
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
    for index, side in enumerate((SELL, BUY)):
        for number in range(count[index]):
            candidate = state.candidates[index, number]
            strategy, symbol = candidate[CANDIDATE_STRATEGY], candidate[CANDIDATE_SYMBOL]
            qty, row = candidate[CANDIDATE_QTY], numbers[INTENTS]
            approved, reasons = judge(market, terms, state, moment, equity, strategy, symbol, side, qty)
            intent = log.intents[row]
            intent[INTENT_MOMENT], intent[INTENT_STRATEGY], intent[INTENT_SYMBOL] = moment, strategy, symbol
            intent[INTENT_SIDE], intent[INTENT_PURPOSE] = side, candidate[CANDIDATE_PURPOSE]
            intent[INTENT_LEG] = candidate[CANDIDATE_LEG]
            answer = log.answers[row]
            answer[WANTED], answer[APPROVED], answer[REASONS] = qty, approved, reasons
            numbers[INTENTS] += 1
            if approved:
                approve(state, symbol, side, approved)
                _send(state, log, moment, row, strategy, symbol, side, approved)
                net = int(state.net[symbol])
                worst = max(abs(net + state.buys[symbol]), abs(state.sells[symbol] - net))
                if worst > market.most_shares[symbol]:
                    return False
    return True


@compiled
def _intents(market: Market, wants: Wants, terms: Terms, state: State, moment: int, equity: int) -> tuple[int, int]:
    """Fill `candidates` with what to sell (0) and what to buy (1); returns how many of each."""
    sells, buys = 0, 0
    equity_share, band = equity / BILLION, ceiling_of(equity, terms.rebalance_band, MILLION)
    close, weights, projected = market.close[moment], wants.weights[moment], state.projected
    for strategy in range(projected.shape[0]):
        _stir(weights[strategy], projected[strategy], close, equity_share, band * SURELY, state.stirred)
        for word in range(state.stirred_words.size):
            if state.stirred_words[word] == 0:
                continue
            for symbol in range(8 * word, 8 * word + 8):
                if state.stirred[symbol]:
                    fetch_early(market.open, moment + 1, symbol)
                    fetch_early(market.volume, moment + 1, symbol)
                    weight, price = int(weights[strategy, symbol]), int(close[symbol])
                    sells, buys = _want(state, strategy, symbol, weight, price, equity, band, sells, buys)
    return sells, buys


@compiled
def _stir(weights: Weights, projected: Exact, close: Exact, equity_share: float, small: float, stirred: Bytes) -> None:
    """Note for each symbol whether its target may ask for a trade; where none is noted, it surely does not."""
    for symbol in range(close.size):
        weight, held, price = float(weights[symbol]), projected[symbol], close[symbol]
        wanted, value = weight * equity_share, held * price
        # Rounding down to whole shares moves the value by less than one share.
        is_near = (wanted * value > 0) & (abs(wanted - value) + price < small)
        is_nothing = (weight == NO_WEIGHT) | (abs(weight) + abs(held) == 0)
        stirred[symbol] = not (is_near | is_nothing)


@compiled
def _want(
    state: State,
    strategy: int,
    symbol: int,
    weight: int,
    price: int,
    equity: int,
    band: int,
    sells: int,
    buys: int,
) -> tuple[int, int]:
    """Propose what a target asks for: one order, or one that closes and one that opens the other way."""
    held = int(state.projected[strategy, symbol])
    first, purpose, second = 0, CLOSE, 0
    if weight == 0:
        first = -held
    elif price <= 0:
        purpose = INCREASE if held else OPEN
        if weight < 0:
            _propose(state, 0, sells, strategy, symbol, purpose, 0, 0)
            return sells + 1, buys
        _propose(state, 1, buys, strategy, symbol, purpose, 0, 0)
        return sells, buys + 1
    else:
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
