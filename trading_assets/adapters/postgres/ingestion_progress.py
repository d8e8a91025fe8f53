"""Table `ops.ingestion_progress`: which chunks of a history are stored, written in the transaction of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from trading_assets.domain.market.history import Chunk, Fetched
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database


def record_chunk(
    connection: psycopg.Connection, dataset: str, source: str, chunk: Chunk, rows: int, run_id: str
) -> None:
    """Remember that the settled `chunk` of `source` is stored, with so many rows."""
    connection.execute(
        "insert into ops.ingestion_progress "
        "(dataset, source, timeframe, symbols, first_session, last_session, row_count, run_id) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (dataset, source, str(chunk.timeframe), list(chunk.symbols), chunk.first, chunk.last, rows, run_id),
    )


def fetched(database: Database, dataset: str, source: str, first: date, last: date) -> list[Fetched]:
    """What of the sessions first..last is stored, a row a chunk and symbol."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select distinct unnest(symbols), timeframe, first_session, last_session from ops.ingestion_progress "
            "where dataset = %s and source = %s and first_session <= %s and last_session >= %s",
            (dataset, source, last, first),
        ).fetchall()
    return [Fetched(symbol, Timeframe(timeframe), begin, end) for symbol, timeframe, begin, end in rows]


def forget(database: Database, dataset: str, source: str, symbols: Sequence[str], first: date, last: date) -> None:
    """Have every chunk with one of `symbols` and a session of first..last fetched again. The bars stay."""
    with database.transaction() as connection:
        connection.execute(
            "delete from ops.ingestion_progress where dataset = %s and source = %s and symbols && %s "
            "and first_session <= %s and last_session >= %s",
            (dataset, source, list(symbols), last, first),
        )
