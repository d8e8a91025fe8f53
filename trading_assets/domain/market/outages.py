"""Which sessions went by while the platform did not run."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from trading_assets.domain.market.sessions import (
    NEW_YORK,
    is_session,
    newest_session,
    next_session,
    previous_session,
    session,
    sessions_between,
)

SETTLING_TIME = timedelta(hours=1)
"""How long after its close a session is left to the ticks and the end of the day."""


def missed_sessions(now: datetime, stored_until: datetime | None, lived_until: datetime | None = None) -> list[date]:
    """The sessions, oldest first, that are over at `now` and that bars or the account lack the end of. All times UTC.

    `stored_until` is the newest bar close that is stored; with None nothing has begun, and nothing was missed.
    `lived_until` is the newest bar close that the account lived through; None without an account to bring up to date.
    """
    if stored_until is None:
        return []
    reached = stored_until if lived_until is None else min(stored_until, lived_until)
    newest = newest_session(now)
    last = newest if session(newest).closes_at + SETTLING_TIME <= now else previous_session(newest)
    day = reached.astimezone(NEW_YORK).date()
    first = day if is_session(day) and reached < session(day).closes_at else next_session(day)
    return sessions_between(first, last)
