"""Schema `market`: quotes, each stored once as it was seen. What a quote is worth belongs in the risk rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.events import Topic, append_stored
from trading_assets.domain.market.quotes import Quote

if TYPE_CHECKING:
    import psycopg


def store_quotes(connection: psycopg.Connection, quotes: Sequence[Quote], source: str) -> int:
    """Store the quotes that are not stored yet; returns how many. A vendor repeats a quote until there is a new one."""
    if not quotes:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into market.quotes (symbol, quoted_at, bid, bid_size, ask, ask_size, response_id, source) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict (symbol, quoted_at, source) do nothing",
            [(q.symbol, q.quoted_at, q.bid, q.bid_size, q.ask, q.ask_size, q.response_id, source) for q in quotes],
        )
        written = cursor.rowcount
    append_stored(connection, Topic.QUOTES_STORED, "market.quotes", written, source)
    return written
