"""What persons decided about a strategy (`strategy.state_events`) and what a stateful one remembers
(`strategy.states`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

import psycopg

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.strategy.states import StateEvent, StrategyStatus

# Status -------------------------------------------------------------------------------------------


def state_events(connection: psycopg.Connection, strategies: Collection[str]) -> list[StateEvent]:
    """Every event of these strategies, by strategy and in order of time."""
    return select(connection, StateEvent, _EVENTS, strategies=list(strategies))


def set_status(
    connection: psycopg.Connection,
    strategy: str,
    status: StrategyStatus,
    by: str,
    why: str,
    at: datetime,
    until: datetime | None = None,
) -> StateEvent:
    """Record that a person changed the status of a strategy at `at` (UTC); it holds for decisions from then on.

    Raises ContractBroken without a name or a reason, and for a cool-down that has no end or is over already.
    """
    if not by.strip() or not why.strip():
        raise ContractBroken("A strategy's status is changed by a person with a reason: say who (by) and why.")
    if (status is StrategyStatus.COOLING_DOWN) != (until is not None):
        raise ContractBroken(f"Status {status} of strategy {strategy}: a cool-down needs an end, nothing else has one.")
    if until is not None and until <= at:
        raise ContractBroken(
            f"The cool-down of strategy {strategy} would end at {until:%Y-%m-%d %H:%M} UTC, and it is "
            f"{at:%Y-%m-%d %H:%M} UTC already: give a later end."
        )
    # Two persons at once: the second waits, and takes the next number.
    connection.execute("select pg_advisory_xact_lock(hashtext('strategy.state_events'))")
    earlier = state_events(connection, [strategy])
    event_no = max((one.event_no for one in earlier), default=0) + 1
    event = StateEvent(strategy, event_no, status, at, until, by.strip(), why.strip())
    connection.execute(
        "insert into strategy.state_events (strategy, event_no, state, at, until, set_by, why) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (event.strategy, event.event_no, event.state.value, event.at, event.until, event.set_by, event.why),
    )
    return event


_EVENTS: LiteralString = """
    select strategy, event_no, state, at, until, set_by, why
    from strategy.state_events
    where strategy = any(%(strategies)s)
    order by strategy collate "C", at, event_no
"""
