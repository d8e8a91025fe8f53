"""The best bid and offer of the universe at this moment, from a source that quotes."""

from datetime import datetime

import dagster as dg

from trading_assets.adapters.event_relay import try_to_relay
from trading_assets.adapters.ports import BarSource, EventBus, QuoteSource
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.quotes import store_quotes
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import table_result
from trading_assets.domain.market.sessions import NEW_YORK, is_session, session
from trading_assets.settings import TradingSettings

QUOTES = dg.AssetKey(["market", "quotes"])


@dg.asset(
    key=QUOTES,
    group_name="ingestion",
    kinds={"postgres"},
    description=(
        "The newest quote of each symbol of the universe, stored once as it was seen. Not partitioned: nobody can ask "
        "for the quotes of a past moment. Fails with a source that does not quote; Alpaca does."
    ),
)
def quotes(
    database: dg.ResourceParam[Database],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    with one_line_failures():
        source = _with_quotes(bar_source)
        found = source.latest_quotes(settings.universe)
        with database.transaction() as connection:
            written = store_quotes(connection, found, source.name)
        try_to_relay(database, event_bus)
        return table_result(database, "market.quotes", None, None, written)


fetch_quotes_job = dg.define_asset_job(
    "fetch_quotes_job",
    selection=dg.AssetSelection.assets(QUOTES),
    description="The newest quote of each symbol of the universe.",
)


@dg.schedule(
    job=fetch_quotes_job,
    cron_schedule="* 9-16 * * 1-5",
    execution_timezone=str(NEW_YORK),
    description="Every minute while the exchange is open. Start it when your source quotes.",
)
def fetch_quotes_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    at = context.scheduled_execution_time
    if not _is_open(at):
        return dg.SkipReason(f"The exchange is closed at {at.astimezone(NEW_YORK):%H:%M} in New York.")
    return dg.RunRequest(run_key=at.isoformat())


def _is_open(at: datetime) -> bool:
    day = at.astimezone(NEW_YORK).date()
    return is_session(day) and session(day).opens_at <= at <= session(day).closes_at


def _with_quotes(source: BarSource) -> QuoteSource:
    """The configured source or the first of its fall-backs that quotes."""
    from trading_assets.adapters.bar_sources import FallbackSource

    for candidate in source.sources if isinstance(source, FallbackSource) else [source]:
        if isinstance(candidate, QuoteSource):
            return candidate
    raise dg.Failure(
        f"Source {source.name} does not quote: choose alpaca as source or among fallbacks in trading.yaml.",
        allow_retries=False,
    )
