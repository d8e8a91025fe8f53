"""One run over a range of sessions on a real Dagster storage: what it stores and reports, and how a failure reads."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from pydantic import SecretStr

from trading_assets.adapters.postgres.database import Database
from trading_assets.range_run import (
    NoSessionsError,
    Outcome,
    Progress,
    output_to,
    run_sessions,
)
from trading_assets.services import dagster_variables, migrate_all
from trading_assets.settings import Environment

WEEKDAYS = dg.TimeWindowPartitionsDefinition("2012-01-02", "%Y-%m-%d", end="2012-02-01", cron_schedule="0 0 * * 1-5")


@dg.asset(partitions_def=WEEKDAYS, backfill_policy=dg.BackfillPolicy.single_run())
def prices() -> None:
    """Does nothing, so that only the bookkeeping is seen."""


@dg.asset(partitions_def=WEEKDAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[prices])
def signals() -> None:
    """Comes after prices."""


@dg.asset(partitions_def=WEEKDAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[prices])
def broken() -> None:
    """Fails with a cause below the error that is raised."""
    raise RuntimeError("could not compute") from ValueError("row 7 has no close")


@dg.asset(partitions_def=WEEKDAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[prices])
def refused() -> None:
    """Fails on purpose."""
    raise dg.Failure("Session 2012-01-03 has not begun.")


@dg.asset(partitions_def=WEEKDAYS, backfill_policy=dg.BackfillPolicy.single_run())
def talkative(context) -> None:
    """Says how far it is and which tags its run has."""
    context.log.info("1 of 2 chunks\nand a second line")
    context.log.debug("not for the terminal")
    context.log.info(f"refetch: {context.run.tags.get('trading/refetch')}")


@dg.asset_check(asset=prices)
def prices_are_there() -> dg.AssetCheckResult:
    """Has no partitions, as dbt tests and data quality suites have none."""
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def storage(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    environment = Environment(database_url=SecretStr(database.url), home=tmp_path)
    for name, value in dagster_variables(environment).items():
        monkeypatch.setenv(name, value)
    migrate_all(environment)
    return database


def run(
    assets: list[dg.AssetsDefinition],
    heard: list[Progress] | None = None,
    checks: Sequence[dg.AssetChecksDefinition] = (),
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    job = dg.define_asset_job("backfill_job", selection="*", partitions_def=WEEKDAYS)
    definitions = dg.Definitions(assets=assets, asset_checks=checks, jobs=[job], executor=dg.in_process_executor)
    report = (lambda _: None) if heard is None else heard.append
    return run_sessions(definitions, date(2012, 1, 7), date(2012, 1, 22), report, tags=tags)


def test_run_over_a_range_materialises_every_session_in_it(storage: Database) -> None:
    outcome = run([prices, signals])
    assert outcome.is_success
    assert (outcome.first, outcome.last) == ("2012-01-09", "2012-01-20")
    with dg.DagsterInstance.get() as instance:
        stored = instance.get_materialized_partitions(dg.AssetKey("signals"))
    assert stored == set(WEEKDAYS.get_partition_keys_in_range(dg.PartitionKeyRange("2012-01-09", "2012-01-20")))


def test_run_plans_one_event_an_asset(storage: Database) -> None:
    outcome = run([prices, signals])
    with psycopg.connect(storage.url) as connection:
        row = connection.execute(
            "select count(*) from dagster.event_logs "
            "where run_id = %s and dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'",
            (outcome.run_id,),
        ).fetchone()
    assert row == (2,)


def test_run_plans_and_completes_a_check_without_partitions_once(storage: Database) -> None:
    outcome = run([prices], checks=[prices_are_there])
    assert outcome.is_success
    with psycopg.connect(storage.url) as connection:
        rows = connection.execute(
            "select check_name, execution_status from dagster.asset_check_executions where run_id = %s",
            (outcome.run_id,),
        ).fetchall()
    assert rows == [("prices_are_there", "SUCCEEDED")]


def test_run_reports_each_step_to_the_last(storage: Database) -> None:
    heard: list[Progress] = []
    run([prices, signals], heard)
    assert heard == [
        Progress(0, 2, "prices"),
        Progress(1, 2, "prices"),
        Progress(1, 2, "signals"),
        Progress(2, 2, "signals"),
    ]


def test_run_reports_what_a_step_says_of_itself(storage: Database) -> None:
    heard: list[Progress] = []
    run([talkative], heard, tags={"trading/refetch": "true"})
    assert heard == [
        Progress(0, 1, "talkative"),
        Progress(0, 1, "talkative", "1 of 2 chunks"),
        Progress(0, 1, "talkative", "refetch: true"),
        Progress(1, 1, "talkative"),
    ]


def test_failed_step_reads_as_its_root_cause(storage: Database) -> None:
    outcome = run([prices, broken])
    assert [(problem.step, problem.reason) for problem in outcome.problems] == [
        ("broken", "ValueError: row 7 has no close")
    ]


def test_refusal_reads_as_its_own_sentence(storage: Database) -> None:
    outcome = run([prices, refused])
    assert [problem.reason for problem in outcome.problems] == ["Session 2012-01-03 has not begun."]


def test_range_without_a_session_is_refused(storage: Database) -> None:
    definitions = dg.Definitions(
        assets=[prices], jobs=[dg.define_asset_job("backfill_job", selection="*", partitions_def=WEEKDAYS)]
    )
    with pytest.raises(NoSessionsError, match="no trading session from 2012-01-07 to 2012-01-08"):
        run_sessions(definitions, date(2012, 1, 7), date(2012, 1, 8), lambda _: None)


def test_output_of_the_block_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "logs" / "run.log"
    with output_to(log):
        os.write(1, b"noise of a library\n")
        subprocess.run(["/bin/sh", "-c", "echo noise of a child >&2"], check=True)
    os.write(1, b"ours\n")
    assert log.read_text() == "noise of a library\nnoise of a child\n"
    assert capfd.readouterr().out == "ours\n"


def test_run_of_one_session_plans_that_partition_by_its_name(storage: Database) -> None:
    job = dg.define_asset_job("one_session_job", selection="*", partitions_def=WEEKDAYS)
    definitions = dg.Definitions(assets=[prices], asset_checks=[prices_are_there], jobs=[job])
    with dg.DagsterInstance.get() as instance:
        run_id = (
            definitions.resolve_job_def("one_session_job")
            .execute_in_process(instance=instance, partition_key="2012-01-09")
            .run_id
        )
    with psycopg.connect(storage.url) as connection:
        planned = connection.execute(
            "select partition from dagster.event_logs "
            "where run_id = %s and dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'",
            (run_id,),
        ).fetchall()
        checked = connection.execute(
            "select execution_status from dagster.asset_check_executions where run_id = %s", (run_id,)
        ).fetchall()
    assert planned == [("2012-01-09",)]
    assert checked == [("SUCCEEDED",)]
