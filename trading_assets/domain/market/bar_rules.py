"""What a frame of bars says about its own soundness, as one column a question. No verdicts: the quality suite has them.

Every column is computed from the bars, the known corporate actions, the exchange calendar and a given time only. The
arithmetic is NumPy on sorted arrays; what a bar says beside its predecessor is in bar_series.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trading_assets.domain.market.bar_series import (
    PRICES,
    VALUES,
    BarArrays,
    Flags,
    compare_with_previous,
    sorted_arrays,
)
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.halts import AbsentBar
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe

HISTORY_DAYS = 100
"""Calendar days of bars before the first session that `annotate_bars` needs to judge the first bar like any other."""

UTC_MICROSECONDS = "datetime64[us, UTC]"


@dataclass(frozen=True)
class BarContext:
    """What the bars of the sessions `first`..`last` are compared with.

    `universe`: symbols whose absence is a gap. `known_symbols`: symbols that bars may belong to at all.
    `first_sessions`: session of the first stored bar by (symbol, timeframe), since when each further bar is expected.
    `actions`: columns symbol, ex_date, kind, split_ratio, amount_usd. `now`: tz-aware UTC.
    `absent`: bars that are missing for a known reason, such as a halt of trading, and therefore no gaps.
    """

    first: date
    last: date
    timeframes: Sequence[Timeframe]
    universe: Sequence[str]
    known_symbols: frozenset[str]
    first_sessions: Mapping[tuple[str, str], date]
    actions: pd.DataFrame
    now: datetime
    absent: frozenset[AbsentBar] = frozenset()


def annotate_bars(bars: pd.DataFrame, context: BarContext) -> pd.DataFrame:
    """The bars of first..last with the columns below, and one row without prices for each bar that is missing.

    `bars`: BAR_COLUMNS, with up to HISTORY_DAYS of earlier bars; one version a bar. Columns added:
    is_stored (False: a missing bar, whose other added columns are empty), missing_values (names), lowest_price,
    largest_value, body_top, body_bottom, is_known_symbol, is_inside_session, is_on_session_grid, is_closed,
    follows_previous (starts when the previous bar has ended), is_repeat (of the previous bar), unchanged_closes and
    untraded_bars (in a row), overnight_gap and return_score (against the previous close, adjusted for known actions),
    ex_date_gap (the overnight gap where an action lies in it), is_split_like_return (against the same close),
    is_unexplained_split, is_split_shown, dividend_share (of the previous close).
    """
    frame = bars.loc[:, list(BAR_COLUMNS)]
    arrays, order = sorted_arrays(frame)
    columns = compare_with_previous(arrays, context.actions)
    if order is not None:
        frame = frame.take(order)
    is_judged = (arrays.day >= np.datetime64(context.first)) & (arrays.day <= np.datetime64(context.last))
    if not is_judged.all():
        frame, arrays = frame[is_judged], arrays.taken(is_judged)
        columns = {name: column[is_judged] for name, column in columns.items()}
    frame = frame.reset_index(drop=True)
    grid = _session_grid(arrays.timeframes, context)
    slots = _slots(arrays, grid)
    columns |= _shape(frame, arrays) | _session_answers(arrays, grid, slots, context)
    answers = pd.DataFrame({**columns, "is_stored": np.ones(len(frame), dtype=bool)}, copy=False)
    judged = pd.concat([frame, answers], axis=1)
    missing = _missing_bars(arrays, grid, slots, context)
    if missing.empty:
        return judged
    flags = [name for name in judged if judged[name].dtype == bool]
    return pd.concat([judged.astype(dict.fromkeys(flags, object)), missing.astype({"is_stored": object})]).reset_index(
        drop=True
    )


def _shape(frame: pd.DataFrame, bars: BarArrays) -> dict[str, Any]:
    """Questions that one bar answers alone."""
    prices = [bars.values[name] for name in PRICES]
    body = (bars.values["open"], bars.values["close"])
    return {
        "missing_values": _missing_names(frame),
        "lowest_price": np.fmin.reduce(prices),
        "largest_value": np.fmax.reduce([np.abs(bars.values[name]) for name in VALUES]),
        "body_top": np.fmax(*body),
        "body_bottom": np.fmin(*body),
    }


def _missing_names(frame: pd.DataFrame) -> pd.Series:
    """The names of a bar's empty columns, apart by a space."""
    names = np.full(len(frame), "", dtype=object)
    for name in BAR_COLUMNS:
        for row in np.flatnonzero(frame[name].isna().to_numpy()):
            names[row] = f"{names[row]} {name}".lstrip()
    return pd.Series(names, dtype=object)


# The calendar -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Every bar the calendar has in the range, by day, timeframe and start, with the hours of its session."""

    timeframe: npt.NDArray[np.object_]
    day: npt.NDArray[np.datetime64]
    ts: npt.NDArray[np.datetime64]
    closes_at: npt.NDArray[np.datetime64]
    session_opens_at: npt.NDArray[np.datetime64]
    session_closes_at: npt.NDArray[np.datetime64]


