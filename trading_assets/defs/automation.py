"""What runs by itself across stages: the hourly tick, the end of the day, and the backfill of the whole graph.

Sensors of one stage stand beside its assets. Everything here can be seen, started and stopped in the Dagster UI.
"""

from datetime import datetime

import dagster as dg

from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.ingestion.fundamentals import FINANCIALS, FUNDAMENTALS
from trading_assets.defs.ingestion.vendor_comparisons import VENDOR_COMPARISONS
from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, is_session
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

MAX_RUNTIME = {"dagster/max_runtime": "3600"}

# Companies report by the quarter, and a comparison of vendors decides nothing: no reason to ask at every tick.
_DATA_TO_TARGETS = dg.AssetSelection.groups("ingestion", "strategy") - dg.AssetSelection.assets(
    FINANCIALS, FUNDAMENTALS, VENDOR_COMPARISONS
)
_ANALYTICS = dg.AssetSelection.groups("analytics")

backfill_job = dg.define_asset_job(
    "backfill_job",
    selection=_DATA_TO_TARGETS | dg.AssetSelection.assets(APPROVED_ORDERS, ORDERS, FILLS, POSITIONS) | _ANALYTICS,
    description="The whole graph over past sessions, from bars to reports. It replays and never sends an order.",
)

hourly_tick_job = dg.define_asset_job(
    "hourly_tick_job",
    selection=_DATA_TO_TARGETS | dg.AssetSelection.assets(APPROVED_ORDERS),
    tags=MAX_RUNTIME,
    description="At a bar's close: bars, checks, indicators, signals, targets and the review, in one run.",
)

end_of_day_job = dg.define_asset_job(
    "end_of_day_job",
    selection=dg.AssetSelection.assets(FILLS, POSITIONS) | _ANALYTICS,
    tags=MAX_RUNTIME,
    description="After the close: the last fills, fees and marks, then the marts, the performance and the report.",
)


@dg.schedule(
    job=hourly_tick_job,
    cron_schedule=["31 10-15 * * 1-5", "1 13,16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="One minute after each bar close of a session; on a half day the last tick is at 13:01.",
)
def hourly_tick_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    return _request(context.scheduled_execution_time, settings)


@dg.schedule(
    job=end_of_day_job,
    cron_schedule=["15 13,16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A quarter of an hour after the session's close.",
)
def end_of_day_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    return _request(context.scheduled_execution_time, settings, only_after_close=True)


def _request(
    scheduled_at: datetime, settings: TradingSettings, *, only_after_close: bool = False
) -> dg.RunRequest | dg.SkipReason:
    """A run for the session of `scheduled_at`, if a bar of it closed within the last quarter of an hour."""
    if settings.clock == "replay":
        return dg.SkipReason("In a rehearsal (trading.yaml: `clock: replay`) the wall's time starts nothing.")
    if settings.source == "sample":
        return dg.SkipReason("The bundled history has no bars of today: choose a live source in trading.yaml.")
    today = scheduled_at.astimezone(NEW_YORK).date()
    if not is_session(today):
        return dg.SkipReason(f"{today} is no trading session.")
    closes = [bounds.closes_at for bounds in bar_bounds(today, Timeframe.HOUR)][-1 if only_after_close else 0 :]
    if not any(0 <= (scheduled_at - close).total_seconds() <= 15 * 60 for close in closes):
        return dg.SkipReason(f"No bar of session {today} closed just before {scheduled_at:%H:%M}.")
    return dg.RunRequest(run_key=scheduled_at.isoformat(), partition_key=today.isoformat())
