"""How far ingestion has come: chunks of a history in `ops.ingestion_progress`, and the newest bar that is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
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


def stored_until(
    connection: psycopg.Connection, symbols: Sequence[str], timeframes: Sequence[Timeframe]
) -> datetime | None:
    """The newest bar close (UTC) up to which each of `timeframes` has bars of `symbols`; None when one has none."""
    row = connection.execute(
        """
        select case when bool_and(newest is not null) then min(newest) end
        from (
            select timeframe, max(last.closes_at) as newest
            from unnest(%(timeframes)s::text[]) as timeframe
            cross join unnest(%(symbols)s::text[]) as symbol
            -- By the primary key: a maximum over the table would read all of it.
            left join lateral (
                select closes_at from market.bars
                where bars.symbol = symbol.symbol and bars.timeframe = timeframe.timeframe
                order by ts desc limit 1
            ) as last on true
            group by timeframe
        ) as by_timeframe
        """,
        {"timeframes": [str(one) for one in timeframes], "symbols": list(symbols)},
    ).fetchone()
    return row[0] if row else None
