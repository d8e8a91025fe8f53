"""What the bars of a whole session say together: how many there are, how many were restated, how late the newest is.

Time is counted in trading minutes, so that nights, weekends, holidays and half days make nothing late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd

from trading_assets.domain.market.sessions import (
    NEW_YORK,
    bar_bounds,
    next_session,
    previous_session,
    session,
    sessions_between,
)
from trading_assets.domain.market.trading_time import trading_time
from trading_assets.domain.values import Timeframe

HISTORY_DAYS = 45
"""Calendar days of counts before the first session that `annotate_sessions` needs to know what is usual."""
USUAL_SESSIONS = 20
USUAL_MIN_SESSIONS = 5

SESSION_COLUMNS = (
    "session_date",
    "symbol",
    "timeframe",
    "bar_count",
    "count_drift",
    "restated_share",
    "minutes_overdue",
)


def annotate_sessions(
    counts: pd.DataFrame,
    newest_closes: Mapping[tuple[str, str], datetime],
    timeframes: Sequence[Timeframe],
    first: date,
    last: date,
    now: datetime,
) -> pd.DataFrame:
    """SESSION_COLUMNS: one row for each session of first..last in which bars have ended by `now`, and for each series.

    `counts`: columns session_date, symbol, timeframe, bar_count, restated_count, of HISTORY_DAYS before `first` and of
    the range. `newest_closes`: end of the newest stored bar up to `last`, by (symbol, timeframe).
    count_drift: change of the stored share of the due bars against its median in the USUAL_SESSIONS sessions before;
    empty before the first bar and while fewer than USUAL_MIN_SESSIONS are known. restated_share: of all bars of the
    session and timeframe, in the rows of the symbols that have one. minutes_overdue: see there; in the last session.
    """
    parts = [
        _of_timeframe(counts[counts["timeframe"] == str(timeframe)], newest_closes, timeframe, first, last, now)
        for timeframe in timeframes
    ]
    rows = pd.concat([pd.DataFrame(columns=list(SESSION_COLUMNS)), *(part for part in parts if not part.empty)])
    return rows.reset_index(drop=True).astype(
        dict.fromkeys(["bar_count", "count_drift", "restated_share", "minutes_overdue"], float)
    )


def minutes_overdue(newest_close: datetime, timeframe: Timeframe, now: datetime) -> float:
    """Trading minutes since the end of the bar that follows the newest stored one; 0 when that bar has not ended yet.

    A missing bar grows late only while the market is open: what did not come at the close, from the next opening on.
    """
    due = _next_close(newest_close, timeframe)
    return trading_minutes(due, now) if due < now else 0.0


def trading_minutes(begin: datetime, end: datetime) -> float:
    """Minutes between two moments in which the market was open."""
    return trading_time(begin, end).total_seconds() / 60


def _next_close(moment: datetime, timeframe: Timeframe) -> datetime:
    """The end of the first bar of the calendar that ends after `moment`."""
    day = previous_session(moment.astimezone(NEW_YORK).date())
    while True:
        for bounds in bar_bounds(day, timeframe):
            if bounds.closes_at > moment:
                return bounds.closes_at
        day = next_session(day)


def _of_timeframe(
    counts: pd.DataFrame,
    newest_closes: Mapping[tuple[str, str], datetime],
    timeframe: Timeframe,
    first: date,
    last: date,
    now: datetime,
) -> pd.DataFrame:
    stored = counts.pivot(index="session_date", columns="symbol", values=["bar_count", "restated_count"])
    if stored.empty:
        return pd.DataFrame()
    days = sessions_between(stored.index.min(), last)
    due = pd.Series([sum(bar.closes_at <= now for bar in bar_bounds(day, timeframe)) for day in days], index=days)
    due = due[due > 0]
    bar_count = stored["bar_count"].reindex(due.index).astype(float)
    has_begun = bar_count.notna().cummax()
    bar_count = bar_count.fillna(0.0).where(has_begun)
    coverage = bar_count.div(due, axis=0)
    usual = coverage.rolling(USUAL_SESSIONS, min_periods=USUAL_MIN_SESSIONS).median().shift()
    drift = (coverage / usual.where(usual > 0) - 1).to_numpy()
    restated = stored["restated_count"].reindex(due.index).fillna(0.0).astype(float)
    all_bars = np.fmax(np.nansum(bar_count.to_numpy(), axis=1), 1.0)
    share = np.sum(restated.to_numpy(), axis=1) / all_bars
    shares = np.where(restated.to_numpy() > 0, share[:, None], 0.0)
    symbols = [str(name) for name in bar_count]
    rows = pd.DataFrame(
        {
            "session_date": np.repeat(np.array(due.index, dtype=object), len(symbols)),
            "symbol": np.tile(np.array(symbols, dtype=object), len(due)),
            "timeframe": str(timeframe),
            "bar_count": bar_count.to_numpy().ravel(),
            "count_drift": drift.ravel(),
            "restated_share": shares.ravel(),
            "minutes_overdue": np.nan,
        }
    )
    rows = rows[rows["bar_count"].notna() & (rows["session_date"] >= first)]
    # What happens after the last session of the range is not this run's concern.
    until = min(now, session(last).closes_at)
    newest = rows["session_date"].max()
    overdue = [
        minutes_overdue(newest_closes[symbol, str(timeframe)], timeframe, until)
        if day == newest and (symbol, str(timeframe)) in newest_closes
        else np.nan
        for day, symbol in zip(rows["session_date"], rows["symbol"], strict=True)
    ]
    return rows.assign(minutes_overdue=overdue)
