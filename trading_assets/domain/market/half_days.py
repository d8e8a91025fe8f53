"""The last hour of half days, 12:30 to 13:00 New York time, which one vendor's hourly bars lack for ever.

Who is asked for it instead belongs in the adapters; what a gap means for trading, in the checks.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from trading_assets.domain.market.sessions import BarBounds, bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

BARS_OF_A_HALF_DAY = 4
LACKS_THE_LAST_HOUR = "yahoo"
"""The source whose hours end at 12:30 on a half day. Its half hours, kept as another source, do not."""


class MissingEnd(NamedTuple):
    """A symbol without the last hour of the half day `session_date`, though with earlier ones."""

    symbol: str
    session_date: date


def end_of_half_day(day: date) -> BarBounds | None:
    """The last hour of the session of `day`; None when it is no half day."""
    bounds = bar_bounds(day, Timeframe.HOUR)
    return bounds[-1] if len(bounds) == BARS_OF_A_HALF_DAY else None


def missing_ends(hours: pd.DataFrame, first: date, last: date, until: datetime) -> list[MissingEnd]:
    """The last hours of half days in first..last that closed by `until` and are not among `hours`, in order.

    `hours`: columns symbol, ts, session_date and source, one row a bar of an hour. Only for symbols whose other hours
    of the day all come from LACKS_THE_LAST_HOUR: elsewhere a missing hour is a gap like any other.
    """
    missing = []
    for day in sessions_between(first, last):
        end = end_of_half_day(day)
        if end is None or end.closes_at > until:
            continue
        of_day = hours[hours["session_date"] == day]
        for symbol, of_symbol in of_day.groupby("symbol"):
            if (of_symbol["source"] == LACKS_THE_LAST_HOUR).all() and not (of_symbol["ts"] == end.ts).any():
                missing.append(MissingEnd(str(symbol), day))
    return missing
