"""The status of a strategy at a time, from what persons recorded, and what it does to targets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from trading_assets.domain.strategy.states import (
    StateEvent,
    StrategyStatus,
    moment_in_utc,
    obeying,
    status_at,
    status_for,
)
from trading_assets.domain.strategy.targets import Target

NOON = datetime(2012, 6, 1, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENABLED, PAUSED, COOLING_DOWN = StrategyStatus


def event(
    number: int, state: StrategyStatus, hours: float, until: float | None = None, strategy: str = "a"
) -> StateEvent:
    end = None if until is None else NOON + until * HOUR
    return StateEvent(strategy, number, state, NOON + hours * HOUR, end, "Ada", "because")


def target(hours: float, strategy: str = "a") -> Target:
    return Target(strategy, "1", "IBM", NOON + hours * HOUR, date(2012, 6, 1), Decimal("0.1"))


@pytest.mark.parametrize(
    ("hours", "status"),
    [
        (-0.01, ENABLED),
        (0, PAUSED),
        (0.99, PAUSED),
        (1, ENABLED),
        (2, COOLING_DOWN),
        (2.99, COOLING_DOWN),
        (3, ENABLED),
    ],
)
def test_status_is_that_of_the_newest_event_up_to_the_time(hours, status):
    events = [event(3, COOLING_DOWN, 2, until=3), event(1, PAUSED, 0), event(2, ENABLED, 1)]
    assert status_at(events, NOON + hours * HOUR) is status


def test_last_word_at_one_time_counts():
    assert status_at([event(2, ENABLED, 0), event(1, PAUSED, 0)], NOON) is ENABLED


def test_strategy_without_events_is_enabled():
    assert status_at([], NOON) is ENABLED


def test_targets_of_a_paused_strategy_may_not_open_from_the_pause_on_and_others_may():
    marked = obeying([target(-1), target(0), target(1), target(1, "b")], [event(1, PAUSED, 0)])
    assert [one.may_open for one in marked] == [True, False, False, True]


def test_pause_with_an_end_is_a_cool_down_and_nothing_else_has_one():
    assert status_for(PAUSED, None) is PAUSED
    assert status_for(PAUSED, NOON) is COOLING_DOWN
    with pytest.raises(ValueError, match="Only a pause has an end"):
        status_for(ENABLED, NOON)


def test_times_are_utc_unless_they_say_otherwise():
    assert moment_in_utc("2012-06-01T16:00Z") == moment_in_utc("2012-06-01T12:00-04:00") == NOON
    assert moment_in_utc("2012-06-01 16:00") == NOON
    with pytest.raises(ValueError, match="'soon' is no time such as"):
        moment_in_utc("soon")
