"""Sessions of 2008 with short sales come out the same at once, in turn and in memory, where falls of a tenth bind."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from standins.parity import open_gates, recorded_hash

from trading_assets.adapters.backtests import plan_backtest, run_journal
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.market_record import read_market_record
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Side, Timeframe
from trading_assets.settings import TradingSettings

STRATEGY = """
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy


class EveryOther(Strategy):
    "Short every second day."

    name = "every_other"
    version = "1"

    class Parameters(StrategyParameters):
        "None."

    parameters: Parameters

    def indicators(self):
        return ()

    def signals(self, view):
        signals = [-float(day.toordinal() % 2) for day in view.bars["session_date"]]
        return view.signals(signals, ["every second day"] * len(signals))
"""


@pytest.fixture
def settings(tmp_path: Path) -> TradingSettings:
    (tmp_path / "every_other.py").write_text(STRATEGY)
    return TradingSettings.model_validate(
        {
            "source": "sample",
            "universe": ["AAPL", "GOOG", "IBM", "MSFT"],
            "timeframes": ["1d"],
            "strategies_folder": str(tmp_path),
            "strategies": {"every_other": {"capital_weight": 0.3}},
            "risk": {"allow_short": True, "stop_all_drawdown": 0.9, "stop_all_daily_loss": 0.5},
        }
    )


HISTORY, FIRST, LAST = date(2008, 3, 3), date(2008, 9, 15), date(2008, 10, 31)
AFTERWARDS = datetime(2013, 6, 3, tzinfo=UTC)


class Afterwards:
    def now(self) -> datetime:
        return AFTERWARDS


@pytest.fixture
def stored(database: Database, settings: TradingSettings) -> Database:
    source, universe = SampleSource(), settings.universe
    bars = source.bars(universe, Timeframe.SESSION, HISTORY, LAST, AFTERWARDS)
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(universe), source.name)
        store_bars(connection, bars)
        store_actions(connection, source.corporate_actions(universe, HISTORY, LAST), source.name)
    open_gates(database, bars, AFTERWARDS)
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            strategy_assets(settings),
            instance=instance,
            resources={"database": database, "settings": settings, "clock": Afterwards()},
            tags={"dagster/asset_partition_range_start": f"{FIRST}", "dagster/asset_partition_range_end": f"{LAST}"},
        )
    return database


def test_short_sales_come_out_the_same_in_three_ways(
    stored: Database, settings: TradingSettings, new_database: Callable[..., Database]
) -> None:
    record = read_market_record(stored, settings, FIRST, LAST, AFTERWARDS)
    plan = plan_backtest(settings, record, {})
    journal = run_journal(plan, record)
    sold = [one for one in journal.verdicts if one.intent.side is Side.SELL]
    restricted = {one.intent.session_date for one in sold if "SHORT_SALE_RESTRICTED" in one.reason_codes}
    # The other falls of these weeks were on days on which nothing is sold.
    assert restricted == {date(2008, 10, 22)}
    assert any(not one.reason_codes for one in sold)
    assert {"INPUT_MISSING", "NOT_BORROWABLE"}.isdisjoint(code for one in sold for code in one.reason_codes)
    expected = recorded_hash(new_database(), plan, journal)

    in_turn = new_database(stored)
    TradingDesk(stored, settings, AFTERWARDS).replay(FIRST, LAST)
    assert ledger_hash(stored) == expected
    for day in sessions_between(FIRST, LAST):
        TradingDesk(in_turn, settings, AFTERWARDS).replay(day, day)
    assert ledger_hash(in_turn) == expected
