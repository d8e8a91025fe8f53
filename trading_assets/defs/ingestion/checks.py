"""The checks of stored bars."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres import quality
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.checks import suite_checks
from trading_assets.defs.ingestion import assets
from trading_assets.defs.ingestion.broker_calendar import BROKER_SESSIONS, CALENDAR_CHECK
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
    context = BarContext(
        first=first,
        last=last,
        timeframes=settings.timeframes,
        universe=settings.universe,
        known_symbols=instruments | frozenset(settings.universe),
        first_sessions=first_sessions,
        actions=quality.known_actions(database, history_start, last),
        now=now,
    )
    return annotate_bars(quality.stored_bars(database, history_start, last), context)


bars_checks = suite_checks(
    assets.BARS,
    BARS,
    load_bars,
    compared_with=[assets.INSTRUMENTS, assets.CORPORATE_ACTIONS, BROKER_SESSIONS],
    session_checks=[CALENDAR_CHECK],
)
