"""A million bars through every rule of bars, beside straightforward vectorised pandas doing the same.

From stored bars to how many rows break each expectation: the columns that the rules ask for, and the verdicts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from bench import bars_in_pandas
from bench.measure import Result, median, seconds_of
from trading_assets.domain.market.bar_rules import BarContext, annotate_bars
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.quality.evaluate import evaluate_suite
from trading_assets.quality.suites import BARS

FIRST, LAST = date(2016, 1, 4), date(2022, 12, 30)
SYMBOLS = 82


def run(rounds: int = 3, symbols: int = SYMBOLS, first: date = FIRST, last: date = LAST) -> list[Result]:
    """One result: medians of `rounds` over random hourly bars of `symbols` symbols in the sessions first..last."""
    bars, context = random_bars(symbols, first, last), context_of(symbols, first, last)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds_of(lambda: in_numpy(bars, context)))
        theirs.append(seconds_of(lambda: in_pandas(bars, context)))
    if in_numpy(bars, context) != in_pandas(bars, context):
        raise RuntimeError("The two implementations count differently.")
    what = f"{len(bars):,} bars through {len(BARS.expectations)} rules"
    return [Result(what, median(ours), "the same in pandas", median(theirs), rounds)]


def in_numpy(bars: pd.DataFrame, context: BarContext) -> dict[str, int]:
    """How many rows break each expectation, as the platform judges."""
    return {outcome.name: outcome.unexpected_count for outcome in evaluate_suite(annotate_bars(bars, context), BARS)}


def in_pandas(bars: pd.DataFrame, context: BarContext) -> dict[str, int]:
    """The same in pandas."""
    return bars_in_pandas.unexpected_counts(bars_in_pandas.annotate_bars(bars, context), BARS)


def random_bars(symbols: int, first: date, last: date) -> pd.DataFrame:
    """Hourly bars of random walks, by symbol and ts, as the database returns them."""
    random = np.random.default_rng(7)
    grid = [(day, *bounds) for day in sessions_between(first, last) for bounds in bar_bounds(day, Timeframe.HOUR)]
    days, starts, ends = (list(column) for column in zip(*grid, strict=True))
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.003, (symbols, len(grid))), axis=1)).ravel()
    open_ = close * np.exp(random.normal(0, 0.002, close.size))
    return pd.DataFrame(
        {
            "symbol": np.repeat(_names(symbols), len(grid)),
            "timeframe": str(Timeframe.HOUR),
            "ts": pd.DatetimeIndex(starts * symbols).as_unit("us"),
            "closes_at": pd.DatetimeIndex(ends * symbols).as_unit("us"),
            "session_date": np.tile(np.array(days, dtype=object), symbols),
            "open": open_,
            "high": np.maximum(open_, close) * 1.001,
            "low": np.minimum(open_, close) * 0.999,
            "close": close,
            "volume": random.integers(1_000, 100_000, close.size).astype(float),
            "source": "bench",
        }
    )


def context_of(symbols: int, first: date, last: date) -> BarContext:
    """What the random bars are judged by: all of them are due, and no action is known."""
    names = _names(symbols)
    columns = ["symbol", "ex_date", "kind", "split_ratio", "amount_usd"]
    return BarContext(
        first=first,
        last=last,
        timeframes=[Timeframe.HOUR],
        universe=names,
        known_symbols=frozenset(names),
        first_sessions={(name, str(Timeframe.HOUR)): first for name in names},
        actions=pd.DataFrame([], columns=columns, dtype=object),
        now=datetime(2024, 1, 1, tzinfo=UTC),
    )


def _names(symbols: int) -> list[str]:
    return [f"S{number:04d}" for number in range(symbols)]
