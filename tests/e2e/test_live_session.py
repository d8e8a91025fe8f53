"""A rehearsed session through Dagster's own webserver and daemon: a backfill, hours, sensors, the end of the day.

Its ledger must be that of a plain backfill of the same sessions in another database.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psycopg
import pytest
from pydantic import SecretStr

from trading_assets.adapters.clock import set_replay_clock
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.domain.market.sessions import bar_bounds, next_session, session, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.services import dagster_variables, migrate_all
from trading_assets.settings import Environment

SETTINGS = """
source: sample
universe: [MSFT]
timeframes: [1h]
strategies:
  sma_crossover: {timeframe: 1h, capital_weight: 0.5, parameters: {fast: 3, slow: 8}}
  rsi_reversion: {timeframe: 1h, capital_weight: 0.4, parameters: {period: 3, entry: 35, exit: 55, max_hold: 5}}
risk: {max_order_notional: 0.3, max_position: 0.6}
broker: {volume_limit: 0.00002}
clock: replay
"""
BACKFILL_FIRST, BACKFILL_LAST = date(2022, 4, 19), date(2022, 5, 9)
LIVE = next_session(BACKFILL_LAST)
HOURS = [bar.closes_at for bar in bar_bounds(LIVE, Timeframe.HOUR)]
AFTERWARDS = datetime(2022, 6, 20, tzinfo=UTC)
DELAY = timedelta(seconds=5)
BARS = ["market/bars"]
DATA = ["market/instruments", "market/corporate_actions", *BARS, "strategy/indicators"]
STRATEGY = ["strategy/signals_sma_crossover", "strategy/signals_rsi_reversion", "strategy/targets"]
TRADING = ["risk/approved_orders", "execution/orders", "execution/fills", "execution/positions"]

# The daemon looks at backfills every 30 s unless it is told otherwise.
DAEMON = """
import dagster._daemon.controller as controller
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
from dagster._daemon.cli import main
main()
"""
PLAIN_BACKFILL = """
import sys
import dagster as dg
from trading_assets.definitions import defs
first, last, *keys = sys.argv[1:]
defs.resolve_job_def("backfill_job").execute_in_process(
    tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
    asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
    instance=dg.DagsterInstance.ephemeral(),
)
"""
ORDERS = "select count(*) from execution.orders"
LIVE_FILLS = (
    "select count(*) from execution.fills join execution.orders using (client_order_id) "
    f"where orders.session_date = '{LIVE}'"
)
MEASURED = f"select count(*) from risk.portfolio_risk where session_date = '{LIVE}'"
UNFINISHED = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "MANAGED", "CANCELING"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(happened: Callable[[], Any], what: str, timeout_s: float = 240) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := happened()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for {what}"
        time.sleep(0.3)
    return found


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with all its children, which are gone after the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@dataclass
class Platform:
    """Dagster behind its web address, and the database that its runs write."""

    address: str
    database: Database

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
        with urlopen(request, timeout=60) as answer:  # noqa: S310  our own address
            content = json.load(answer)
        assert "errors" not in content, content["errors"]
        return dict(content["data"])

    def is_ready(self) -> bool:
        try:
            found = self.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
        except (URLError, OSError):
            return False
        return [entry["loadStatus"] for entry in found["workspaceOrError"]["locationEntries"]] == ["LOADED"]

    def backfill(self, assets: list[str]) -> None:
        partitions = [f"{day}" for day in sessions_between(BACKFILL_FIRST, BACKFILL_LAST)]
        launched = self.ask(
            "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) { __typename "
            "... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } "
            "... on InvalidSubsetError { message } } }",
            p={"assetSelection": paths(assets), "partitionNames": partitions, "title": "rehearsal", "tags": []},
        )["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        query = (
            "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { "
            "status error { message } } } }"
        )

        def ended() -> dict[str, Any] | None:
            found = self.ask(query, id=launched["backfillId"])["partitionBackfillOrError"]
            return found if found["status"] not in {"REQUESTED", "COMPLETING"} else None

        assert wait_until(ended, "the backfill")["status"] == "COMPLETED_SUCCESS"

    def run(self, job: str, day: date, assets: list[str] | None = None) -> None:
        """Launch a job for a session and wait until it has succeeded."""
        selector = {"repositoryLocationName": "trading", "repositoryName": "__repository__", "jobName": job}
        launched = self.ask(
            "mutation($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename "
            "... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }",
            p={
                "selector": selector | ({"assetSelection": paths(assets)} if assets else {}),
                "runConfigData": {},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": f"{day}"}]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"

        def ended() -> str | None:
            status = str(self.ask(query, id=run_id)["runOrError"]["status"])
            return None if status in UNFINISHED else status

        assert wait_until(ended, f"{job} {day}") == "SUCCESS", f"{job} of {day}: run {run_id}"

    def stop_sensor(self, name: str) -> None:
        selector = {"repositoryLocationName": "trading", "repositoryName": "__repository__", "sensorName": name}
        query = "query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { id } } }"
        stop = "mutation($id: String) { stopSensor(id: $id) { ... on StopSensorMutationResult { __typename } } }"
        sensor_id = self.ask(query, s=selector)["sensorOrError"]["id"]
        assert self.ask(stop, id=sensor_id)["stopSensor"]["__typename"] == "StopSensorMutationResult"

    def runs(self, **wanted: Any) -> list[dict[str, str]]:
        query = "query($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results { jobName status } } } }"
        return list(self.ask(query, f=wanted)["runsOrError"]["results"])

    def set_clock(self, at: datetime) -> None:
        set_replay_clock(self.database, at)

    def wait_for_orders(self) -> None:
        """Wait until every approval has become an order and no run is under way."""

        def sent() -> bool:
            with self.database.transaction() as connection:
                account_id = ledger.current_account(connection)
                return account_id is not None and not reviews.unsent_approvals(connection, account_id)

        wait_until(sent, "the execution sensor to have every approval sent")
        wait_until(lambda: not self.runs(statuses=UNFINISHED), "the runs that the sensors started")

    def count(self, query: str) -> int:
        with psycopg.connect(self.database.url) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return int(row[0])


def paths(assets: list[str]) -> list[dict[str, list[str]]]:
    return [{"path": asset.split("/")} for asset in assets]


def configure(database: Database, home: Path) -> dict[str, str]:
    """Migrate both schemas and return the variables of processes that use this database."""
    environment = Environment(database_url=SecretStr(database.url), home=home)
    migrate_all(environment)
    return dagster_variables(environment)


@pytest.fixture
def settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trading.yaml"
    path.write_text(SETTINGS)
    monkeypatch.setenv("TRADING_CONFIG", str(path))
    # migrate_all publishes these: they must not outlive the test.
    for name in ("DATABASE_URL", "TRADING_HOME", "DAGSTER_HOME", "DAGSTER_PG_URL", "DAGSTER_EVENT_BATCH_SIZE"):
        monkeypatch.setenv(name, "")
    monkeypatch.delenv("REDIS_URL", raising=False)
    return path


@pytest.fixture
def platform(settings_file: Path, new_database: Callable[[], Database], tmp_path: Path) -> Iterator[Platform]:
    """A code server, the webserver and the daemon."""
    database = new_database()
    os.environ.update(configure(database, tmp_path / "live"))
    code_port, port = free_port(), free_port()
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(
        f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {code_port}, location_name: trading}}}}]\n"
    )
    code = ["api", "grpc", "-m", "trading_assets.definitions", "-h", "127.0.0.1", "-p", str(code_port)]
    with ExitStack() as stack:
        stack.enter_context(running(["-m", "dagster", *code, "--location-name", "trading"], tmp_path / "code.log"))
        wait_until(lambda: _listens(code_port), "the code server")
        web = ["-m", "dagster_webserver", "-w", str(workspace), "-h", "127.0.0.1", "-p", str(port)]
        stack.enter_context(running(web, tmp_path / "web.log"))
        stack.enter_context(running(["-c", DAEMON, "run", "-w", str(workspace)], tmp_path / "daemon.log"))
        platform = Platform(f"http://127.0.0.1:{port}", database)
        wait_until(platform.is_ready, "the webserver")
        yield platform


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_rehearsed_session_has_the_ledger_of_a_backfill(
    platform: Platform, new_database: Callable[[], Database], tmp_path: Path
) -> None:
    expected = plain_backfill(new_database(), tmp_path / "plain.log")

    platform.set_clock(session(BACKFILL_LAST).closes_at + timedelta(minutes=15))
    platform.backfill([*DATA, *STRATEGY, *TRADING])
    begun_with = platform.count(ORDERS)

    for hour in HOURS:
        platform.set_clock(hour + DELAY)
        if hour == HOURS[1]:
            # The bar arrives before the tick: the order sensor takes the fills of the first hour's orders.
            platform.run("hourly_tick_job", LIVE, BARS)
            wait_until(lambda: platform.count(LIVE_FILLS), "the order sensor to have the fills taken")
        platform.run("hourly_tick_job", LIVE)
        platform.wait_for_orders()
        if hour == HOURS[0]:
            before = ledger_hash(platform.database)
            platform.run("hourly_tick_job", LIVE, ["risk/approved_orders"])
            assert ledger_hash(platform.database) == before
            wait_until(lambda: platform.count(MEASURED), "the risk sensor to have the book measured")
            # From here on it would only cost time.
            platform.stop_sensor("risk_sensor")
    platform.set_clock(session(LIVE).closes_at + timedelta(minutes=15))
    platform.run("end_of_day_job", LIVE, ["execution/fills", "execution/positions"])

    wait_until(lambda: not platform.runs(statuses=UNFINISHED), "the runs that the sensors started")

    assert platform.count(ORDERS) > begun_with
    assert ledger_hash(platform.database) == ledger_hash(expected)
    jobs = Counter((run["jobName"], run["status"]) for run in platform.runs())
    # One run a decision, however often the sensor looked in between.
    assert jobs["execute_trades_job", "SUCCESS"] == decisions_with_orders(expected)
    assert jobs["manage_orders_job", "SUCCESS"] >= 1
    assert jobs["monitor_risk_job", "SUCCESS"] >= 1
    assert {status for _, status in jobs} == {"SUCCESS"}


def plain_backfill(database: Database, log: Path) -> Database:
    """The same sessions in one run, in a process without webserver and daemon."""
    set_replay_clock(database, AFTERWARDS)
    keys = [*DATA, *STRATEGY, *TRADING]
    with log.open("wb") as output:
        subprocess.run(
            [sys.executable, "-c", PLAIN_BACKFILL, f"{BACKFILL_FIRST}", f"{LIVE}", *keys],
            env={**os.environ, "DATABASE_URL": database.url},
            stdout=output,
            stderr=output,
            check=True,
        )
    with psycopg.connect(database.url) as connection:
        decided = connection.execute(
            "select distinct decision_at from risk.verdicts where session_date = %s", (LIVE,)
        ).fetchall()
    assert decided, f"nothing is decided in session {LIVE}"
    return database


def decisions_with_orders(database: Database) -> int:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(
            "select count(distinct submitted_at) from execution.orders where session_date = %s", (LIVE,)
        ).fetchone()
    return int(row[0]) if row else 0
