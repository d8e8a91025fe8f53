"""What the record of orders says of the broker: refusals, slippage, acknowledgements, orders that are stuck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trading_assets.domain.risk.breakers import DEFAULT_RULES, EXECUTION_BREAKERS, Breaker, judge
from trading_assets.domain.risk.execution_health import (
    ExecutionRecord,
    Slippage,
    StatusChange,
    acknowledgement_s,
    execution_values,
    least_multiple,
    longest_wait_s,
    refusals,
)

NOW = datetime(2026, 6, 1, 15, tzinfo=UTC)
RULES = {breaker.value: DEFAULT_RULES[breaker] for breaker in EXECUTION_BREAKERS}


def change(order: str, status: str, seconds_ago: float) -> StatusChange:
    return StatusChange(order, status, NOW - timedelta(seconds=seconds_ago))


def answered(order: str, wait_s: float) -> list[StatusChange]:
    return [change(order, "SUBMITTING", 100), change(order, "ACKED", 100 - wait_s), change(order, "WORKING", 1)]


def slips(*paid: float) -> list[Slippage]:
    return [Slippage(NOW + timedelta(seconds=no), bps, 5.0) for no, bps in enumerate(paid)]


def test_refusals_are_counted_in_the_window_up_to_now() -> None:
    refused = [change(str(no), "REJECTED", ago) for no, ago in enumerate([60, 59.9, 30, 0, -1])]
    assert refusals([*refused, change("x", "CANCELED", 5)], NOW, timedelta(seconds=60)) == 3


@pytest.mark.parametrize(
    ("paid", "multiple"), [((30, 26, 40), 5.2), ((30, 25, 40), 5.0), ((99, 1, 30, 40, 50), 6.0), ((30, 40), None)]
)
def test_slippage_is_the_least_multiple_of_the_newest_orders(paid: Any, multiple: float | None) -> None:
    assert least_multiple(slips(*paid), 3) == multiple


def test_slippage_modelled_as_free_is_infinitely_dear_when_it_costs() -> None:
    assert least_multiple([Slippage(NOW, 0.1, 0.0)], 1) == float("inf")
    assert least_multiple([Slippage(NOW, 0.0, 0.0)], 1) == 0


def test_acknowledgement_is_the_95th_percentile_of_the_newest_answers() -> None:
    waits = [change for no in range(20) for change in answered(f"{no:02}", 9 if no < 2 else 1)]
    assert acknowledgement_s(waits, 20) == 9
    assert acknowledgement_s([one for no in range(20) for one in answered(f"{no:02}", 9 if no < 1 else 1)], 20) == 1
    assert acknowledgement_s([change("1", "SUBMITTING", 50)], 20) is None


def test_longest_wait_is_that_of_an_order_that_only_the_broker_can_move() -> None:
    waiting = [*answered("works", 1), change("old", "SUBMITTING", 700), change("old", "ACKED", 601)]
    assert longest_wait_s([*waiting, change("young", "PENDING_CANCEL", 10)], NOW) == 601
    assert longest_wait_s(answered("works", 1), NOW) is None


RECORDS = {
    Breaker.ORDER_ERRORS: ExecutionRecord([change(str(no), "REJECTED", no) for no in range(5)]),
    Breaker.SLIPPAGE: ExecutionRecord(slippages=slips(26, 27, 28)),
    Breaker.LATENCY: ExecutionRecord(answered("1", 5.1)),
    Breaker.STUCK_ORDER: ExecutionRecord([change("1", "SUBMIT_UNKNOWN", 600.1)]),
    Breaker.RECONCILIATION: ExecutionRecord(unexplained_differences=1),
}


def test_every_breaker_of_orders_has_a_record_that_trips_it() -> None:
    assert set(RECORDS) == EXECUTION_BREAKERS


@pytest.mark.parametrize("breaker", RECORDS)
def test_record_beyond_the_usual_limit_trips_its_breaker_and_no_other(breaker: Breaker) -> None:
    values = execution_values(RECORDS[breaker], RULES, NOW, {})
    assert [trip.breaker for trip in judge(values, RULES, ())] == [breaker]
    assert judge(values, RULES, {breaker.value}) == []


@pytest.mark.parametrize("breaker", [Breaker.ORDER_ERRORS, Breaker.SLIPPAGE, Breaker.LATENCY, Breaker.STUCK_ORDER])
def test_what_lies_before_the_clearing_of_a_breaker_is_forgiven(breaker: Breaker) -> None:
    cleared = {breaker.value: NOW + timedelta(seconds=9)}
    assert judge(execution_values(RECORDS[breaker], RULES, NOW, cleared), RULES, ()) == []


def test_quiet_record_trips_nothing() -> None:
    quiet = ExecutionRecord(answered("1", 0.2), slips(5, 5, 5), 0)
    assert judge(execution_values(quiet, RULES, NOW, {}), RULES, ()) == []
    assert judge(execution_values(ExecutionRecord(), RULES, NOW, {}), RULES, ()) == []
