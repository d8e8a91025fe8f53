"""What acts on an account from outside the time loop: persons' states and clearings, and breakers of the order record.

It is put into the moments, so that a replay lives through it at the same time; what it does belongs to the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.breakers import outside_events
from trading_assets.adapters.postgres.execution_record import read_execution_record
from trading_assets.domain import simulation
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import previous_session, session
from trading_assets.domain.risk.breakers import EXECUTION_BREAKERS, judge
from trading_assets.domain.risk.execution_health import execution_values
from trading_assets.domain.risk.trading_states import StateChange, states_of

if TYPE_CHECKING:
    import psycopg


def with_states(
    moments: Sequence[simulation.Moment], changes: Sequence[StateChange], account_id: str
) -> list[simulation.Moment]:
    """The moments with the states of the account that persons had declared by then, and before their bars began."""
    if not changes:
        return list(moments)
    return [
        replace(
            moment,
            states=states_of(changes, account_id, moment.at),
            opening_states=states_of(changes, account_id, moment.begins_at),
        )
        for moment in moments
    ]


def with_breaker_events(
    connection: psycopg.Connection, account_id: str, moments: Sequence[simulation.Moment]
) -> list[simulation.Moment]:
    """The moments with what happened to breakers outside of the time loop since the one before."""
    if not moments:
        return []
    before = session(previous_session(moments[0].session.date)).closes_at
    events = outside_events(connection, account_id, before, moments[-1].at)
    if not events:
        return list(moments)
    starts = [before, *(moment.at for moment in moments)]
    return [
        replace(moment, clearances=[event for event in events if start < event.at <= moment.at])
        for start, moment in zip(starts, moments, strict=False)
    ]


def watch_orders(
    connection: psycopg.Connection,
    account: simulation.Account,
    rules: simulation.Rules,
    now: datetime,
    journal: Journal,
) -> None:
    """Trip the configured breakers that the account's record of orders has reached by `now` (UTC)."""
    watched = {name: rule for name, rule in rules.breakers.items() if name in EXECUTION_BREAKERS}
    if not watched:
        return
    record = read_execution_record(connection, account.book.account_id, rules.fill_model.slippage_bps, now)
    values = execution_values(record, watched, now, account.cleared_at)
    for trip in judge(values, watched, account.tripped):
        simulation.trip_breaker(account, trip, now, journal)
