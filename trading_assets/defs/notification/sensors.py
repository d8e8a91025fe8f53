"""Who notices that something has to be told: messages that wait, and runs that failed."""

from datetime import UTC, datetime
from hashlib import sha256

import dagster as dg
from dagster._utils.error import SerializableErrorInfo

from trading_assets.adapters.ports import Notifier
from trading_assets.adapters.postgres import notification
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.notification.jobs import deliver_messages_job
from trading_assets.domain.notification.messages import run_failed

POLL_S = 5
REPEAT_S = 60
"""A run that died before it claimed anything is requested again after at most this long."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    job=deliver_messages_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a delivery when messages wait and none is running.",
)
def outbox_sensor(
    context, database: dg.ResourceParam[Database], notifiers: dg.ResourceParam[list[Notifier]]
) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        backlog = notification.backlog(connection, [notifier.channel for notifier in notifiers])
    if backlog.count == 0:
        return dg.SkipReason("No message waits.")
    running = dg.RunsFilter(job_name=deliver_messages_job.name, statuses=UNFINISHED)
    if context.instance.get_runs_count(running):
        return dg.SkipReason(f"{backlog.count} deliveries wait, and a run is under way.")
    period = int(datetime.now(UTC).timestamp() // REPEAT_S)
    return dg.RunRequest(run_key=f"{sha256(backlog.fingerprint.encode()).hexdigest()[:16]}-{period}")


@dg.run_failure_sensor(
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Queues a message for every failed run that is not tried again.",
)
def run_failure_sensor(
    context: dg.RunFailureSensorContext, database: dg.ResourceParam[Database]
) -> dg.SkipReason | None:
    run = context.dagster_run
    if run.tags.get("dagster/will_retry") == "true":
        return dg.SkipReason(f"Run {run.run_id} is tried again.")
    if run.job_name == deliver_messages_job.name:
        # Telling it would start the job that cannot tell, again and again.
        return dg.SkipReason(f"Run {run.run_id} of the delivery itself failed: see its log.")
    record = context.instance.get_run_record_by_id(run.run_id)
    ended_at = record.end_time if record and record.end_time else datetime.now(UTC).timestamp()
    message = run_failed(run.run_id, _title(run), _reason(context), datetime.fromtimestamp(ended_at, UTC))
    with database.transaction() as connection:
        notification.enqueue(connection, [message])
    return None


def _title(run: dg.DagsterRun) -> str:
    """The job, or for an ad-hoc run the assets."""
    if run.job_name != "__ASSET_JOB" or not run.asset_selection:
        return run.job_name
    return ", ".join(sorted(key.to_user_string() for key in run.asset_selection))


def _reason(context: dg.RunFailureSensorContext) -> str:
    """The error of each failed step with what caused it, without stacks; what Dagster says when no step failed."""
    reasons = [
        f"{event.step_key}: " + "\n  caused by ".join(_chain(event.step_failure_data.error))
        for event in context.get_step_failure_events()
    ]
    return "\n".join(reasons) or context.failure_event.message or "The run failed without a message."


def _chain(error: SerializableErrorInfo | None) -> list[str]:
    messages = []
    while error is not None:
        # Dagster wraps an exception of ours in one of its own that says only which step it was.
        if not (error.cause and (error.cls_name or "").startswith("Dagster")):
            messages.append(error.message.strip())
        error = error.cause
    return messages
