"""Runs the compiled loop over one stretch: makes room, tells the order of competing orders, collects what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trading_assets.domain.execution.ids import client_order_id, execution_id
from trading_assets.domain.kernel.arrays import (
    ACTIVITIES,
    ACTIVITY_COLUMNS,
    ANSWER_COLUMNS,
    BREAKER_COLUMNS,
    BREAKER_COUNT,
    BREAKERS,
    CANDIDATE_COLUMNS,
    CASH,
    DONE,
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    FILLS,
    GROW,
    HIGH_WATER,
    INTENT_COLUMNS,
    INTENT_LEG,
    INTENT_MOMENT,
    INTENT_PURPOSE,
    INTENT_SIDE,
    INTENT_STRATEGY,
    INTENT_SYMBOL,
    INTENTS,
    MILLION,
    MOMENT,
    NUMBERS,
    ORDER_BOOK_RANK,
    ORDER_COLUMNS,
    ORDER_INTENT,
    ORDER_OPEN_RANK,
    ORDER_RANKED_AT,
    ORDERS,
    PENDING,
    PENDING_COLUMNS,
    PROJECTIONS,
    RANK,
    SESSION,
    Log,
    Market,
    NotRepresentableError,
    State,
    Terms,
    Wants,
)
from trading_assets.domain.kernel.convert import Stretch, scaled, stretch_of
from trading_assets.domain.risk.intents import intent_id
from trading_assets.domain.risk.verdicts import Purpose
from trading_assets.domain.values import Side

PURPOSES = (Purpose.OPEN, Purpose.INCREASE, Purpose.REDUCE, Purpose.CLOSE)
_LEAST_ROWS, _TARGETS_A_ROW = 2**14, 32
"""Room in the log: memory that is never written to costs nothing, and what grows is copied."""

Rank = Callable[[State, Log], None]


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids of an account's orders are made of: `strategies` are (name, version), in order of the name."""

    account_id: str
    strategies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """What became of an account; the rows of `log` count as far as `state.numbers` says."""

    stretch: Stretch
    names: Names
    state: State
    log: Log

    def order_name(self, intent: int) -> str:
        """The client order id of the order for the row `intent` of the log."""
        row = self.log.intents[intent]
        strategy, version = self.names.strategies[row[INTENT_STRATEGY]]
        name = intent_id(
            self.names.account_id,
            strategy,
            version,
            self.stretch.ends[row[INTENT_MOMENT]],
            self.stretch.symbols[row[INTENT_SYMBOL]],
            Side.BUY if row[INTENT_SIDE] > 0 else Side.SELL,
            PURPOSES[row[INTENT_PURPOSE]],
            int(row[INTENT_LEG]),
        )
        return client_order_id(name, int(row[INTENT_LEG]), attempt=1)


def live(stretch: Stretch, wants: Wants, terms: Terms, opening_cash_usd: Decimal, names: Names) -> Life:
    """A new account lives through all of `stretch`. Raises NotRepresentableError where the object loop has to do it."""
    cash = scaled(opening_cash_usd, MILLION, "broker.opening_cash_usd")
    state, log = lived(stretch.market, wants, terms, cash, lambda state, log: _rank(Life(stretch, names, state, log)))
    return Life(stretch, names, state, log)


def lived(market: Market, wants: Wants, terms: Terms, cash: int, rank: Rank) -> tuple[State, Log]:
    """The arrays alone; `rank` sets the ranks of competing orders in the log."""
    from trading_assets.domain.kernel import loop

    state, log = _begin(market, wants, cash)
    while (why := loop.live(market, wants, terms, state, log)) != DONE:
        if why == GROW:
            log = _grown(market, state, log, 0)
        elif why == RANK:
            rank(state, log)
        else:
            row = int(state.numbers[MOMENT])
            raise NotRepresentableError(
                f"moment {row}: too many shares, too much money, so little that day trades are counted,"
                " or orders that a breaker ends"
            )
    return state, log


def compile_loop() -> None:
    """Compile the loop, or load what was compiled before, by living through nothing."""
    market = stretch_of([]).market
    nothing = Wants(np.zeros((0, 1, 0), dtype=np.int32), np.zeros(0, dtype=np.bool_))
    terms = Terms(
        max_order_qty=1,
        max_order_notional=1,
        max_position=1,
        max_gross_exposure=1,
        cash_buffer=0,
        stop_new_daily_loss=1,
        stop_all_daily_loss=1,
        stop_all_drawdown=1,
        rebalance_band=0,
        margin_buffer=1,
        allow_short=False,
        slippage=0,
        volume_limit=1,
    )
    lived(market, nothing, terms, MILLION, lambda *_: None)


