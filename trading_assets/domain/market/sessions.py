"""Trading sessions of the New York Stock Exchange and the grid of bars inside them: look-ups in the frozen calendar.

A session is named by its New York date; every moment is tz-aware UTC. The calendar spans 2000 to 2027: asking
outside it raises OutsideCalendarError, because a guessed session is worse than none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from trading_assets.domain.market import xnys
from trading_assets.domain.values import Timeframe

NEW_YORK = ZoneInfo("America/New_York")
OPENING = time(9, 30)
CLOSING = time(16, 0)
EARLY_CLOSING = time(13, 0)
HOUR = timedelta(hours=1)
MOST_BARS_A_SESSION = 7
"""A full session in hours, the shortest bars that there are."""

FIRST_DAY = date.fromisoformat(xnys.FIRST_DAY)
LAST_DAY = date.fromisoformat(xnys.LAST_DAY)
HOLIDAYS = tuple(date.fromisoformat(day) for day in xnys.HOLIDAYS.split())
"""Weekdays without trading."""

_HALF_DAYS = frozenset(date.fromisoformat(day) for day in xnys.HALF_DAYS.split())


class OutsideCalendarError(ValueError):
    """The frozen calendar does not cover the day."""


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session. `opens_at` and `closes_at` are UTC."""

    date: date
    opens_at: datetime
    closes_at: datetime


class BarBounds(NamedTuple):
    """Start and end of one bar, UTC."""

    ts: datetime
    closes_at: datetime


@cache
def _sessions() -> list[date]:
    holidays = frozenset(HOLIDAYS)
    days = (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
    return [day for day in days if day.weekday() < 5 and day not in holidays]


def is_session(day: date) -> bool:
    """Whether the exchange trades on `day`."""
    sessions = _sessions()
    position = bisect_left(sessions, _covered(day))
    return position < len(sessions) and sessions[position] == day


def sessions_between(first: date, last: date) -> list[date]:
    """The sessions from `first` to `last`, both included, in order; empty when `last` lies before `first`."""
    sessions = _sessions()
    return sessions[bisect_left(sessions, _covered(first)) : bisect_right(sessions, _covered(last))]


def previous_session(day: date) -> date:
    """The last session before `day`, which need not be a session itself."""
    position = bisect_left(_sessions(), _covered(day))
    if position == 0:
        raise OutsideCalendarError(f"No session before {day} is known: the calendar starts at {FIRST_DAY}.")
    return _sessions()[position - 1]


def session_before(day: date, count: int) -> date:
    """The session number `count` before the session `day`; at the earliest the first of the calendar."""
    sessions = _sessions()
    return sessions[max(bisect_left(sessions, _covered(day)) - count, 0)]


def next_session(day: date) -> date:
    """The first session after `day`, which need not be a session itself."""
    position = bisect_right(_sessions(), _covered(day))
    if position == len(_sessions()):
        raise OutsideCalendarError(f"No session after {day} is known: {_renewal()}")
    return _sessions()[position]


@cache
def session_from(day: date) -> date:
    """The session of `day`, else the next one."""
    return day if is_session(day) else next_session(day)


def session(day: date) -> Session:
    """Opening and closing of the session of `day`. Raises ValueError when the exchange does not trade on that day."""
    if not is_session(day):
        raise ValueError(f"{day} is no trading session: the next one is {next_session(day)}.")
    closing = EARLY_CLOSING if day in _HALF_DAYS else CLOSING
    return Session(day, _utc(day, OPENING), _utc(day, closing))


@cache
def bar_bounds(day: date, timeframe: Timeframe) -> tuple[BarBounds, ...]:
    """The bars of a session, in order. 1d: one bar. 1h: from 09:30 New York time on, the last one cut at the close.

    A full session has seven hours (the last is 15:30 to 16:00), a half day four (the last is 12:30 to 13:00).
    """
    trading = session(day)
    if timeframe is Timeframe.SESSION:
        return (BarBounds(trading.opens_at, trading.closes_at),)
    bounds = []
    ts = trading.opens_at
    while ts < trading.closes_at:
        bounds.append(BarBounds(ts, min(ts + HOUR, trading.closes_at)))
        ts += HOUR
    return tuple(bounds)


def newest_session(now: datetime) -> date:
    """The newest session that has begun by `now`."""
    today = now.astimezone(NEW_YORK).date()
    return today if is_session(today) and session(today).opens_at <= now else previous_session(today)


def latest_closed_bar(now: datetime, timeframe: Timeframe) -> BarBounds:
    """The newest bar that has ended by `now`; a bar that ends exactly at `now` counts."""
    day = newest_session(now)
    closed = [bounds for bounds in bar_bounds(day, timeframe) if bounds.closes_at <= now]
    return closed[-1] if closed else bar_bounds(previous_session(day), timeframe)[-1]


@cache
def close_after(at: datetime, bars: int, timeframe: Timeframe) -> datetime:
    """The close of the bar number `bars` (from 1) of those that end after `at`; at most the end of the calendar."""
    day = newest_session(at)
    closes = [bounds.closes_at for bounds in bar_bounds(day, timeframe) if bounds.closes_at > at]
    while len(closes) < bars and day < _sessions()[-1]:
        day = next_session(day)
        closes += [bounds.closes_at for bounds in bar_bounds(day, timeframe)]
    return closes[bars - 1] if len(closes) >= bars else session(day).closes_at


@cache
def close_before(at: datetime, bars: int, timeframe: Timeframe) -> datetime:
    """The close of the bar number `bars` (from 1), counted back, of those that ended before `at`.

    At the earliest the opening of the calendar's first session.
    """
    day = newest_session(at)
    closes = [bounds.closes_at for bounds in bar_bounds(day, timeframe) if bounds.closes_at < at]
    while len(closes) < bars and day > _sessions()[0]:
        day = previous_session(day)
        closes = [*(bounds.closes_at for bounds in bar_bounds(day, timeframe)), *closes]
    return closes[-bars] if len(closes) >= bars else session(day).opens_at


def _utc(day: date, wall_clock: time) -> datetime:
    return datetime.combine(day, wall_clock, NEW_YORK).astimezone(UTC)


def _covered(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise OutsideCalendarError(f"{day} lies outside the frozen calendar ({FIRST_DAY} to {LAST_DAY}): {_renewal()}")
    return day


def _renewal() -> str:
    return "extend it with `python -m trading_assets.adapters.calendar_freeze`."
