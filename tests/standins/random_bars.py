"""Bars of symbols that walk at random, the same ones for the same seed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

FIRST = date(2010, 1, 4)


def random_bars(
    symbols: list[str], count: int, timeframe: Timeframe = Timeframe.SESSION, seed: int = 5
) -> pd.DataFrame:
    """BAR_COLUMNS of `count` bars a symbol from FIRST on, by symbol and ts."""
    random = np.random.default_rng(seed)
    bounds = [(day, bar) for day in sessions_between(FIRST, date(2013, 12, 31)) for bar in bar_bounds(day, timeframe)][
        :count
    ]
    frames = []
    for symbol in sorted(symbols):
        close = 100 * np.exp(0.02 * random.normal(size=count).cumsum())
        open_ = close * np.exp(0.005 * random.normal(size=count))
        frames.append(
            pd.DataFrame(
                {
                    "symbol": symbol,
                    "timeframe": timeframe.value,
                    "ts": pd.DatetimeIndex([bar.ts for _, bar in bounds]),
                    "closes_at": pd.DatetimeIndex([bar.closes_at for _, bar in bounds]),
                    "session_date": [day for day, _ in bounds],
                    "open": open_,
                    "high": np.maximum(open_, close) * 1.01,
                    "low": np.minimum(open_, close) * 0.99,
                    "close": close,
                    "volume": random.integers(1_000, 9_000, size=count).astype(float),
                    "source": "random",
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
