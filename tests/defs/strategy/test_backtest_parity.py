"""Sixty sessions come out the same, to the last byte, at once, in turn, tick by tick, and as a backtest in memory.

On the bundled configuration and history. Ticks that decide as well, by the hour, take too long for every time:
tests/defs/execution/test_parity_by_the_hour.py. Signals session by session are in test_strategy_assets.py and, of sixty
sessions, in tests/unit/domain/test_parity_catches_defects.py.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from standins.led_platform import LedPlatform
from standins.parity import recorded_hash, signals_of, stored_signals

from trading_assets.adapters.backtests import plan_backtest, run_journal
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import BARS_DATASET, store_bars
from trading_assets.adapters.postgres.market_record import read_market_record
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.adapters.postgres.strategy import targets_between
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.execution.assets import APPROVED_ORDERS, trading_session
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.settings import PROJECT_ROOT, load_trading_settings

SETTINGS = load_trading_settings(PROJECT_ROOT / "trading.yaml")
# Sixty-two sessions, with dividends, after enough history for the averages.
HISTORY, FIRST, LAST = date(2010, 9, 1), date(2011, 6, 1), date(2011, 8, 26)
AFTERWARDS = datetime(2013, 6, 3, tzinfo=UTC)


class Afterwards:
    def now(self) -> datetime:
        return AFTERWARDS


@pytest.fixture
def stored(database: Database) -> Database:
    """Bars, corporate actions and open gates of the sessions and of the history before; those of MSFT close in July."""
    source = SampleSource()
    bars = source.bars(SETTINGS.universe, Timeframe.SESSION, HISTORY, LAST, AFTERWARDS)
    judged = {(day, symbol): [] for day, symbol in zip(bars["session_date"], bars["symbol"], strict=True)}
    judged |= {(day, "MSFT"): ["bars_have_no_gaps"] for day in sessions_between(date(2011, 7, 1), LAST)}
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(SETTINGS.universe), source.name)
        store_bars(connection, bars)
        store_actions(connection, source.corporate_actions(SETTINGS.universe, HISTORY, LAST), source.name)
        hold_gates(connection)
        write_gates(connection, BARS_DATASET, judged, AFTERWARDS)
    return database


def materialise(database: Database, assets: list[dg.AssetsDefinition]) -> None:
    """These assets over all of the sessions at once."""
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            assets,
            instance=instance,
            resources={
                "database": database,
                "settings": SETTINGS,
                "clock": Afterwards(),
                "broker": dg.ResourceDefinition.none_resource(),
            },
            tags={"dagster/asset_partition_range_start": f"{FIRST}", "dagster/asset_partition_range_end": f"{LAST}"},
        )


def row_counts(database: Database) -> list[int]:
    tables = ("strategy.indicators", "strategy.signals", "strategy.targets", "risk.verdicts", "execution.equity")
    with database.transaction() as connection:
        return [connection.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]


@pytest.mark.timeout(900)
def test_sixty_sessions_come_out_the_same_in_four_ways(stored: Database, new_database: Callable[..., Database]) -> None:
    record = read_market_record(stored, SETTINGS, FIRST, LAST, AFTERWARDS)
    plan = plan_backtest(SETTINGS, record, {})
    journal = run_journal(plan, record)
    assert not any(row_counts(stored)), "a backtest writes nothing of the recorded ledger"

    materialise(stored, strategy_assets(SETTINGS))
    in_turn, live = new_database(stored), new_database(stored)
    materialise(stored, [trading_session])
    expected, decided = ledger_hash(stored), stored_signals(stored, FIRST, LAST)
    sessions = sessions_between(FIRST, LAST)
    assert len(sessions) >= 60
    assert len(journal.fills) >= 8
    assert {verdict.outcome.value for verdict in journal.verdicts} >= {"approved", "denied"}

    assert signals_of(record, plan) == decided
    versions = {one.name: one.version for one in plan.strategies}
    assert record.targets(plan.strategies) == targets_between(stored, versions, FIRST, LAST)
    assert recorded_hash(new_database(), plan, journal) == expected

    for day in sessions:
        TradingDesk(in_turn, SETTINGS, AFTERWARDS).replay(day, day)
    assert ledger_hash(in_turn) == expected

    # Every session at its close: the review of what is decided, then what the sensors ask for.
    with dg.DagsterInstance.ephemeral() as instance:
        led = LedPlatform(live, SETTINGS, AFTERWARDS, instance=instance)
        ran = led.live(FIRST, LAST, [APPROVED_ORDERS], Timeframe.SESSION)
    assert ran == {"execute_trades_job", "manage_orders_job"}
    assert ledger_hash(live) == expected
