"""Runs Dagster's webserver and daemon in the foreground, and what belongs beside them, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from trading_assets.adapters.errors import AdapterError
from trading_assets.settings import PROJECT_ROOT

PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLITE_STOP_S = 30
LAST_CHILDREN_S = 20
FIRST_RESTART_S = 1.0
LONGEST_RESTART_S = 30.0


class SupervisorError(AdapterError):
    """Dagster can not be started, or ended by itself."""


@dataclass(frozen=True)
class Companion:
    """A Python module that runs beside Dagster as a program of its own. One that ends is started again."""

    name: str
    arguments: Sequence[str]
    log: Path


def check_port(host: str, port: int) -> None:
    """Raises SupervisorError when another program listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SupervisorError(
                f"Port {port} on {host} can not be used ({error.strerror}). Choose another: "
                f"`make up PORT={port + 1}` or `trading up --port {port + 1}`."
            ) from error


def run_dagster(
    host: str,
    port: int,
    log: Path,
    on_ready: Callable[[str], None],
    companions: Sequence[Companion] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Run Dagster and its companions until a signal asks for the end.

    `on_ready` gets the address when the web page answers, `tell` a line when a companion had to be started again
    and when the end begins. Raises SupervisorError when Dagster ends by itself.
    """
    check_port(host, port)
    asked_to_stop = _stop_flag()
    address = f"http://{host}:{port}"
    # What began last ends first: what Dagster is still doing may need the others.
    with contextlib.ExitStack() as stack:
        beside = [_Running(companion) for companion in companions]
        for one in beside:
            stack.callback(one.stop)
        dagster = _start(_dagster_command(host, port), log)
        stack.callback(_stop, dagster)
        is_ready = False
        while dagster.poll() is None and not asked_to_stop():
            if not is_ready and _answers(address):
                is_ready = True
                on_ready(address)
            for one in beside:
                one.look_after(tell)
            time.sleep(0.2)
        if not asked_to_stop():
            raise SupervisorError(f"Dagster ended with exit code {dagster.returncode}: read {log}.")
        tell(f"Stopping: a run under way has {POLITE_STOP_S} s to end.")


class _Running:
    """A companion's process, whichever it is now."""

    def __init__(self, companion: Companion) -> None:
        self._companion, self._wait_s = companion, FIRST_RESTART_S
        self._start_at: float | None = None
        self._begin()

    def look_after(self, tell: Callable[[str], None]) -> None:
        """Start it again when it has ended, after longer and longer waits while it does not last."""
        code, now = self.process.poll(), time.monotonic()
        if code is None:
            if now - self._started_at > LONGEST_RESTART_S:
                self._wait_s = FIRST_RESTART_S
        elif self._start_at is None:
            tell(f"{self._companion.name} ended (exit code {code}) and is started again: {self._companion.log}")
            self._start_at = now + self._wait_s
            self._wait_s = min(2 * self._wait_s, LONGEST_RESTART_S)
        elif now >= self._start_at:
            self._begin()

    def stop(self) -> None:
        _stop(self.process)

    def _begin(self) -> None:
        self.process = _start(["-m", *self._companion.arguments], self._companion.log)
        self._started_at, self._start_at = time.monotonic(), None


def _dagster_command(host: str, port: int) -> list[str]:
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    return ["-W", "ignore", "-m", "dagster", "dev", "-w", workspace, "-h", host, "-p", str(port)]


def _start(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """A Python of its own, in a session of its own, that writes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603  our own command
            [sys.executable, *arguments],
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_become_child,
        )


def _become_child() -> None:
    """Dagster ignores SIGTERM when it inherits an ignored SIGINT, and must not outlive a killed supervisor."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _stop_flag() -> Callable[[], bool]:
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    for number in STOP_SIGNALS:
        signal.signal(number, remember)
    return lambda: bool(received)


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/server_info", timeout=2) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, wait, and end what is left of the group: Dagster's code server outlives its parent by some seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLITE_STOP_S)
    deadline = time.monotonic() + LAST_CHILDREN_S
    while _group_lives(process.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    if _group_lives(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
