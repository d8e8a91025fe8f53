"""What the compiled loop reads and writes: structs of arrays, and the constants that name their columns.

Money is int64 micro-dollars (1e-6 USD), shares whole int64, times int64 microseconds of UTC, ratios of limits parts
per million. What all symbols are asked for at every moment (prices, what is held) is `Exact`. Making these arrays of
bars and settings is the business of convert.py.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Weights = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

Exact = npt.NDArray[np.float64]
"""Whole numbers below 2^53 in floats: a processor multiplies and adds several at a time, and none is rounded."""

MILLION = 1_000_000
BILLION = 1_000_000_000
CENT = 10_000
PRICE_STEP = 100

MOST_MONEY = 9_000_000 * MILLION
"""Of an account that is worth more, a million times its equity would not fit in 63 bits."""

MOST_GROSS = 2.0**52
"""Micro-dollars: sums of products of Exact numbers are exact whole numbers while their absolute values stay below."""

NO_TARGET = int(np.iinfo(np.int32).min)
"""The weight where a strategy takes no decision about a symbol."""


class NotRepresentableError(ValueError):
    """The compiled loop cannot trade this to the last digit: the object loop can. The message says what."""


class Market(NamedTuple):
    """T moments of S symbols (sorted). A price of zero means that the symbol has no bar at that moment.

    Per moment: `starts` and `ends` of its bars, the number of its `session`, whether it `closes_session`. Per session:
    its day (proleptic ordinal), whose gates are open, fees in force, the equity below which day trades are counted, and
    where its actions begin in `actions`, whose columns are ACTION_*. `most_shares` is how many shares of a symbol all
    sums of values have room for. `shorts` are what a short sale is asked about, with the columns SHORT_*; without a row
    where none is allowed.
    """

    starts: Ints
    ends: Ints
    session: Ints
    closes_session: Flags
    open: Exact
    close: Exact
    volume: Ints
    days: Ints
    gates: Flags
    fees: Ints
    least_equity: Ints
    first_action: Ints
    actions: Ints
    most_shares: Ints
    shorts: Ints


class Wants(NamedTuple):
    """Target weights of T moments, K strategies (sorted) and S symbols, in 1e-9 of equity, and where any is taken."""

    weights: Weights
    is_decision: Flags


class Terms(NamedTuple):
    """Limits in parts per million of equity or of a loss, and the fill model; `max_order_qty` in shares."""

    max_order_qty: int
    max_order_notional: int
    max_position: int
    max_gross_exposure: int
    cash_buffer: int
    stop_new_daily_loss: int
    stop_all_daily_loss: int
    stop_all_drawdown: int
    rebalance_band: int
    margin_buffer: int
    allow_short: bool
    slippage: int
    volume_limit: int


class State(NamedTuple):
    """The account between two moments. `numbers` has the columns NUMBER_*; `tripped` the session in which each breaker
    was latched, -1 where it is not; `projected` is what a strategy holds when all its orders are filled, `carried` the
    sum of `cost` over its symbols. `stirred` is room to note which symbols a decision is about, `stirred_words` the
    same memory, eight symbols at a time."""

    numbers: Ints
    qty: Exact
    cost: Ints
    carried: Ints
    realised: Ints
    projected: Exact
    strategy_sells: Ints
    net: Exact
    buys: Ints
    sells: Ints
    waiting: Ints
    marks: Exact
    stirred: Bytes
    stirred_words: Words
    tripped: Ints
    candidates: Ints
    projection: Ints


class Log(NamedTuple):
    """What is still open, and what happened. Rows beyond the counts in `State.numbers` mean nothing yet.

    `equity` has a row a moment; `gross` is the absolute value of all positions at each session's end, `profit` what
    each strategy has made by then, realised or not, without dividends.
    """

    orders: Ints
    pending: Ints
    intents: npt.NDArray[np.int32]
    answers: Ints
    fills: Ints
    activities: Ints
    breakers: Ints
    equity: Ints
    gross: Ints
    profit: Ints


# Why the loop returned.
DONE, GROW, RANK, REFUSED = range(4)

# Columns of State.numbers.
(
    CASH,
    RECEIVABLE,
    VALUE,
    GROSS_VALUE,
    COST,
    REALISED,
    DIVIDENDS,
    FEES,
    HIGH_WATER,
    START_EQUITY,
    SOLD_VALUE,
    TAF,
    SESSION,
    MOMENT,
    ORDERS,
    PENDING,
    INTENTS,
    FILLS,
    ACTIVITIES,
    BREAKERS,
    NUMBERS,
) = range(21)

# Columns of State.projection: the worst that orders can lead to, and whether MARGIN is a bound above it only.
GROSS, RESERVED, MARGIN, IS_BOUND, PROJECTIONS = range(5)

# Columns of Market.actions and their kinds: terms are USD a share, or new shares for one old, both in 1e-9.
ACTION_KIND, ACTION_SYMBOL, ACTION_TERMS, ACTION_SETTLES, ACTION_COLUMNS = range(5)
DIVIDEND, SPLIT = range(2)

# Columns of Market.shorts: the fall that binds at a moment, UNKNOWN where nobody knows it, and whether shares are lent.
SHORT_LOWEST, SHORT_PREVIOUS_CLOSE, SHORT_IS_SHORTABLE, SHORT_IS_EASY, SHORT_COLUMNS = range(5)
UNKNOWN = -1

# Columns of Market.fees: the SEC's in 1e-6 USD a million USD, the TAF in 1e-9 USD a share, its cap or -1.
FEE_SEC, FEE_TAF, FEE_TAF_CAP, FEE_COLUMNS = range(4)

# Columns of Log.orders; the ranks, made when orders compete for a bar, hold at the moment RANKED_AT. OPEN is that of
# the bar that an order meets at this moment, 0 for none, AVAILABLE how many of its shares all orders may have.
(
    ORDER_INTENT,
    ORDER_STRATEGY,
    ORDER_SYMBOL,
    ORDER_SIDE,
    ORDER_REMAINING,
    ORDER_MOMENT,
    ORDER_OPEN_RANK,
    ORDER_BOOK_RANK,
    ORDER_RANKED_AT,
    ORDER_PLANNED,
    ORDER_OPEN,
    ORDER_AVAILABLE,
    ORDER_COLUMNS,
) = range(13)

PENDING_DAY, PENDING_AMOUNT, PENDING_COLUMNS = range(3)

# Columns of Log.intents; those of Log.answers are the shares wanted, the shares approved, and why not more of them.
(
    INTENT_MOMENT,
    INTENT_STRATEGY,
    INTENT_SYMBOL,
    INTENT_SIDE,
    INTENT_PURPOSE,
    INTENT_LEG,
    INTENT_COLUMNS,
) = range(7)
OPEN, INCREASE, REDUCE, CLOSE = range(4)
WANTED, APPROVED, REASONS, ANSWER_COLUMNS = range(4)

FILL_INTENT, FILL_MOMENT, FILL_QTY, FILL_PRICE, FILL_COLUMNS = range(5)

# Columns of Log.activities: shares in 1e-9; a moment is one of the session's.
(
    ACTIVITY_KIND,
    ACTIVITY_MOMENT,
    ACTIVITY_STRATEGY,
    ACTIVITY_SYMBOL,
    ACTIVITY_QTY,
    ACTIVITY_AMOUNT,
    ACTIVITY_SETTLES,
    ACTIVITY_COLUMNS,
) = range(8)
PAID_DIVIDEND, DID_SPLIT, PAID_FRACTION, PAID_SEC, PAID_TAF = range(5)

BREAKER_MOMENT, BREAKER_NUMBER, BREAKER_IS_TRIPPED, BREAKER_COLUMNS = range(4)
DAILY_LOSS, DAILY_LOSS_STOP_ALL, DRAWDOWN, BREAKER_COUNT = range(4)

# Columns of Log.equity, a row a moment, all in micro-dollars.
(
    EQUITY_CASH,
    EQUITY_RECEIVABLE,
    EQUITY_POSITIONS,
    EQUITY_COST,
    EQUITY_REALISED,
    EQUITY_DIVIDENDS,
    EQUITY_FEES,
    EQUITY_HIGH_WATER,
    EQUITY_COLUMNS,
) = range(9)

CANDIDATE_STRATEGY, CANDIDATE_SYMBOL, CANDIDATE_PURPOSE, CANDIDATE_LEG, CANDIDATE_QTY, CANDIDATE_COLUMNS = range(6)
