"""Statements and facts about the companies of the universe, from the vendor that knows them, daily or when asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from trading_assets.adapters.event_relay import try_to_relay
from trading_assets.adapters.ports import EventBus, FundamentalsSource
from trading_assets.adapters.postgres import fundamentals as storage
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.ingestion.assets import INSTRUMENTS
from trading_assets.defs.materialization import table_result
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import psycopg

FINANCIALS = dg.AssetKey(["market", "financials"])
FUNDAMENTALS = dg.AssetKey(["market", "fundamentals"])
Answer = TypeVar("Answer", ReportedFigure, ObservedFact)


def _company_asset(
    key: dg.AssetKey,
    description: str,
    ask: Callable[[FundamentalsSource, Sequence[str]], Sequence[Answer]],
    store: Callable[[psycopg.Connection, Sequence[Answer], str], int],
) -> dg.AssetsDefinition:
    """An asset that asks about one company after the other, so that a failure leaves the earlier ones stored."""

    @dg.asset(key=key, group_name="ingestion", kinds={"postgres"}, deps=[INSTRUMENTS], description=description)
    def company_data(
        database: dg.ResourceParam[Database],
        fundamentals_source: dg.ResourceParam[FundamentalsSource],
        event_bus: dg.ResourceParam[EventBus],
        settings: dg.ResourceParam[TradingSettings],
    ) -> dg.MaterializeResult:
        written = 0
        with one_line_failures():
            for symbol in settings.universe:
                answers = ask(fundamentals_source, [symbol])
                with database.transaction() as connection:
                    written += store(connection, answers, fundamentals_source.name)
            try_to_relay(database, event_bus)
            result = table_result(database, ".".join(key.path), None, None, written)
        vendor = settings.company_vendor or f"nobody: {settings.source} knows no companies, see `fundamentals`"
        return dg.MaterializeResult(metadata={**result.metadata, "asked": vendor})

    return company_data


financials = _company_asset(
    FINANCIALS,
    "Lines of income statements, balance sheets and cash flows of the universe. An amount counts from its filing where "
    "the vendor tells it, else from when it was first seen; a restated amount is a new version. Nothing is stored with "
    "a source that knows no companies.",
    lambda source, symbols: source.figures(symbols),
    storage.store_figures,
)
fundamentals = _company_asset(
    FUNDAMENTALS,
    "Company profile and key statistics of the universe; from Yahoo also officers, earnings dates, recommendations and "
    "institutional holders. A changed fact is a new version. Nothing is stored with a source that knows no companies.",
    lambda source, symbols: source.facts(symbols),
    storage.store_facts,
)

fetch_fundamentals_job = dg.define_asset_job(
    "fetch_fundamentals_job",
    selection=dg.AssetSelection.assets(INSTRUMENTS, FINANCIALS, FUNDAMENTALS),
    description="Statements and facts about the companies of the universe.",
)


@dg.schedule(
    job=fetch_fundamentals_job,
    cron_schedule="0 8 * * 1-5",
    execution_timezone=str(NEW_YORK),
    description="Before the session, when nobody else needs the vendor's requests. Start it when your source has them.",
)
def fetch_fundamentals_schedule() -> dg.RunRequest:
    return dg.RunRequest()
