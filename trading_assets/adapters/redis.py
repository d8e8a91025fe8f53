"""Hints over Redis: one stream for whoever reads later, one channel a topic for whoever listens now.

Losing a hint loses nothing, PostgreSQL is the truth: an outage is one warning in the log, never an error.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

logger = logging.getLogger(__name__)

STREAM = "trading:events"
CHANNEL_PREFIX = "trading:"
KEPT_EVENTS = 10_000
TIMEOUT_S = 1.0


class NullEventBus:
    """Without Redis: nobody listens, and everything still works."""

    def publish(self, topic: str, facts: dict[str, str]) -> None:
        """Nothing happens."""


class RedisEventBus:
    """Publishes to the stream `trading:events` (the newest 10,000 are kept) and to the channel `trading:<topic>`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None
        self._is_down = False

    def __repr__(self) -> str:
        return "RedisEventBus()"

    def publish(self, topic: str, facts: dict[str, str]) -> None:
        """Hand `facts` to the stream and the channel at once. Never raises because Redis is away."""
        from redis import RedisError

        message = json.dumps(facts)
        try:
            with self._connected().pipeline() as pipeline:
                # One field, so that no fact can take the name of another.
                pipeline.xadd(STREAM, {"topic": topic, "facts": message}, maxlen=KEPT_EVENTS, approximate=True)
                pipeline.publish(CHANNEL_PREFIX + topic, message)
                pipeline.execute()
        except RedisError as error:
            if not self._is_down:
                logger.warning(
                    "Redis does not answer (%s): hints are dropped, nothing else is affected. "
                    "Start it with `make up`, or correct REDIS_URL.",
                    type(error).__name__,
                )
            self._is_down = True
        else:
            self._is_down = False

    def _connected(self) -> Redis:
        if self._client is None:
            from redis import Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry

            self._client = Redis.from_url(
                self._url,
                decode_responses=True,
                socket_connect_timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                # A hint is not worth a second try.
                retry=Retry(NoBackoff(), 0),
            )
        return self._client
