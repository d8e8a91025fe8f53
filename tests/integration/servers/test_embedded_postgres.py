"""The embedded PostgreSQL on real processes: started, shared, killed, moved, and refused with one clear line."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from trading_assets.adapters.embedded import EmbeddedPostgres, EmbeddedServerError
from trading_assets.adapters.embedded import processes as os_processes
from trading_assets.adapters.embedded.processes import OtherUser, UserNamespace, identities_for

ServerAt = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def server_at() -> Iterator[ServerAt]:
    """Makes servers that are stopped at the end, whatever happened to them."""
    made: list[EmbeddedPostgres] = []

    def build(home: Path) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home, fast=True))
        return made[-1]

    yield build
    for server in made:
        server.stop()


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        assert row
        return row[0]


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def test_server_started_stopped_and_started_keeps_data_and_address(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path / "a home with spaces")
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    server.stop()
    assert not server.is_running()

    assert server.start() == url
    assert value(url, "select answer from kept") == 42
    assert value(url, "select upper('é')") == "É"


def test_server_asked_for_twice_is_one_server(tmp_path: Path, server_at: ServerAt) -> None:
    first, second = server_at(tmp_path), server_at(tmp_path)
    assert first.start() == second.start()


def test_server_started_by_several_processes_at_once_is_one_server(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    program = (
        "import sys; from pathlib import Path; from trading_assets.adapters.embedded import EmbeddedPostgres; "
        "print(EmbeddedPostgres(Path(sys.argv[1]), fast=True).start())"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    urls = {starter.communicate(timeout=120)[0].strip() for starter in starters}
    assert urls == {server.url}


def test_server_killed_under_a_writer_restarts_with_every_committed_row(tmp_path: Path, server_at: ServerAt) -> None:
    # Not fast: what is proven here is durability.
    server = EmbeddedPostgres(tmp_path)
    url = server.start()
    try:
        committed = 0
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table numbers (number integer)")
            for committed in range(1, 51):
                connection.execute("insert into numbers values (%s)", (committed,))
            os.kill(postmaster(server), signal.SIGKILL)
        assert value(server.start(), "select count(*) from numbers") == committed
    finally:
        server.stop()


def test_server_with_a_pid_file_of_another_program_starts(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    server.start()
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    os.chown(pid_file, server.data.stat().st_uid, server.data.stat().st_gid)
    assert value(server.start(), "select 1") == 1


def test_server_whose_port_was_taken_moves(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    url = server.start()
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(str(psycopg.conninfo.conninfo_to_dict(url)["port"]))))
        other.listen()
        moved = server.start()
    assert moved != url
    assert value(moved, "select 1") == 1


def test_server_in_a_very_long_path_starts(tmp_path: Path, server_at: ServerAt) -> None:
    home = tmp_path / ("deep" * 20) / ("down" * 20)
    assert value(server_at(home).start(), "select 1") == 1


def test_server_asks_for_its_password_and_keeps_it_private(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    url = server.start()
    password = str(psycopg.conninfo.conninfo_to_dict(url)["password"])
    assert stat.S_IMODE(server.access_file.stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "guess"))


def test_cluster_of_another_major_version_is_refused(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    server.start()
    server.stop()
    version_file = server.data / "PG_VERSION"
    version = version_file.read_text()
    version_file.write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 12, .* are PostgreSQL \d+\. Set TRADING_PG_BIN"):
        server.start()
    version_file.write_text(version)


def test_cluster_without_its_access_file_is_refused(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    server.start()
    saved = server.access_file.read_text()
    server.access_file.unlink()
    with pytest.raises(EmbeddedServerError, match=r"postgres\.json holds the port and the password"):
        server.start()
    server.access_file.write_text(saved)


def test_server_that_refuses_its_settings_says_why(tmp_path: Path, server_at: ServerAt) -> None:
    server = server_at(tmp_path)
    server.start()
    server.stop()
    settings = server.data / "postgresql.auto.conf"
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match=r"did not start .*Its log is .*postgres\.log"):
        server.start()


def test_program_folder_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"TRADING_PG_BIN is .* which holds no initdb"):
        EmbeddedPostgres(tmp_path, programs=tmp_path)


def test_state_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = tmp_path.stat().st_uid + 1
    monkeypatch.setattr(os_processes.os, "geteuid", lambda: stranger)
    with pytest.raises(EmbeddedServerError, match=rf"{tmp_path} belongs to .* set TRADING_HOME"):
        EmbeddedPostgres(tmp_path)


def test_state_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerError, match=r"can not be made .* Set TRADING_HOME"):
        EmbeddedPostgres(tmp_path / "file" / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes identity")
class TestAsRoot:
    def test_new_folder_prefers_to_keep_its_files_roots(self, tmp_path: Path) -> None:
        assert isinstance(identities_for(tmp_path / "postgres" / "data")[0], UserNamespace)

    def test_folder_in_use_by_a_user_is_run_as_that_user(self, tmp_path: Path) -> None:
        os.chown(tmp_path, 65534, 65534)
        assert identities_for(tmp_path)[0] == OtherUser(65534, 65534)

    def test_server_in_a_closed_folder_starts(self, tmp_path: Path, server_at: ServerAt) -> None:
        tmp_path.chmod(0o700)
        assert value(server_at(tmp_path / "home").start(), "select 1") == 1

    def test_server_without_user_namespaces_runs_as_an_ordinary_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os_processes, "ENTER_USER_NAMESPACE", "raise OSError('forbidden')")
        home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
        home.chmod(0o755)
        server = EmbeddedPostgres(home, fast=True)
        try:
            assert value(server.start(), "select 1") == 1
            assert server.data.stat().st_uid != 0
        finally:
            server.stop()
            shutil.rmtree(home)
