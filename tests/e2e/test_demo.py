"""The demo as a newcomer runs it, on servers of its own: twice the same, and the same again after SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from trading_assets.adapters.embedded import EmbeddedPostgres

FIRST, LAST = "2012-10-01", "2012-12-14"
COUNTED = (
    "market.bars",
    "strategy.indicators",
    "strategy.signals",
    "strategy.targets",
    "risk.verdicts",
    "risk.verdict_checks",
    "execution.orders",
    "execution.order_events",
    "execution.fills",
    "execution.activities",
    "execution.positions",
    "execution.equity",
    "analytics.performance",
    "analytics.fct_orders",
    "notification.messages",
)

pytestmark = pytest.mark.timeout(600)


def _command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """`trading ...` as a program of its own, with nothing of ours in its environment but the state folder."""
    outside = ("DATABASE_URL", "REDIS_URL", "DAGSTER_HOME", "DAGSTER_PG_URL", "TRADING_CONFIG")
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    return subprocess.Popen(
        [sys.executable, "-m", "trading_assets.cli", *arguments],
        env=environment | {"TRADING_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _demo(home: Path) -> str:
    process = _command(home, "demo", "--from", FIRST, "--to", LAST)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def _ledger_hash(home: Path) -> str:
    process = _command(home, "ledger", "hash")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output.strip()


def _row_counts(home: Path) -> dict[str, int]:
    server = EmbeddedPostgres(home)
    with psycopg.connect(server.start()) as connection:
        counts = {
            table: connection.execute(f"select count(*) from {table}").fetchone()[0]  # type: ignore[index]
            for table in COUNTED
        }
    server.stop()
    return counts


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a demo that was left alone."""
    home = tmp_path_factory.mktemp("finished")
    output = _demo(home)
    assert "Total return" in output
    report = Path(output.rsplit("Report: ", 1)[1].strip())
    assert report.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    return home


def test_demo_run_twice_leaves_the_same_rows_and_the_same_hash(finished_home: Path) -> None:
    counts, ledger_hash = _row_counts(finished_home), _ledger_hash(finished_home)
    assert counts["execution.fills"] > 0
    _demo(finished_home)
    assert _row_counts(finished_home) == counts
    assert _ledger_hash(finished_home) == ledger_hash


def test_demo_tells_how_each_session_went(finished_home: Path) -> None:
    server = EmbeddedPostgres(finished_home)
    with psycopg.connect(server.start()) as connection:
        sessions, summaries, pnl = connection.execute(
            "select count(distinct session_date), "
            "(select count(*) from notification.messages where event = 'daily_summary'), "
            "(select subject from notification.messages where event = 'daily_summary' order by occurred_at limit 1) "
            "from execution.equity"
        ).fetchone()  # type: ignore[misc]
    server.stop()
    assert sessions == summaries > 0
    assert pnl == f"Session {FIRST}: equity 100,000.00 USD, 0.00 USD"


def test_demo_killed_at_a_random_moment_ends_with_the_same_hash(finished_home: Path, tmp_path: Path) -> None:
    ledger_hash, counts = _ledger_hash(finished_home), _row_counts(finished_home)
    seed = random.randrange(10**6)
    process = _command(tmp_path, "demo", "--from", FIRST, "--to", LAST)
    time.sleep(random.Random(seed).uniform(2, 25))
    process.send_signal(signal.SIGKILL)
    process.wait()
    _kill_database(tmp_path)
    _demo(tmp_path)
    assert (_ledger_hash(tmp_path), _row_counts(tmp_path)) == (ledger_hash, counts), f"seed {seed}"


def _kill_database(home: Path) -> None:
    """SIGKILL the server too, if the demo came far enough to start one."""
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
