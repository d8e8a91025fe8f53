"""The newest stored bar of each symbol, from the cache where it has it and from PostgreSQL where it has not.

For screens and listeners. A decision never reads this: it asks what was known at its moment (market.bars_as_of).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.ports import Cache, CacheEntry
from trading_assets.adapters.postgres.records import select

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database

SCHEMA = "bar1"
"""Another name for another set of fields: entries of a program with other fields are not read but replaced."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("ts", "closes_at", "known_at")


@dataclass(frozen=True)
class LatestBar:
    """A raw bar of market.bars: times in UTC, `ts` its start, `closes_at` its end, prices unadjusted."""

    symbol: str
    timeframe: str
    ts: datetime
    version: int
    closes_at: datetime
    session_date: date
    open: float
    high: float
    low: float
    close: float
    volume: float
    source: str
    known_at: datetime


def latest_bars(database: Database, cache: Cache, symbols: Sequence[str], timeframe: str) -> dict[str, LatestBar]:
    """The newest version of the newest stored bar of each of `symbols` that has one, by symbol.

    What the cache lacks, or holds in a shape that can not be read, comes from PostgreSQL and is put right in the cache.
    An entry is as new as the newest event that was relayed.
    """
    try:
        entries = cache.read(_group(timeframe), symbols)
    except Unreachable:
        with database.transaction() as connection:
            return stored_latest_bars(connection, symbols, timeframe)
    cached = {symbol: _decoded(entry, symbol, timeframe) for symbol, entry in entries.items()}
    found = {symbol: bar for symbol, bar in cached.items() if bar is not None}
    if missing := [symbol for symbol in symbols if symbol not in found]:
        with database.transaction() as connection:
            stored = stored_latest_bars(connection, missing, timeframe)
        broken = {symbol: entry for symbol, entry in entries.items() if symbol not in found}
        _heal(cache, timeframe, stored, broken)
        found |= stored
    return {symbol: found[symbol] for symbol in symbols if symbol in found}


def refresh_latest_bars(connection: psycopg.Connection, cache: Cache, symbols: Sequence[str], timeframe: str) -> int:
    """Put the newest stored bars of `symbols` into the cache; returns how many entries changed. Raises Unreachable."""
    return cache.write(_group(timeframe), encoded(stored_latest_bars(connection, symbols, timeframe)))


def stored_latest_bars(connection: psycopg.Connection, symbols: Sequence[str], timeframe: str) -> dict[str, LatestBar]:
    """The newest version of the newest stored bar of each of `symbols` that has one, by symbol, from PostgreSQL."""
    bars = select(
        connection,
        LatestBar,
        """
        select newest.*
        from unnest(%(symbols)s::text[]) as asked (symbol)
        cross join lateral (
            select symbol, timeframe, ts, version, closes_at, session_date,
                   open, high, low, close, volume, source, known_at
            from market.bars as bar
            where bar.symbol = asked.symbol and bar.timeframe = %(timeframe)s
            order by ts desc, version desc limit 1
        ) as newest
        """,
        symbols=list(symbols),
        timeframe=str(timeframe),
    )
    return {bar.symbol: bar for bar in bars}


def _heal(cache: Cache, timeframe: str, bars: Mapping[str, LatestBar], broken: Mapping[str, CacheEntry]) -> None:
    try:
        cache.write(_group(timeframe), encoded(bars), broken)
    except Unreachable:
        return  # The next reader finds it missing again.


def _group(timeframe: str) -> str:
    return f"bars:{timeframe}"


def encoded(bars: Mapping[str, LatestBar]) -> dict[str, CacheEntry]:
    """The entries of these bars by symbol; what is newer compares as greater."""
    return {
        symbol: CacheEntry(SCHEMA, _version(bar), json.dumps(asdict(bar), default=_utc)) for symbol, bar in bars.items()
    }


def _decoded(entry: CacheEntry, symbol: str, timeframe: str) -> LatestBar | None:
    """The bar of an entry; None when it is not the entry of a bar of `symbol` as this program writes it."""
    if entry.schema != SCHEMA:
        return None
    try:
        facts = json.loads(entry.content)
        times = {name: datetime.fromisoformat(facts[name]) for name in _TIMES}
        bar = LatestBar(**(facts | times | {"session_date": date.fromisoformat(facts["session_date"])}))
        is_right = (bar.symbol, bar.timeframe, _version(bar)) == (symbol, str(timeframe), entry.version)
    except (KeyError, TypeError, ValueError):
        return None
    return bar if is_right else None


def _version(bar: LatestBar) -> str:
    """Start and version of the bar as digits of fixed width."""
    return f"{(bar.ts - _EPOCH) // timedelta(microseconds=1):018d}{bar.version:05d}"


def _utc(value: date | datetime) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()
