"""The relay on real servers: killed anywhere, twice at once, with Redis emptied, foreign or away."""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import dagster as dg
import pytest
import redis

from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.event_relay import (
    RELAY,
    Relayed,
    follow_events,
    recorded_events,
    relay_events,
    try_to_relay,
)
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Event, Topic, announced, append_event, hold_relay
from trading_assets.adapters.redis import STREAM, NullEventBus, RedisEventBus
from trading_assets.defs.ingestion.sensors import relay_events_sensor

FORK = multiprocessing.get_context("fork")
NOBODY = "redis://127.0.0.1:1/0"

Record = Callable[[int], None]


def streamed(client: redis.Redis) -> list[str]:
    return [entry_id for entry_id, _ in client.xrange(STREAM)]


def ids(first: int, last: int) -> list[str]:
    return [f"{number}-0" for number in range(first, last + 1)]


def progress(database: Database) -> int:
    with database.transaction() as connection:
        return announced(connection, RELAY)


def heard(client: redis.Redis, act: Callable[[], object]) -> int:
    """How many announcements arrive while `act` runs."""
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.psubscribe("trading:events:*")
    listener.get_message(timeout=1)
    act()
    count = 0
    while listener.get_message(timeout=0.2):
        count += 1
    return count


def test_events_are_passed_on_in_batches_once(
    database: Database, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    record(7)

    assert relay_events(database, bus, batch=3) == Relayed(7, 7)
    assert relay_events(database, bus) == Relayed(0, 7)

    assert bus.read(0) == list(recorded_events(database))
    assert streamed(client) == ids(1, 7)
    assert progress(database) == 7


# Killed -------------------------------------------------------------------------------------------


class DyingBus(RedisEventBus):
    """Kills its process at the second batch, before or after it has reached Redis."""

    def __init__(self, url: str, dies: str) -> None:
        super().__init__(url)
        self.dies = dies
        self.batches = 0

    def append(self, events: Sequence[Event], announced: int) -> None:
        self.batches += 1
        if self.batches == 2 and self.dies == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        super().append(events, announced)
        if self.batches == 2 and self.dies == "after":
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(("dies", "in_the_stream"), [("before", 3), ("after", 6)])
def test_relay_killed_around_its_second_batch_loses_and_repeats_nothing(
    database: Database,
    redis_server: EmbeddedRedis,
    bus: RedisEventBus,
    client: redis.Redis,
    record: Record,
    dies: str,
    in_the_stream: int,
) -> None:
    record(8)
    relay = FORK.Process(target=relay_events, args=(database, DyingBus(redis_server.url, dies), 3))
    relay.start()
    relay.join()
    assert relay.exitcode == -signal.SIGKILL
    assert streamed(client) == ids(1, in_the_stream)
    assert progress(database) == 3, "the row of the second batch was never committed"

    wait_for_the_lock(database)
    relay_events(database, bus)

    assert streamed(client) == ids(1, 8)
    assert progress(database) == 8


def test_relay_killed_again_and_again_loses_and_repeats_nothing(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    chance = random.Random(7)
    record(40)
    killed = 0
    while (reached := client.xlen(STREAM)) < 40:
        relay = FORK.Process(target=relay_events, args=(database, RedisEventBus(redis_server.url), 1))
        relay.start()
        enough = reached + chance.randint(1, 6)
        while relay.is_alive() and client.xlen(STREAM) < enough:
            relay.join(chance.uniform(0, 0.005))
        relay.kill()
        relay.join()
        killed += relay.exitcode == -signal.SIGKILL
        wait_for_the_lock(database)

    relay_events(database, bus)
    assert killed >= 5
    assert streamed(client) == ids(1, 40)
    assert bus.read(0) == list(recorded_events(database))


def wait_for_the_lock(database: Database) -> None:
    """Until PostgreSQL has noticed that the killed relay is gone."""
    gone = threading.Event()
    for _ in range(500):
        with database.transaction() as connection:
            if hold_relay(connection, RELAY):
                return
        gone.wait(0.01)
    raise AssertionError("the killed relay still holds its lock")


# Two at once, and servers that forget -------------------------------------------------------------


def test_second_relay_leaves_the_work_to_the_first(database: Database, bus: RedisEventBus, record: Record) -> None:
    record(1)
    with database.transaction() as connection:
        hold_relay(connection, RELAY)
        assert relay_events(database, bus) is None
        assert try_to_relay(database, bus) == "Another relay is at work."
    assert relay_events(database, bus) == Relayed(1, 1)


def test_two_relays_beside_a_writer_pass_everything_on_once(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    finished = threading.Event()

    def relay() -> None:
        own_bus = RedisEventBus(redis_server.url)
        while not finished.is_set():
            relay_events(database, own_bus, batch=2)

    with ThreadPoolExecutor(2) as pool:
        relays = [pool.submit(relay) for _ in range(2)]
        try:
            record(60)
        finally:
            finished.set()
        for each in relays:
            each.result()
    relay_events(database, bus)

    assert streamed(client) == ids(1, 60)


def test_emptied_redis_is_filled_again_without_announcing_anything_again(
    database: Database, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    record(5)
    relay_events(database, bus)
    client.flushall()
    record(1)

    assert heard(client, lambda: relay_events(database, bus)) == 1
    assert streamed(client) == ids(1, 6)


def test_redis_that_was_killed_and_started_again_goes_on(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    record(3)
    relay_events(database, bus)
    os.kill(client.info("server")["process_id"], signal.SIGKILL)
    record(2)

    redis_server.start()

    assert "Relayed" in try_to_relay(database, RedisEventBus(redis_server.url))
    assert streamed(redis.Redis.from_url(redis_server.url, decode_responses=True)) == ids(1, 5)


def test_lost_tail_of_the_stream_is_passed_on_again(
    database: Database, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    """What a Redis that writes its log once a second may lose in a power cut."""
    record(5)
    events = list(recorded_events(database))
    relay_events(database, bus)
    client.delete(STREAM)
    bus.append(events[:3], announced=5)

    assert relay_events(database, bus) == Relayed(2, 5)
    assert streamed(client) == ids(1, 5)


@pytest.mark.parametrize("others", [2, 9])
def test_stream_of_another_database_begins_afresh_with_a_warning(
    database: Database,
    new_database: Callable[[], Database],
    bus: RedisEventBus,
    client: redis.Redis,
    record: Record,
    others: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = new_database()
    for _ in range(others):
        with other.transaction() as connection:
            append_event(connection, Topic.GATES_CHANGED, {})
    relay_events(other, bus)
    record(4)

    with caplog.at_level(logging.WARNING):
        assert relay_events(database, bus) == Relayed(4, 4)

    assert bus.read(0) == list(recorded_events(database))
    assert "is not one of this database" in caplog.text


def test_entry_written_by_hand_does_not_keep_events_out(
    database: Database, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    record(2)
    relay_events(database, bus)
    client.xadd(STREAM, {"note": "an id far in the future"})
    record(1)

    relay_events(database, bus)

    assert streamed(client) == ids(1, 3)


# Listening ----------------------------------------------------------------------------------------


def test_follower_gets_old_events_from_postgresql_and_new_ones_as_they_come(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, record: Record
) -> None:
    record(3)
    follower = follow_events(database, RedisEventBus(redis_server.url), after=1)
    assert [event.event_no for event in islice(follower, 2)] == [2, 3]

    with ThreadPoolExecutor(1) as pool:
        live = pool.submit(lambda: [event.event_no for event in islice(follower, 2)])
        record(2)
        relay_events(database, bus)
        assert live.result() == [4, 5]


def test_follower_whose_next_events_left_the_stream_reads_them_in_postgresql(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, client: redis.Redis, record: Record
) -> None:
    record(1)
    follower = follow_events(database, RedisEventBus(redis_server.url))
    assert next(follower).event_no == 1

    record(4)
    relay_events(database, bus)
    client.xtrim(STREAM, maxlen=1, approximate=False)

    assert [event.event_no for event in islice(follower, 4)] == [2, 3, 4, 5]


def test_follower_without_redis_gets_everything(
    database: Database, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading_assets.adapters.event_relay.POLL_S", 0.01)
    record(1)
    follower = follow_events(database, RedisEventBus(NOBODY))
    assert next(follower).event_no == 1
    record(1)
    assert next(follower).event_no == 2


# The sensor ---------------------------------------------------------------------------------------


def tick(database: Database, bus: RedisEventBus) -> str:
    context = dg.build_sensor_context(resources={"database": database, "event_bus": bus})
    answer = relay_events_sensor.evaluate_tick(context)
    assert answer.run_requests == []
    return str(answer.skip_message)


def test_sensor_says_what_it_did_and_never_fails(database: Database, bus: RedisEventBus, record: Record) -> None:
    record(2)

    assert tick(database, bus) == "Relayed 2 events; the newest is 2."
    assert tick(database, bus) == "Every event is relayed; the newest is 2."
    assert "Redis does not answer" in tick(database, RedisEventBus(NOBODY))
    assert "REDIS_URL is not set" in tick(database, NullEventBus())
    assert "PostgreSQL does not answer" in tick(Database("postgresql://nobody@127.0.0.1:1/x"), bus)
