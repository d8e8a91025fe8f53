"""Alerts: where a state changes, to the last digit, and that no path of values tells the same state twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.alerts import AlertEvent, AlertState, LimitCheck, changes, next_state

CLEAR, WARNING, BREACHED, UNKNOWN = AlertState.CLEAR, AlertState.WARNING, AlertState.BREACHED, AlertState.UNKNOWN
BEGIN = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
LIMIT = Decimal("0.1")


def check(value: str | None, number: int = 0, name: str = "gross") -> LimitCheck:
    at = BEGIN + timedelta(minutes=number)
    return LimitCheck(
        name, at, at.date(), None if value is None else Decimal(value), LIMIT, missing=None if value else "no history"
    )


@pytest.mark.parametrize(
    ("state", "value", "after"),
    [
        (CLEAR, "0.0799999999", CLEAR),
        (CLEAR, "0.08", WARNING),
        (CLEAR, "0.0999999999", WARNING),
        (CLEAR, "0.1", BREACHED),
        (WARNING, "0.0999999999", WARNING),
        (WARNING, "0.1", BREACHED),
        (WARNING, "0.0700000001", WARNING),
        (WARNING, "0.07", CLEAR),
        (BREACHED, "0.0999999999", BREACHED),
        (BREACHED, "0.0700000001", BREACHED),
        (BREACHED, "0.07", CLEAR),
        (BREACHED, "-1", CLEAR),
        (CLEAR, None, UNKNOWN),
        (BREACHED, None, UNKNOWN),
        (UNKNOWN, "0.07", CLEAR),
        (UNKNOWN, "0.0700000001", WARNING),
        (UNKNOWN, "0.1", BREACHED),
        (UNKNOWN, None, UNKNOWN),
    ],
)
def test_state_after_a_value_next_to_a_threshold(state: AlertState, value: str | None, after: AlertState) -> None:
    assert next_state(state, check(value)) is after


def told(values: list[str | None], newest: dict[str, AlertEvent] | None = None) -> list[AlertEvent]:
    return changes("account", [check(value, number) for number, value in enumerate(values)], newest or {})


def test_value_that_wobbles_around_a_threshold_is_told_once() -> None:
    events = told(["0.05", "0.079", "0.081", "0.079", "0.081", "0.072", "0.099", "0.101", "0.099", "0.101", "0.06"])
    assert [(event.previous, event.state, event.event_no) for event in events] == [
        (CLEAR, WARNING, 1),
        (WARNING, BREACHED, 2),
        (BREACHED, CLEAR, 3),
    ]
    assert events[1].value == Decimal("0.101")


def test_missing_value_is_told_once_with_its_reason() -> None:
    (event,) = told([None, None, None])
    assert (event.state, event.value, event.detail) == (UNKNOWN, None, "no history")


paths = st.lists(st.none() | st.decimals("-0.05", "0.15", places=4).map(str), max_size=60)


@given(paths, st.integers(0, 60))
def test_any_path_gives_one_message_a_change_and_never_the_same_state_twice(values: list[str | None], cut: int) -> None:
    events = told(values)

    states = [CLEAR, *(event.state for event in events)]
    assert all(before is not after for before, after in pairwise(states))
    assert [event.previous for event in events] == states[:-1]
    assert [event.event_no for event in events] == list(range(1, len(events) + 1))
    # In two parts, the second from what the first recorded, and once more over everything: nothing else is told.
    checks = [check(value, number) for number, value in enumerate(values)]
    first = changes("account", checks[:cut], {})
    newest = {event.limit_name: event for event in first}
    second = changes("account", checks[cut:], newest)
    assert first + second == events
    assert changes("account", checks, {event.limit_name: event for event in events}) == []


def test_limits_have_states_of_their_own() -> None:
    checks = [check("0.09", 0, "gross"), check("0.2", 0, "sector"), check("0.09", 1, "gross"), check("0", 1, "sector")]
    assert [(event.limit_name, event.state) for event in changes("account", checks, {})] == [
        ("gross", WARNING),
        ("sector", BREACHED),
        ("sector", CLEAR),
    ]
