"""The frozen calendar against exchange_calendars, and the grid of bars inside a session."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from trading_assets.adapters.calendar_freeze import FROZEN_MODULE, render
from trading_assets.domain.market.sessions import (
    FIRST_DAY,
    LAST_DAY,
    OutsideCalendarError,
    bar_bounds,
    close_after,
    close_before,
    is_session,
    latest_closed_bar,
    newest_session,
    next_session,
    previous_session,
    session,
    session_before,
    sessions_between,
)
from trading_assets.domain.values import Timeframe

HALF_DAY = date(2010, 11, 26)
FULL_DAY = date(2010, 11, 29)


@pytest.fixture(scope="module")
def oracle():
    import exchange_calendars

    return exchange_calendars.get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())


def test_frozen_module_is_what_the_freeze_would_write() -> None:
    assert FROZEN_MODULE.read_text(encoding="utf-8") == render()


def test_sessions_of_every_year_equal_exchange_calendars(oracle) -> None:
    assert sessions_between(FIRST_DAY, LAST_DAY) == [moment.date() for moment in oracle.sessions]


def test_opens_and_closes_of_every_session_equal_exchange_calendars(oracle) -> None:
    ours = [(session(day).opens_at, session(day).closes_at) for day in sessions_between(FIRST_DAY, LAST_DAY)]
    theirs = list(zip(oracle.schedule["open"], oracle.schedule["close"], strict=True))
    assert ours == theirs


def test_every_bar_grid_covers_its_session_without_gap_or_overlap() -> None:
    for day in sessions_between(FIRST_DAY, LAST_DAY):
        hours = bar_bounds(day, Timeframe.HOUR)
        assert len(hours) in {4, 7}
        assert [bounds.closes_at for bounds in hours[:-1]] == [bounds.ts for bounds in hours[1:]]
        assert bar_bounds(day, Timeframe.SESSION) == ((hours[0].ts, hours[-1].closes_at),)


def test_hours_of_a_full_session_are_seven_and_the_last_is_half_an_hour() -> None:
    hours = bar_bounds(FULL_DAY, Timeframe.HOUR)
    assert [bounds.ts.time() for bounds in hours] == [time(hour, 30) for hour in range(14, 21)]
    assert hours[-1].closes_at - hours[-1].ts == timedelta(minutes=30)


def test_hours_of_a_half_day_are_four_and_the_last_ends_at_one() -> None:
    hours = bar_bounds(HALF_DAY, Timeframe.HOUR)
    assert [bounds.ts.time() for bounds in hours] == [time(hour, 30) for hour in range(14, 18)]
    assert hours[-1].closes_at == datetime(2010, 11, 26, 18, 0, tzinfo=UTC)


def test_hours_follow_new_york_over_a_change_of_the_clocks() -> None:
    friday, monday = date(2022, 3, 11), date(2022, 3, 14)
    assert bar_bounds(friday, Timeframe.HOUR)[0].ts == datetime(2022, 3, 11, 14, 30, tzinfo=UTC)
    assert bar_bounds(monday, Timeframe.HOUR)[0].ts == datetime(2022, 3, 14, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "closes_at"),
    [
        ("2010-11-26T17:59:59Z", "2010-11-26T17:30:00Z"),
        ("2010-11-26T18:00:00Z", "2010-11-26T18:00:00Z"),
        ("2010-11-28T12:00:00Z", "2010-11-26T18:00:00Z"),
        ("2010-11-29T15:29:59Z", "2010-11-26T18:00:00Z"),
        ("2010-11-29T15:30:00Z", "2010-11-29T15:30:00Z"),
    ],
)
def test_latest_closed_hour_at_and_around_the_edges(now: str, closes_at: str) -> None:
    bounds = latest_closed_bar(datetime.fromisoformat(now), Timeframe.HOUR)
    assert bounds.closes_at == datetime.fromisoformat(closes_at)


def test_latest_closed_session_bar_during_a_session_is_yesterdays() -> None:
    assert latest_closed_bar(datetime(2010, 11, 29, 20, 59, tzinfo=UTC), Timeframe.SESSION).closes_at == datetime(
        2010, 11, 26, 18, 0, tzinfo=UTC
    )


def test_newest_session_before_and_at_the_opening() -> None:
    assert newest_session(datetime(2010, 11, 29, 14, 29, tzinfo=UTC)) == HALF_DAY
    assert newest_session(datetime(2010, 11, 29, 14, 30, tzinfo=UTC)) == FULL_DAY


def test_newest_session_after_midnight_utc_is_still_the_new_york_day() -> None:
    assert newest_session(datetime(2010, 11, 30, 2, 0, tzinfo=UTC)) == FULL_DAY


def test_neighbours_skip_weekends_and_holidays() -> None:
    assert next_session(date(2010, 11, 24)) == HALF_DAY
    assert previous_session(FULL_DAY) == HALF_DAY
    assert next_session(date(2001, 9, 10)) == date(2001, 9, 17)
    assert previous_session(date(2001, 9, 15)) == date(2001, 9, 10)


def test_thanksgiving_is_no_session() -> None:
    assert not is_session(date(2010, 11, 25))
    with pytest.raises(ValueError, match="2010-11-25 is no trading session: the next one is 2010-11-26"):
        session(date(2010, 11, 25))


def test_sessions_between_with_the_end_before_the_start_is_empty() -> None:
    assert sessions_between(FULL_DAY, HALF_DAY) == []


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2028, 1, 3)])
def test_day_outside_the_frozen_span_is_refused_with_the_remedy(day: date) -> None:
    with pytest.raises(OutsideCalendarError, match=rf"{day} lies outside .*calendar_freeze"):
        is_session(day)


def test_neighbours_at_the_ends_of_the_calendar_are_refused() -> None:
    with pytest.raises(OutsideCalendarError, match="No session before"):
        previous_session(date(2000, 1, 3))
    with pytest.raises(OutsideCalendarError, match="No session after"):
        next_session(date(2027, 12, 31))


# Bars counted from a moment -------------------------------------------------------------------------


def test_bars_are_counted_from_a_close_across_nights_and_half_days() -> None:
    wednesday, friday, monday = (session(date(2012, 11, day)) for day in (21, 23, 26))
    at = wednesday.closes_at
    assert close_after(at, 1, Timeframe.SESSION) == friday.closes_at
    assert close_after(at - timedelta(seconds=1), 1, Timeframe.SESSION) == at
    assert close_before(monday.closes_at, 2, Timeframe.SESSION) == at
    # The half day has four bars of an hour.
    assert close_after(at, 5, Timeframe.HOUR) == bar_bounds(monday.date, Timeframe.HOUR)[0].closes_at
    assert close_before(monday.opens_at, 5, Timeframe.HOUR) == at


def test_bars_beyond_the_calendar_end_with_it() -> None:
    first, last = session(sessions_between(FIRST_DAY, LAST_DAY)[0]), session(sessions_between(FIRST_DAY, LAST_DAY)[-1])
    assert close_before(first.closes_at, 3, Timeframe.SESSION) == first.opens_at
    assert close_after(last.opens_at, 3, Timeframe.SESSION) == last.closes_at
    assert (session_before(first.date, 9), session_before(last.date, 0)) == (first.date, last.date)
