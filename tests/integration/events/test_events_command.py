"""`trading events` as a person or a pipe meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.event_relay import relay_events
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.adapters.redis import RedisEventBus
from trading_assets.cli import trading

Record = Callable[[int], None]
Ask = Callable[..., list[str]]


@pytest.fixture
def ask(database: Database) -> Ask:
    def answer(*options: str) -> list[str]:
        result = CliRunner().invoke(trading, ["events", *options], env={"DATABASE_URL": database.url})
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    return answer


def test_newest_events_are_listed_oldest_first(ask: Ask, record: Record) -> None:
    assert ask() == []
    record(23)

    lines = ask()

    assert [line.split()[0] for line in lines] == [str(number) for number in range(4, 24)]
    assert lines[-1].split()[3:] == ["gates_changed", "2022-05-02..2022-05-03", "opened=22"]


def test_events_from_a_number_and_of_a_topic(ask: Ask, record: Record, database: Database) -> None:
    record(2)
    with database.transaction() as connection:
        symbols = ["A", "B", "C", "D", "E", "F", "G"]
        append_event(connection, Topic.BARS_STORED, {"rows_written": 7, "symbols": symbols})

    assert [line.split()[0] for line in ask("--from", "2")] == ["2", "3"]
    (line,) = ask("--topic", "bars_stored")
    assert line.endswith("-                       symbols=A,B,C,D,E,and 2 more rows_written=7")


def test_events_as_json_are_whole(ask: Ask, record: Record) -> None:
    record(1)
    (line,) = ask("--json")
    event = json.loads(line)
    assert (event["event_no"], event["topic"], event["facts"]) == (1, "gates_changed", {"opened": 0})
    assert event["first_session"] == "2022-05-02"


def test_following_prints_what_is_recorded_later_until_it_is_interrupted(
    database: Database, redis_server: EmbeddedRedis, bus: RedisEventBus, record: Record
) -> None:
    record(1)
    follower = subprocess.Popen(
        [sys.executable, "-u", "-m", "trading_assets.cli", "events", "--from", "1", "--follow"],
        env={**os.environ, "DATABASE_URL": database.url, "REDIS_URL": redis_server.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout
    assert follower.stdout.readline().split()[0] == "1"
    record(2)
    relay_events(database, bus)
    assert [follower.stdout.readline().split()[0] for _ in range(2)] == ["2", "3"]

    follower.send_signal(signal.SIGINT)
    _, complaint = follower.communicate(timeout=30)
    assert (follower.returncode, complaint) == (0, "")
