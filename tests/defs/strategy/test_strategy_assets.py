"""The strategy assets on real history in a real database: ranges against single sessions, failures, missing inputs."""

import os
import signal
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

import dagster as dg
import numpy as np
import psutil
import pytest
from pydantic import Field

from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.strategy import targets_between
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy
from trading_assets.domain.values import Timeframe
from trading_assets.settings import StrategyLimitSettings, TradingSettings

UNIVERSE = ["AAPL", "MSFT"]
HISTORY = date(2004, 6, 1)
FIRST, LAST = date(2005, 2, 1), date(2005, 3, 18)
"""33 sessions around the two-for-one split of AAPL on 2005-02-28."""

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": UNIVERSE,
        "timeframes": ["1d"],
        "strategies": {
            "sma_crossover": {"capital_weight": 0.5, "parameters": {"fast": 5, "slow": 20}},
            "rsi_reversion": {"capital_weight": 0.3, "parameters": {"period": 5, "entry": 40, "max_hold": 7}},
        },
    }
)
TABLES = {
    "strategy.indicators": "symbol, timeframe, ts",
    "strategy.signals": "strategy, strategy_version, symbol, decision_at",
    "strategy.targets": "strategy, strategy_version, symbol, decision_at",
}


@dataclass
class FixedClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


AFTERWARDS = FixedClock(datetime(2013, 3, 4, tzinfo=UTC))


@pytest.fixture(scope="module")
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def source() -> SampleSource:
    return SampleSource()


@pytest.fixture
def market_data(database: Database, source: SampleSource) -> Database:
    """The database with daily bars and corporate actions of the universe from HISTORY to LAST."""
    with database.transaction() as connection:
        store_bars(connection, source.bars(UNIVERSE, Timeframe.SESSION, HISTORY, LAST, datetime.now(UTC)))
        store_actions(connection, source.corporate_actions(UNIVERSE, HISTORY, LAST), source.name)
    return database


def run(database, instance, first, last, *, assets=None, clock=AFTERWARDS, selection=None, raise_on_error=True):
    return dg.materialize(
        assets or strategy_assets(SETTINGS),
        instance=instance,
        resources={"database": database, "clock": clock},
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
        selection=selection,
        raise_on_error=raise_on_error,
    )


def rows(database: Database, first: date = FIRST, last: date = LAST) -> dict[str, list[str]]:
    """Every row of the tables as text; PostgreSQL prints a float8 so that it reads back to the same bits."""
    with database.transaction() as connection:
        return {
            table: [
                text
                for (text,) in connection.execute(
                    f"select t::text from {table} as t where session_date between %s and %s order by {key}",
                    (first, last),
                )
            ]
            for table, key in TABLES.items()
        }


