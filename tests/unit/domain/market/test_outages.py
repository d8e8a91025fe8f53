"""Which sessions were missed, over weekends, a holiday and half days."""

from datetime import UTC, date, datetime, timedelta

import pytest

from trading_assets.domain.market.outages import SETTLING_TIME, missed_sessions
from trading_assets.domain.market.sessions import session

# Friday, then Labor Day on Monday.
WEDNESDAY, THURSDAY, FRIDAY, TUESDAY = date(2012, 8, 29), date(2012, 8, 30), date(2012, 8, 31), date(2012, 9, 4)
TODAY = date(2012, 9, 5)


def close_of(day: date) -> datetime:
    return session(day).closes_at


def test_outage_over_a_weekend_and_a_holiday_misses_the_sessions_between_in_order() -> None:
    noon = datetime(2012, 9, 5, 16, tzinfo=UTC)
    assert missed_sessions(noon, close_of(WEDNESDAY)) == [THURSDAY, FRIDAY, TUESDAY]


def test_session_that_broke_off_is_missed_itself() -> None:
    sunday = datetime(2012, 9, 2, tzinfo=UTC)
    assert missed_sessions(sunday, close_of(FRIDAY) - timedelta(hours=3)) == [FRIDAY]


@pytest.mark.parametrize(
    ("waited", "missed"), [(SETTLING_TIME - timedelta(seconds=1), []), (SETTLING_TIME, [date(2012, 11, 23)])]
)
def test_session_just_over_is_left_to_its_own_ticks(waited: timedelta, missed: list[date]) -> None:
    half_day = date(2012, 11, 23)
    assert missed_sessions(close_of(half_day) + waited, close_of(date(2012, 11, 21))) == missed


def test_session_in_progress_is_not_missed() -> None:
    assert missed_sessions(close_of(TODAY) - timedelta(hours=1), close_of(TUESDAY)) == []


def test_account_behind_the_bars_misses_the_sessions_it_has_not_lived_through() -> None:
    noon = datetime(2012, 9, 5, 16, tzinfo=UTC)
    assert missed_sessions(noon, close_of(TUESDAY), close_of(THURSDAY)) == [FRIDAY, TUESDAY]


def test_nothing_stored_yet_is_no_outage() -> None:
    assert missed_sessions(datetime(2012, 9, 5, 16, tzinfo=UTC), None) == []


def test_clock_behind_the_stored_bars_misses_nothing() -> None:
    assert missed_sessions(datetime(2012, 8, 30, 16, tzinfo=UTC), close_of(TUESDAY)) == []
