"""A stateful strategy in the graph: one range, session by session and from the middle give the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.strategy_states import state_before, store_states
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.stateful import StateAfter, StatefulStrategy, StrategyState
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

DAYS = sessions_between(date(2012, 5, 1), date(2012, 5, 14))
FIRST, LAST = DAYS[4], DAYS[-1]
SETTINGS = TradingSettings.model_validate(
    {"source": "sample", "universe": ["IBM", "MSFT"], "timeframes": ["1d"], "strategies": {}}
)
SOURCE = SampleSource()


class Smoothed(StatefulStrategy):
    """Long in proportion to a smoothed distance from the average: its state never forgets."""

    name = "smoothed"
    version = "1"

    class State(StrategyState):
        level: dict[str, float]

    def indicators(self):
        return (Indicator("sma", 2),)

    def initial_state(self):
        return self.State(level={})

    def step(self, state, view):
        (average,) = self.indicators()
        level = dict(state.level)
        for symbol, close, mean in zip(view.bars["symbol"], view.bars["close"], view.indicator(average), strict=True):
            distance = 0.0 if mean != mean else close / mean - 1
            level[symbol] = 0.7 * level.get(symbol, 1 / 3) + 0.3 * distance
        signals = [max(-1.0, min(1.0, 10 * level[symbol])) for symbol in view.bars["symbol"]]
        return self.State(level=level), view.signals(signals, [f"{one!r}" for one in signals])


SMOOTHED = ConfiguredStrategy("smoothed", Smoothed(), Timeframe.SESSION, 1.0)


@dataclass
class FixedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def with_bars(database: Database) -> Database:
    with database.transaction() as connection:
        bars = SOURCE.bars(["IBM", "MSFT"], Timeframe.SESSION, DAYS[0], DAYS[-1], datetime.now(UTC))
        store_bars(connection, bars)
    return database


def run(database: Database, instance: dg.DagsterInstance, first: date, last: date) -> None:
    dg.materialize(
        strategy_assets(SETTINGS, [SMOOTHED])[:2],
        instance=instance,
        resources={"database": database, "clock": FixedClock(session(last).closes_at)},
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
    )


def rows(database: Database, table: str, first: date) -> list[str]:
    with database.transaction() as connection:
        return [
            text
            for (text,) in connection.execute(
                f"select t::text from {table} as t where session_date >= %s order by t::text", (first,)
            )
        ]


def test_range_sessions_one_by_one_and_a_start_in_the_middle_give_identical_rows(
    new_database: Callable[[], Database], instance: dg.DagsterInstance
) -> None:
    whole, one_by_one, late = (with_bars(new_database()) for _ in range(3))
    run(whole, instance, DAYS[0], LAST)
    for day in DAYS:
        run(one_by_one, instance, day, day)
    # No state before it: lived through from the first bar.
    run(late, instance, FIRST, LAST)
    states = rows(whole, "strategy.states", DAYS[0])
    assert len(states) == len(DAYS)
    assert rows(one_by_one, "strategy.states", DAYS[0]) == rows(late, "strategy.states", DAYS[0]) == states
    signals = rows(whole, "strategy.signals", DAYS[0])
    assert rows(one_by_one, "strategy.signals", DAYS[0]) == signals
    assert rows(late, "strategy.signals", DAYS[0]) == rows(whole, "strategy.signals", FIRST)


def test_sessions_between_a_stored_state_and_the_range_are_lived_through(
    new_database: Callable[[], Database], instance: dg.DagsterInstance
) -> None:
    whole, with_a_gap = (with_bars(new_database()) for _ in range(2))
    run(whole, instance, DAYS[0], LAST)
    run(with_a_gap, instance, DAYS[0], DAYS[2])
    run(with_a_gap, instance, LAST, LAST)
    assert rows(with_a_gap, "strategy.states", DAYS[0]) == rows(whole, "strategy.states", DAYS[0])
    assert rows(with_a_gap, "strategy.signals", LAST) == rows(whole, "strategy.signals", LAST)


def after(number: int, level: float) -> StateAfter:
    return StateAfter(session(DAYS[number]).closes_at, DAYS[number], {"level": {"IBM": level}})


def test_states_that_no_longer_follow_go_and_those_that_do_stay(database: Database) -> None:
    history = [after(number, number / 3) for number in range(4)]
    assert store_states(database, SMOOTHED, "u", history) == 4
    assert store_states(database, SMOOTHED, "u", history[:2]) == 0
    assert len(rows(database, "strategy.states", DAYS[0])) == 4
    store_states(database, SMOOTHED, "u", [after(1, 0.5)])
    assert len(rows(database, "strategy.states", DAYS[0])) == 2
    assert state_before(database, SMOOTHED, "u", session(DAYS[3]).closes_at) == after(1, 0.5)


def test_state_of_another_universe_is_not_gone_on_from(database: Database) -> None:
    store_states(database, SMOOTHED, "u", [after(0, 1.0)])
    assert state_before(database, SMOOTHED, "other", session(LAST).closes_at) is None
    assert state_before(database, SMOOTHED, "u", after(0, 1.0).decision_at) is None
