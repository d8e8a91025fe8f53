"""The checks of ingested data: how each suite's frame is loaded, and the job that runs them by Great Expectations."""

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.postgres import quality, quality_frames
from trading_assets.defs.checks import Engine, Judged, Scope, suite_checks
from trading_assets.defs.ingestion import assets
from trading_assets.defs.ingestion.broker_calendar import BROKER_SESSIONS, CALENDAR_CHECK
from trading_assets.defs.ingestion.fundamentals import FINANCIALS, FUNDAMENTALS
from trading_assets.defs.ingestion.halts import HALF_DAY_CHECK, TRADING_HALTS, absent_bars
from trading_assets.domain.market.sessions import FIRST_DAY, LAST_DAY, NEW_YORK, is_session
from trading_assets.quality import suites
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd


def load_bars(scope: Scope) -> "pd.DataFrame":
    """The stored bars of first..last as the suite of bars judges them (domain.market.bar_rules.annotate_bars)."""
    from trading_assets.domain.market.bar_rules import HISTORY_DAYS, BarContext, annotate_bars

    database, settings, first, last, now = scope.database, scope.settings, scope.first, scope.last, scope.now
    history_start = first - timedelta(days=HISTORY_DAYS)
    with database.transaction() as connection:
        instruments = quality.known_symbols(connection)
        first_sessions = quality.first_stored_sessions(connection, settings.universe, settings.timeframes)
        stored = quality.stored_bars(database, history_start, last)
        absent = absent_bars(connection, stored, settings, first, last, now)
    context = BarContext(
        first=first,
        last=last,
        timeframes=settings.timeframes,
        universe=settings.universe,
        known_symbols=instruments | frozenset(settings.universe),
        first_sessions=first_sessions,
        actions=quality.known_actions(database, history_start, last),
        now=now,
        absent=absent,
    )
    return annotate_bars(stored, context)


def load_bar_sessions(scope: Scope) -> "pd.DataFrame":
    """What the bars of each session of first..last say together (domain.market.session_rules.annotate_sessions)."""
    from trading_assets.domain.market.session_rules import HISTORY_DAYS, annotate_sessions

    settings = scope.settings
    with scope.database.transaction() as connection:
        newest = quality_frames.newest_closes(connection, settings.universe, settings.timeframes, scope.last)
    counts = quality_frames.session_counts(scope.database, scope.first - timedelta(days=HISTORY_DAYS), scope.last)
    return annotate_sessions(counts, newest, settings.timeframes, scope.first, scope.last, scope.now)


def load_instruments(scope: Scope) -> "pd.DataFrame":
    """The symbols of the universe and of today, with the facts that they are judged by."""
    today = scope.now.astimezone(NEW_YORK).date()
    return quality_frames.judged_instruments(scope.database, scope.settings.universe, today)


def load_actions(scope: Scope) -> "pd.DataFrame":
    """All corporate actions; is_on_session is empty for days that the calendar does not cover."""
    actions = quality_frames.judged_actions(scope.database)
    is_covered = actions["ex_date"].between(FIRST_DAY, LAST_DAY)
    return actions.assign(is_on_session=actions["ex_date"].where(is_covered).map(is_session, na_action="ignore"))


def load_financials(scope: Scope) -> "pd.DataFrame":
    """All reported figures."""
    return quality_frames.judged_financials(scope.database)


def load_fundamentals(scope: Scope) -> "pd.DataFrame":
    """All observed facts."""
    return quality_frames.judged_fundamentals(scope.database)


bars_checks = suite_checks(
    "bars_suite",
    [Judged(assets.BARS, suites.BARS, load_bars, session_checks=[CALENDAR_CHECK, HALF_DAY_CHECK])],
    compared_with=[assets.INSTRUMENTS, assets.CORPORATE_ACTIONS, BROKER_SESSIONS, TRADING_HALTS],
)

# One operation, because each one costs a run a tenth of a second.
market_checks = suite_checks(
    "market_suites",
    [
        Judged(assets.BARS, suites.BAR_SESSIONS, load_bar_sessions),
        Judged(assets.INSTRUMENTS, suites.INSTRUMENTS, load_instruments),
        Judged(assets.CORPORATE_ACTIONS, suites.CORPORATE_ACTIONS, load_actions),
    ],
)

company_checks = suite_checks(
    "company_suites",
    [
        Judged(FINANCIALS, suites.FINANCIALS, load_financials),
        Judged(FUNDAMENTALS, suites.FUNDAMENTALS, load_fundamentals),
    ],
    compared_with=[assets.INSTRUMENTS],
)

WITH_GREAT_EXPECTATIONS = {"config": {"engine": str(Engine.GREAT_EXPECTATIONS), "last_sessions": 20}}

validate_data_quality_job = dg.define_asset_job(
    "validate_data_quality_job",
    selection=dg.AssetSelection.checks(bars_checks, market_checks, company_checks),
    config={"ops": dict.fromkeys(("bars_suite", "market_suites", "company_suites"), WITH_GREAT_EXPECTATIONS)},
    description=(
        "All suites by Great Expectations over the last 20 sessions, with the results in ops.validations. "
        "The same suites run at every tick without importing it."
    ),
)


@dg.schedule(
    job=validate_data_quality_job,
    cron_schedule="0 18 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After the close, when the day's last bars and corrections are in.",
)
def validate_data_quality_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    if settings.clock == "replay":
        return dg.SkipReason("In a rehearsal (trading.yaml: `clock: replay`) the wall's time starts nothing.")
    if settings.source == "sample":
        return dg.SkipReason("The bundled history does not change: start the job by hand to see its results.")
    today = context.scheduled_execution_time.astimezone(NEW_YORK).date()
    if not is_session(today):
        return dg.SkipReason(f"{today} is no trading session.")
    return dg.RunRequest(run_key=today.isoformat())
