"""The checks of stored bars."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres import quality
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.checks import suite_checks
from trading_assets.defs.ingestion import assets
from trading_assets.defs.ingestion.broker_calendar import BROKER_SESSIONS, CALENDAR_CHECK
from trading_assets.defs.ingestion.halts import HALF_DAY_CHECK, TRADING_HALTS, absent_bars
from trading_assets.quality.suites import BARS
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd


def load_bars(database: Database, settings: TradingSettings, first: date, last: date, now: datetime) -> pd.DataFrame:
    """The stored bars of first..last as the suite of bars judges them (domain.market.bar_rules.annotate_bars)."""
    from trading_assets.domain.market.bar_rules import HISTORY_DAYS, BarContext, annotate_bars

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


bars_checks = suite_checks(
    assets.BARS,
    BARS,
    load_bars,
    compared_with=[assets.INSTRUMENTS, assets.CORPORATE_ACTIONS, BROKER_SESSIONS, TRADING_HALTS],
    session_checks=[CALENDAR_CHECK, HALF_DAY_CHECK],
)
