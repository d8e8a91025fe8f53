"""Sizing by risk in the asset graph: returns and sectors are read point in time, and a range is its single sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import sector_facts, store_instruments
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

UNIVERSE = ["AAPL", "IBM", "MSFT"]
FIRST, LAST = date(2005, 2, 24), date(2005, 3, 2)
"""Five sessions around the two-for-one split of AAPL on 2005-02-28."""

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": UNIVERSE,
        "timeframes": ["1d"],
        "strategies": {
            "sma_crossover": {
                "capital_weight": 0.5,
                "parameters": {"fast": 5, "slow": 20},
                "sizing": "equal_risk_contribution",
                "sizing_lookback": 20,
                "max_sector_weight": 0.3,
            },
            "rsi_reversion": {
                "capital_weight": 0.4,
                "parameters": {"period": 5, "entry": 50, "max_hold": 7},
                "sizing": "mean_variance",
            },
        },
    }
)


class FixedClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def market_data(database: Database) -> Database:
    source, begin = SampleSource(), date(2004, 9, 1)
    with database.transaction() as connection:
        store_bars(connection, source.bars(UNIVERSE, Timeframe.SESSION, begin, LAST, datetime.now(UTC)))
        store_actions(connection, source.corporate_actions(UNIVERSE, begin, LAST), source.name)
        store_instruments(connection, source.instruments(UNIVERSE), source.name)
    return database


def targets_of(database: Database, first: date, last: date, clock: FixedClock) -> None:
    dg.materialize(
        strategy_assets(SETTINGS),
        resources={"database": database, "clock": clock},
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(
            "select strategy, symbol, session_date, sizing, target_weight::text, volatility_pct::text, reason_code "
            "from strategy.targets order by 1, 3, 2"
        ).fetchall()


def test_weights_by_risk_of_a_range_are_those_of_its_sessions_and_say_why(market_data: Database) -> None:
    targets_of(market_data, FIRST, LAST, FixedClock(datetime(2013, 3, 4, tzinfo=UTC)))
    as_range = rows(market_data)
    with market_data.transaction() as connection:
        connection.execute("truncate strategy.indicators, strategy.signals, strategy.targets")
    days = sessions_between(FIRST, LAST)
    for day in days:
        targets_of(market_data, day, day, FixedClock(session(day).closes_at))
    assert rows(market_data) == as_range
    assert len(as_range) == len(days) * len(UNIVERSE) * 2
    held = [row for row in as_range if float(row[4]) != 0]
    assert {row[3] for row in held} == {"equal_risk_contribution", "mean_variance"}
    assert all(5 < float(row[5]) < 100 for row in held), "a split would look like a volatility of hundreds"
    assert {row[6] for row in held} <= {"SIZED", "SECTOR_CAPPED"}


def test_sectors_of_the_stored_instruments_are_read_for_the_caps(market_data: Database) -> None:
    facts = sector_facts(market_data, UNIVERSE)
    assert [fact.symbol for fact in facts] == UNIVERSE
    assert all(fact.sector for fact in facts)
