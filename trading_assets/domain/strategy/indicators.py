"""Technical indicators: the registry of kinds, their column names, units and warm-up, and their computation by TA-Lib.

Point in time by construction. A symbol's indicators are computed from its first bar onwards, on forward-adjusted
prices (raw price x product of the factors of all actions up to that bar), so a value depends on its own bar and on
earlier ones only: neither on later bars and actions nor on the range asked for. The same bars give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Unit = Literal["price", "ratio"]

MINIMUM_PERIOD = 2
MAXIMUM_PERIOD = 10_000


class UnknownIndicatorError(ValueError):
    """No indicator of that kind, or parameters that it does not accept."""


@dataclass(frozen=True, slots=True)
class AdjustedBars:
    """One symbol's forward-adjusted bars in time order, float64."""

    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of indicator. `warm_up(period)` is the number of leading bars of a symbol without a value."""

    title: str
    unit: Unit
    warm_up: Callable[[int], int]
    values: Callable[[AdjustedBars, int], Floats]


def _sma(bars: AdjustedBars, period: int) -> Floats:
    import talib

    return _floats(talib.SMA(bars.close, period))


def _ema(bars: AdjustedBars, period: int) -> Floats:
    import talib

    return _floats(talib.EMA(bars.close, period))


def _rsi(bars: AdjustedBars, period: int) -> Floats:
    import talib

    return _floats(talib.RSI(bars.close, period))


def _atr(bars: AdjustedBars, period: int) -> Floats:
    import talib

    return _floats(talib.ATR(bars.high, bars.low, bars.close, period))


def _floats(result: Any) -> Floats:
    return np.asarray(result, dtype=np.float64)


KINDS: dict[str, Kind] = {
    "sma": Kind("Simple moving average of the close", "price", lambda period: period - 1, _sma),
    "ema": Kind(
        "Exponential moving average of the close, alpha 2/(period + 1), seeded with the first simple average",
        "price",
        lambda period: period - 1,
        _ema,
    ),
    "rsi": Kind("Relative strength index of the close, 0 to 100 (Wilder 1978)", "ratio", lambda period: period, _rsi),
    "atr": Kind("Average true range (Wilder 1978)", "price", lambda period: period, _atr),
}
"""Every kind of indicator by its name. Wilder 1978: "New Concepts in Technical Trading Systems"."""


@dataclass(frozen=True, slots=True, order=True)
class Indicator:
    """An indicator that a strategy declares, for example `Indicator("sma", 20)`. Raises UnknownIndicatorError."""

    kind: str
    period: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownIndicatorError(
                f"No indicator is called {self.kind!r}: choose one of {', '.join(sorted(KINDS))}."
            )
        is_whole = isinstance(self.period, int) and not isinstance(self.period, bool)
        if not is_whole or not MINIMUM_PERIOD <= self.period <= MAXIMUM_PERIOD:
            raise UnknownIndicatorError(
                f"{self.kind}: period {self.period!r} must be a whole number of bars "
                f"from {MINIMUM_PERIOD} to {MAXIMUM_PERIOD}."
            )

    @property
    def column(self) -> str:
        """The stable name of its column in frames and in strategy.indicators: `sma_20`."""
        return f"{self.kind}_{self.period}"

    @property
    def unit(self) -> Unit:
        """`price`: USD in the raw units of the bar's own time; `ratio`: without units."""
        return KINDS[self.kind].unit

    @property
    def warm_up(self) -> int:
        """How many leading bars of a symbol have no value (NaN)."""
        return KINDS[self.kind].warm_up(self.period)

    @property
    def description(self) -> str:
        unit = "USD" if self.unit == "price" else "ratio"
        return f"{KINDS[self.kind].title} over {self.period} bars, {unit}"


def compute(bars: pd.DataFrame, factors: npt.ArrayLike, indicators: Sequence[Indicator]) -> pd.DataFrame:
    """One float64 column an indicator, row for row with `bars`; NaN while a symbol warms up.

    `bars`: symbol, ts, high, low, close (raw USD), one timeframe, sorted by symbol and ts, each symbol from its first
    bar. `factors`: one positive number a bar, such that raw price x factor is the forward-adjusted price. A value in
    units of price is divided by its bar's factor: it compares with the raw prices of its own bar. Raises ValueError.
    """
    import pandas as pd

    factor = np.asarray(factors, dtype=np.float64)
    if factor.shape != (len(bars),) or not bool(np.all((factor > 0) & np.isfinite(factor))):
        raise ValueError(f"Indicators need one positive, finite factor for each of the {len(bars)} bars.")
    columns = {indicator.column: np.full(len(bars), np.nan) for indicator in indicators}
    for rows in symbol_slices(bars):
        own_factor = factor[rows]
        adjusted = AdjustedBars(
            *(bars[name].to_numpy(dtype=np.float64)[rows] * own_factor for name in ("high", "low", "close"))
        )
        for indicator in indicators:
            values = KINDS[indicator.kind].values(adjusted, indicator.period)
            columns[indicator.column][rows] = values / own_factor if indicator.unit == "price" else values
    return pd.DataFrame(columns, index=bars.index, dtype=np.float64)


def symbol_slices(bars: pd.DataFrame) -> Iterator[slice]:
    """The rows of each symbol. Raises ValueError unless a symbol's rows stand together, by ts, without doubles."""
    if bars.empty:
        return
    symbols = bars["symbol"].to_numpy(dtype=object)
    times = bars["ts"].to_numpy()
    is_new = symbols[1:] != symbols[:-1]
    starts = [0, *(np.flatnonzero(is_new) + 1).tolist(), len(bars)]
    is_in_order = is_new | (times[1:] > times[:-1])
    if not bool(is_in_order.all()):
        row = int(np.flatnonzero(~is_in_order)[0]) + 1
        raise ValueError(
            f"Bars must be sorted by symbol and ts without doubles: row {row} "
            f"({symbols[row]} {bars['ts'].iloc[row]}) does not come after the one before it."
        )
    if len(set(symbols[starts[:-1]])) != len(starts) - 1:
        raise ValueError("Bars must be sorted by symbol and ts: the rows of one symbol do not stand together.")
    yield from (slice(start, stop) for start, stop in pairwise(starts))
