"""The broker's trading days beside the exchange calendar of sessions.py: where the two differ, nobody should trade.

Asking the broker belongs in its adapter, keeping quality gates closed in the checks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trading_assets.domain.market.sessions import NEW_YORK, Session, session, sessions_between


@dataclass(frozen=True, slots=True)
class BrokerSession:
    """One day in the broker's calendar. `opens_at` and `closes_at` are UTC, and None on a day without trading."""

    session_date: date
    opens_at: datetime | None
    closes_at: datetime | None
    response_id: int | None = None


class CalendarFault(StrEnum):
    MISSING = "missing"
    """The exchange trades, the broker does not."""
    EXTRA = "extra"
    """The broker trades, the exchange does not."""
    OTHER_HOURS = "other_hours"
    """Both trade, and open or close at different times."""
    UNKNOWN = "unknown"
    """The exchange trades, and the broker was never asked about the day."""


@dataclass(frozen=True, slots=True)
class CalendarDifference:
    """A day on which the calendars differ, with the trading hours of both in New York time, "09:30-16:00"."""

    session_date: date
    fault: CalendarFault
    exchange_hours: str
    broker_hours: str


def calendar_differences(days: Iterable[BrokerSession], first: date, last: date) -> list[CalendarDifference]:
    """The days of first..last on which the broker's `days` and the exchange calendar differ, in order."""
    broker = {day.session_date: day for day in days if first <= day.session_date <= last}
    exchange = {day: session(day) for day in sessions_between(first, last)}
    differences = []
    for day in sorted(broker.keys() | exchange.keys()):
        fault = _fault(exchange.get(day), broker.get(day))
        if fault is not None:
            theirs, ours = broker.get(day), exchange.get(day)
            differences.append(
                CalendarDifference(
                    day,
                    fault,
                    _hours(ours.opens_at, ours.closes_at) if ours else "closed",
                    _hours(theirs.opens_at, theirs.closes_at) if theirs else "not known",
                )
            )
    return differences


def _fault(ours: Session | None, theirs: BrokerSession | None) -> CalendarFault | None:
    if ours is None:
        return CalendarFault.EXTRA if theirs and theirs.opens_at else None
    if theirs is None:
        return CalendarFault.UNKNOWN
    if theirs.opens_at is None:
        return CalendarFault.MISSING
    agree = (ours.opens_at, ours.closes_at) == (theirs.opens_at, theirs.closes_at)
    return None if agree else CalendarFault.OTHER_HOURS


def _hours(opens_at: datetime | None, closes_at: datetime | None) -> str:
    if opens_at is None or closes_at is None:
        return "closed"
    return f"{opens_at.astimezone(NEW_YORK):%H:%M}-{closes_at.astimezone(NEW_YORK):%H:%M}"
