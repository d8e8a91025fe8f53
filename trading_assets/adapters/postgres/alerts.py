"""Schema `risk`: the checks of limits at each measurement, and the alerts that people were told.

Checks are computed from measurements and may be replaced; alerts were told and are append-only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from trading_assets.adapters.postgres.database import Table, copy_rows, merge
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.risk.alerts import AlertEvent, LimitCheck

CHECK_COLUMNS = ("account_id", "at", "limit_name", "session_date", "value", "limit_value", "detail", "missing")
CHECKS = Table("risk.limit_checks", CHECK_COLUMNS[:3], CHECK_COLUMNS[3:])


def store_checks(connection: psycopg.Connection, account_id: str, checks: Sequence[LimitCheck]) -> int:
    """Store checks, in place of those of the same moments; returns how many are new or changed."""
    moments, names = [check.at for check in checks], [check.limit_name for check in checks]
    connection.execute(
        "delete from risk.limit_checks where account_id = %s and at = any(%s) and (at, limit_name) not in "
        "(select * from unnest(%s::timestamptz[], %s::text[]))",
        (account_id, moments, moments, names),
    )
    return merge(connection, CHECKS, CHECK_COLUMNS, (_check_row(account_id, check) for check in checks))


def checks_since(connection: psycopg.Connection, account_id: str, first: date) -> list[LimitCheck]:
    """The checks of session `first` and all later ones, in order of time."""
    return select(connection, LimitCheck, _CHECKS, account_id=account_id, first=first)


def newest_alerts(connection: psycopg.Connection, account_id: str) -> dict[str, AlertEvent]:
    """The newest event of each limit, by its name."""
    query: LiteralString = (
        "select account_id, limit_name, event_no, state, previous, at, session_date, value, limit_value, detail "
        "from risk.alerts where account_id = %(account_id)s"
    )
    return {event.limit_name: event for event in select(connection, AlertEvent, query, account_id=account_id)}


def record_alerts(connection: psycopg.Connection, events: Iterable[AlertEvent]) -> int:
    """Append the events; returns how many."""
    columns = [field.name for field in fields(AlertEvent)]
    return copy_rows(
        connection,
        sql.Identifier("risk", "alert_events"),
        columns,
        ([getattr(event, name) for name in columns] for event in events),
    )


def lock_alerts(connection: psycopg.Connection) -> None:
    """Two runs at once would both tell the same change; held until this transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('risk.alert_events'))")


def _check_row(account_id: str, check: LimitCheck) -> tuple[Any, ...]:
    return (
        account_id,
        check.at,
        check.limit_name,
        check.session_date,
        check.value,
        check.limit,
        check.detail,
        check.missing,
    )


_CHECKS: LiteralString = """
    select limit_name, at, session_date, value, limit_value as "limit", detail, missing from risk.limit_checks
    where account_id = %(account_id)s and session_date >= %(first)s
    order by at, limit_name
"""
