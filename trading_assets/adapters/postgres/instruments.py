"""Schema `market`: instruments, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.domain.market.instruments import Instrument

if TYPE_CHECKING:
    import psycopg

INSTRUMENT_FACTS = (
    "name",
    "asset_class",
    "exchange",
    "currency",
    "sector",
    "is_tradable",
    "is_shortable",
    "first_session",
    "source",
)
INSTRUMENTS = Table("market.instruments", key=("symbol",), compared=INSTRUMENT_FACTS)


def store_instruments(connection: psycopg.Connection, instruments: Sequence[Instrument], source: str) -> int:
    """Insert new instruments and update changed ones; returns how many."""
    columns = ("symbol", *INSTRUMENT_FACTS)
    rows = (
        (
            i.symbol,
            i.name,
            i.asset_class,
            i.exchange,
            i.currency,
            i.sector,
            i.is_tradable,
            i.is_shortable,
            i.first_session,
            source,
        )
        for i in instruments
    )
    written = merge(connection, INSTRUMENTS, columns, rows)
    if written:
        append_event(connection, Topic.INSTRUMENTS_CHANGED, {"rows_written": written, "source": source})
    return written


def first_sessions(database: Database, symbols: Sequence[str]) -> dict[str, date | None]:
    """The first session of each stored instrument among `symbols`; None where its source cannot tell."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select symbol, first_session from market.instruments where symbol = any(%s)", (list(symbols),)
        ).fetchall()
    return dict(rows)
