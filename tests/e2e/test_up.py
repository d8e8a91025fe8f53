"""`trading up` on this machine: the web page answers, a signal stops everything, nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from trading_assets.adapters.embedded import EmbeddedPostgres


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.timeout(400)
def test_up_answers_until_it_is_terminated_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    platform = subprocess.Popen(
        [sys.executable, "-m", "trading_assets.cli", "up", "--port", str(port)],
        cwd=tmp_path,
        env={**environment, "TRADING_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # As a shell without job control starts its background jobs; Dagster alone would then ignore the signal below.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    children: list[psutil.Process] = []
    try:
        assert platform.stdout
        lines = iter(platform.stdout.readline, "")
        assert any(f"Open http://127.0.0.1:{port}" in line for line in lines)
        with urlopen(f"http://127.0.0.1:{port}/server_info", timeout=10) as answer:
            assert answer.status == 200
        children = psutil.Process(platform.pid).children(recursive=True)
        assert len(children) >= 3

        platform.send_signal(signal.SIGTERM)
        rest, _ = platform.communicate(timeout=120)
    finally:
        platform.kill()

    assert platform.returncode == 0
    assert "Stopped." in rest
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert not EmbeddedPostgres(tmp_path / "home").is_running()
