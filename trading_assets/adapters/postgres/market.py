"""Schema `market`: storing bars, and reading what was known of them at a time.

A changed fact is a new version, never an update. Bars that changed close their quality gate in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from trading_assets.adapters.postgres import bar_histories
from trading_assets.adapters.postgres.bar_arrays import BarArrays, sorted_chunks
from trading_assets.adapters.postgres.binary_copy import ArrayRows
from trading_assets.adapters.postgres.database import Database, Table, append_and_count, copy_rows, planner, staged
from trading_assets.adapters.postgres.events import Topic, append_event
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
STORED_BY = (
    sql.Identifier("session_date"),
    sql.Identifier("symbol"),
    sql.Identifier("timeframe"),
    sql.SQL("extract(year from ts at time zone 'UTC')::integer"),
)
GATES = Table("ops.quality_gates", key=("session_date", "symbol"), compared=())


def store_bars(connection: psycopg.Connection, frame: pd.DataFrame) -> int:
    """Store the bars (BAR_COLUMNS) that are new or changed; returns how many. The same bars again write nothing.

    Where `frame` has a column `response_id`, it names the vendor response each bar came from.
    The quality gate of every (session, symbol) with a stored row is `pending` until the checks have run.
    Raises ValueError for a bar that comes twice, and for one without symbol, timeframe, source, times or session.
    """
    # Two runs that store the same bar at once would both add the same version.
    connection.execute("select pg_advisory_xact_lock(hashtext('market.bars'))")
    known_at = _database_time(connection)
    stored = _Stored()
    with bar_histories.forgetting_changed_years(connection):
        for bars in sorted_chunks(frame):
            _store_chunk(connection, bars, known_at, stored)
    stored.record(connection)
    return stored.rows_written


def _store_chunk(connection: psycopg.Connection, bars: BarArrays, known_at: datetime, stored: _Stored) -> None:
    """COPY the symbols of which nothing is stored in the time they span; compare the others with what is stored."""
    is_new = _is_new(connection, bars)
    if is_new.any():
        new = bars if is_new.all() else bars[is_new]
        copy_rows(connection, BARS.identifier, *new.stored_at(known_at))
        stored.add(connection, len(new), new.years(), new.sessions())
    if not is_new.all():
        known = bars if not is_new.any() else bars[~is_new]
        added = append_and_count(connection, BARS, *known.stored_at(known_at), by=STORED_BY)
        if added:
            sessions, symbols, timeframes, years, counts = zip(*added, strict=True)
            pairs = (np.array(sessions, "datetime64[D]"), np.array([symbol.encode() for symbol in symbols]))
            stored.add(connection, sum(counts), list(zip(symbols, timeframes, years, strict=True)), ArrayRows(pairs))


def _is_new(connection: psycopg.Connection, bars: BarArrays) -> NDArray[np.bool_]:
    """Of each bar, whether nothing is stored of its symbol and timeframe in the time that `bars` have of them."""
    spans = bars.spans()
    # Look each span up, even where the statistics of the table are out of date.
    with planner(connection, enable_seqscan="off"):
        rows = connection.execute(
            "select found.ts is null from unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]) "
            "with ordinality as span(symbol, timeframe, first, last, number) left join lateral ("
            "select ts from market.bars as stored where stored.symbol = span.symbol "
            "and stored.timeframe = span.timeframe and stored.ts between span.first and span.last limit 1"
            ") as found on true order by number",
            (
                [span.symbol for span in spans],
                [span.timeframe for span in spans],
                [span.first for span in spans],
                [span.last for span in spans],
            ),
        ).fetchall()
    return np.repeat([is_new for (is_new,) in rows], np.diff([0, *(span.end for span in spans)]))


@dataclass
class _Stored:
    """What one call of store_bars has stored, and what has to follow from it in the same transaction."""

    rows_written: int = 0
    symbols: set[str] = field(default_factory=set)
    timeframes: set[str] = field(default_factory=set)
    sessions: list[date] = field(default_factory=list)

    def add(
        self, connection: psycopg.Connection, count: int, years: Sequence[tuple[str, str, int]], pairs: ArrayRows
    ) -> None:
        """Forget the packed `years` (symbol, timeframe, year); set the gates of `pairs` (session, symbol) pending."""
        bar_histories.forget(connection, sorted(set(years)))
        with staged(connection, GATES, GATES.key, pairs) as stage:
            connection.execute(
                sql.SQL(
                    "insert into ops.quality_gates (dataset, session_date, symbol, state) "
                    "select distinct %s, session_date, symbol, 'pending' from {} order by session_date, symbol "
                    "on conflict (dataset, session_date, symbol) do update "
                    "set state = 'pending', failing_checks = '{{}}', evaluated_at = clock_timestamp()"
                ).format(stage),
                (BARS_DATASET,),
            )
        self.rows_written += count
        self.symbols |= {symbol for symbol, _, _ in years}
        self.timeframes |= {timeframe for _, timeframe, _ in years}
        days = pairs.columns[0]
        self.sessions += [days.min().astype(date), days.max().astype(date)]

    def record(self, connection: psycopg.Connection) -> None:
        """Record that bars were stored, if any were."""
        if self.rows_written:
            facts = {
                "rows_written": self.rows_written,
                "symbols": sorted(self.symbols),
                "timeframes": sorted(self.timeframes),
            }
            append_event(connection, Topic.BARS_STORED, facts, min(self.sessions), max(self.sessions))


def bars_as_of(
    database: Database,
    knowledge_time: datetime,
    symbols: Sequence[str],
    timeframe: str,
    first: date | None = None,
    last: date | None = None,
) -> pd.DataFrame:
    """The bars of the sessions first..last as they were known at `knowledge_time`: BAR_COLUMNS, by symbol and ts."""
    window = _window(first, last)
    return bar_histories.read_bars(database, knowledge_time, symbols, timeframe, window["begin"], window["end"])


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
