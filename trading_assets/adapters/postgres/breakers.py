"""Breakers that a person clears. Tripping one, and what a tripped one stops, belong to the domain."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import LiteralString

import psycopg

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres.ledger import NEWEST_BREAKER_EVENTS, lock_ledger, record
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal
from trading_assets.domain.risk.breakers import EXECUTION_BREAKERS, TIME_RULE


def tripped_breakers(connection: psycopg.Connection, account_id: str, at: datetime) -> dict[str, BreakerEvent]:
    """The breakers that are latched at `at` (UTC), by name."""
    newest = select(connection, BreakerEvent, NEWEST_BREAKER_EVENTS, account_id=account_id, as_of=at)
    return {event.breaker: event for event in newest if event.state is BreakerState.TRIPPED}


def clear_breaker(
    connection: psycopg.Connection, account_id: str, breaker: str, by: str, why: str, at: datetime, session_date: date
) -> BreakerEvent:
    """Record that a person cleared a latched breaker, at `at` (UTC) in session `session_date`.

    Raises NotFound when the breaker is not tripped, and ContractBroken without a name or a reason.
    """
    lock_ledger(connection)
    if not by.strip() or not why.strip() or by.startswith(TIME_RULE):
        raise ContractBroken("A breaker is cleared by a person with a reason: give --by and --why.")
    tripped = tripped_breakers(connection, account_id, at)
    if breaker not in tripped:
        latched = ", ".join(sorted(tripped)) or "none"
        raise NotFound(f"Breaker {breaker} of account {account_id} is not tripped. Tripped: {latched}.")
    cleared = replace(
        tripped[breaker],
        event_no=tripped[breaker].event_no + 1,
        state=BreakerState.CLEARED,
        at=at,
        session_date=session_date,
        cause={},
        cleared_by=by,
        why=why,
    )
    record(connection, Journal(breaker_events=[cleared]))
    return cleared


def outside_events(
    connection: psycopg.Connection, account_id: str, after: datetime, until: datetime
) -> list[BreakerEvent]:
    """What no time loop finds by itself, after `after` up to `until`, in order of time: the breakers that persons
    cleared, and those that the record of orders tripped."""
    span = {"account_id": account_id, "after": after, "until": until, "time_rule": TIME_RULE}
    return select(
        connection, BreakerEvent, _OUTSIDE_EVENTS, **span, of_orders=[one.value for one in sorted(EXECUTION_BREAKERS)]
    )


_OUTSIDE_EVENTS: LiteralString = """
    select account_id, breaker, event_no, state, at, session_date, cause, cleared_by, why
    from risk.breaker_events
    where account_id = %(account_id)s and at > %(after)s and at <= %(until)s
      and (state = 'cleared' and not starts_with(cleared_by, %(time_rule)s)
           or state = 'tripped' and breaker = any(%(of_orders)s))
    order by at, breaker
"""
