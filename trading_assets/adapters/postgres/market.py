"""Schema `market`: storing bars, and reading what was known of them at a time.

A changed fact is a new version, never an update. Bars that changed close their quality gate in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, append_versions
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.sessions import NEW_YORK

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

BARS_DATASET = "market/bars"
BARS = Table(
    "market.bars",
    key=("symbol", "timeframe", "ts"),
    compared=("closes_at", "session_date", "open", "high", "low", "close", "volume"),
)


def store_bars(connection: psycopg.Connection, frame: pd.DataFrame) -> int:
    """Store the bars (BAR_COLUMNS) that are new or changed; returns how many. The same bars again write nothing.

    Where `frame` has a column `response_id`, it names the vendor response each bar came from.
    The quality gate of every (session, symbol) with a stored row is `pending` until the checks have run.
    """
    # Two runs that store the same bar at once would both add the same version.
    connection.execute("select pg_advisory_xact_lock(hashtext('market.bars'))")
    known_at = _database_time(connection)
    ordered = frame.sort_values(["symbol", "timeframe", "ts"])
    columns = list(BAR_COLUMNS)
    values = [ordered[column].astype(object) for column in columns]
    if "response_id" in frame:
        columns.append("response_id")
        responses = ordered["response_id"].astype(object)
        values.append(responses.where(responses.notna(), None))
    # A price that is not a number is stored as NaN: the checks, not this function, say what a bar must be.
    rows = ((*row, known_at) for row in zip(*values, strict=True))
    written = append_versions(connection, BARS, (*columns, "known_at"), rows)
    if written:
        _hold_back(connection, known_at, ordered["session_date"].min(), ordered["session_date"].max(), written)
    return written


def _hold_back(connection: psycopg.Connection, known_at: datetime, first: date, last: date, rows_written: int) -> None:
    """Set the gates of what was stored at `known_at` to pending, and record that it was stored."""
    row = connection.execute(
        """
        with stored as materialized (
            select symbol, timeframe, session_date from market.bars
            where known_at = %(known_at)s and session_date between %(first)s and %(last)s
        ),
        gates as (
            insert into ops.quality_gates (dataset, session_date, symbol, state)
            select distinct %(dataset)s, session_date, symbol, 'pending' from stored
            on conflict (dataset, session_date, symbol) do update
            set state = 'pending', failing_checks = '{}', evaluated_at = clock_timestamp()
        )
        select array(select distinct symbol from stored order by symbol),
               array(select distinct timeframe from stored order by timeframe),
               min(session_date), max(session_date)
        from stored
        """,
        {"dataset": BARS_DATASET, "known_at": known_at, "first": first, "last": last},
    ).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers one row
    symbols, timeframes, first_session, last_session = row
    facts = {"rows_written": rows_written, "symbols": symbols, "timeframes": timeframes}
    append_event(connection, Topic.BARS_STORED, facts, first_session, last_session)


def bars_as_of(
    database: Database,
    knowledge_time: datetime,
    symbols: Sequence[str],
    timeframe: str,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """The bars of the sessions first..last as they were known at `knowledge_time`: BAR_COLUMNS, by symbol and ts."""
    return database.frame(
        """
        select symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, source
        from market.bars_as_of(%(knowledge_time)s)
        where symbol = any(%(symbols)s) and timeframe = %(timeframe)s and ts >= %(begin)s and ts < %(end)s
        order by symbol, ts
        """,
        knowledge_time=knowledge_time,
        symbols=list(symbols),
        timeframe=str(timeframe),
        **_window(first, last),
    )


def tape(database: Database, symbols: Sequence[str], first: date, last: date, knowledge_time: datetime) -> pd.DataFrame:
    """What the simulated market trades on: for each symbol and session the bars of the finest timeframe that is known.

    BAR_COLUMNS, by closes_at and symbol, as known at `knowledge_time`.
    """
    return database.frame(
        """
        select symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, source
        from (
            select *, bool_or(timeframe = '1h') over (partition by symbol, session_date) as has_hours
            from market.bars_as_of(%(knowledge_time)s)
            where symbol = any(%(symbols)s) and ts >= %(begin)s and ts < %(end)s
        ) as known
        where timeframe = '1h' or not has_hours
        order by closes_at, symbol
        """,
        knowledge_time=knowledge_time,
        symbols=list(symbols),
        **_window(first, last),
    )


def _window(first: date | None, last: date | None) -> dict[str, datetime]:
    """Bounds for ts, which the primary key can search; session_date cannot narrow a `distinct on`."""
    begin = datetime.combine(first, time(), NEW_YORK).astimezone(UTC) if first else datetime(1900, 1, 1, tzinfo=UTC)
    after = datetime.combine(last + timedelta(days=1), time(), NEW_YORK) if last else datetime(2200, 1, 1, tzinfo=UTC)
    return {"begin": begin, "end": after.astimezone(UTC)}


def _database_time(connection: psycopg.Connection) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101  a select without from always answers one row
    now: datetime = row[0]
    return now
