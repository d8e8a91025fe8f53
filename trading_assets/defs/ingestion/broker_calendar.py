"""The broker's calendar: kept in market.broker_sessions, and compared with the exchange calendar before anybody trades.

A session on which the two differ keeps its quality gates closed. Sources that are no broker have nothing to compare.
"""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.ports import BarSource, Clock
from trading_assets.adapters.postgres import broker_sessions as storage
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.checks import SessionCheck
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market import sessions
from trading_assets.domain.market.broker_calendar import CalendarDifference, calendar_differences
from trading_assets.quality.outcomes import FIRST_OFFENDERS, ExpectationOutcome
from trading_assets.quality.suites import Expectation, Severity
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

BROKER_SESSIONS = dg.AssetKey(["market", "broker_sessions"])
DAYS_AHEAD = timedelta(days=14)
"""How far ahead of the newest session the broker is asked, so that a difference is known before it matters."""

AGREEMENT = Expectation(
    "broker_trades_the_same_sessions",
    "The broker's calendar has the sessions of the exchange calendar, with the same opening and closing.",
    "BrokerCalendar",
)


@dg.asset(
    key=BROKER_SESSIONS,
    group_name="ingestion",
    kinds={"postgres"},
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    description=(
        "The broker's own trading days with opening and closing; a run of the newest session asks two weeks ahead. "
        "Empty when neither the source nor a fall-back is a broker."
    ),
)
def broker_sessions(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
    bar_source: dg.ResourceParam[BarSource],
) -> dg.MaterializeResult:
    from trading_assets.adapters.bar_sources import calendar_source

    first, last = session_range(context, clock)
    written = 0
    with one_line_failures():
        if broker := calendar_source(bar_source):
            days = broker.calendar(first, _known_until(last, clock.now()))
            with database.transaction() as connection:
                written = storage.store_calendar(connection, days, broker.name)
        return table_result(database, "market.broker_sessions", first, last, written)


def _known_until(last: date, now: datetime) -> date:
    is_newest = last == sessions.newest_session(now)
    return min(last + DAYS_AHEAD, sessions.LAST_DAY) if is_newest else last


def judge_calendar(
    connection: "psycopg.Connection",
    settings: TradingSettings,
    first: date,
    last: date,
    now: datetime,
    frame: "pd.DataFrame",
) -> ExpectationOutcome:
    """Whether the stored calendar of the broker has the sessions of first..last and, from the newest on, those to come.

    A session of first..last that differs, or that the broker was never asked about, touches its rows of the `frame`.
    Differences in sessions to come are a warning. Passes, and says so, when no broker is configured.
    """
    from trading_assets.adapters.bar_sources import calendar_vendor

    broker = calendar_vendor(settings)
    if broker is None:
        reason = f"not compared: source {settings.source} has no broker's calendar, and no fall-back has one"
        return _outcome(AGREEMENT, [], [], frame, reason)
    known = storage.stored_calendar(connection, broker, first, _known_until(last, now))
    here = calendar_differences(known, first, last)
    farthest = max((day.session_date for day in known), default=last)
    ahead = calendar_differences(known, last + timedelta(days=1), farthest) if farthest > last else []
    compared = f"{len(sessions.sessions_between(first, last))} sessions compared with the calendar of {broker}"
    if ahead and not here:
        warning = Expectation(
            AGREEMENT.name, AGREEMENT.description, AGREEMENT.type, severity=Severity.WARNING, blocking=False
        )
        return _outcome(warning, here, ahead, frame, compared)
    return _outcome(AGREEMENT, here, ahead, frame, compared)


def _outcome(
    expectation: Expectation,
    here: list[CalendarDifference],
    ahead: list[CalendarDifference],
    frame: "pd.DataFrame",
    observed: str,
) -> ExpectationOutcome:
    faulty = {difference.session_date for difference in here}
    rows = frame[frame["session_date"].isin(faulty)]
    return ExpectationOutcome(
        expectation=expectation,
        passed=not here and not ahead,
        unexpected_count=len(here) + len(ahead),
        offenders=tuple(
            {
                "session_date": difference.session_date.isoformat(),
                "fault": str(difference.fault),
                "exchange_hours": difference.exchange_hours,
                "broker_hours": difference.broker_hours,
            }
            for difference in (here + ahead)[:FIRST_OFFENDERS]
        ),
        touched=frozenset(zip(rows["session_date"], rows["symbol"], strict=True)),
        observed=observed,
        error=None,
    )


CALENDAR_CHECK = SessionCheck(AGREEMENT, judge_calendar)
