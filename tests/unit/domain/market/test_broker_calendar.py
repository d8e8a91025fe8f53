"""The broker's days beside the exchange calendar: each kind of difference, and none where there is none."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.broker_calendar import (
    BrokerSession,
    CalendarDifference,
    CalendarFault,
    calendar_differences,
)
from trading_assets.domain.market.sessions import is_session, session

FIRST, LAST = date(2025, 1, 2), date(2025, 12, 31)


def same_as_exchange(first: date = FIRST, last: date = LAST) -> dict[date, BrokerSession]:
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return {
        day: BrokerSession(day, session(day).opens_at, session(day).closes_at)
        if is_session(day)
        else BrokerSession(day, None, None)
        for day in days
    }


def test_equal_calendars_have_no_difference() -> None:
    assert calendar_differences(same_as_exchange().values(), FIRST, LAST) == []


def test_half_day_that_the_broker_trades_to_the_end_is_a_difference_of_hours() -> None:
    days = same_as_exchange()
    half_day = date(2025, 7, 3)
    days[half_day] = BrokerSession(half_day, session(half_day).opens_at, datetime(2025, 7, 3, 20, tzinfo=UTC))
    assert calendar_differences(days.values(), FIRST, LAST) == [
        CalendarDifference(half_day, CalendarFault.OTHER_HOURS, "09:30-13:00", "09:30-16:00")
    ]


def test_day_of_mourning_that_the_broker_has_not_heard_of_is_an_extra_session() -> None:
    days = same_as_exchange()
    closed = date(2025, 1, 9)
    days[closed] = BrokerSession(closed, datetime(2025, 1, 9, 14, 30, tzinfo=UTC), datetime(2025, 1, 9, 21, tzinfo=UTC))
    assert calendar_differences(days.values(), FIRST, LAST) == [
        CalendarDifference(closed, CalendarFault.EXTRA, "closed", "09:30-16:00")
    ]


def test_closure_that_only_the_broker_knows_is_a_missing_session() -> None:
    days = same_as_exchange()
    days[date(2025, 1, 8)] = BrokerSession(date(2025, 1, 8), None, None)
    assert calendar_differences(days.values(), FIRST, LAST) == [
        CalendarDifference(date(2025, 1, 8), CalendarFault.MISSING, "09:30-16:00", "closed")
    ]


@given(st.sets(st.sampled_from(sorted(same_as_exchange()))))
def test_days_nobody_asked_about_are_unknown_where_the_exchange_trades(unasked: set[date]) -> None:
    asked = [day for key, day in same_as_exchange().items() if key not in unasked]
    differences = calendar_differences(asked, FIRST, LAST)
    assert [each.session_date for each in differences] == sorted(day for day in unasked if is_session(day))
    assert {each.fault for each in differences} <= {CalendarFault.UNKNOWN}


def test_days_outside_of_the_range_are_not_compared() -> None:
    days = [*same_as_exchange().values(), BrokerSession(date(2026, 1, 2), None, None)]
    assert calendar_differences(days, FIRST, LAST) == []
