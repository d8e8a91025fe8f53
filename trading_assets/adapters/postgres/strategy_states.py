"""What persons decided about a strategy (`strategy.state_events`) and what a stateful one remembers
(`strategy.states`)."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.strategy.stateful import StateAfter
from trading_assets.domain.strategy.states import StateEvent, StrategyStatus
from trading_assets.domain.strategy.strategy import ConfiguredStrategy

STATES = Table(
    "strategy.states",
    ("strategy", "strategy_version", "universe_id", "decision_at"),
    ("session_date", "state"),
)

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


# States of stateful strategies --------------------------------------------------------------------


def state_before(
    database: Database, configured: ConfiguredStrategy, universe_id: str, at: datetime
) -> StateAfter | None:
    """The newest stored state of this strategy, version and universe after a decision before `at` (UTC)."""
    with database.transaction() as connection:
        row = connection.execute(
            "select decision_at, session_date, state from strategy.states where strategy = %s "
            "and strategy_version = %s and universe_id = %s and decision_at < %s order by decision_at desc limit 1",
            (configured.name, configured.version, universe_id, at),
        ).fetchone()
    return StateAfter(row[0].astimezone(UTC), row[1], row[2]) if row else None


def store_states(
    database: Database, configured: ConfiguredStrategy, universe_id: str, states: Sequence[StateAfter]
) -> int:
    """Store the states after the decisions of a range, in order of time; returns the rows changed.

    Later states go when they do not follow from the last of these any more: the next range starts from here.
    """
    if not states:
        return 0
    key = (configured.name, configured.version, universe_id)
    last = states[-1]
    with database.transaction() as connection:
        follows = connection.execute(
            "select 1 from strategy.states where strategy = %s and strategy_version = %s and universe_id = %s "
            "and decision_at = %s and state = %s",
            (*key, last.decision_at, Jsonb(last.state)),
        ).fetchone()
        rows = ((*key, one.decision_at, one.session_date, json.dumps(one.state)) for one in states)
        written = merge(connection, STATES, [*STATES.key, *STATES.compared], rows)
        if not follows:
            connection.execute(
                "delete from strategy.states where strategy = %s and strategy_version = %s and universe_id = %s "
                "and decision_at > %s",
                (*key, last.decision_at),
            )
    return written


_EVENTS: LiteralString = """
    select strategy, event_no, state, at, until, set_by, why
    from strategy.state_events
    where strategy = any(%(strategies)s)
    order by strategy collate "C", at, event_no
"""
