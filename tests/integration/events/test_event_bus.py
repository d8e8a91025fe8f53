"""The event bus against a real server of the Redis protocol, and without one."""

import json
import logging
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import redis

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres.events import Event, Topic
from trading_assets.adapters.redis import CHANNEL_PREFIX, KEPT_EVENTS, STREAM, NullEventBus, RedisEventBus

NOBODY = "redis://:secret-password@127.0.0.1:1/0"
FIRST = Event(
    1,
    Topic.BARS_STORED,
    {"symbols": ["MSFT"], "timeframes": ["1h"], "rows_written": 7},
    date(2022, 5, 2),
    date(2022, 5, 2),
    datetime(2022, 5, 2, 20, 0, 1, 250_000, tzinfo=UTC),
)
SECOND = Event(2, Topic.INSTRUMENTS_CHANGED, {"rows_written": 1}, None, None, FIRST.occurred_at)


def test_events_passed_on_come_back_as_they_were(bus: RedisEventBus) -> None:
    assert bus.newest() is None

    bus.append([FIRST, SECOND], announced=0)

    assert bus.newest() == SECOND
    assert bus.read(0) == [FIRST, SECOND]
    assert bus.read(1) == [SECOND]


def test_event_is_announced_on_the_channel_of_its_topic_unless_it_was(bus: RedisEventBus, client: redis.Redis) -> None:
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe(CHANNEL_PREFIX + "*")
    listener.get_message(timeout=1)

    bus.append([FIRST, SECOND], announced=1)

    message = listener.get_message(timeout=5)
    assert message["channel"] == "trading:events:instruments_changed"
    assert json.loads(message["data"])["event_no"] == 2
    assert listener.get_message(timeout=0.1) is None


def test_event_passed_on_again_is_there_once_and_does_not_keep_a_new_one_out(
    bus: RedisEventBus, client: redis.Redis
) -> None:
    bus.append([FIRST], announced=0)
    bus.append([FIRST, SECOND], announced=0)

    assert [entry_id for entry_id, _ in client.xrange(STREAM)] == ["1-0", "2-0"]


def test_stream_keeps_about_the_newest_ten_thousand(bus: RedisEventBus, client: redis.Redis) -> None:
    bus.append([replace(SECOND, event_no=number) for number in range(1, KEPT_EVENTS + 1_001)], announced=10**9)

    assert KEPT_EVENTS <= client.xlen(STREAM) < KEPT_EVENTS + 200
    assert bus.newest().event_no == KEPT_EVENTS + 1_000


@pytest.mark.parametrize(
    ("entry_id", "fields"),
    [
        ("*", {"note": "by hand"}),
        ("5-0", {"event": "no JSON"}),
        ("5-0", {"event": '{"event_no": 5}'}),
        ("5-0", {"event": "[]"}),
    ],
)
def test_entry_that_is_no_event_is_not_read_as_one(
    bus: RedisEventBus, client: redis.Redis, entry_id: str, fields: dict[str, str]
) -> None:
    bus.append([FIRST], announced=0)
    client.xadd(STREAM, fields, id=entry_id)

    assert bus.newest() is None
    assert bus.read(0) == [FIRST]


def test_clearing_leaves_what_is_not_ours(bus: RedisEventBus, client: redis.Redis) -> None:
    bus.append([FIRST], announced=0)
    client.hset("trading:latest:bars:1h", "MSFT", "anything")
    client.set("somebody:else", "stays")

    bus.clear()

    assert client.keys() == ["somebody:else"]


def test_outage_is_one_warning_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    bus = RedisEventBus(NOBODY)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with pytest.raises(Unreachable, match="Redis does not answer as it should \\(ConnectionError\\)"):
                bus.newest()

    assert len(caplog.records) == 1
    assert "secret-password" not in caplog.text + repr(bus)


def test_without_redis_the_reason_is_told_and_nothing_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unreachable, match="REDIS_URL is not set"):
        NullEventBus().newest()
    assert caplog.records == []
