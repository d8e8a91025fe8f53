"""The embedded Valkey on real processes."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from trading_assets.adapters.embedded import EmbeddedRedis, EmbeddedServerError

ServerAt = Callable[[Path], EmbeddedRedis]


@pytest.fixture
def server_at() -> Iterator[ServerAt]:
    """Makes servers that are stopped at the end, whatever happened to them."""
    made: list[EmbeddedRedis] = []

    def build(home: Path) -> EmbeddedRedis:
        made.append(EmbeddedRedis(home))
        return made[-1]

    yield build
    for server in made:
        server.stop()


def test_server_started_stopped_and_started_keeps_data_and_address(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path / "a home with spaces")
    url = server.start()
    redis.Redis.from_url(url).set("kept", 42)
    server.stop()
    assert not server.is_running()

    assert server.start() == url
    assert redis.Redis.from_url(url).get("kept") == b"42"


def test_server_asked_for_twice_is_one_server(tmp_path: Path, server_at: ServerAt) -> None:
    assert server_at(tmp_path).start() == server_at(tmp_path).start()


def test_server_after_kill_9_starts_again(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    url = server.start()
    os.kill(redis.Redis.from_url(url).info("server")["process_id"], signal.SIGKILL)
    assert redis.Redis.from_url(server.start()).ping()


def test_server_asks_for_its_password_and_keeps_it_private(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    url = server.start()
    for path in (server.access_file, server.configuration):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url("redis://" + url.split("@")[1]).ping()


def test_program_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"TRADING_REDIS_BIN is .*, which is no program"):
        EmbeddedRedis(tmp_path, tmp_path / "nothing")


def test_program_that_is_no_server_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"The server false did not start"):
        EmbeddedRedis(tmp_path, Path("/bin/false")).start()
