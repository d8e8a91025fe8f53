"""What runs beside Dagster is started again when it ends, and ends with the rest. Dagster itself stands still here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from trading_assets import supervisor
from trading_assets.supervisor import Companion, SupervisorError, run_dagster

STANDS_STILL = ["-c", "import time; time.sleep(600)"]
PATIENCE_S = 20.0


@pytest.fixture
def still_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_dagster_command", lambda _host, _port: STANDS_STILL)
    monkeypatch.setattr(supervisor, "FIRST_RESTART_S", 0.2)


@pytest.fixture
def companion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Companion:
    """Writes its process id, and waits."""
    module = tmp_path / "waiting_companion.py"
    module.write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
            with open(sys.argv[1], "a") as file:
                file.write(f"{os.getpid()}\\n")
            time.sleep(600)
            """
        )
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Companion("The companion", ["waiting_companion", str(tmp_path / "pids")], tmp_path / "logs" / "c.log")


def run(companions: list[Companion], told: list[str], act: Callable[[], None], log: Path) -> None:
    """Run until `act` is done in another thread; then a signal asks for the end."""

    def then_stop() -> None:
        try:
            act()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    before = {number: signal.getsignal(number) for number in supervisor.STOP_SIGNALS}
    thread = threading.Thread(target=then_stop)
    thread.start()
    try:
        run_dagster("127.0.0.1", free_port(), log, lambda _: None, companions, told.append)
    finally:
        thread.join()
        for number, handler in before.items():
            signal.signal(number, handler)


def free_port() -> int:
    from trading_assets.adapters.embedded.processes import free_port

    return free_port(0)


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_companion_that_is_killed_is_started_again_and_ends_with_the_rest(
    tmp_path: Path, still_dagster: None, companion: Companion
) -> None:
    told: list[str] = []

    def kill_it() -> None:
        os.kill(wait_for(lambda: pids(tmp_path))[0], signal.SIGKILL)
        wait_for(lambda: len(pids(tmp_path)) == 2)

    run([companion], told, kill_it, tmp_path / "dagster.log")

    assert told == [
        f"The companion ended (exit code -9) and is started again: {companion.log}",
        "Stopping: a run under way has 30 s to end.",
    ]
    assert len(pids(tmp_path)) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids(tmp_path))


def test_companion_that_does_not_last_is_started_with_longer_and_longer_waits(
    tmp_path: Path, still_dagster: None
) -> None:
    told: list[str] = []
    broken = Companion("The companion", ["no_such_module_at_all"], tmp_path / "c.log")

    run([broken], told, lambda: wait_for(lambda: len(told) == 3), tmp_path / "dagster.log")

    assert (tmp_path / "c.log").read_text().count("No module named no_such_module_at_all") == 3


def test_companion_ends_when_dagster_does(
    tmp_path: Path, companion: Companion, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_at_once = ["-c", "raise SystemExit(3)"]
    monkeypatch.setattr(supervisor, "_dagster_command", lambda _host, _port: ends_at_once)
    before = {number: signal.getsignal(number) for number in supervisor.STOP_SIGNALS}
    with pytest.raises(SupervisorError, match="exit code 3"):
        run_dagster("127.0.0.1", free_port(), tmp_path / "dagster.log", lambda _: None, [companion])
    for number, handler in before.items():
        signal.signal(number, handler)
    assert not any(psutil.pid_exists(pid) for pid in pids(tmp_path))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_killed_supervisor_takes_its_companion_along(tmp_path: Path, companion: Companion) -> None:
    program = textwrap.dedent(
        f"""
        from pathlib import Path
        from trading_assets import supervisor
        supervisor._dagster_command = lambda host, port: {STANDS_STILL!r}
        companion = supervisor.Companion("c", {list(companion.arguments)!r}, Path({str(companion.log)!r}))
        supervisor.run_dagster("127.0.0.1", {free_port()}, Path({str(tmp_path / "d.log")!r}), print, [companion])
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    (pid,) = wait_for(lambda: pids(tmp_path))
    parent.kill()
    parent.wait()

    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
