"""Redis: the newest events as a stream, an announcement of each, and hot copies of what is read most.

Losing any of it loses nothing, PostgreSQL is the truth: what Redis misses is read there and filled in again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.ports import CacheEntry
from trading_assets.adapters.postgres.events import Event

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

STREAM = "trading:events"
CHANNEL_PREFIX = "trading:events:"
CACHE_PREFIX = "trading:latest:"
KEPT_EVENTS = 10_000
TIMEOUT_S = 1.0
LISTEN_S = 5.0
READ_AT_ONCE = 1_000
ALREADY_THERE = "equal or smaller"
"""What Redis says of an id that is not greater than the newest one of the stream."""

_NOT_OLDER = """
local written = 0
for i = 1, #ARGV, 3 do
  local name, entry, broken = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local stored = redis.call('HGET', KEYS[1], name)
  local stored_schema, stored_version = string.match(stored or '', '^(%S+) (%S+) ')
  local schema, version = string.match(entry, '^(%S+) (%S+) ')
  if stored == broken or stored_schema ~= schema or stored_version <= version then
    redis.call('HSET', KEYS[1], name, entry)
    written = written + 1
  end
end
return written
"""


class RedisServer:
    """The server at `url`, None for none: clients, opened when they are first used, and its failures as ours."""

    # Of the process: a sensor makes a new object every few seconds.
    _told: ClassVar[set[str]] = set()

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._clients: dict[float, Redis] = {}

    def __repr__(self) -> str:
        return "RedisServer()"

    @contextmanager
    def answers(self, wait_s: float = 0) -> Iterator[Redis]:
        """A client that waits `wait_s` longer than usual. Raises Unreachable; the log tells an outage once."""
        if self._url is None:
            raise Unreachable("There is no Redis (REDIS_URL is not set): events and bars are read in PostgreSQL.")
        from redis import RedisError

        try:
            yield self._client(self._url, TIMEOUT_S + wait_s)
        except RedisError as error:
            message = (
                f"Redis does not answer as it should ({type(error).__name__}): listeners and the cache wait, nothing "
                "else is affected. Start it with `make up`, or correct REDIS_URL."
            )
            if self._url not in self._told:
                logger.warning(message)
            self._told.add(self._url)
            raise Unreachable(message) from error
        self._told.discard(self._url)

    def _client(self, url: str, timeout_s: float) -> Redis:
        if timeout_s not in self._clients:
            from redis import Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            self._clients[timeout_s] = Redis.from_url(
                url,
                decode_responses=True,
                # So that an entry of bytes that are no text can be named as the broken one.
                encoding_errors="surrogateescape",
                socket_connect_timeout=TIMEOUT_S,
                socket_timeout=timeout_s,
                # Whoever asks goes to PostgreSQL instead; that is quicker than a second try.
                retry=Retry(NoBackoff(), 0),
            )
        return self._clients[timeout_s]


class RedisCache:
    """One hash a group, `trading:latest:<group>`, and in it one entry a name: schema, version and content."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def read(self, group: str, names: Sequence[str]) -> dict[str, CacheEntry]:
        if not names:
            return {}
        with self._server.answers() as client:
            texts: list[Any] = client.hmget(CACHE_PREFIX + group, list(names))
        return {name: _entry(text) for name, text in zip(names, texts, strict=True) if text is not None}

    def write(
        self, group: str, entries: Mapping[str, CacheEntry], broken: Mapping[str, CacheEntry] | None = None
    ) -> int:
        if not entries:
            return 0
        arguments: list[str] = []
        for name, entry in entries.items():
            old = (broken or {}).get(name)
            arguments += (name, _text(entry), _text(old) if old else "")
        with self._server.answers() as client:
            return int(client.eval(_NOT_OLDER, 1, CACHE_PREFIX + group, *arguments))


class RedisEventBus:
    """The stream `trading:events`, whose ids are the numbers of the events, and a channel a topic.

    The newest 10,000 events are kept, or a few more. The channel of a topic is `trading:events:<topic>`.
    """

    def __init__(self, url: str | None) -> None:
        self._server = RedisServer(url)
        self.cache = RedisCache(self._server)

    def newest(self) -> Event | None:
        with self._server.answers() as client:
            entries: Any = client.xrevrange(STREAM, count=1)
        return _event(*entries[0]) if entries else None

    def append(self, events: Sequence[Event], announced: int) -> None:
        from redis import RedisError

        # A transaction: a relay that dies has passed on all of its events or none.
        with self._server.answers() as client, client.pipeline(transaction=True) as pipeline:
            for event in events:
                message = _message(event)
                pipeline.xadd(
                    STREAM,
                    {"topic": event.topic, "event": message},
                    id=f"{event.event_no}-0",
                    maxlen=KEPT_EVENTS,
                    approximate=True,
                )
                if event.event_no > announced:
                    pipeline.publish(CHANNEL_PREFIX + event.topic, message)
            for answer in pipeline.execute(raise_on_error=False):
                if isinstance(answer, RedisError) and ALREADY_THERE not in str(answer):
                    raise answer

    def read(self, after: int) -> list[Event]:
        with self._server.answers(LISTEN_S) as client:
            answer: Any = client.xread({STREAM: f"{after}-0"}, count=READ_AT_ONCE, block=int(LISTEN_S * 1000))
        entries = [entry for _, entries in answer for entry in entries] if answer else []
        events = [_event(*entry) for entry in entries]
        return [event for event in events if event is not None]

    def clear(self) -> None:
        with self._server.answers() as client:
            client.delete(STREAM, *client.scan_iter(CACHE_PREFIX + "*"))


class NullEventBus(RedisEventBus):
    """Without Redis: nobody listens, nothing is cached, whatever is asked of it is Unreachable, and all still works."""

    def __init__(self) -> None:
        super().__init__(None)


def _message(event: Event) -> str:
    return json.dumps(asdict(event), default=_iso, separators=(",", ":"))


def _iso(value: date | datetime) -> str:
    return value.isoformat()


def _event(entry_id: str, fields: Mapping[str, str]) -> Event | None:
    """The event of a stream's entry; None where somebody else has written the entry."""
    try:
        facts = json.loads(fields["event"])
        days = {name: date.fromisoformat(facts[name]) for name in ("first_session", "last_session") if facts[name]}
        event = Event(**(facts | days | {"occurred_at": datetime.fromisoformat(facts["occurred_at"])}))
    except (KeyError, TypeError, ValueError):
        return None
    return event if entry_id == f"{event.event_no}-0" else None


def _text(entry: CacheEntry) -> str:
    return f"{entry.schema} {entry.version} {entry.content}" if entry.schema else entry.content


def _entry(text: str) -> CacheEntry:
    schema, _, rest = text.partition(" ")
    version, _, content = rest.partition(" ")
    return CacheEntry(schema, version, content) if content else CacheEntry("", "", text)
