"""The asset strategy/pairs on real history: what is stored is what decisions rest on, whatever the range."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.pairs import store_pairs
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import session
from trading_assets.domain.strategy.pairs import Discovery, Pair
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings
from trading_assets.strategies.buy_and_hold import BuyAndHold
from trading_assets.strategies.pairs_trading import PairsTrading

UNIVERSE = ["AAPL", "IBM", "MSFT"]
HISTORY, FIRST, LAST = date(2004, 1, 2), date(2005, 2, 24), date(2005, 3, 4)
DISCOVERY = date(2005, 3, 1)
"""The one first session of a month from FIRST to LAST."""

SETTINGS = TradingSettings.model_validate(
    {"source": "sample", "universe": UNIVERSE, "timeframes": ["1d"], "strategies": {}}
)
STRATEGY = PairsTrading(formation=60, window=20, max_hold=5, max_p_value=1.0, max_half_life=1000.0, entry=1.0)
PAIRS = ConfiguredStrategy("pairs_trading", STRATEGY, Timeframe.SESSION, 0.5)
BENCHMARK = ConfiguredStrategy("buy_and_hold", BuyAndHold(), Timeframe.SESSION, 0.5)
ASSETS = ["strategy/indicators", "strategy/pairs", "strategy/signals_pairs_trading", "strategy/signals_buy_and_hold"]


@dataclass
class FixedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


def run(database: Database, first: date, last: date, selection: list[str], clock: FixedClock) -> dict[str, int]:
    """The rows written by each materialised asset."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            strategy_assets(SETTINGS, [PAIRS, BENCHMARK]),
            instance=instance,
            resources={"database": database, "clock": clock},
            tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
            selection=selection,
        )
    return {
        event.asset_key.path[-1]: event.materialization.metadata["rows_written"].value
        for event in result.get_asset_materialization_events()
    }


def stored(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        return connection.execute("select * from strategy.pairs order by discovered_at, p_value").fetchall()


@pytest.fixture
def market_data(database: Database) -> Database:
    source = SampleSource()
    with database.transaction() as connection:
        store_bars(connection, source.bars(UNIVERSE, Timeframe.SESSION, HISTORY, LAST, datetime.now(UTC)))
        store_actions(connection, source.corporate_actions(UNIVERSE, HISTORY, LAST), source.name)
    return database


def test_pairs_of_a_range_are_those_of_their_session_and_decisions_name_them(market_data):
    afterwards = FixedClock(datetime(2013, 3, 4, tzinfo=UTC))
    written = run(market_data, FIRST, LAST, ASSETS, afterwards)
    pairs = stored(market_data)
    assert written["pairs"] == len(pairs) == 3
    with market_data.transaction() as connection:
        dates = connection.execute("select distinct session_date, pairs_tested from strategy.pairs").fetchall()
        selected = connection.execute("select symbol_y, symbol_x from strategy.pairs where is_selected").fetchall()
        ((y, x),) = selected
        reasons = connection.execute(
            "select distinct symbol from strategy.signals where decision_at >= %s and reason like %s order by symbol",
            (session(DISCOVERY).closes_at, f"{y} against %{x} (p %"),
        ).fetchall()
        held = connection.execute(
            "select min(signal), max(signal), count(*) from strategy.signals where strategy = 'buy_and_hold'"
        ).fetchall()
        grouped = connection.execute(
            "select distinct symbol from strategy.signals where leg_group is not null order by symbol"
        ).fetchall()
    assert grouped == reasons
    assert dates == [(DISCOVERY, 3)]
    assert held == [(1.0, 1.0, 7 * len(UNIVERSE))]
    assert reasons == [(symbol,) for symbol in sorted((y, x))]
    with market_data.transaction() as connection:
        connection.execute("truncate strategy.pairs")
    at_close = FixedClock(session(DISCOVERY).closes_at)
    assert run(market_data, DISCOVERY, DISCOVERY, ["strategy/pairs"], at_close) == {"pairs": 3}
    assert stored(market_data) == pairs
    assert run(market_data, FIRST, LAST, ["strategy/pairs"], afterwards) == {"pairs": 0}


def test_storing_other_pairs_of_a_discovery_replaces_them_and_leaves_those_of_others(database):
    close = session(DISCOVERY).closes_at
    one = Pair("A", "B", 0.5, 0.0, 4.0, 0.01, 0.02)
    found = [Discovery(DISCOVERY, close, (one,), (one,))]
    other = replace(PAIRS, name="other")
    after = session(FIRST).opens_at
    assert [store_pairs(database, owner, found, after, close) for owner in (PAIRS, other, PAIRS)] == [1, 1, 0]
    turned = replace(one, symbol_y="B", symbol_x="A")
    assert store_pairs(database, PAIRS, [Discovery(DISCOVERY, close, (turned,), ())], after, close) == 2
    with database.transaction() as connection:
        rows = connection.execute("select strategy, symbol_y, is_selected from strategy.pairs order by 1").fetchall()
    assert rows == [("other", "A", True), ("pairs_trading", "B", False)]
    assert store_pairs(database, PAIRS, [], close, close) == 0
    assert store_pairs(database, PAIRS, [], after, close) == 1


def test_without_a_strategy_that_trades_pairs_there_is_no_such_asset():
    assert dg.AssetKey(["strategy", "pairs"]) not in {asset.key for asset in strategy_assets(SETTINGS, [BENCHMARK])}
    assert dg.AssetKey(["strategy", "pairs"]) in {asset.key for asset in strategy_assets(SETTINGS, [PAIRS])}
