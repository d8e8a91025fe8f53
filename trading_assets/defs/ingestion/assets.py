"""Market data from the configured source into PostgreSQL: instruments, corporate actions and bars.

What a vendor's answer looks like belongs in its adapter, what makes bars acceptable in the checks.
"""

import dagster as dg

from trading_assets.adapters.event_relay import try_to_relay
from trading_assets.adapters.ports import BarSource, Clock, EventBus
from trading_assets.adapters.postgres.bar_histories import pack_histories
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.ingestion.halts import TRADING_HALTS
from trading_assets.defs.ingestion.history import History
from trading_assets.defs.materialization import report_rows_by_session, table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market import sessions
from trading_assets.settings import TradingSettings

INSTRUMENTS = dg.AssetKey(["market", "instruments"])
CORPORATE_ACTIONS = dg.AssetKey(["market", "corporate_actions"])
BARS = dg.AssetKey(["market", "bars"])


@dg.asset(
    key=INSTRUMENTS,
    group_name="ingestion",
    kinds={"postgres"},
    description="The symbols of the universe: name, exchange, sector, and the first session the source has bars of.",
)
def instruments(
    database: dg.ResourceParam[Database],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    with one_line_failures():
        found = bar_source.instruments(settings.universe)
        with database.transaction() as connection:
            written = store_instruments(connection, found, bar_source.name)
        try_to_relay(database, event_bus)
        return table_result(database, "market.instruments", None, None, written)


@dg.asset(
    key=CORPORATE_ACTIONS,
    group_name="ingestion",
    kinds={"postgres"},
    description=(
        "Splits and cash dividends of the universe. Not partitioned: sources publish actions late and correct old "
        "ones, so each run reads the whole history, which is small, and stores what is new or changed as a new version."
    ),
)
def corporate_actions(
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    with one_line_failures():
        # An action of the next session is known the evening before.
        last = sessions.next_session(clock.now().astimezone(sessions.NEW_YORK).date())
        actions = bar_source.corporate_actions(settings.universe, sessions.FIRST_DAY, last)
        with database.transaction() as connection:
            written = store_actions(connection, actions, bar_source.name)
        try_to_relay(database, event_bus)
        return table_result(database, "market.corporate_actions", None, None, written)


@dg.asset(
    key=BARS,
    group_name="ingestion",
    kinds={"postgres"},
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[INSTRUMENTS, TRADING_HALTS],
    description=(
        "Raw bars of the universe in every configured timeframe, as far as they have ended. A changed bar is stored as "
        "a new version, and its quality gate waits for the checks. A finished session without a bar fails the run."
    ),
)
def bars(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
    bar_source: dg.ResourceParam[BarSource],
    event_bus: dg.ResourceParam[EventBus],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    first, last = session_range(context, clock)
    with one_line_failures():
        written = History(database, bar_source, settings, first, last, clock.now()).store(context)
        pack_histories(database, settings.universe, settings.timeframes)
        try_to_relay(database, event_bus)
        report_rows_by_session(context, database, "market.bars", first, last)
        return table_result(database, "market.bars", first, last, written)
