"""Indicators of many symbols beside bare TA-Lib on the same arrays, and a new bar beside computing a tail again.

In seconds of processor: both sides compute in one thread, and whatever else the machine does would blur milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.measure import Result, median
from trading_assets.domain.strategy.bar_by_bar import BarByBar
from trading_assets.domain.strategy.indicators import Floats, Indicator, compute

SYMBOLS, BARS = 50, 17_500
TAIL, NEW_BARS = 300, 50
FIELDS = ["high", "low", "close"]
SIX = (
    Indicator("sma", 20),
    Indicator("ema", 50),
    Indicator("rsi", 14),
    Indicator("atr", 14),
    Indicator("macd", 12, 26, 9),
    Indicator("bollinger_upper", 20, 2.0),
)


def run(rounds: int = 7, symbols: int = SYMBOLS, bars: int = BARS) -> list[Result]:
    """Two results, medians of `rounds`: the history of `bars` hours of each symbol, and new bars of every symbol."""
    history = random_bars(symbols, bars)
    return [_batch(history, rounds), _new_bars(history, rounds)]


def random_bars(symbols: int, bars: int) -> pd.DataFrame:
    """Random walks with a split in the middle (`factor`), by symbol and ts, in the types that the database gives."""
    random = np.random.default_rng(7)
    close = 100 * np.exp(random.normal(0, 0.003, (symbols, bars)).cumsum(axis=1)).ravel()
    times = pd.date_range("2014-01-01", periods=bars, freq="h", tz="UTC").as_unit("us")
    return pd.DataFrame(
        {
            "symbol": pd.Series(np.repeat([f"S{number:04d}" for number in range(symbols)], bars), dtype="str"),
            "ts": pd.concat([pd.Series(times)] * symbols, ignore_index=True),
            "high": close * (1 + random.uniform(0, 0.002, close.size)),
            "low": close * (1 - random.uniform(0, 0.002, close.size)),
            "close": close,
            "factor": np.where(np.arange(close.size) % bars < bars // 2, 1.0, 2.0),
        }
    )


def _batch(history: pd.DataFrame, rounds: int) -> Result:
    """From a frame of bars to a frame of values: with the checks, the adjustment and the way back to raw units."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_processor_seconds(lambda: compute(history, history["factor"], SIX)))
        theirs.append(_processor_seconds(lambda: bare(history)))
    return Result(
        f"{len(SIX)} indicators of {len(history):,} bars", median(ours), "bare TA-Lib", median(theirs), rounds
    )


def bare(history: pd.DataFrame) -> list[Floats]:
    """TA-Lib's six functions on the raw arrays of each symbol; what they give is kept, and nothing else is done."""
    import talib

    bars = int((history["symbol"] == history["symbol"].iloc[0]).sum())
    kept = []
    for start in range(0, len(history), bars):
        own = slice(start, start + bars)
        high, low, close = (history[field].to_numpy()[own] for field in FIELDS)
        kept += [talib.SMA(close, 20), talib.EMA(close, 50), talib.RSI(close, 14), talib.ATR(high, low, close, 14)]
        kept += [talib.MACD(close, 12, 26, 9)[0], talib.BBANDS(close, 20, 2.0, 2.0)[0]]
    return kept


def _new_bars(history: pd.DataFrame, rounds: int) -> Result:
    """The newest bars of every symbol, one after the other: carried forward, and from the last bars up to each."""
    age = history.groupby("symbol", sort=False).cumcount(ascending=False)
    tails = [history[age.between(newest, newest + TAIL - 1)] for newest in reversed(range(NEW_BARS))]
    known, new = history[age >= NEW_BARS], history[age < NEW_BARS]
    bars = list(zip(new["symbol"], new[FIELDS].to_dict("records"), new["factor"], strict=True))
    whole = compute(history, history["factor"], SIX)[age < NEW_BARS].to_numpy()
    ours, theirs = [], []
    for _ in range(rounds):
        symbols = {name: BarByBar(own, own["factor"], SIX) for name, own in known.groupby("symbol", sort=False)}
        began = time.process_time()
        forward = [symbols[name].append(bar, factor) for name, bar, factor in bars]
        ours.append(time.process_time() - began)
        theirs.append(_processor_seconds(lambda: [compute(tail, tail["factor"], SIX) for tail in tails]))
        if np.array(forward).tobytes() != whole.tobytes():
            raise RuntimeError("Bar by bar, the indicators are not what they are over the whole history.")
    what = f"{len(new):,} new bars, one by one"
    return Result(what, median(ours), f"the last {TAIL} bars up to each again", median(theirs), rounds)


def _processor_seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
