"""A real server of the Redis protocol, empty at the beginning of each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

import pytest
import redis

from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.adapters.redis import RedisEventBus

Record = Callable[[int], None]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("events"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> redis.Redis:
    client = redis.Redis.from_url(redis_server.start(), decode_responses=True)
    client.flushall()
    return client


@pytest.fixture
def bus(redis_server: EmbeddedRedis, client: redis.Redis) -> RedisEventBus:
    return RedisEventBus(redis_server.url)


@pytest.fixture
def record(database: Database) -> Record:
    """Commits as many transactions as asked for, each with one event."""

    def commit(count: int) -> None:
        for number in range(count):
            with database.transaction() as connection:
                append_event(connection, Topic.GATES_CHANGED, {"opened": number}, date(2022, 5, 2), date(2022, 5, 3))

    return commit
