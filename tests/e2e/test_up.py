"""`trading up` on this machine: the web page answers, a signal stops everything, nothing is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from trading_assets.adapters.embedded import EmbeddedPostgres
from trading_assets.adapters.postgres.database import Database
from trading_assets.local_alpaca.server import PAPER_KEY


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningUp:
    """`trading up`, whose lines are read until its web page answers."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    children: list[psutil.Process] = field(default_factory=list)

    def read_until(self, wanted: str) -> None:
        assert self.process.stdout
        for line in iter(self.process.stdout.readline, ""):
            self.lines.append(line)
            if wanted in line:
                return
        raise AssertionError(f"{wanted!r} is not in {self.lines}")

    def terminate(self) -> str:
        """What it prints from the signal on."""
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=120)
        return rest

    def left_behind(self) -> list[psutil.Process]:
        return [child for child in self.children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def running_up(folder: Path, port: int, *options: str) -> Iterator[RunningUp]:
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    process = subprocess.Popen(
        [sys.executable, "-m", "trading_assets.cli", "up", "--port", str(port), *options],
        cwd=folder,
        env={**environment, "TRADING_HOME": str(folder / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a shell without job control starts its background jobs; Dagster alone would then ignore the signal below.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield RunningUp(process)
    finally:
        process.kill()


@pytest.mark.timeout(400)
def test_up_answers_until_it_is_terminated_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    with running_up(tmp_path, port) as platform:
        platform.read_until(f"Open http://127.0.0.1:{port}")
        with urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10) as answer:
            assert answer.status == 200
        rest = platform.terminate()

    assert platform.process.returncode == 0
    assert len(platform.children) >= 3
    assert "Stopped." in rest
    assert platform.left_behind() == []
    assert not EmbeddedPostgres(tmp_path / "home").is_running()


@pytest.mark.timeout(400)
def test_up_with_a_local_alpaca_rehearses_until_it_is_terminated_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port, broker_port = free_port(), free_port()
    home = tmp_path / "home"
    with running_up(tmp_path, port, "--broker", "local-alpaca", "--broker-port", str(broker_port)) as platform:
        platform.read_until(f"Open http://127.0.0.1:{port}")
        account_number = account_at(broker_port)
        wait_for_hint(EmbeddedPostgres(home).url, f"alpaca-paper-{account_number}")
        environment = {**os.environ, "TRADING_HOME": str(home)}
        joined = [sys.executable, "-m", "trading_assets.cli", "doctor"]
        doctor = subprocess.run(joined, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        rest = platform.terminate()

    said = "".join(platform.lines)
    assert f"Rehearsing on a local Alpaca at http://127.0.0.1:{broker_port}" in said
    assert f"Account {account_number} begins with 100000 USD" in said
    assert account_number in doctor.stdout
    assert platform.process.returncode == 0
    assert "Stopped." in rest
    assert platform.left_behind() == []
    assert not EmbeddedPostgres(home).is_running()
    assert not (home / "rehearsal.json").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", broker_port)) != 0


def test_make_hands_the_broker_on() -> None:
    project = Path(__file__).parents[2]
    stamp = Path(sys.prefix) / ".installed"
    dry = [
        "make",
        "--no-print-directory",
        "-n",
        f"--old-file={stamp}",
        f"VENV={sys.prefix}",
        "up",
        "BROKER=local-alpaca",
        "PORT=3001",
    ]
    printed = subprocess.run(dry, cwd=project, capture_output=True, text=True, check=True).stdout

    assert printed.strip().endswith("trading_assets.cli up --port 3001 --broker local-alpaca")


def account_at(port: int) -> str:
    request = Request(f"http://127.0.0.1:{port}/v2/account", headers={"APCA-API-KEY-ID": PAPER_KEY})
    with urlopen(request, timeout=10) as answer:  # noqa: S310  our own address
        number = str(json.load(answer)["account_number"])
    assert re.fullmatch("PALOCAL[0-9A-F]{6}", number)
    return number


def wait_for_hint(url: str, account_id: str) -> None:
    for _ in range(300):
        with Database(url).transaction() as connection:
            if connection.execute(
                "select 1 from execution.broker_hints where account_id = %s", (account_id,)
            ).fetchone():
                return
        time.sleep(0.2)
    raise AssertionError("the listener has not opened the stream")
