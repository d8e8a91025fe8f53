"""market.trading_halts: halts of trading as they were known. Which bars they explain belongs in the domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import psycopg

from trading_assets.adapters.postgres.database import Table, append_versions
from trading_assets.adapters.postgres.market import BARS_DATASET
from trading_assets.domain.market.halts import TradingHalt
from trading_assets.domain.market.sessions import NEW_YORK

HALTS = Table(
    "market.trading_halts", key=("symbol", "halted_at"), compared=("resumed_at", "reason", "is_withdrawn", "source")
)


def store_halts(connection: psycopg.Connection, halts: Sequence[TradingHalt], source: str) -> int:
    """Store the halts that are new or changed, and withdraw those of `source` that are listed no longer.

    Returns how many versions were added. The quality gates of the bars they touch are `pending` until the checks ran.
    """
    # Two runs that store the same halt at once would both add the same version.
    connection.execute("select pg_advisory_xact_lock(hashtext('market.trading_halts'))")
    known_at = connection.execute("select clock_timestamp()").fetchone()
    assert known_at is not None  # noqa: S101  a select without from always answers one row
    listed = {(halt.symbol, halt.halted_at) for halt in halts}
    stored = connection.execute(
        "select distinct on (symbol, halted_at) symbol, halted_at, resumed_at, reason, is_withdrawn, source "
        "from market.trading_halts order by symbol, halted_at, version desc"
    ).fetchall()
    rows = [(*_values(halt), False, source, known_at[0]) for halt in halts]
    rows += [
        (symbol, halted_at, resumed_at, reason, True, source, known_at[0])
        for symbol, halted_at, resumed_at, reason, is_withdrawn, of_source in stored
        if of_source == source and not is_withdrawn and (symbol, halted_at) not in listed
    ]
    columns = ("symbol", "halted_at", "resumed_at", "reason", "is_withdrawn", "source", "known_at")
    written = append_versions(connection, HALTS, columns, rows)
    if written:
        connection.execute(
            "update ops.quality_gates as gates "
            "set state = 'pending', failing_checks = '{}', evaluated_at = clock_timestamp() "
            "from market.trading_halts as changed join market.trading_halts as halts using (symbol, halted_at) "
            "where changed.known_at = %s and gates.dataset = %s and gates.symbol = halts.symbol "
            "and gates.session_date >= (halts.halted_at at time zone 'America/New_York')::date "
            "and (halts.resumed_at is null "
            "or gates.session_date <= (halts.resumed_at at time zone 'America/New_York')::date)",
            (known_at[0], BARS_DATASET),
        )
    return written


def known_halts(connection: psycopg.Connection, first: date, last: date) -> list[TradingHalt]:
    """The halts in force on a day of first..last, by symbol and start."""
    rows = connection.execute(
        "select symbol, halted_at, resumed_at, reason from ("
        "select distinct on (symbol, halted_at) * from market.trading_halts order by symbol, halted_at, version desc"
        ") as newest where not is_withdrawn and halted_at < %s and (resumed_at is null or resumed_at > %s) "
        "order by symbol, halted_at",
        (_midnight(last + timedelta(days=1)), _midnight(first)),
    )
    return [TradingHalt(*row) for row in rows]


def _values(halt: TradingHalt) -> tuple[str, datetime, datetime | None, str]:
    return halt.symbol, halt.halted_at, halt.resumed_at, halt.reason


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK)
