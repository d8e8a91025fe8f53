"""Statements and facts about the companies of the universe, from sources that have them, once a day or when asked."""

import dagster as dg

from trading_assets.adapters.event_relay import try_to_relay
from trading_assets.adapters.ports import BarSource, EventBus, FundamentalsSource
from trading_assets.adapters.postgres import fundamentals as storage
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.ingestion.assets import INSTRUMENTS
from trading_assets.defs.materialization import table_result
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.settings import TradingSettings

FINANCIALS = dg.AssetKey(["market", "financials"])
FUNDAMENTALS = dg.AssetKey(["market", "fundamentals"])


@dg.asset(
    key=FINANCIALS,
    group_name="ingestion",
    kinds={"postgres"},
    deps=[INSTRUMENTS],
    description=(
        "Lines of income statements, balance sheets and cash flows of the universe. A restated amount is a new "
        "version, known from the moment it was seen. Sources without statements fail the run."
    ),
)
def financials(
    database: dg.ResourceParam[Database],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    with one_line_failures():
        source = _with_fundamentals(bar_source)
        figures = source.figures(settings.universe)
        with database.transaction() as connection:
            written = storage.store_figures(connection, figures, source.name)
        try_to_relay(database, event_bus)
        return table_result(database, "market.financials", None, None, written)


@dg.asset(
    key=FUNDAMENTALS,
    group_name="ingestion",
    kinds={"postgres"},
    deps=[INSTRUMENTS],
    description=(
        "Company profile and officers, key statistics, earnings dates, recommendations and institutional holders of "
        "the universe. A changed fact is a new version. Sources without such facts fail the run."
    ),
)
def fundamentals(
    database: dg.ResourceParam[Database],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    with one_line_failures():
        source = _with_fundamentals(bar_source)
        facts = source.facts(settings.universe)
        with database.transaction() as connection:
            written = storage.store_facts(connection, facts, source.name)
        try_to_relay(database, event_bus)
        return table_result(database, "market.fundamentals", None, None, written)


fetch_fundamentals_job = dg.define_asset_job(
    "fetch_fundamentals_job",
    selection=dg.AssetSelection.assets(INSTRUMENTS, FINANCIALS, FUNDAMENTALS),
    description="Statements and facts about the companies of the universe, from a source that has them.",
)


@dg.schedule(
    job=fetch_fundamentals_job,
    cron_schedule="0 8 * * 1-5",
    execution_timezone=str(NEW_YORK),
    description="Before the session, when nobody else needs the vendor's requests. Start it when your source has them.",
)
def fetch_fundamentals_schedule() -> dg.RunRequest:
    return dg.RunRequest()


def _with_fundamentals(source: BarSource) -> FundamentalsSource:
    """The configured source or the first of its fall-backs that knows companies."""
    from trading_assets.adapters.bar_sources import FallbackSource

    for candidate in source.sources if isinstance(source, FallbackSource) else [source]:
        if isinstance(candidate, FundamentalsSource):
            return candidate
    raise dg.Failure(
        f"Source {source.name} has no fundamentals: choose yahoo as source or among fallbacks in trading.yaml.",
        allow_retries=False,
    )
