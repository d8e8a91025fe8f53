"""A broker's records of an order amount to the same, however often and in whatever order they arrive."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from trading_assets.domain.execution.broker_records import BrokerFill
from trading_assets.domain.execution.order_history import (
    Incident,
    IncidentKind,
    OrderHistory,
    OrderState,
    StatusReport,
)
from trading_assets.domain.execution.orders import TERMINAL, TRANSITIONS, IllegalTransition, OrderStatus
from trading_assets.domain.values import Side

NOON = datetime(2024, 7, 1, 16, tzinfo=UTC)
S = OrderStatus
QTY = Decimal(100)
STORIES, ARRIVALS = 1_000, 100
Record = StatusReport | BrokerFill


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def report(status: OrderStatus, seconds: int) -> StatusReport:
    return StatusReport(status, at(seconds))


def execution(
    name: str, qty: int, seconds: int, price: str = "10", kind: str = "fill", previous: str | None = None
) -> BrokerFill:
    return BrokerFill(
        f"a-{name}", name, "o", "AAA", Side.BUY, Decimal(qty), Decimal(price), at(seconds), kind, previous
    )


def state_of(*records: Record, qty: Decimal = QTY) -> OrderState:
    history = OrderHistory("ta1-x", qty)
    history.extend(records)
    return history.state()


@dataclass(frozen=True)
class Story:
    """What happened to an order of 100 shares, told by every record once, and how it must end."""

    records: tuple[Record, ...]
    status: OrderStatus
    filled_qty: int
    filled_usd: int
    late: frozenset[str]


def tell(chance: random.Random) -> Story:
    """Sent, worked, executed in parts, perhaps ended early; executions busted, corrected, corrected again, or late."""
    records: list[Record] = [report(S.SUBMITTING, 0), report(S.ACKED, 1), report(S.WORKING, 2)]
    parts = [chance.randint(1, 40) for _ in range(chance.randint(0, 4))]
    clock, executed, standing, late = 3, 0, {}, set()
    for number, part in enumerate(parts):
        part = min(part, 100 - executed)
        if not part:
            break
        executed += part
        records.append(execution(f"e{number}", part, clock))
        standing[f"e{number}"] = (part, 10)
        records.append(report(S.FILLED if executed == 100 else S.PARTIALLY_FILLED, clock))
        clock += 1
    status = S.FILLED if executed == 100 else S.PARTIALLY_FILLED if executed else S.WORKING
    if executed < 100 and chance.random() < 0.7:
        status = chance.choice([S.CANCELED, S.EXPIRED, S.REPLACED])
        if status is S.CANCELED:
            records.append(report(S.PENDING_CANCEL, clock))
        records.append(report(status, clock + 1))
        if chance.random() < 0.4:
            part = chance.randint(1, 100 - executed)
            records.append(execution("late", part, clock + 2))
            standing["late"], late = (part, 10), {"late"}
    clock += 3
    for name in list(standing):
        for step in range(chance.choice([0, 0, 1, 2])):
            part, _ = standing.pop(name)
            clock += 1
            if chance.random() < 0.5:
                records.append(execution(f"{name}-b{step}", part, clock, kind="trade_bust", previous=name))
                break
            corrected = f"{name}-c{step}"
            standing[corrected] = (chance.randint(1, part), 11)
            records.append(execution(corrected, standing[corrected][0], clock, "11", "trade_correct", name))
            name = corrected
    if late:
        is_whole = sum(part for part, _ in standing.values()) == 100
        status = S.FILLED if is_whole else S.PARTIALLY_FILLED_AFTER_TERMINAL
    return Story(
        tuple(records),
        status,
        sum(part for part, _ in standing.values()),
        sum(part * price for part, price in standing.values()),
        frozenset(late),
    )


def arrival(story: Story, chance: random.Random) -> list[Record]:
    """Every record at least once, in any order, some again."""
    records = list(story.records)
    records += chance.choices(records, k=chance.randint(0, 4))
    chance.shuffle(records)
    return records


def test_a_hundred_thousand_arrivals_in_any_order_and_multiplicity_end_in_what_happened() -> None:
    chance = random.Random(20240701)
    told: Counter[OrderStatus] = Counter()
    for _ in range(STORIES):
        story = tell(chance)
        told[story.status] += 1
        expected = OrderState(
            story.status,
            Decimal(story.filled_qty),
            Decimal(story.filled_usd),
            state_of(*story.records).ended_as,
            state_of(*story.records).executions,
            frozenset(Incident(IncidentKind.LATE_EXECUTION, name) for name in story.late),
        )
        for _ in range(ARRIVALS):
            assert state_of(*arrival(story, chance)) == expected
    assert min(told[status] for status in (S.FILLED, S.CANCELED, S.PARTIALLY_FILLED_AFTER_TERMINAL, S.WORKING)) > 20


def test_status_after_every_arrival_is_reached_by_legal_moves() -> None:
    chance = random.Random(7)
    for _ in range(1_000):
        history, standing = OrderHistory("ta1-x", QTY), S.SUBMITTING
        for record in arrival(tell(chance), chance):
            history.add(record)
            steps = history.state().moves_from(standing)
            for before, after in pairwise((standing, *steps)):
                assert after in TRANSITIONS[before], (before, after)
            standing = steps[-1] if steps else standing
            assert standing is history.state().status


@pytest.mark.parametrize("end", [S.CANCELED, S.EXPIRED, S.REPLACED, S.REJECTED, S.NEVER_ARRIVED])
def test_execution_after_the_end_is_booked_and_an_incident(end: OrderStatus) -> None:
    state = state_of(report(S.ACKED, 1), report(end, 5), execution("e", 30, 6))
    assert (state.status, state.filled_qty, state.ended_as) == (S.PARTIALLY_FILLED_AFTER_TERMINAL, 30, end)
    assert state.incidents == {Incident(IncidentKind.LATE_EXECUTION, "e")}
    whole = state_of(report(end, 5), execution("e", 100, 6))
    assert (whole.status, whole.incidents) == (S.FILLED, {Incident(IncidentKind.LATE_EXECUTION, "e")})


def test_execution_before_the_end_that_is_only_heard_of_later_is_no_incident() -> None:
    state = state_of(report(S.CANCELED, 5), execution("e", 30, 4))
    assert (state.status, state.filled_qty, state.incidents) == (S.CANCELED, 30, frozenset())


def test_order_that_goes_on_after_a_bust_is_not_filled_until_the_broker_says_so() -> None:
    parts = [execution("e", 60, 3), execution("b", 60, 4, kind="trade_bust", previous="e"), execution("f", 50, 5)]
    working = state_of(report(S.PARTIALLY_FILLED, 3), *parts)
    assert (working.status, working.filled_qty) == (S.PARTIALLY_FILLED, 50)
    done = state_of(*parts, execution("g", 50, 6), report(S.FILLED, 6))
    assert (done.status, done.filled_qty, done.incidents) == (S.FILLED, 100, frozenset())


def test_late_execution_that_is_busted_counts_no_shares_and_stays_an_incident() -> None:
    late = execution("e", 30, 6)
    state = state_of(report(S.CANCELED, 5), late, execution("b", 30, 7, kind="trade_bust", previous="e"))
    assert (state.status, state.filled_qty) == (S.PARTIALLY_FILLED_AFTER_TERMINAL, 0)
    assert state.incidents == {Incident(IncidentKind.LATE_EXECUTION, "e")}


def test_correction_replaces_and_a_correction_of_it_replaces_again() -> None:
    first, second = (
        execution("c1", 90, 8, "9", "trade_correct", "e"),
        execution("c2", 80, 9, "8", "trade_correct", "c1"),
    )
    state = state_of(execution("e", 100, 3), report(S.FILLED, 3), first, second)
    assert (state.filled_qty, state.filled_usd, state.executions) == (80, 640, {"c2"})
    assert state.status is S.FILLED
    busted = state_of(execution("e", 100, 3), first, second, execution("b", 80, 10, kind="trade_bust", previous="c2"))
    assert (busted.filled_qty, busted.executions) == (0, frozenset())


def test_more_shares_than_ordered_are_booked_and_an_incident() -> None:
    state = state_of(report(S.FILLED, 3), execution("e1", 100, 3), execution("e2", 1, 4))
    assert (state.status, state.filled_qty) == (S.FILLED, 101)
    assert state.incidents == {Incident(IncidentKind.OVERFILLED, "ta1-x")}


def test_records_that_contradict_each_other_are_an_incident_whichever_came_first() -> None:
    one, other = execution("e", 30, 3), replace(execution("e", 40, 3), activity_id="from the stream")
    assert state_of(one, other) == state_of(other, one)
    assert state_of(one, other).incidents == {Incident(IncidentKind.CONFLICTING_RECORDS, "e")}
    assert state_of(one, replace(one, activity_id="from the stream")).incidents == frozenset()
    twice = (
        execution("c1", 1, 8, kind="trade_correct", previous="e"),
        execution("b", 30, 9, kind="trade_bust", previous="e"),
    )
    assert state_of(one, *twice) == state_of(*reversed(twice), one)
    assert state_of(one, *twice).filled_qty == 0
    assert state_of(one, *twice).incidents == {Incident(IncidentKind.CONFLICTING_RECORDS, "e")}


def test_end_that_was_recorded_is_not_left_for_another() -> None:
    with pytest.raises(IllegalTransition, match="CANCELED -> EXPIRED"):
        state_of(report(S.EXPIRED, 5)).moves_from(S.CANCELED)
    assert all(state_of(report(end, 5)).moves_from(end) == () for end in TERMINAL)
