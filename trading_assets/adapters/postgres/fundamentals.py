"""Schema `market`: storing what is known about companies. A changed figure or fact is a new version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Table, append_versions
from trading_assets.adapters.postgres.events import Topic, append_stored
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure

if TYPE_CHECKING:
    import psycopg

FINANCIALS = Table(
    "market.financials",
    key=("symbol", "statement", "item", "months", "period_end"),
    compared=("amount", "currency"),
)
FUNDAMENTALS = Table("market.fundamentals", key=("symbol", "topic", "item"), compared=("text", "number"))


def store_figures(connection: psycopg.Connection, figures: Sequence[ReportedFigure], source: str) -> int:
    """Store the figures that are new or restated; returns how many."""
    columns = (*FINANCIALS.key, *FINANCIALS.compared, "response_id", "source")
    rows = (
        (f.symbol, str(f.statement), f.item, f.months, f.period_end, f.amount, f.currency, f.response_id, source)
        for f in figures
    )
    written = append_versions(connection, FINANCIALS, columns, rows)
    append_stored(connection, Topic.FUNDAMENTALS_STORED, FINANCIALS.name, written, source)
    return written


def store_facts(connection: psycopg.Connection, facts: Sequence[ObservedFact], source: str) -> int:
    """Store the facts that are new or changed; returns how many."""
    columns = (*FUNDAMENTALS.key, *FUNDAMENTALS.compared, "response_id", "source")
    rows = ((f.symbol, f.topic, f.item, f.text, f.number, f.response_id, source) for f in facts)
    written = append_versions(connection, FUNDAMENTALS, columns, rows)
    append_stored(connection, Topic.FUNDAMENTALS_STORED, FUNDAMENTALS.name, written, source)
    return written