def _begin(market: Market, wants: Wants, cash: int) -> tuple[State, Log]:
    moments, strategies, symbols = wants.weights.shape
    by_both, by_symbol = (strategies, symbols), (symbols,)
    numbers = np.zeros(NUMBERS, dtype=np.int64)
    numbers[CASH] = numbers[HIGH_WATER] = cash
    numbers[SESSION] = -1
    cost, strategy_sells = (np.zeros(by_both, dtype=np.int64) for _ in range(2))
    buys, sells, waiting = (np.zeros(by_symbol, dtype=np.int64) for _ in range(3))
    stirred = np.zeros(-(-symbols // 8) * 8, dtype=np.uint8)
    state = State(
        numbers=numbers,
        qty=np.zeros(by_both),
        cost=cost,
        carried=np.zeros(strategies, dtype=np.int64),
        realised=np.zeros(strategies, dtype=np.int64),
        projected=np.zeros(by_both),
        strategy_sells=strategy_sells,
        net=np.zeros(by_symbol),
        buys=buys,
        sells=sells,
        waiting=waiting,
        marks=np.zeros(by_symbol),
        stirred=stirred,
        stirred_words=stirred.view(np.uint64),
        tripped=np.full(BREAKER_COUNT, -1, dtype=np.int64),
        projection=np.zeros(PROJECTIONS, dtype=np.int64),
        candidates=np.zeros((2, 2 * strategies * symbols, CANDIDATE_COLUMNS), dtype=np.int64),
    )
    log = Log(
        orders=np.zeros((0, ORDER_COLUMNS), dtype=np.int64),
        pending=np.zeros((0, PENDING_COLUMNS), dtype=np.int64),
        intents=np.zeros((0, INTENT_COLUMNS), dtype=np.int32),
        answers=np.zeros((0, ANSWER_COLUMNS), dtype=np.int64),
        fills=np.zeros((0, FILL_COLUMNS), dtype=np.int64),
        activities=np.zeros((0, ACTIVITY_COLUMNS), dtype=np.int64),
        breakers=np.zeros((0, BREAKER_COLUMNS), dtype=np.int64),
        equity=np.empty((moments, EQUITY_COLUMNS), dtype=np.int64),
        gross=np.zeros(market.days.size, dtype=np.int64),
        profit=np.zeros((market.days.size, strategies), dtype=np.int64),
    )
    return state, _grown(market, state, log, wants.weights.size // _TARGETS_A_ROW)


_COUNTS = {
    "orders": ORDERS,
    "pending": PENDING,
    "intents": INTENTS,
    "answers": INTENTS,
    "fills": FILLS,
    "activities": ACTIVITIES,
    "breakers": BREAKERS,
}


def _grown(market: Market, state: State, log: Log, least: int) -> Log:
    """Room for one more moment, whatever it brings, and for `least` rows, in every part of the log; where there was
    none, four times the rows."""
    strategies, symbols = state.qty.shape
    actions = int(np.diff(market.first_action).max(initial=0))
    needed = 2 * strategies * (symbols + actions) + int(state.numbers[ORDERS]) + 8
    parts = {}
    for name, column in _COUNTS.items():
        rows, used = getattr(log, name), int(state.numbers[column])
        if len(rows) - used < needed:
            count = 4 * len(rows) + max(needed, least, _LEAST_ROWS)
            parts[name] = np.empty((count, rows.shape[1]), dtype=rows.dtype)
            parts[name][:used] = rows[:used]
    return log._replace(**parts)


def _rank(life: Life) -> None:
    """The ranks of all working orders at this moment, as their ids have it: to execute, and to be booked."""
    moment, count = int(life.state.numbers[MOMENT]), int(life.state.numbers[ORDERS])
    orders = life.log.orders[:count]
    names = [life.order_name(int(order[ORDER_INTENT])) for order in orders]
    begun = life.stretch.begin_of(moment)
    executions = [execution_id(name, begun, 0) for name in names]
    for column, ids in ((ORDER_OPEN_RANK, names), (ORDER_BOOK_RANK, executions)):
        orders[:, column] = np.argsort(np.argsort(ids))
    orders[:, ORDER_RANKED_AT] = moment
