"""Sessions that went by while nothing ran: one run fetches and replays them in order, then the current session goes on.

On a broker account nothing is decided or sent for a session that is over: only data, signals and reports catch up.
"""

from __future__ import annotations

from datetime import date, datetime

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ingestion_progress import stored_until
from trading_assets.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from trading_assets.domain.market.outages import missed_sessions
from trading_assets.domain.market.sessions import latest_closed_bar, newest_session
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

CATCH_UP_TAG = "trading/catch_up"


def sessions_to_catch_up(database: Database, settings: TradingSettings, now: datetime) -> list[date]:
    """The sessions that are over and whose bars are not stored, or that the simulated account has not lived through."""
    with database.transaction() as connection:
        stored = stored_until(connection, settings.universe, settings.timeframes)
        accounts = ledger.accounts(connection, settings.fingerprint()) if _is_replayed(settings) else []
    return missed_sessions(now, stored, accounts[-1].advanced_to if accounts else None)


def is_within_reach(missed: list[date], settings: TradingSettings) -> bool:
    """Whether `missed` are few enough to be caught up with by themselves."""
    return 0 < len(missed) <= settings.catch_up_sessions


def catch_up_sensor(
    replay_job: dg.UnresolvedAssetJobDefinition, data_job: dg.UnresolvedAssetJobDefinition
) -> dg.SensorDefinition:
    """Starts `replay_job` over the missed sessions on a simulated account, else `data_job`: once a bar close."""

    @dg.sensor(
        name="catch_up_sensor",
        jobs=[replay_job, data_job],
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sessions that went by while nothing ran are fetched and replayed, oldest first, in one run.",
    )
    def sensor(
        context,
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
        settings: dg.ResourceParam[TradingSettings],
    ) -> dg.RunRequest | dg.SkipReason:
        if settings.source == "sample" and settings.clock == "wall":
            return dg.SkipReason("The bundled history has no bars of today: choose a live source in trading.yaml.")
        now = clock.now()
        missed = sessions_to_catch_up(database, settings, now)
        if not missed:
            return dg.SkipReason("Every session that is over is stored.")
        first, last = missed[0], missed[-1]
        if not is_within_reach(missed, settings):
            return dg.SkipReason(
                f"{len(missed)} sessions are missing, more than catch_up_sessions in trading.yaml allows "
                f"({settings.catch_up_sessions}): run `trading backfill --from {first} --to {last}`."
            )
        # A vendor that does not answer now may answer after the next bar.
        attempt = f"{first} to {last}, attempted after {latest_closed_bar(now, Timeframe.HOUR).closes_at.isoformat()}"
        if context.cursor == attempt:
            return dg.SkipReason(f"Sessions {first} to {last} are requested; again after the next bar if they fail.")
        if _is_backfilling(context.instance):
            return dg.SkipReason(f"Sessions {first} to {last} wait for the backfill that is under way.")
        context.update_cursor(attempt)
        return dg.RunRequest(
            run_key=attempt,
            job_name=(replay_job if _is_replayed(settings) else data_job).name,
            tags={RANGE_START_TAG: f"{first}", RANGE_END_TAG: f"{last}", CATCH_UP_TAG: "true"},
        )

    return sensor


def tick_after_catch_up_sensor(
    tick_job: dg.UnresolvedAssetJobDefinition, catch_up_jobs: list[dg.UnresolvedAssetJobDefinition]
) -> dg.SensorDefinition:
    """Starts `tick_job` for the current session when the run that caught up has succeeded."""

    @dg.run_status_sensor(
        name="tick_after_catch_up_sensor",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=catch_up_jobs,
        request_job=tick_job,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="After a catch-up: the current session's newest bar, whose own tick came too early.",
    )
    def sensor(context, clock: dg.ResourceParam[Clock]) -> dg.RunRequest | dg.SkipReason:
        run = context.dagster_run
        if CATCH_UP_TAG not in run.tags:
            return dg.SkipReason(f"Run {run.run_id} did not catch up.")
        now = clock.now()
        today = newest_session(now)
        if f"{today}" <= run.tags[RANGE_END_TAG]:
            return dg.SkipReason(f"Session {today} is caught up with.")
        if latest_closed_bar(now, Timeframe.HOUR).closes_at.date() < today:
            return dg.SkipReason(f"No bar of session {today} has closed yet.")
        return dg.RunRequest(run_key=run.run_id, partition_key=today.isoformat())

    return sensor


def _is_replayed(settings: TradingSettings) -> bool:
    """Whether the missed sessions can be lived through afterwards: no broker was there to trade in them."""
    return settings.broker.kind == "simulated"


def _is_backfilling(instance: dg.DagsterInstance) -> bool:
    """Whether a range of sessions is being run, or the daemon is between two runs of a backfill."""
    unfinished = instance.get_runs(filters=dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    return any(RANGE_START_TAG in run.tags for run in unfinished) or bool(
        instance.get_backfills(filters=requested, limit=1)
    )
