"""Halts of trading, and the other bars that nobody should expect: what is missing for a known reason is no gap."""

from datetime import date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_halts import known_halts, store_halts
from trading_assets.defs.checks import SessionCheck
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import table_result
from trading_assets.domain.market.halts import AbsentBar, halted_bars, halted_sessions
from trading_assets.domain.values import Timeframe
from trading_assets.quality.outcomes import FIRST_OFFENDERS, ExpectationOutcome
from trading_assets.quality.suites import Expectation, Severity
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

    from trading_assets.domain.market.half_days import MissingEnd

TRADING_HALTS = dg.AssetKey(["market", "trading_halts"])
FILE = "halts_file"

COMPLETE_HALF_DAYS = Expectation(
    "half_days_have_their_last_hour",
    "No half day lacks the hour that Yahoo's hourly bars leave out. It warns only: the hour will never come.",
    "HalfDayEnds",
    severity=Severity.WARNING,
    blocking=False,
)


@dg.asset(
    key=TRADING_HALTS,
    group_name="ingestion",
    kinds={"postgres"},
    description=(
        "Halts of trading from `halts_file`, empty without one. A bar that lies in a halt as a whole is no gap. The "
        "file is the whole list: a halt that it lists no longer is withdrawn."
    ),
)
def trading_halts(
    database: dg.ResourceParam[Database], settings: dg.ResourceParam[TradingSettings]
) -> dg.MaterializeResult:
    from trading_assets.adapters.halts_file import read_halts

    with one_line_failures():
        halts = read_halts(settings.halts_file) if settings.halts_file else []
        with database.transaction() as connection:
            written = store_halts(connection, halts, FILE)
        return table_result(database, "market.trading_halts", None, None, written)


def sessions_without_trading(database: Database, first: date, last: date) -> frozenset[tuple[str, date]]:
    """The (symbol, session) pairs in first..last that were halted from the opening to the close."""
    with database.transaction() as connection:
        return halted_sessions(known_halts(connection, first, last), first, last)


def absent_bars(
    connection: "psycopg.Connection",
    bars: "pd.DataFrame",
    settings: TradingSettings,
    first: date,
    last: date,
    now: datetime,
) -> frozenset[AbsentBar]:
    """The bars of first..last that nobody should expect beside the stored `bars` (BAR_COLUMNS).

    They lie in a halt as a whole, or are the last hours of half days that a vendor lacks.
    """
    from trading_assets.domain.market.half_days import end_of_half_day

    halted = halted_bars(known_halts(connection, first, last), settings.timeframes, first, last)
    lacking = (
        AbsentBar(symbol, str(Timeframe.HOUR), end.ts)
        for symbol, day in _missing_ends(bars, first, last, now)
        if (end := end_of_half_day(day))
    )
    return halted | frozenset(lacking)


def judge_half_days(
    _connection: "psycopg.Connection",
    _settings: TradingSettings,
    first: date,
    last: date,
    now: datetime,
    frame: "pd.DataFrame",
) -> ExpectationOutcome:
    """Whether a half day of first..last lacks its last hour for the reason that excuses it from being a gap."""
    missing = _missing_ends(frame[frame["is_stored"].astype(bool)], first, last, now)
    return ExpectationOutcome(
        expectation=COMPLETE_HALF_DAYS,
        passed=not missing,
        unexpected_count=len(missing),
        offenders=tuple(
            {"session_date": day.isoformat(), "symbol": symbol} for symbol, day in missing[:FIRST_OFFENDERS]
        ),
        touched=frozenset(),
        observed=None,
        error=None,
    )


def _missing_ends(bars: "pd.DataFrame", first: date, last: date, now: datetime) -> "list[MissingEnd]":
    from trading_assets.domain.market.half_days import missing_ends

    return missing_ends(bars[bars["timeframe"] == Timeframe.HOUR], first, last, now)


HALF_DAY_CHECK = SessionCheck(COMPLETE_HALF_DAYS, judge_half_days)