def _session_grid(stored_timeframes: Sequence[str], context: BarContext) -> _Grid:
    timeframes = sorted({*context.timeframes, *(known for known in Timeframe if known in stored_timeframes)})
    hours = [session(day) for day in sessions_between(context.first, context.last)]
    days = np.array([trading.date for trading in hours], dtype="datetime64[D]")
    opens_at = _moments([trading.opens_at for trading in hours])
    closes_at = _moments([trading.closes_at for trading in hours])
    lengths, kinds = np.unique(closes_at - opens_at, return_inverse=True)
    parts = []
    for timeframe in timeframes:
        for kind in range(len(lengths)):
            # Sessions of one length have the same bars, counted from their opening.
            of_kind = np.flatnonzero(kinds == kind)
            example = hours[of_kind[0]]
            bounds = bar_bounds(example.date, timeframe)
            starts = np.array([bar.ts - example.opens_at for bar in bounds], dtype="timedelta64[us]")
            ends = np.array([bar.closes_at - example.opens_at for bar in bounds], dtype="timedelta64[us]")
            row = np.repeat(of_kind, len(bounds))
            ts, end = ((opens_at[of_kind, None] + offsets).ravel() for offsets in (starts, ends))
            parts.append((row, np.full(len(row), str(timeframe), dtype=object), ts, end))
    if not parts:
        return _Grid(np.empty(0, dtype=object), days, opens_at, opens_at, opens_at, opens_at)
    row, names, ts, end = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((ts, names.astype(str), row))
    row = row[order]
    return _Grid(names[order], days[row], ts[order], end[order], opens_at[row], closes_at[row])


def _moments(column: Sequence[datetime]) -> npt.NDArray[np.datetime64]:
    return np.array([moment.replace(tzinfo=None) for moment in column], dtype="datetime64[us]")


def _slots(bars: BarArrays, grid: _Grid) -> npt.NDArray[np.intp]:
    """The row of the grid with each bar's timeframe and start; -1 where the calendar has none."""
    slots = np.full(len(bars.ts), -1, dtype=np.intp)
    for number, timeframe in enumerate(bars.timeframes):
        of_timeframe = np.flatnonzero(grid.timeframe == timeframe)
        if not of_timeframe.size:
            continue
        rows = slice(None) if len(bars.timeframes) == 1 else np.flatnonzero(bars.timeframe == number)
        starts, wanted = grid.ts[of_timeframe], bars.ts[rows]
        found = np.searchsorted(starts, wanted).clip(max=len(starts) - 1)
        slots[rows] = np.where(starts[found] == wanted, of_timeframe[found], -1)
    return slots


def _session_answers(
    bars: BarArrays, grid: _Grid, slots: npt.NDArray[np.intp], context: BarContext
) -> dict[str, Flags]:
    """Questions about a bar and the calendar, the universe and the time."""
    known = np.array([name in context.known_symbols for name in bars.symbols], dtype=bool)
    is_inside = np.zeros(len(slots), dtype=bool)
    is_on_grid = slots >= 0
    if grid.day.size:
        is_on_grid &= (grid.closes_at[slots] == bars.closes_at) & (grid.day[slots] == bars.day)
        hours = np.searchsorted(grid.day, bars.day).clip(max=len(grid.day) - 1)
        is_inside = (
            (grid.day[hours] == bars.day)
            & (bars.ts >= grid.session_opens_at[hours])
            & (bars.closes_at <= grid.session_closes_at[hours])
        )
    return {
        "is_known_symbol": known[bars.symbol],
        "is_inside_session": is_inside,
        "is_on_session_grid": is_on_grid,
        "is_closed": bars.closes_at <= _moment(context.now),
    }


def _missing_bars(bars: BarArrays, grid: _Grid, slots: npt.NDArray[np.intp], context: BarContext) -> pd.DataFrame:
    """Bars that ended by now and are not stored: of a series since its first one, of all series in an empty session."""
    universe = list(context.universe)
    first_days = {
        str(timeframe): np.array(
            [context.first_sessions.get((symbol, str(timeframe)), date.max) for symbol in universe],
            dtype="datetime64[D]",
        )
        for timeframe in context.timeframes
    }
    is_stored = np.zeros((len(grid.day), len(universe)), dtype=bool)
    place = {symbol: number for number, symbol in enumerate(universe)}
    places = np.array([place.get(name, -1) for name in bars.symbols], dtype=np.intp)[bars.symbol]
    found = (slots >= 0) & (places >= 0)
    is_stored[slots[found], places[found]] = True
    is_expected = np.zeros_like(is_stored)
    is_empty_session = ~np.isin(grid.day, np.unique(bars.day))
    for timeframe, days in first_days.items():
        of_timeframe = grid.timeframe == timeframe
        since_first = days[None, :] <= grid.day[of_timeframe, None]
        is_expected[of_timeframe] = since_first | is_empty_session[of_timeframe, None]
    is_expected[grid.closes_at > _moment(context.now)] = False
    starts = {(grid.timeframe[row], grid.ts[row]): row for row in range(len(grid.ts))} if context.absent else {}
    for symbol, timeframe, ts in context.absent:
        row = starts.get((timeframe, _moment(ts)))
        if row is not None and symbol in place:
            is_expected[row, place[symbol]] = False
    rows, symbols = np.nonzero(is_expected & ~is_stored)
    return pd.DataFrame(
        {
            "symbol": np.array(universe, dtype=object)[symbols],
            "timeframe": grid.timeframe[rows],
            "ts": pd.DatetimeIndex(grid.ts[rows], tz="UTC"),
            "closes_at": pd.DatetimeIndex(grid.closes_at[rows], tz="UTC"),
            "session_date": np.array(grid.day[rows].tolist(), dtype=object),
            "is_stored": False,
        }
    )


def _moment(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
