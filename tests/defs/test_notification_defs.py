"""Deliveries and failed runs on a Dagster instance: what starts a delivery, what does not, and what people read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.notifiers import LogNotifier
from trading_assets.adapters.postgres import notification
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.notification.assets import messages
from trading_assets.defs.notification.jobs import deliver_messages_job
from trading_assets.defs.notification.sensors import outbox_sensor, run_failure_sensor
from trading_assets.domain.notification.messages import Channel, Message, MessageSeverity


class DeadNotifier:
    channel = Channel("dead")

    def send(self, message: Message) -> None:
        raise Unreachable("The mail server does not answer")


def message(number: int) -> Message:
    return Message(
        f"{number:064x}", "run_failed", MessageSeverity.CRITICAL, f"Run {number}", "text\n", datetime.now(UTC)
    )


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def log(tmp_path: Path) -> LogNotifier:
    return LogNotifier(tmp_path / "notifications.jsonl")


def enqueue(database: Database, *numbers: int) -> None:
    with database.transaction() as connection:
        notification.enqueue(connection, [message(number) for number in numbers])


def tick(instance: dg.DagsterInstance, database: Database, *notifiers: object) -> dg.RunRequest | dg.SkipReason:
    context = dg.build_sensor_context(instance=instance, resources={"database": database, "notifiers": [*notifiers]})
    answer = outbox_sensor(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def test_delivery_job_sends_what_waits_and_reports_it(
    instance: dg.DagsterInstance, database: Database, log: LogNotifier
) -> None:
    enqueue(database, 1, 2)
    definitions = dg.Definitions(
        assets=[messages],
        jobs=[deliver_messages_job],
        resources={"database": database, "notifiers": [log, DeadNotifier()]},
    )

    result = definitions.resolve_job_def("deliver_messages_job").execute_in_process(instance=instance)

    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["deliveries"].value == {"dead failed": 2, "log sent": 2}
    assert event.materialization.metadata["rows_written"].value == 2
    assert [json.loads(line)["subject"] for line in log.path.read_text().splitlines()] == ["Run 1", "Run 2"]
    assert event.materialization.metadata["dagster/row_count"].value == 2


def test_outbox_sensor_empty_outbox_starts_nothing(
    instance: dg.DagsterInstance, database: Database, log: LogNotifier
) -> None:
    assert isinstance(tick(instance, database, log), dg.SkipReason)


def test_outbox_sensor_same_backlog_is_the_same_run_and_a_new_message_another(
    instance: dg.DagsterInstance, database: Database, log: LogNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading_assets.defs.notification.sensors.REPEAT_S", 10**9)
    enqueue(database, 1)
    first, second = tick(instance, database, log), tick(instance, database, log)
    enqueue(database, 2)
    third = tick(instance, database, log)

    assert first.run_key == second.run_key
    assert first.run_key != third.run_key


def test_outbox_sensor_waits_for_the_delivery_that_is_under_way(
    instance: dg.DagsterInstance, database: Database, log: LogNotifier
) -> None:
    enqueue(database, 1)
    run = dg.DagsterRun(job_name="deliver_messages_job", run_id="9d5c0f0e-3f3a-4b1f-8b5e-1d6b1f0c2a11")
    instance.add_run(run.with_status(dg.DagsterRunStatus.STARTED))

    answer = tick(instance, database, log)

    assert isinstance(answer, dg.SkipReason)
    assert "under way" in str(answer.skip_message)


def test_outbox_sensor_message_that_was_just_refused_starts_nothing(
    instance: dg.DagsterInstance, database: Database
) -> None:
    enqueue(database, 1)
    with database.transaction() as connection:
        notification.claim(connection, DeadNotifier.channel, 1)
        notification.mark_failed(connection, DeadNotifier.channel, [message(1).message_id], "refused")

    assert isinstance(tick(instance, database, DeadNotifier()), dg.SkipReason)


def failed_run(instance: dg.DagsterInstance, job_name: str = "ingest_bars_job") -> dg.ExecuteInProcessResult:
    @dg.op
    def read_prices() -> None:
        raise dg.Failure("Prices were not read") from Unreachable("The vendor does not answer")

    @dg.job(name=job_name)
    def job() -> None:
        read_prices()

    return job.execute_in_process(instance=instance, raise_on_error=False)


def tell(instance: dg.DagsterInstance, database: Database, result: dg.ExecuteInProcessResult) -> list[tuple[str, ...]]:
    (event,) = [each for each in result.all_events if each.event_type == dg.DagsterEventType.RUN_FAILURE]
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        resources={"database": database},
    ).for_run_failure()
    run_failure_sensor(context)
    with database.transaction() as connection:
        return connection.execute("select severity, subject, body from notification.messages").fetchall()


def test_run_failure_sensor_queues_one_message_with_the_cause(instance: dg.DagsterInstance, database: Database) -> None:
    result = failed_run(instance)

    tell(instance, database, result)
    ((severity, subject, body),) = tell(instance, database, result)

    assert (severity, subject) == ("critical", "Run failed: ingest_bars_job")
    assert "Failure: Prices were not read\n  caused by " in body
    assert "Unreachable: The vendor does not answer" in body
    assert "Traceback" not in body


def test_run_failure_sensor_failed_delivery_queues_nothing(instance: dg.DagsterInstance, database: Database) -> None:
    assert tell(instance, database, failed_run(instance, "deliver_messages_job")) == []
