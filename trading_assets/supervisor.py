"""Runs Dagster's webserver and daemon in the foreground and leaves nothing behind, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
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


class SupervisorError(AdapterError):
    """Dagster can not be started, or ended by itself."""


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


def run_dagster(host: str, port: int, log: Path, on_ready: Callable[[str], None]) -> None:
    """Run Dagster until a signal asks for the end. `on_ready` gets the address when the web page answers.

    Raises SupervisorError when Dagster ends by itself.
    """
    check_port(host, port)
    log.parent.mkdir(parents=True, exist_ok=True)
    asked_to_stop = _stop_flag()
    with log.open("ab") as output:
        dagster = _start(host, port, output.fileno())
        address = f"http://{host}:{port}"
        try:
            is_ready = False
            while dagster.poll() is None and not asked_to_stop():
                if not is_ready and _answers(address):
                    is_ready = True
                    on_ready(address)
                time.sleep(0.2)
            if not asked_to_stop():
                raise SupervisorError(f"Dagster ended with exit code {dagster.returncode}: read {log}.")
        finally:
            _stop(dagster)


def _start(host: str, port: int, output: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-w", str(PROJECT_ROOT / "workspace.yaml")]
    return subprocess.Popen(  # noqa: S603  our own command
        [*command, "-h", host, "-p", str(port)],
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


def _stop(dagster: subprocess.Popen[bytes]) -> None:
    """Ask, wait, and end what is left of the group: the code server outlives its parent by some seconds."""
    if dagster.poll() is None:
        dagster.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            dagster.wait(POLITE_STOP_S)
    deadline = time.monotonic() + LAST_CHILDREN_S
    while _group_lives(dagster.pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    if _group_lives(dagster.pid):
        os.killpg(dagster.pid, signal.SIGKILL)
    dagster.wait()


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
