"""The newest bar and quote of each symbol, from the cache where it has them and from PostgreSQL where it has not.

For screens and listeners. A decision never reads this: it asks what was known at its moment (market.bars_as_of).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_type_hints

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.ports import Cache, CacheEntry
from trading_assets.adapters.postgres.records import select

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


@dataclass(frozen=True)
class LatestQuote:
    """A quote of market.quotes: times in UTC, prices in USD, sizes in shares, None where nobody quoted."""

    symbol: str
    quoted_at: datetime
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    source: str
    known_at: datetime


T = TypeVar("T", bound=LatestBar | LatestQuote)


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What is cached: under which name, how two of it compare, and how the newest are found in PostgreSQL.

    Another `schema` for other fields: entries of a program with other fields are not read but replaced.
    """

    group: str
    schema: str
    record: type[T]
    version: Callable[[T], str]
    stored: Callable[[psycopg.Connection, Sequence[str]], list[T]]

    def entry(self, value: T) -> CacheEntry:
        return CacheEntry(self.schema, self.version(value), json.dumps(asdict(value), default=_text))


def bars_of(timeframe: str) -> Kind[LatestBar]:
    """Bars of one timeframe. A later bar, or a later version of it, is newer."""
    return Kind(
        f"bars:{timeframe}",
        "bar1",
        LatestBar,
        lambda bar: f"{_microseconds(bar.ts)}{bar.version:05d}",
        lambda connection, symbols: select(
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
        ),
    )


QUOTES = Kind(
    "quotes",
    "quote1",
    LatestQuote,
    lambda quote: _microseconds(quote.quoted_at) + _microseconds(quote.known_at),
    lambda connection, symbols: select(
        connection,
        LatestQuote,
        """
        select newest.*
        from unnest(%(symbols)s::text[]) as asked (symbol)
        cross join lateral (
            select symbol, quoted_at, bid, bid_size, ask, ask_size, source, known_at
            from market.quotes as quote
            where quote.symbol = asked.symbol
            order by quoted_at desc, known_at desc limit 1
        ) as newest
        """,
        symbols=list(symbols),
    ),
)


def latest_bars(database: Database, cache: Cache, symbols: Sequence[str], timeframe: str) -> dict[str, LatestBar]:
    """The newest version of the newest stored bar of each of `symbols` that has one, by symbol."""
    return latest(database, cache, bars_of(timeframe), symbols)


def latest_quotes(database: Database, cache: Cache, symbols: Sequence[str]) -> dict[str, LatestQuote]:
    """The newest stored quote of each of `symbols` that has one, by symbol; `known_at` says when it was seen."""
    return latest(database, cache, QUOTES, symbols)


def latest(database: Database, cache: Cache, kind: Kind[T], symbols: Sequence[str]) -> dict[str, T]:
    """The newest of each of `symbols` that has one, by symbol.

    What the cache lacks, or holds in a shape that can not be read, comes from PostgreSQL and is put right in the cache.
    An entry is as new as the newest event that was relayed.
    """
    try:
        entries = cache.read(kind.group, symbols)
    except Unreachable:
        with database.transaction() as connection:
            return stored_latest(connection, kind, symbols)
    cached = {symbol: _decoded(kind, entry, symbol) for symbol, entry in entries.items()}
    found = {symbol: value for symbol, value in cached.items() if value is not None}
    if missing := [symbol for symbol in symbols if symbol not in found]:
        with database.transaction() as connection:
            stored = stored_latest(connection, kind, missing)
        _heal(cache, kind, stored, {symbol: entries[symbol] for symbol in missing if symbol in entries})
        found |= stored
    return {symbol: found[symbol] for symbol in symbols if symbol in found}


def refresh(connection: psycopg.Connection, cache: Cache, kind: Kind[T], symbols: Sequence[str]) -> int:
    """Put the newest of `symbols` into the cache in one step; returns how many entries changed. Raises Unreachable."""
    stored = stored_latest(connection, kind, symbols)
    return cache.write(kind.group, {symbol: kind.entry(value) for symbol, value in stored.items()})


def stored_latest(connection: psycopg.Connection, kind: Kind[T], symbols: Sequence[str]) -> dict[str, T]:
    """The newest of each of `symbols` that has one, by symbol, from PostgreSQL."""
    return {value.symbol: value for value in kind.stored(connection, symbols)}


def _heal(cache: Cache, kind: Kind[T], values: Mapping[str, T], broken: Mapping[str, CacheEntry]) -> None:
    try:
        cache.write(kind.group, {symbol: kind.entry(value) for symbol, value in values.items()}, broken)
    except Unreachable:
        return  # The next reader finds it missing again.


def _decoded(kind: Kind[T], entry: CacheEntry, symbol: str) -> T | None:
    """The record of an entry; None when it is not the entry of `symbol` as this program writes it."""
    if entry.schema != kind.schema:
        return None
    try:
        hints = get_type_hints(kind.record)
        facts = {name: _parsed(hints[name], value) for name, value in json.loads(entry.content).items()}
        value: T = cast("Any", kind.record)(**facts)
        return value if value.symbol == symbol and kind.entry(value) == entry else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _parsed(hint: Any, value: Any) -> Any:
    return hint.fromisoformat(value) if hint in (datetime, date) else value


def _microseconds(at: datetime) -> str:
    """Digits of fixed width, so that what is later compares as greater."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1):018d}"


def _text(value: date | datetime) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value.isoformat()
