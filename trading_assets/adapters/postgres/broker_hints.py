"""Schema `execution`: what a broker's stream hinted at, and when it was last well. Neither decides anything.

Who listens belongs in adapters/stream_listener.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from trading_assets.domain.execution.broker_records import OrderUpdate

if TYPE_CHECKING:
    import psycopg

KEPT = timedelta(days=7)
"""Older hints are deleted: whatever they told of has been asked for since."""


def store_opening(connection: psycopg.Connection, account_id: str, at: datetime) -> None:
    """The stream was opened at `at` (UTC, by the graph's clock): what happened before is known only by asking."""
    connection.execute(
        "insert into execution.broker_hints (account_id, at, kind) values (%s, %s, 'stream_opened')", (account_id, at)
    )
    connection.execute(
        "insert into execution.stream_health (account_id, opened_at, seen_at) values (%s, %s, %s) "
        "on conflict (account_id) do update set opened_at = excluded.opened_at, seen_at = excluded.seen_at, "
        "heard_at = excluded.heard_at",
        (account_id, at, at),
    )


def store_update(connection: psycopg.Connection, account_id: str, update: OrderUpdate, at: datetime) -> None:
    """Something is said to have happened to an order."""
    connection.execute(
        "insert into execution.broker_hints (account_id, at, kind, broker_order_id, client_order_id, event) "
        "values (%s, %s, 'order_update', %s, %s, %s)",
        (account_id, at, update.order.broker_order_id, update.order.client_order_id, update.event),
    )


def store_sign_of_life(connection: psycopg.Connection, account_id: str, at: datetime) -> None:
    """The open stream of the account is well at `at` (UTC, by the graph's clock)."""
    connection.execute(
        "update execution.stream_health set seen_at = %s, heard_at = clock_timestamp() where account_id = %s",
        (at, account_id),
    )


def forget_old_hints(connection: psycopg.Connection) -> int:
    """Delete what is older than KEPT; returns how many."""
    return connection.execute(
        "delete from execution.broker_hints where heard_at < clock_timestamp() - %s", (KEPT,)
    ).rowcount


def newest_hint(connection: psycopg.Connection, account_id: str) -> datetime | None:
    """When the account's newest hint was heard, by the clock of the database (UTC); None without any."""
    return _moment(connection, "select max(heard_at) from execution.broker_hints where account_id = %s", account_id)


def stream_opened_at(connection: psycopg.Connection, account_id: str) -> datetime | None:
    """When the account's stream was opened last, by the graph's clock (UTC); None when it never was open."""
    return _moment(connection, "select opened_at from execution.stream_health where account_id = %s", account_id)


def stream_seen_at(connection: psycopg.Connection, account_id: str) -> datetime | None:
    """When the account's stream last gave a sign of life, by the graph's clock (UTC); None when it never was open."""
    return _moment(connection, "select seen_at from execution.stream_health where account_id = %s", account_id)


def stream_heard_at(connection: psycopg.Connection, account_id: str) -> datetime | None:
    """As `stream_seen_at`, by the clock of the database."""
    return _moment(connection, "select heard_at from execution.stream_health where account_id = %s", account_id)


def _moment(connection: psycopg.Connection, query: LiteralString, account_id: str) -> datetime | None:
    row = connection.execute(query, (account_id,)).fetchone()
    return row[0].astimezone(UTC) if row and row[0] else None
