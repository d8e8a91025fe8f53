"""Time that passes only while the market is open: nights, weekends, holidays and half days make nothing old."""

from __future__ import annotations

from datetime import datetime, timedelta

from trading_assets.domain.market.sessions import NEW_YORK, session, sessions_between


def trading_time(begin: datetime, end: datetime) -> timedelta:
    """How long the market was open between two moments (tz-aware). Raises OutsideCalendarError."""
    days = sessions_between(begin.astimezone(NEW_YORK).date(), end.astimezone(NEW_YORK).date())
    spans = (min(trading.closes_at, end) - max(trading.opens_at, begin) for trading in map(session, days))
    return sum((max(span, timedelta(0)) for span in spans), timedelta(0))
