"""Bars as NumPy arrays, and what each bar says beside the one before it in its series. Verdicts belong elsewhere.

A series is one symbol in one timeframe. Arrays are sorted by symbol, timeframe and start: a series is one slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading_assets.domain.market.corporate_actions import ActionKind

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")

SMALLEST_SPLIT = 1.2
SPLIT_RATIOS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50])
SPLIT_TOLERANCE = 0.03
SCALE_BARS = 60
SCALE_MIN_BARS = 20
SCALE_FLOOR = 0.001
MAD_TO_SIGMA = 1.4826
"""Ratio of the standard deviation to the median absolute deviation of a normal distribution."""

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class BarArrays:
    """`symbol` and `timeframe` number the names in `symbols` and `timeframes`; ts and closes_at are datetime64[us] in
    UTC, `day` is the session's New York date as datetime64[D]; `values` holds VALUES as float64.
    """

    symbols: list[str]
    timeframes: list[str]
    symbol: Positions
    timeframe: Positions
    ts: Times
    closes_at: Times
    day: Times
    values: Mapping[str, Floats]

    def taken(self, rows: Positions | Flags) -> BarArrays:
        return BarArrays(
            self.symbols,
            self.timeframes,
            self.symbol[rows],
            self.timeframe[rows],
            self.ts[rows],
            self.closes_at[rows],
            self.day[rows],
            {name: column[rows] for name, column in self.values.items()},
        )


def sorted_arrays(bars: pd.DataFrame) -> tuple[BarArrays, Positions | None]:
    """The bars as sorted arrays, and the order to take rows of `bars` in; None when they are in order already."""
    symbol, symbols = pd.factorize(bars["symbol"], sort=True)
    timeframe, timeframes = pd.factorize(bars["timeframe"], sort=True)
    arrays = BarArrays(
        symbols=[str(name) for name in symbols],
        timeframes=[str(name) for name in timeframes],
        symbol=symbol,
        timeframe=timeframe,
        ts=_moments(bars["ts"]),
        closes_at=_moments(bars["closes_at"]),
        day=_days(bars["session_date"]),
        values={name: bars[name].to_numpy(dtype=float) for name in VALUES},
    )
    series = symbol * (len(timeframes) or 1) + timeframe
    step = np.diff(series)
    if bool(np.all((step > 0) | ((step == 0) & (arrays.ts[1:] >= arrays.ts[:-1])))):
        return arrays, None
    order = np.lexsort((arrays.ts, series))
    return arrays.taken(order), order


def compare_with_previous(bars: BarArrays, actions: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
    """What each bar says beside its predecessor, by the names that `bar_rules.annotate_bars` explains.

    `actions`: columns symbol, ex_date, kind, split_ratio, amount_usd. An action counts between two stored bars with
    previous session < ex-date <= session, wherever the ex-date lies.
    """
    is_first = _series_starts(bars)
    open_, close, volume = (bars.values[name] for name in ("open", "close", "volume"))
    previous_close = _previous(close, is_first)
    split_ratio, dividend = _actions_between(bars, is_first, actions)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected_close = _positive((previous_close - dividend) / split_ratio)
        jump = open_ / (previous_close - dividend)
        overnight_gap = open_ / expected_close - 1
        growth = close / expected_close
        magnitude = np.abs(np.log(_positive(growth)))
        score = magnitude / _typical_magnitude(magnitude, is_first)
        dividend_share = dividend / previous_close
    is_same_close = ~is_first
    is_same_close[1:] &= close[1:] == close[:-1]
    has_action = (split_ratio != 1) | (dividend != 0)
    return {
        "follows_previous": _follows_previous(bars, is_first),
        "is_repeat": _repeats(bars, is_first) & (volume > 0),
        "unchanged_closes": _run_lengths(is_same_close),
        "untraded_bars": _run_lengths(volume == 0, is_first),
        "overnight_gap": overnight_gap,
        "ex_date_gap": np.where(has_action, overnight_gap, np.nan),
        "return_score": score,
        "is_split_like_return": _looks_like_split(growth),
        "is_unexplained_split": (split_ratio == 1) & _looks_like_split(jump),
        "is_split_shown": _shows_split(jump, split_ratio),
        "dividend_share": dividend_share,
    }


def _moments(column: pd.Series) -> Times:
    return pd.to_datetime(column, utc=True).to_numpy(dtype="datetime64[us]")


def _days(column: pd.Series) -> Times:
    # Converting a date costs forty times as much as comparing it: convert each of a few thousand days once.
    number, days = pd.factorize(column)
    known: Times = np.asarray(days, dtype=object).astype("datetime64[D]")
    return known[number]


def _series_starts(bars: BarArrays) -> Flags:
    starts = np.ones(len(bars.symbol), dtype=bool)
    starts[1:] = (bars.symbol[1:] != bars.symbol[:-1]) | (bars.timeframe[1:] != bars.timeframe[:-1])
    return starts


def _previous(column: Floats, is_first: Flags) -> Floats:
    shifted = np.full(len(column), np.nan)
    shifted[1:] = column[:-1]
    shifted[is_first] = np.nan
    return shifted


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _follows_previous(bars: BarArrays, is_first: Flags) -> Flags:
    follows = is_first.copy()
    follows[1:] |= bars.ts[1:] >= bars.closes_at[:-1]
    return follows


def _repeats(bars: BarArrays, is_first: Flags) -> Flags:
    repeats = ~is_first
    for column in bars.values.values():
        repeats[1:] &= column[1:] == column[:-1]
    return repeats


def _run_lengths(holds: Flags, is_first: Flags | None = None) -> Positions:
    """How many bars in a row `holds` is true, up to and with each one; a run ends where its series does.

    Without `is_first`, `holds` is false at the first bar of every series.
    """
    positions = np.arange(1, len(holds) + 1)
    broken_at = np.where(holds, 0, positions)
    if is_first is not None:
        broken_at = np.maximum(broken_at, np.where(is_first & holds, positions - 1, 0))
    return positions - np.maximum.accumulate(broken_at)


class _WithinSeries(pd.api.indexers.BaseIndexer):
    """Windows of the last SCALE_BARS bars that never reach into the series before."""

    series_start: Positions

    def get_window_bounds(
        self,
        num_values: int = 0,
        min_periods: int | None = None,  # noqa: ARG002
        center: bool | None = None,  # noqa: ARG002
        closed: str | None = None,  # noqa: ARG002
        step: int | None = None,  # noqa: ARG002
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        end = np.arange(1, num_values + 1, dtype=np.int64)
        return np.maximum(end - SCALE_BARS, self.series_start), end


def _typical_magnitude(magnitude: Floats, is_first: Flags) -> Floats:
    """The robust scale of the SCALE_BARS returns before each one; NaN where fewer than SCALE_MIN_BARS are known."""
    positions = np.arange(len(magnitude), dtype=np.int64)
    windows = _WithinSeries(series_start=np.maximum.accumulate(np.where(is_first, positions, 0)))
    # One compiled pass over all series: the windows know where a series begins.
    medians = pd.Series(magnitude).rolling(windows, min_periods=SCALE_MIN_BARS).median().to_numpy()
    return np.maximum(_previous(medians, is_first) * MAD_TO_SIGMA, SCALE_FLOOR)


def _looks_like_split(jump: Floats) -> Flags:
    """Whether a change of price is within SPLIT_TOLERANCE of a usual split's factor, forward or reverse."""
    least = SPLIT_RATIOS.min()
    with np.errstate(invalid="ignore"):
        suspects = np.flatnonzero((jump < 1 / least * (1 + SPLIT_TOLERANCE)) | (jump > least * (1 - SPLIT_TOLERANCE)))
    factors = np.concatenate([SPLIT_RATIOS, 1 / SPLIT_RATIOS])[None, :]
    looks = np.zeros(len(jump), dtype=bool)
    looks[suspects] = (np.abs(jump[suspects, None] / factors - 1) < SPLIT_TOLERANCE).any(axis=1)
    return looks


