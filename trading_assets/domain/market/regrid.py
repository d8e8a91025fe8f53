"""Finer bars put on the session's own grid: hours counted from 09:30 New York time, or one bar a session.

Vendors' own hour bars start on the clock hour and mix the pre-market into the opening half hour, so they cannot be
compared or traded on; bars of 1, 5, 15 or 30 minutes can be added up to the grid of sessions.py. Fetching belongs in
the adapters, and filling gaps nowhere: an hour without any input has no bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.sessions import HOUR, NEW_YORK, bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Instants: TypeAlias = np.ndarray[tuple[int], np.dtype[np.datetime64]]
    Flags: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool]]

REGRIDDED_COLUMNS = BAR_COLUMNS[:-1]
"""BAR_COLUMNS without `source`, which only the caller knows."""


def regrid(
    bars: pd.DataFrame, timeframe: Timeframe, step: timedelta = timedelta(minutes=5), until: datetime | None = None
) -> pd.DataFrame:
    """The bars of `timeframe` that the finer `bars` add up to, columns REGRIDDED_COLUMNS, by symbol and ts.

    `bars` has the columns symbol, ts (start of the bar, tz-aware), open, high, low, close (USD) and volume (shares), in
    any order; each lasts `step`, cut at the close. Bars outside regular hours are left out; intervals may be missing.
    With `until`, bars that had not closed by then are left out too. Raises ValueError for a bar that lies across the
    opening or across two bars of the grid, and for two bars of a symbol with one start.
    """
    import numpy as np
    import pandas as pd

    ordered = bars.sort_values(["symbol", "ts"], ignore_index=True)
    if (repeated := ordered.duplicated(["symbol", "ts"])).any():
        raise ValueError(f"{_name(ordered, repeated)} is there twice: keep one of the two bars.")
    ts = ordered["ts"].dt.tz_convert("UTC").dt.as_unit("us")
    grid = grid_of(ts.dt.tz_convert(NEW_YORK).dt.date.unique(), timeframe)
    starts, ends = (_instants(grid[column]) for column in ("ts", "closes_at"))
    moments = _instants(ts)
    slot = np.searchsorted(starts, moments, side="right") - 1
    inside = slot >= 0
    inside[inside] = moments[inside] < ends[slot[inside]]
    openings = _instants(grid.groupby("session_date")["ts"].min())
    _refuse_astride(ordered, moments, openings, inside, timeframe, step)

    chosen, slot = ordered[inside].reset_index(drop=True), slot[inside]
    symbols = pd.factorize(chosen["symbol"])[0]
    first = np.flatnonzero(np.r_[True, (np.diff(symbols) != 0) | (np.diff(slot) != 0)]) if len(chosen) else slot
    last = np.r_[first[1:] - 1, len(chosen) - 1] if len(chosen) else slot
    regridded = grid.iloc[slot[first]].reset_index(drop=True)
    regridded["symbol"] = chosen["symbol"].to_numpy()[first]
    regridded["timeframe"] = str(timeframe)
    regridded["open"] = chosen["open"].to_numpy("float64")[first]
    regridded["close"] = chosen["close"].to_numpy("float64")[last]
    for column, reduction in (("high", np.maximum), ("low", np.minimum), ("volume", np.add)):
        values = chosen[column].to_numpy("float64")
        regridded[column] = reduction.reduceat(values, first) if len(chosen) else values
    if until is not None:
        regridded = regridded[regridded["closes_at"] <= until].reset_index(drop=True)
    return regridded[list(REGRIDDED_COLUMNS)]


def grid_of(days: Iterable[date], timeframe: Timeframe) -> pd.DataFrame:
    """The bars that the sessions among `days` have: ts, closes_at (UTC), session_date, in order."""
    import pandas as pd

    wanted = sorted(days)
    sessions = set(sessions_between(wanted[0], wanted[-1])) if wanted else set()
    rows = [(*bounds, day) for day in wanted if day in sessions for bounds in bar_bounds(day, timeframe)]
    grid = pd.DataFrame(rows, columns=["ts", "closes_at", "session_date"])
    for column in ("ts", "closes_at"):
        grid[column] = pd.to_datetime(grid[column], utc=True).astype("datetime64[us, UTC]")
    return grid


def _refuse_astride(
    bars: pd.DataFrame, moments: Instants, openings: Instants, inside: Flags, timeframe: Timeframe, step: timedelta
) -> None:
    """Refuse a bar that covers an opening, or the end of one bar of the grid and the start of the next one."""
    import numpy as np

    if not len(openings):
        return
    length = np.timedelta64(step)
    after = np.searchsorted(openings, moments, side="right")
    since, coming = openings[np.maximum(after - 1, 0)], openings[np.minimum(after, len(openings) - 1)]
    misfits = ~inside & (moments < coming) & (moments + length > coming)
    misfits |= inside & ((moments - since) % length != np.timedelta64(0))
    if timeframe is Timeframe.HOUR and HOUR % step:
        misfits |= inside
    if misfits.any():
        raise ValueError(
            f"{_name(bars, misfits)}, {step} long, does not fit into the bars that start at 09:30 New York time: "
            "ask for bars of 1, 5, 15 or 30 minutes."
        )


def _instants(moments: pd.Series[pd.Timestamp]) -> Instants:
    return moments.dt.tz_localize(None).to_numpy("datetime64[us]")


def _name(bars: pd.DataFrame, flags: pd.Series[bool] | Flags) -> str:
    row = bars[flags].iloc[0]
    return f"{row['symbol']} {row['ts']:%Y-%m-%d %H:%MZ}"