def clear(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("truncate strategy.indicators, strategy.signals, strategy.targets")


def test_one_range_and_session_by_session_give_identical_rows(market_data, instance):
    # Around the split; test_backtest_parity.py does the same of sixty sessions.
    first, last = date(2005, 2, 24), date(2005, 3, 2)
    run(market_data, instance, first, last)
    as_range = rows(market_data, first, last)
    clear(market_data)
    sessions = sessions_between(first, last)
    for day in sessions:
        run(market_data, instance, day, day, clock=FixedClock(session(day).closes_at))
    assert rows(market_data, first, last) == as_range
    assert len(as_range["strategy.indicators"]) == len(sessions) * len(UNIVERSE)
    assert len(as_range["strategy.signals"]) == len(as_range["strategy.targets"]) == len(sessions) * len(UNIVERSE) * 2


def test_restatement_inside_the_range_is_not_known_before_its_time(market_data, instance, source):
    first, last = date(2005, 2, 10), date(2005, 2, 16)
    restated_day, known_from = date(2005, 2, 10), date(2005, 2, 16)
    restated = source.bars(["MSFT"], Timeframe.SESSION, restated_day, restated_day, datetime.now(UTC))
    restated[["open", "high", "low", "close"]] *= 1.05
    with market_data.transaction() as connection:
        row = restated.iloc[0]
        connection.execute(
            "insert into market.bars (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, "
            "volume, source, known_at) values (%s, '1d', %s, 2, %s, %s, %s, %s, %s, %s, %s, 'sample', %s)",
            (
                "MSFT",
                row["ts"].to_pydatetime(),
                row["closes_at"].to_pydatetime(),
                restated_day,
                *(float(row[name]) for name in ("open", "high", "low", "close", "volume")),
                datetime(2005, 2, 16, 15, tzinfo=UTC),
            ),
        )
    run(market_data, instance, first, last)
    as_range = rows(market_data, first, last)
    clear(market_data)
    for day in sessions_between(first, last):
        run(market_data, instance, day, day, clock=FixedClock(session(day).closes_at))
    assert rows(market_data, first, last) == as_range
    with market_data.transaction() as connection:
        means = dict(
            connection.execute(
                "select session_date, sma_5 from strategy.indicators where symbol = 'MSFT' "
                "and session_date between '2005-02-10' and %s",
                (known_from,),
            ).fetchall()
        )
        closes = dict(
            connection.execute(
                "select session_date, close from market.bars where symbol = 'MSFT' and version = 1"
            ).fetchall()
        )
    days = sessions_between(date(2005, 2, 4), restated_day)
    assert means[restated_day] == pytest.approx(np.mean([closes[day] for day in days]), abs=1e-3)
    later = [closes[day] for day in sessions_between(restated_day, known_from)]
    # The restatement moves the mean by 1 %; the dividend of 2005-02-15 by less than 0.2 %.
    assert means[known_from] == pytest.approx(np.mean([later[0] * 1.05, *later[1:]]), rel=3e-3)


def test_restatement_within_a_session_is_unknown_to_its_earlier_hours(database, instance, source):
    day, known_at = date(2022, 5, 3), datetime(2022, 5, 3, 16, tzinfo=UTC)
    with database.transaction() as connection:
        store_bars(connection, source.bars(["MSFT"], Timeframe.HOUR, date(2022, 5, 2), day, datetime.now(UTC)))
        connection.execute(
            "insert into market.bars (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, "
            "volume, source, known_at) select symbol, timeframe, ts, 2, closes_at, session_date, open, high * 2, low, "
            "close * 2, volume, source, %s from market.bars where closes_at = '2022-05-03 14:30Z'",
            (known_at,),
        )
    hourly = SETTINGS.model_copy(update={"universe": ("MSFT",), "timeframes": (Timeframe.HOUR,)})
    one = hourly.strategies["sma_crossover"].model_copy(
        update={"timeframe": Timeframe.HOUR, "parameters": {"fast": 2, "slow": 3}}
    )
    assets = strategy_assets(hourly.model_copy(update={"strategies": {"sma_crossover": one}}))[:1]
    run(database, instance, day, day, assets=assets, clock=FixedClock(session(day).closes_at))
    with database.transaction() as connection:
        closes = [
            value for (value,) in connection.execute("select close from market.bars where version = 1 order by ts")
        ]
        means = [
            value
            for (value,) in connection.execute(
                "select sma_3 from strategy.indicators where session_date = '2022-05-03' order by ts"
            )
        ]
    # The second bar of the day closes before the restatement of the first one, the third bar after it.
    yesterday, first, second, third = closes[-8:-4]
    assert means[1] == pytest.approx(np.mean([yesterday, first, second]))
    assert means[2] == pytest.approx(np.mean([2 * first, second, third]))


def test_second_materialisation_writes_nothing(market_data, instance):
    run(market_data, instance, FIRST, LAST)
    again = run(market_data, instance, FIRST, LAST)
    written = [
        event.materialization.metadata["rows_written"].value for event in again.get_asset_materialization_events()
    ]
    assert set(written) == {0}


def test_split_does_not_look_like_a_fall(market_data, instance):
    run(market_data, instance, FIRST, LAST)
    with market_data.transaction() as connection:
        before, after = (
            connection.execute(
                "select sma_20, close from strategy.indicators join market.bars using (symbol, timeframe, ts) "
                "where symbol = 'AAPL' and indicators.session_date = %s",
                (day,),
            ).fetchone()
            for day in (date(2005, 2, 25), date(2005, 2, 28))
        )
    assert before[0] / before[1] == pytest.approx(after[0] / after[1], rel=0.05)
    assert after[0] == pytest.approx(before[0] / 2, rel=0.05)


def test_targets_are_read_back_as_decimals_of_the_present_version(market_data, instance):
    run(market_data, instance, FIRST, LAST)
    versions = {one.name: one.version for one in load_strategies(SETTINGS)}
    targets = targets_between(market_data, versions, FIRST, LAST)
    assert len(targets) == len(sessions_between(FIRST, LAST)) * len(UNIVERSE) * 2
    assert {target.target_weight for target in targets} == {Decimal(0), Decimal("0.15"), Decimal("0.25")}
    assert targets == sorted(targets, key=lambda target: (target.decision_at, target.strategy, target.symbol))
    assert {target.leg_group for target in targets} == {None}
    assert targets[0].decision_at == session(FIRST).closes_at
    assert targets_between(market_data, {"sma_crossover": "1+00000000"}, FIRST, LAST) == []


def test_symbol_that_left_the_universe_keeps_no_decisions(market_data, instance):
    run(market_data, instance, FIRST, LAST)
    smaller = SETTINGS.model_copy(update={"universe": ("AAPL",)})
    run(market_data, instance, FIRST, LAST, assets=strategy_assets(smaller))
    for table in ("strategy.signals", "strategy.targets"):
        with market_data.transaction() as connection:
            assert connection.execute(f"select distinct symbol from {table}").fetchall() == [("AAPL",)]


def test_new_indicator_of_a_later_strategy_fills_its_column_for_the_sessions_it_looks_back_on(market_data, instance):
    run(market_data, instance, FIRST, date(2005, 3, 11))
    section = {"capital_weight": 0.3, "parameters": {"period": 9, "max_hold": 7}}
    changed = TradingSettings.model_validate({**SETTINGS.model_dump(), "strategies": {"rsi_reversion": section}})
    run(market_data, instance, date(2005, 3, 14), LAST, assets=strategy_assets(changed))
    with market_data.transaction() as connection:
        filled = connection.execute(
            "select min(session_date) from strategy.indicators where rsi_9 is not null"
        ).fetchone()
    assert filled == (sessions_between(FIRST, date(2005, 3, 11))[-7],)


# Failures ----------------------------------------------------------------------------------------


class Failing(Strategy):
    name = "failing"
    version = "1"

    class Parameters(StrategyParameters):
        by: Literal["raising", "hanging", "eating", "dying"] = Field("raising", description="how it fails")

    def indicators(self):
        return (Indicator("sma", 5),)

    def signals(self, view):
        print("at work")
        match self.parameters.by:
            case "raising":
                raise RuntimeError("no idea")
            case "hanging":
                while True:
                    pass
            case "eating":
                np.ones((10**6, 10**6))
            case "dying":
                os.kill(os.getpid(), signal.SIGKILL)
        return view.signals(np.ones(len(view.bars)), [""] * len(view.bars))


def materialised(result) -> set[str]:
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}