def _shows_split(jump: Floats, split_ratio: Floats) -> Flags:
    """Whether a known split makes the jump smaller; True where there is none, or nothing to compare with.

    A stock dividend smaller than any split is lost among the moves of a day.
    """
    shows = np.ones(len(jump), dtype=bool)
    is_split = np.maximum(split_ratio, 1 / split_ratio) > SMALLEST_SPLIT
    splits = np.flatnonzero(is_split & ~np.isnan(jump))
    with np.errstate(divide="ignore", invalid="ignore"):
        jumps = _positive(jump[splits])
        shows[splits] = np.abs(np.log(jumps * split_ratio[splits])) < np.abs(np.log(jumps))
    return shows


def _actions_between(bars: BarArrays, is_first: Flags, actions: pd.DataFrame) -> tuple[Floats, Floats]:
    """Split ratio (1 without a split) and dividend (USD, 0 without one) with previous session < ex-date <= session."""
    ratio, dividend = np.ones(len(is_first)), np.zeros(len(is_first))
    numbers = {name: number for number, name in enumerate(bars.symbols)}
    for symbol, of_symbol in actions.sort_values("ex_date").groupby("symbol"):
        number = numbers.get(str(symbol))
        if number is None:
            continue
        begin, end = np.searchsorted(bars.symbol, [number, number + 1])
        rows = begin + np.flatnonzero(~is_first[begin:end])
        ex_dates = of_symbol["ex_date"].to_numpy().astype("datetime64[D]")
        after = np.searchsorted(ex_dates, bars.day[rows], side="right")
        before = np.searchsorted(ex_dates, bars.day[rows - 1], side="right")
        is_split = (of_symbol["kind"] == ActionKind.SPLIT).to_numpy(dtype=bool)
        ratios = np.where(is_split, of_symbol["split_ratio"].to_numpy(dtype=float), 1.0)
        amounts = np.where(is_split, 0.0, of_symbol["amount_usd"].to_numpy(dtype=float))
        products, sums = _running(np.multiply, ratios, 1.0), _running(np.add, amounts, 0.0)
        ratio[rows] = products[after] / products[before]
        dividend[rows] = sums[after] - sums[before]
    return ratio, dividend


def _running(operation: np.ufunc, steps: Floats, start: float) -> Floats:
    return np.asarray(operation.accumulate(np.concatenate([[start], steps])), dtype=np.float64)
