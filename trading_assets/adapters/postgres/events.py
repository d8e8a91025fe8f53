"""The record of what happened to the data (ops.events): appended in the transaction of the change it tells of.

Who passes events on belongs in adapters/event_relay.py. Numbers follow the order of the commits and have no gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from trading_assets.adapters.postgres.records import select

if TYPE_CHECKING:
    import psycopg


class Topic(StrEnum):
    """What an event can tell. The facts of each are listed in docs/guides/events.md."""

    BARS_STORED = "bars_stored"
    CORPORATE_ACTIONS_STORED = "corporate_actions_stored"
    FUNDAMENTALS_STORED = "fundamentals_stored"
    GATES_CHANGED = "gates_changed"
    INSTRUMENTS_CHANGED = "instruments_changed"
    QUOTES_STORED = "quotes_stored"


@dataclass(frozen=True)
class Event:
    """One change that was committed. `facts` are plain JSON; the sessions are those whose data changed.

    `topic` is a plain text, so that a program can pass on what a newer one has recorded.
    """

    event_no: int
    topic: str
    facts: Mapping[str, Any]
    first_session: date | None
    last_session: date | None
    occurred_at: datetime


def append_event(
    connection: psycopg.Connection,
    topic: Topic,
    facts: Mapping[str, Any],
    first_session: date | None = None,
    last_session: date | None = None,
) -> None:
    """Record an event in the caller's transaction. It gets its number, and can be seen, when that commits."""
    connection.execute(
        "insert into ops.event_drafts (topic, facts, first_session, last_session) values (%s, %s, %s, %s)",
        (topic, Jsonb(dict(facts)), first_session, last_session),
    )


def events_after(connection: psycopg.Connection, event_no: int, limit: int) -> list[Event]:
    """Up to `limit` events with a greater number, in order."""
    return select(
        connection,
        Event,
        "select event_no, topic, facts, first_session, last_session, occurred_at "
        "from ops.events where event_no > %(event_no)s order by event_no limit %(limit)s",
        event_no=event_no,
        limit=limit,
    )


def is_recorded(connection: psycopg.Connection, event: Event) -> bool:
    """Whether this database has recorded just this event under its number."""
    return events_after(connection, event.event_no - 1, 1) == [event]


def newest_event_no(connection: psycopg.Connection) -> int:
    """The number of the newest event; 0 before the first one."""
    row = connection.execute("select coalesce(max(event_no), 0) from ops.events").fetchone()
    return int(row[0]) if row else 0


def hold_relay(connection: psycopg.Connection, relay: str) -> bool:
    """Whether this transaction may relay until it ends; False while another one does."""
    row = connection.execute("select pg_try_advisory_xact_lock(hashtext('ops.event_relays'), hashtext(%s))", (relay,))
    return bool((row.fetchone() or (False,))[0])


def announced(connection: psycopg.Connection, relay: str) -> int:
    """The number of the newest event that `relay` has announced; 0 before the first one."""
    row = connection.execute("select event_no from ops.event_relays where relay = %s", (relay,)).fetchone()
    return int(row[0]) if row else 0


def record_announced(connection: psycopg.Connection, relay: str, event_no: int) -> None:
    """Write down how far `relay` has come; for people, and so that nothing is announced twice after a refill."""
    connection.execute(
        "insert into ops.event_relays (relay, event_no) values (%s, %s) "
        "on conflict (relay) do update "
        "set event_no = greatest(event_relays.event_no, excluded.event_no), relayed_at = clock_timestamp()",
        (relay, event_no),
    )


def append_stored(connection: psycopg.Connection, topic: Topic, table: str, rows_written: int, source: str) -> None:
    """Record that this transaction has added rows to an append-only `table` of the schema market; nothing without any.

    The facts name the table, how many rows, whose they are and the source.
    """
    if not rows_written:
        return
    symbols = connection.execute(
        # now() is the beginning of this transaction.
        sql.SQL("select distinct symbol from {} where known_at >= now() order by symbol").format(
            sql.Identifier(*table.split("."))
        )
    )
    facts = {"table": table, "rows_written": rows_written, "symbols": [each for (each,) in symbols], "source": source}
    append_event(connection, topic, facts)
