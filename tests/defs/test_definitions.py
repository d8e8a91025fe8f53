"""The whole graph as Dagster shows it: every asset explained and owned, every table described, no secret anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from dagster._serdes import serialize_value

from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.definitions import OWNERS, defs
from trading_assets.defs.execution.sensors import execution_sensor, order_sensor
from trading_assets.defs.risk.jobs import risk_sensor
from trading_assets.settings import PROJECT_ROOT, load_trading_settings

GROUPS = {"ingestion", "strategy", "risk", "execution", "analytics", "notification", "operations"}
AS_NEEDED = {"notification", "operations"}
SPECS = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs() if spec.group_name != "default"}
PASSWORD = "pa55-planted"


def test_graph_has_the_assets_of_every_stage() -> None:
    assert {spec.group_name for spec in SPECS.values()} == GROUPS


@pytest.mark.parametrize("name", sorted(SPECS))
def test_asset_says_what_it_is_whose_it_is_and_when_it_is_late(name: str) -> None:
    spec = SPECS[name]

    assert spec.group_name in GROUPS
    assert list(spec.owners) == OWNERS
    assert spec.kinds
    # What dbt adds below is the SQL.
    assert (spec.description or "").split("\n\n")[0].endswith(".")
    assert spec.freshness_policy is not None


def test_every_asset_is_executable_and_depends_on_assets_only() -> None:
    graph = defs.resolve_asset_graph()

    assert {key.to_user_string() for key in graph.executable_asset_keys} == set(SPECS)
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == set(SPECS)


def test_partitioned_assets_share_one_definition_and_run_a_range_at_once() -> None:
    graph = defs.resolve_asset_graph()
    # A backtest has a name and no session.
    keys = graph.executable_asset_keys - {dg.AssetKey(["strategy", "backtests"])}
    partitioned = [graph.get(key) for key in keys if graph.get(key).is_partitioned]

    assert len({node.partitions_def for node in partitioned}) == 1
    assert {node.backfill_policy for node in partitioned} == {dg.BackfillPolicy.single_run()}


def test_jobs_schedules_and_sensors_are_explained() -> None:
    repository = defs.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]

    explained = [*jobs, *repository.schedule_defs, *repository.sensor_defs]
    assert [one.name for one in explained if not one.description] == []


# What a run reports ---------------------------------------------------------------------------------


def test_every_asset_that_writes_a_table_reports_its_columns_and_rows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    job = defs.resolve_job_def("backfill_job")
    tags = {"dagster/asset_partition_range_start": "2012-11-26", "dagster/asset_partition_range_end": "2012-11-28"}

    result = job.execute_in_process(tags=tags)

    reported = {
        event.asset_key.to_user_string(): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    # A view holds no rows of its own. dbt's columns are those of the model's contract, and stand in the definition.
    tables = {
        name: {**SPECS[name].metadata, **facts}
        for name, facts in reported.items()
        if "postgres" in SPECS[name].kinds and "view" not in SPECS[name].kinds
    }
    for fact in ("dagster/column_schema", "dagster/row_count", "dagster/table_name"):
        assert [name for name in sorted(tables) if fact not in tables[name]] == []
    # Companies, quotes, the comparisons with other vendors and with the broker, and backtests, have their own jobs.
    apart = {"market/financials", "market/fundamentals", "market/quotes", "market/vendor_comparisons"}
    apart |= {"strategy/backtests", "execution/reconciliation"}
    assert {name for name, spec in SPECS.items() if spec.group_name not in AS_NEEDED} == set(reported) | apart


# Sensors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sensor", "has_account", "reason"),
    [
        (execution_sensor, False, "No approval waits to be sent."),
        (execution_sensor, True, "No approval waits to be sent."),
        (order_sensor, False, "No account has traded yet."),
        (order_sensor, True, "No open order has a new bar."),
        (risk_sensor, False, "No account has traded yet."),
    ],
)
def test_sensor_with_nothing_to_do_says_so(
    sensor: dg.SensorDefinition, has_account: bool, reason: str, database: Database
) -> None:
    if has_account:
        with database.transaction() as connection:
            record = ledger.open_account(connection, "simulated", "0badcafe", date(2012, 11, 26), Decimal(1000))
            ledger.use_account(connection, record.account_id)
    resources = {"database": database, "clock": WallClock(), "settings": load_trading_settings()}
    context = dg.build_sensor_context(resources=resources)

    tick = sensor.evaluate_tick(context)

    assert (tick.run_requests, tick.skip_message) == ([], reason)


def test_order_jobs_cannot_hang_for_ever_and_sensors_look_every_few_seconds() -> None:
    for name in ("execute_trades_job", "manage_orders_job", "hourly_tick_job", "end_of_day_job"):
        assert timedelta(seconds=int(defs.resolve_job_def(name).tags["dagster/max_runtime"])) <= timedelta(hours=1)
    # A catch-up, a proof, and what the web page shows of a backtest can wait for a minute.
    patient = {"catch_up_sensor", "prove_strategies_sensor", "list_backtests_sensor"}
    hasty = [one for one in defs.get_repository_def().sensor_defs if one.name not in patient]
    assert {one.minimum_interval_seconds for one in hasty} == {5}


def test_guide_lists_every_job_and_says_which_schedules_are_to_be_started() -> None:
    guide = (PROJECT_ROOT / "docs" / "guides" / "operations.md").read_text(encoding="utf-8")
    listed = {line.split("`")[1]: line for line in guide.splitlines() if line.startswith("| `") and "_job`" in line}
    assert set(listed) == {job.name for job in defs.jobs or ()}
    for schedule in defs.get_repository_def().schedule_defs:
        is_stopped = schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert (f"start `{schedule.name}`" in listed[schedule.job_name]) == is_stopped


# Secrets --------------------------------------------------------------------------------------------

SERIALISE = """
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from trading_assets.definitions import defs
print(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))
"""


def test_graph_that_dagster_serialises_contains_no_secret() -> None:
    secrets = {
        "DATABASE_URL": f"postgresql://trading:{PASSWORD}@127.0.0.1:9/x",
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:9/0",
        "SMTP_URL": f"smtp://trading:{PASSWORD}@127.0.0.1:9",
    }
    command = [sys.executable, "-c", SERIALISE]
    shown = subprocess.run(command, env={**os.environ, **secrets}, capture_output=True, text=True, check=True)

    assert "signals_sma_crossover" in shown.stdout
    assert PASSWORD not in shown.stdout + shown.stderr


def test_run_that_cannot_reach_its_database_says_so_without_the_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://trading:{PASSWORD}@127.0.0.1:9/x")
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("hourly_tick_job").execute_in_process(
            instance=instance,
            partition_key="2012-11-26",
            asset_selection=[dg.AssetKey(["strategy", "targets"])],
            raise_on_error=False,
        )
        recorded = [serialize_value(entry) for entry in instance.all_logs(result.run_id)]
        run = serialize_value(instance.get_run_by_id(result.run_id))

    assert not result.success
    shown = "\n".join([*recorded, run, caplog.text, *capfd.readouterr()])
    assert "PostgreSQL does not answer" in shown
    assert PASSWORD not in shown