def error_of(result, step: str) -> str:
    (failure,) = (event for event in result.all_events if event.is_step_failure and event.step_key == step)
    return failure.event_specific_data.error.to_string()


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("raising", "raised RuntimeError in line "),
        ("hanging", "did not finish within 5 s and was ended."),
        ("eating", "ran out of its 512 MB of memory."),
        ("dying", "was ended by SIGKILL; its limits are 5 s and 512 MB of memory."),
    ],
)
def test_strategy_that_fails_leaves_the_others_materialised_and_is_named(market_data, instance, capfd, by, told):
    started_before = set(psutil.Process().children())
    failing = ConfiguredStrategy("failing", Failing(by=by), Timeframe.SESSION, 0.1)
    limited = SETTINGS.model_copy(update={"strategy_limits": StrategyLimitSettings(seconds=5, memory_mb=512)})
    assets = strategy_assets(limited, [failing, *load_strategies(SETTINGS)])
    result = run(market_data, instance, FIRST, LAST, assets=assets, raise_on_error=False)
    assert not result.success
    assert materialised(result) == {"indicators", "signals_sma_crossover", "signals_rsi_reversion"}
    assert f"Strategy 'failing' ({failing.version}) {told}" in error_of(result, "strategy__signals_failing")
    assert "Strategy failing printed:\nat work" in capfd.readouterr().err
    assert rows(market_data)["strategy.targets"] == []
    assert set(psutil.Process().children()) <= started_before


def test_signals_without_indicators_are_refused_with_the_sessions_to_materialise(market_data, instance):
    run(market_data, instance, FIRST, date(2005, 3, 4))
    result = run(market_data, instance, FIRST, LAST, selection=["strategy/signals_rsi_reversion"], raise_on_error=False)
    assert "materialise strategy/indicators for 2005-03-07 to 2005-03-18 first" in error_of(
        result, "strategy__signals_rsi_reversion"
    )


def test_targets_without_signals_are_refused_with_the_asset_to_materialise(market_data, instance):
    run(market_data, instance, FIRST, LAST, selection=["strategy/indicators", "strategy/signals_sma_crossover"])
    result = run(market_data, instance, FIRST, LAST, selection=["strategy/targets"], raise_on_error=False)
    assert "materialise strategy/signals_rsi_reversion for 2005-02-01 to 2005-03-18 first" in error_of(
        result, "strategy__targets"
    )


def test_session_without_bars_materialises_nothing_and_succeeds(database, instance):
    result = run(database, instance, FIRST, FIRST)
    assert result.success
    assert rows(database) == {table: [] for table in TABLES}


def test_session_that_is_still_open_uses_only_closed_bars(market_data, instance):
    during = FixedClock(datetime(2005, 3, 18, 17, tzinfo=UTC))
    run(market_data, instance, date(2005, 3, 17), LAST, clock=during)
    with market_data.transaction() as connection:
        assert connection.execute("select max(session_date) from strategy.signals").fetchone() == (date(2005, 3, 17),)


def test_partitions_and_lineage_of_the_assets():
    assets = {key.to_user_string(): asset for asset in strategy_assets(SETTINGS) for key in asset.keys}
    assert set(assets) == {
        "strategy/indicators",
        "strategy/signals_rsi_reversion",
        "strategy/signals_sma_crossover",
        "strategy/targets",
    }
    parents = {
        name: {dep.asset_key.to_user_string() for spec in asset.specs for dep in spec.deps}
        for name, asset in assets.items()
    }
    assert parents["strategy/indicators"] == {"market/bars", "market/corporate_actions"}
    assert parents["strategy/signals_sma_crossover"] == {"market/bars", "strategy/indicators"}
    assert parents["strategy/targets"] == {"strategy/signals_rsi_reversion", "strategy/signals_sma_crossover"}
