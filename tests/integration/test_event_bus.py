"""The event bus against a real server of the Redis protocol, and without one."""

import json
import logging
from collections.abc import Iterator

import pytest
import redis

from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.redis import CHANNEL_PREFIX, STREAM, NullEventBus, RedisEventBus

NOBODY = "redis://:secret-password@127.0.0.1:1/0"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("event_bus"))
    yield server.start()
    server.stop()


def test_published_facts_reach_the_stream_and_the_channel(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(CHANNEL_PREFIX + "bars")
    listener.get_message(timeout=1)

    RedisEventBus(redis_url).publish("bars", {"first": "2022-05-02", "topic": "kept"})

    _, entry = client.xrevrange(STREAM, count=1)[0]
    assert entry["topic"] == "bars"
    assert json.loads(entry["facts"]) == {"first": "2022-05-02", "topic": "kept"}
    assert json.loads(listener.get_message(timeout=5)["data"])["first"] == "2022-05-02"


def test_outage_is_one_warning_without_the_password_and_never_an_error(caplog: pytest.LogCaptureFixture) -> None:
    bus = RedisEventBus(NOBODY)

    with caplog.at_level(logging.WARNING):
        bus.publish("bars", {})
        bus.publish("bars", {})

    assert len(caplog.records) == 1
    assert "hints are dropped" in caplog.text
    assert "secret-password" not in caplog.text + repr(bus)


def test_null_bus_accepts_everything_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    NullEventBus().publish("bars", {"first": "2022-05-02"})
    assert caplog.records == []
