"""market.broker_sessions: the broker's calendar as it was known. What a difference means belongs in the checks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import psycopg

from trading_assets.adapters.postgres.database import Table, append_versions
from trading_assets.adapters.postgres.market import BARS_DATASET
from trading_assets.domain.market.broker_calendar import BrokerSession

BROKER_SESSIONS = Table("market.broker_sessions", key=("source", "session_date"), compared=("opens_at", "closes_at"))


def store_calendar(connection: psycopg.Connection, days: Sequence[BrokerSession], source: str) -> int:
    """Store the days that are new or changed; returns how many.

    The quality gates of those sessions' bars are `pending` until the checks have run again.
    """
    # Two runs that store the same day at once would both add the same version.
    connection.execute("select pg_advisory_xact_lock(hashtext('market.broker_sessions'))")
    known_at = connection.execute("select clock_timestamp()").fetchone()
    assert known_at is not None  # noqa: S101  a select without from always answers one row
    columns = ("source", "session_date", "opens_at", "closes_at", "response_id", "known_at")
    rows = ((source, day.session_date, day.opens_at, day.closes_at, day.response_id, known_at[0]) for day in days)
    written = append_versions(connection, BROKER_SESSIONS, columns, rows)
    if written:
        connection.execute(
            "update ops.quality_gates set state = 'pending', failing_checks = '{}', evaluated_at = clock_timestamp() "
            "where dataset = %s and session_date in "
            "(select session_date from market.broker_sessions where source = %s and known_at = %s)",
            (BARS_DATASET, source, known_at[0]),
        )
    return written


def stored_calendar(connection: psycopg.Connection, source: str, first: date, last: date) -> list[BrokerSession]:
    """The newest version of every day of first..last that `source` was asked about, in order."""
    rows = connection.execute(
        "select distinct on (session_date) session_date, opens_at, closes_at, response_id "
        "from market.broker_sessions where source = %s and session_date between %s and %s "
        "order by session_date, version desc",
        (source, first, last),
    )
    return [BrokerSession(*row) for row in rows]
