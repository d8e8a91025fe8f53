"""What runs by itself across stages: the hourly tick, the end of the day, and the backfill of the whole graph.

Sensors of one stage stand beside its assets. Everything here can be seen, started and stopped in the Dagster UI.
"""

from datetime import datetime

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs import catch_up
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, ORDERS, POSITIONS
from trading_assets.defs.execution.reconciliation import RECONCILIATION
from trading_assets.defs.ingestion.jobs import MARKET_DATA, fetch_market_data_job
from trading_assets.defs.risk.assets import ALERTS, DASHBOARD, PORTFOLIO_RISK
from trading_assets.defs.strategy.backtests import BACKTESTS
from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, is_session, latest_closed_bar, newest_session
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

MAX_RUNTIME = {"dagster/max_runtime": "3600"}

# The checks of strategies prove them over their whole history, which takes as long as a hundred ticks. A backtest has a
# name and no session.
_STRATEGIES = dg.AssetSelection.groups("strategy") - dg.AssetSelection.assets(BACKTESTS)
_DATA_TO_TARGETS = MARKET_DATA | _STRATEGIES.without_checks()
_ANALYTICS = dg.AssetSelection.groups("analytics")
_RISK = dg.AssetSelection.assets(PORTFOLIO_RISK, ALERTS, DASHBOARD)

backfill_job = dg.define_asset_job(
    "backfill_job",
    selection=_DATA_TO_TARGETS
    | dg.AssetSelection.assets(APPROVED_ORDERS, ORDERS, FILLS, POSITIONS)
    | _RISK
    | _ANALYTICS,
    description="The whole graph over past sessions, from bars to reports. It replays and never sends an order.",
)

refresh_data_job = dg.define_asset_job(
    "refresh_data_job",
    selection=_DATA_TO_TARGETS | _ANALYTICS,
    description="Bars, checks, indicators, signals, targets and reports of past sessions, without any trading.",
)

hourly_tick_job = dg.define_asset_job(
    "hourly_tick_job",
    selection=_DATA_TO_TARGETS | dg.AssetSelection.assets(APPROVED_ORDERS),
    tags=MAX_RUNTIME,
    description="At a bar's close: bars, checks, indicators, signals, targets and the review, in one run.",
)

end_of_day_job = dg.define_asset_job(
    "end_of_day_job",
    selection=dg.AssetSelection.assets(FILLS, POSITIONS, RECONCILIATION) | _RISK | _ANALYTICS,
    tags=MAX_RUNTIME,
    description="After the close: the last fills, fees and marks, the ledger's checks, the risk, marts and report.",
)


# One minute after each bar close of a session; on a half day the last one is at 13:01.
_AFTER_BAR_CLOSES = ["31 10-15 * * 1-5", "1 13,16 * * 1-5"]

catch_up_sensor = catch_up.catch_up_sensor(backfill_job, refresh_data_job)
tick_after_catch_up_sensor = catch_up.tick_after_catch_up_sensor(hourly_tick_job, [backfill_job, refresh_data_job])


@dg.schedule(
    job=hourly_tick_job,
    cron_schedule=_AFTER_BAR_CLOSES,
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="One minute after each bar close of a session; on a half day the last tick is at 13:01.",
)
def hourly_tick_schedule(
    context: dg.ScheduleEvaluationContext,
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    return _request(context.scheduled_execution_time, settings, clock, database)


@dg.schedule(
    job=end_of_day_job,
    cron_schedule=["15 13,16 * * 1-5"],
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A quarter of an hour after the session's close.",
)
def end_of_day_schedule(
    context: dg.ScheduleEvaluationContext,
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    return _request(context.scheduled_execution_time, settings, clock, database, only_after_close=True)


@dg.schedule(
    job=fetch_market_data_job,
    cron_schedule=_AFTER_BAR_CLOSES,
    execution_timezone=str(NEW_YORK),
    description="Start it instead of hourly_tick_schedule to collect data and not to trade.",
)
def fetch_market_data_schedule(
    context: dg.ScheduleEvaluationContext,
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
    database: dg.ResourceParam[Database],
) -> dg.RunRequest | dg.SkipReason:
    return _request(context.scheduled_execution_time, settings, clock, database)


def _request(
    scheduled_at: datetime,
    settings: TradingSettings,
    clock: Clock,
    database: Database,
    *,
    only_after_close: bool = False,
) -> dg.RunRequest | dg.SkipReason:
    """A run for the session of `scheduled_at`, if a bar of it closed within the last quarter of an hour.

    The scheduler makes up for the ticks of an outage one by one: of those only the newest is worth a run, and none is
    before the sessions that were missed are caught up with.
    """
    if settings.clock == "replay":
        return dg.SkipReason("In a rehearsal (trading.yaml: `clock: replay`) the wall's time starts nothing.")
    if settings.source == "sample":
        return dg.SkipReason("The bundled history has no bars of today: choose a live source in trading.yaml.")
    today = scheduled_at.astimezone(NEW_YORK).date()
    if not is_session(today):
        return dg.SkipReason(f"{today} is no trading session.")
    closes = [bounds.closes_at for bounds in bar_bounds(today, Timeframe.HOUR)][-1 if only_after_close else 0 :]
    closed = [close for close in closes if 0 <= (scheduled_at - close).total_seconds() <= 15 * 60]
    if not closed:
        return dg.SkipReason(f"No bar of session {today} closed just before {scheduled_at:%H:%M}.")
    now = clock.now()
    if newest_session(now) > today or latest_closed_bar(now, Timeframe.HOUR).closes_at > closed[-1]:
        return dg.SkipReason(f"The tick of {scheduled_at:%Y-%m-%d %H:%M} is late: a newer bar has closed since.")
    missed = catch_up.sessions_to_catch_up(database, settings, now)
    if catch_up.is_within_reach(missed, settings):
        return dg.SkipReason(f"catch_up_sensor makes up for sessions {missed[0]} to {missed[-1]} first.")
    return dg.RunRequest(run_key=scheduled_at.isoformat(), partition_key=today.isoformat())
