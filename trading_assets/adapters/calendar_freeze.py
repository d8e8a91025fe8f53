"""Writes `domain/market/xnys.py`, the frozen New York calendar, from exchange_calendars. Run it once a year:

    python -m trading_assets.adapters.calendar_freeze

Nothing imports exchange_calendars at run time: a calendar that changed with a package update would move recorded
sessions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from pathlib import Path
from textwrap import fill

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2027, 12, 31)
FROZEN_MODULE = Path(__file__).parents[1] / "domain" / "market" / "xnys.py"

TEMPLATE = '''"""The frozen calendar of the New York Stock Exchange (XNYS): days without trading and half days.

Weekdays without trading, and days that close at 13:00 New York time. Written by
`python -m trading_assets.adapters.calendar_freeze`; do not edit by hand.
"""

FIRST_DAY = "{first}"
LAST_DAY = "{last}"

HOLIDAYS = """
{holidays}
"""

HALF_DAYS = """
{half_days}
"""
'''


def render() -> str:
    """The text of the frozen module. Raises ValueError for a session that opens or closes at an unforeseen time."""
    import exchange_calendars
    import pandas as pd

    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    weekdays = pd.date_range(FIRST_DAY, LAST_DAY, freq="B")
    opens, closes = (calendar.schedule[name].dt.tz_convert("America/New_York").dt.time for name in ("open", "close"))
    minutes = {moment.isoformat("minutes") for moment in [*opens, *closes]}
    if unforeseen := minutes - {"09:30", "13:00", "16:00"}:
        raise ValueError(
            f"XNYS has sessions that open or close at {sorted(unforeseen)}; sessions.py knows 13:00 and 16:00"
        )
    return TEMPLATE.format(
        first=FIRST_DAY,
        last=LAST_DAY,
        holidays=_by_year(weekdays.difference(calendar.sessions)),
        half_days=_by_year(calendar.early_closes),
    )


def _by_year(days: Iterable[date]) -> str:
    ordered = sorted(f"{day:%Y-%m-%d}" for day in days)
    return "\n".join(
        fill(" ".join(group), 110, break_on_hyphens=False) for _, group in groupby(ordered, key=lambda day: day[:4])
    )


if __name__ == "__main__":
    FROZEN_MODULE.write_text(render(), encoding="utf-8")
