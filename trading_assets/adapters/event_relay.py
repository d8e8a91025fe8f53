"""Passes the events of PostgreSQL on to the event bus, and reads them for a listener, each once and in order.

What an event is belongs in adapters/postgres/events.py, what Redis does with one in adapters/redis.py.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import AdapterError, Unreachable
from trading_assets.adapters.latest import QUOTES, bars_of, refresh
from trading_assets.adapters.postgres import events as record
from trading_assets.adapters.postgres.events import Event, Topic
from trading_assets.adapters.redis import KEPT_EVENTS

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.ports import Cache, EventBus
    from trading_assets.adapters.postgres.database import Database

logger = logging.getLogger(__name__)

RELAY = "redis"
BATCH = 1_000
POLL_S = 2.0


@dataclass(frozen=True)
class Relayed:
    """How many events a relay has passed on, and the number of the newest one on the bus."""

    count: int
    newest: int


def relay_events(database: Database, bus: EventBus, batch: int = BATCH) -> Relayed | None:
    """Pass on every event that the bus lacks, `batch` at a time; None while another relay is at work.

    The bus itself says how far it has come, so it does not matter where an earlier relay died, or what Redis lost.
    Raises Unreachable.
    """
    count = 0
    while True:
        with database.transaction() as connection:
            if not record.hold_relay(connection, RELAY):
                return None
            last = _newest_on(bus, connection)
            events = record.events_after(connection, last, batch)
            if events:
                # Before the events: whoever hears of a bar finds it in the cache.
                _refresh_cache(connection, bus.cache, events)
                bus.append(events, record.announced(connection, RELAY))
                last, count = events[-1].event_no, count + len(events)
                record.record_announced(connection, RELAY, last)
        if len(events) < batch:
            return Relayed(count, last)


def try_to_relay(database: Database, bus: EventBus) -> str:
    """Relay what there is, and say in a sentence what came of it. What stands in the way is no error here."""
    try:
        relayed = relay_events(database, bus)
    except AdapterError as error:
        return str(error)
    if relayed is None:
        return "Another relay is at work."
    if relayed.count:
        return f"Relayed {relayed.count} events; the newest is {relayed.newest}."
    return f"Every event is relayed; the newest is {relayed.newest}."


def follow_events(database: Database, bus: EventBus, after: int = 0) -> Iterator[Event]:
    """Every event with a greater number than `after`, in order and once, and then each new one as it comes. Endless.

    Events that the bus no longer has, or has not yet, are read in PostgreSQL; without a bus, all of them.
    """
    while True:
        for event in recorded_events(database, after):
            yield event
            after = event.event_no
        for event in _heard(bus, after):
            if event.event_no != after + 1:
                break
            yield event
            after = event.event_no


def recorded_events(database: Database, after: int = 0) -> Iterator[Event]:
    """Every event in PostgreSQL with a greater number than `after`, in order."""
    while True:
        with database.transaction() as connection:
            events = record.events_after(connection, after, BATCH)
        yield from events
        if len(events) < BATCH:
            return
        after = events[-1].event_no


def _heard(bus: EventBus, after: int) -> list[Event]:
    try:
        return bus.read(after)
    except Unreachable:
        time.sleep(POLL_S)
        return []


def _newest_on(bus: EventBus, connection: psycopg.Connection) -> int:
    """The number of the newest event on the bus. A bus that is empty, or tells of another database, begins afresh."""
    newest = bus.newest()
    if newest and record.is_recorded(connection, newest):
        return newest.event_no
    recorded = record.newest_event_no(connection)
    if not recorded:
        return 0
    if newest:
        logger.warning(
            "The newest event in Redis (%s) is not one of this database: it was restored, or Redis is shared with "
            "another platform, which needs a database number of its own. The stream and the cache begin afresh.",
            newest.event_no,
        )
    bus.clear()
    return max(recorded - KEPT_EVENTS, 0)


def _refresh_cache(connection: psycopg.Connection, cache: Cache, events: Sequence[Event]) -> None:
    """Cache the newest bars and quotes of every symbol that these events tell of, in one step a timeframe."""
    bars: defaultdict[str, set[str]] = defaultdict(set)
    quotes: set[str] = set()
    for event in events:
        if event.topic == Topic.BARS_STORED:
            for timeframe in event.facts["timeframes"]:
                bars[timeframe].update(event.facts["symbols"])
        elif event.topic == Topic.QUOTES_STORED:
            quotes.update(event.facts["symbols"])
    for timeframe, symbols in sorted(bars.items()):
        refresh(connection, cache, bars_of(timeframe), sorted(symbols))
    refresh(connection, cache, QUOTES, sorted(quotes))
