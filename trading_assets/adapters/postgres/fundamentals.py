"""Schema `market`: storing what is known about companies, and reading what could be known at a time.

A changed figure or fact is a new version. A figure counts from its filing, where its source says when that was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, append_versions
from trading_assets.adapters.postgres.events import Topic, append_stored
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
from trading_assets.domain.strategy.facts import Figure

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

FINANCIALS = Table(
    "market.financials",
    key=("symbol", "statement", "item", "months", "period_end"),
    compared=("amount", "currency"),
)
FUNDAMENTALS = Table("market.fundamentals", key=("symbol", "topic", "item"), compared=("text", "number", "is_gone"))
BEFORE_ALL_FILINGS = datetime(1900, 1, 1, tzinfo=UTC)
FigureKey = tuple[str, str, str, int, date]


def store_figures(connection: psycopg.Connection, figures: Sequence[ReportedFigure], source: str) -> int:
    """Store the figures that are new or restated; returns how many. The same figures again write nothing.

    A figure that nothing was stored of counts from its filing, and so do the amended filings that come with it. One
    that differs from what is stored counts from now: what was known at a time in the past stays what it was.
    """
    known_at = _moment_of_storing(connection, FINANCIALS)
    stored = _newest_filings(connection, {figure.symbol for figure in figures})
    columns = (*FINANCIALS.key, *FINANCIALS.compared, "response_id", "filed_at", "counts_from", "known_at", "source")
    written = 0
    for batch in _one_filing_each(figures, stored):
        rows = (
            (
                *_key(f),
                f.amount,
                f.currency,
                f.response_id,
                f.filed_at,
                known_at if f.filed_at is None or _key(f) in stored else f.filed_at,
                known_at,
                source,
            )
            for f in batch
        )
        written += append_versions(connection, FINANCIALS, columns, rows)
    append_stored(connection, Topic.FUNDAMENTALS_STORED, FINANCIALS.name, written, source)
    return written


def store_facts(connection: psycopg.Connection, facts: Sequence[ObservedFact], source: str) -> int:
    """Store the facts that are new or changed, and the end of those that their topic has no more; returns how many."""
    known_at = _moment_of_storing(connection, FUNDAMENTALS)
    columns = (*FUNDAMENTALS.key, *FUNDAMENTALS.compared, "response_id", "known_at", "source")
    told = [(f.symbol, f.topic, f.item, f.text, f.number, False, f.response_id, known_at, source) for f in facts]
    gone = [(*key, "", None, True, None, known_at, source) for key in _facts_no_longer_told(connection, facts, source)]
    written = append_versions(connection, FUNDAMENTALS, columns, [*told, *gone])
    append_stored(connection, Topic.FUNDAMENTALS_STORED, FUNDAMENTALS.name, written, source)
    return written


def figures_as_of(database: Database, knowledge_time: datetime, symbols: Sequence[str]) -> pd.DataFrame:
    """The figures that could be known at `knowledge_time`, one row a line and period.

    symbol, statement, item, months, period_end, amount, currency, filed_at, counts_from (UTC), version, source; in the
    order of the first five.
    """
    return database.frame(
        "select symbol, statement, item, months, period_end, amount, currency, filed_at, counts_from, version, source "
        "from market.financials_as_of(%(knowledge_time)s) where symbol = any(%(symbols)s) "
        'order by symbol collate "C", statement, item collate "C", months, period_end',
        knowledge_time=knowledge_time,
        symbols=list(symbols),
    )


def figure_versions(
    database: Database, knowledge_time: datetime, symbols: Sequence[str], figures: Sequence[Figure]
) -> pd.DataFrame:
    """All versions of the `figures` that counted by `knowledge_time`: domain.strategy.facts.FIGURE_COLUMNS."""
    return database.frame(
        "select symbol, statement, item, months, period_end, version, amount::float8 as amount, counts_from "
        "from market.financials join unnest(%(statements)s::text[], %(items)s::text[], %(months)s::integer[]) "
        "as wanted(statement, item, months) using (statement, item, months) "
        "where symbol = any(%(symbols)s) and counts_from <= %(knowledge_time)s "
        'order by symbol collate "C", statement, item collate "C", months, period_end, version',
        knowledge_time=knowledge_time,
        symbols=list(symbols),
        statements=[str(one.statement) for one in figures],
        items=[one.item for one in figures],
        months=[one.months for one in figures],
    )


def facts_as_of(database: Database, knowledge_time: datetime, symbols: Sequence[str]) -> pd.DataFrame:
    """The facts as seen by `knowledge_time`: symbol, topic, item, text, number, known_at (UTC), version, source."""
    return database.frame(
        "select symbol, topic, item, text, number, known_at, version, source "
        "from market.fundamentals_as_of(%(knowledge_time)s) where symbol = any(%(symbols)s) "
        'order by symbol collate "C", topic, item collate "C"',
        knowledge_time=knowledge_time,
        symbols=list(symbols),
    )


def _one_filing_each(
    figures: Sequence[ReportedFigure], stored: dict[FigureKey, datetime]
) -> Iterator[list[ReportedFigure]]:
    """The first filing of every line and period, then the second of those that have one, and so on.

    Filings before the newest stored one are left out: their figures were stored when they were news.
    """
    filings: dict[FigureKey, list[ReportedFigure]] = defaultdict(list)
    # A figure without a filing is what the vendor says today.
    for figure in sorted(figures, key=lambda figure: (figure.filed_at is None, figure.filed_at)):
        if figure.filed_at is None or figure.filed_at >= stored.get(_key(figure), BEFORE_ALL_FILINGS):
            filings[_key(figure)].append(figure)
    for place in range(max(map(len, filings.values()), default=0)):
        yield [filed[place] for filed in filings.values() if place < len(filed)]


def _facts_no_longer_told(
    connection: psycopg.Connection, facts: Sequence[ObservedFact], source: str
) -> list[tuple[str, str, str]]:
    """Symbol, topic and item of what `source` told before in the topics of `facts`. A topic left out says nothing."""
    told = {(fact.symbol, fact.topic, fact.item) for fact in facts}
    topics = {(symbol, topic) for symbol, topic, _ in told}
    stored = connection.execute(
        "select symbol, topic, item from market.fundamentals_as_of('infinity') where symbol = any(%s) and source = %s",
        (sorted({symbol for symbol, _ in topics}), source),
    )
    return [key for key in stored if key[:2] in topics and key not in told]


def _newest_filings(connection: psycopg.Connection, symbols: set[str]) -> dict[FigureKey, datetime]:
    rows = connection.execute(
        "select symbol, statement, item, months, period_end, max(filed_at) from market.financials "
        "where symbol = any(%s) group by symbol, statement, item, months, period_end",
        (sorted(symbols),),
    )
    return {(*key,): filed_at or BEFORE_ALL_FILINGS for *key, filed_at in rows}


def _key(figure: ReportedFigure) -> FigureKey:
    return (figure.symbol, str(figure.statement), figure.item, figure.months, figure.period_end)


def _moment_of_storing(connection: psycopg.Connection, table: Table) -> datetime:
    """One time for all that is stored together. Others wait for its end: two runs would add the same version."""
    row = connection.execute(
        "select clock_timestamp() from pg_advisory_xact_lock(hashtext(%s))", (table.name,)
    ).fetchone()
    assert row is not None  # noqa: S101  a function's result is always one row
    moment: datetime = row[0]
    return moment
