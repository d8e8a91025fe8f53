"""The proofs as checks of the graph on a real database, what they record, and `trading prove`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from click.testing import CliRunner
from standins.random_bars import random_bars

from trading_assets.adapters.isolation import Limits
from trading_assets.adapters.plugins import source_sha256
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import store_figures
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.proofs import is_proven, newest_proofs, record_proof, stored_facts, stored_history
from trading_assets.adapters.proving import lead_proofs
from trading_assets.cli.prove import prove
from trading_assets.definitions import defs
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.defs.strategy.proofs import prove_strategies_job, prove_strategies_sensor, strategy_proofs
from trading_assets.domain.market.fundamentals import ReportedFigure, Statement
from trading_assets.domain.market.universe import always
from trading_assets.domain.strategy.facts import FIGURE_COLUMNS, Figure
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, PROOFS, WARM_UP, Proof
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

UNIVERSE = ["AAA", "BBB"]
SHARES = Figure(Statement.BALANCE_SHEET, "Shares", 3)


class Peeking(SmaCrossover):
    """Long where the next close is higher."""

    name = "peeking"

    def figures(self):
        return (SHARES,)

    def signals(self, view):
        is_long = view.bars.groupby("symbol")["close"].shift(-1) > view.bars["close"]
        return view.signals(is_long, ["peeked"] * len(view.bars))


class Hanging(SmaCrossover):
    """Never comes to an end."""

    name = "hanging"

    def signals(self, view):
        while True:
            pass


HONEST = ConfiguredStrategy("sma_crossover", SmaCrossover(fast=2, slow=5), Timeframe.SESSION, 0.5)
DISHONEST = ConfiguredStrategy("peeking", Peeking(fast=2, slow=5), Timeframe.SESSION, 0.5)
SOURCE = source_sha256(SmaCrossover)
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": UNIVERSE,
        "timeframes": ["1d"],
        "strategies": {"sma_crossover": {"capital_weight": 0.5, "parameters": {"fast": 2, "slow": 5}}},
    }
)


@dataclass
class FixedClock:
    def now(self) -> datetime:
        return datetime(2013, 3, 4, tzinfo=UTC)


@pytest.fixture
def market_data(database: Database) -> Database:
    with database.transaction() as connection:
        store_bars(connection, random_bars(UNIVERSE, 45))
    return database


def test_job_proves_every_strategy_and_records_what_enabling_asks_for(market_data: Database):
    strategies = [DISHONEST, HONEST]
    definitions = dg.Definitions(
        assets=strategy_assets(SETTINGS, strategies),
        asset_checks=strategy_proofs(SETTINGS, strategies),
        jobs=[prove_strategies_job],
        resources={"database": market_data, "clock": FixedClock()},
    )

    result = definitions.resolve_job_def("prove_strategies_job").execute_in_process()

    verdicts = {(one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()}
    assert verdicts == {
        ("signals_sma_crossover", LOOK_AHEAD): True,
        ("signals_sma_crossover", WARM_UP): True,
        ("signals_peeking", LOOK_AHEAD): False,
        ("signals_peeking", WARM_UP): False,
    }
    with market_data.transaction() as connection:
        assert is_proven(connection, HONEST.name, HONEST.version, SOURCE)
        assert not is_proven(connection, HONEST.name, "1+00000000", SOURCE)
        assert not is_proven(connection, HONEST.name, HONEST.version, "0" * 64)
        source = source_sha256(Peeking)
        assert not is_proven(connection, DISHONEST.name, DISHONEST.version, source)
        ahead, _ = newest_proofs(connection, DISHONEST.name, DISHONEST.version, source)
    assert (ahead.proof, ahead.passed) == (LOOK_AHEAD, False)
    assert ahead.evidence["difference"]["symbol"] in UNIVERSE
    assert ahead.evidence["bars"] == 90


def test_sensor_has_each_version_proven_once_and_only_on_enough_bars(database: Database):
    definitions = dg.Definitions(
        assets=strategy_assets(SETTINGS, [HONEST]),
        asset_checks=strategy_proofs(SETTINGS, [HONEST]),
        jobs=[prove_strategies_job],
        sensors=[prove_strategies_sensor],
        resources={"database": database, "clock": FixedClock(), "settings": SETTINGS},
    )

    def ask(settings: TradingSettings = SETTINGS):
        with dg.build_sensor_context(
            resources={"database": database, "settings": settings}, definitions=definitions
        ) as context:
            return prove_strategies_sensor.evaluate_tick(context)

    def store(bars: int):
        with database.transaction() as connection:
            store_bars(connection, random_bars(UNIVERSE, bars))

    store(16)
    assert ask().skip_message == "Too few bars are stored to prove sma_crossover (needs 17 closes of 1d bars)."
    store(45)
    (request,), (again,) = ask().run_requests, ask().run_requests
    assert request.run_key == again.run_key == f"sma_crossover {HONEST.version} {SOURCE}"
    job = definitions.resolve_job_def("prove_strategies_job").get_subset(
        asset_check_selection=set(request.asset_check_keys)
    )
    assert len(job.execute_in_process().get_asset_check_evaluations()) == 2
    assert ask().skip_message == "Every strategy has been proven."
    changed = {"sma_crossover": {"capital_weight": 0.5, "parameters": {"fast": 2, "slow": 6}}}
    (other,) = ask(TradingSettings.model_validate(SETTINGS.model_dump() | {"strategies": changed})).run_requests
    assert other.run_key != request.run_key


def test_strategy_that_hangs_in_its_proof_has_failed_it_and_leaves_the_others_proven(market_data: Database):
    hanging = ConfiguredStrategy("hanging", Hanging(fast=2, slow=5), Timeframe.SESSION, 0.1)
    reported = []
    history = stored_history(market_data, hanging, SETTINGS.members, FixedClock().now())
    proofs = [
        *lead_proofs(hanging, history, Limits(1, 2048)),
        *lead_proofs(HONEST, history, Limits(60, 2048), lambda *report: reported.append(report)),
    ]
    assert [(one.name, one.passed) for one in proofs] == [
        (LOOK_AHEAD, False),
        (WARM_UP, False),
        (LOOK_AHEAD, True),
        (WARM_UP, True),
    ]
    assert (
        proofs[0].finding
        == f"Strategy 'hanging' ({hanging.version}) in its proof did not finish within 1 s and was ended."
    )
    assert {name for name, _, _ in reported} <= set(PROOFS)
    assert all(done <= total for _, done, total in reported)


def test_newest_answer_counts_and_half_of_the_proofs_is_not_enough(database: Database):
    def record(name: str, *, passed: bool) -> bool:
        with database.transaction() as connection:
            record_proof(connection, HONEST, SOURCE, Proof(name, passed, "found"))
        with database.transaction() as connection:
            return is_proven(connection, HONEST.name, HONEST.version, SOURCE)

    assert not record(LOOK_AHEAD, passed=True)
    assert record(WARM_UP, passed=True)
    assert not record(LOOK_AHEAD, passed=False)
    assert record(LOOK_AHEAD, passed=True)


def test_ticks_and_backfills_do_not_wait_for_proofs():
    proofs = {key for key in defs.resolve_asset_graph().asset_check_keys if key.name in PROOFS}
    assert {key.asset_key.path[-1] for key in proofs} == {"signals_rsi_reversion", "signals_sma_crossover"}
    for name in ("hourly_tick_job", "backfill_job", "refresh_data_job", "end_of_day_job"):
        assert not defs.resolve_job_def(name).asset_layer.asset_graph.asset_check_keys & proofs, name
    assert defs.resolve_job_def("prove_strategies_job").asset_layer.asset_graph.asset_check_keys == proofs


def test_declared_figures_reach_strategies_in_all_versions_that_were_known(database: Database):
    def figure(amount: float, filed_at: datetime, item: str = "Shares") -> ReportedFigure:
        day = date(2020, 3, 31)
        return ReportedFigure("AAA", Statement.BALANCE_SHEET, item, 3, day, amount, None, filed_at=filed_at)

    april, may, june = (datetime(2020, month, 20, tzinfo=UTC) for month in (4, 5, 6))
    with database.transaction() as connection:
        store_figures(connection, [figure(1.0, april), figure(2.0, may), figure(9.0, april, "Debt")], "polygon")

    known = stored_facts(database, DISHONEST.strategy, always(UNIVERSE), june).figures
    assert tuple(known.columns) == FIGURE_COLUMNS
    assert [*zip(known["item"], known["version"], known["amount"], strict=True)] == [("Shares", 1, 1), ("Shares", 2, 2)]
    assert len(stored_facts(database, DISHONEST.strategy, always(UNIVERSE), april).figures) == 1
    assert stored_facts(database, HONEST.strategy, always(UNIVERSE), june).figures is None


def test_history_of_a_proof_ends_with_what_was_known(market_data: Database):
    moment = random_bars(UNIVERSE, 45)["closes_at"][29].to_pydatetime()
    history = stored_history(market_data, HONEST, SETTINGS.members, moment)
    assert len(history.bars) == 60
    assert history.facts.members == SETTINGS.members


def test_command_prints_a_table_and_fails_with_a_strategy_that_has_failed(
    market_data: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DATABASE_URL", market_data.url)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr("trading_assets.settings.load_trading_settings", lambda: SETTINGS)
    passed = CliRunner().invoke(prove, ["sma_crossover"])
    assert passed.exit_code == 0, passed.output
    assert "decisions are the same bytes, whatever comes after them." in passed.output
    monkeypatch.setattr("trading_assets.adapters.plugins.load_strategies", lambda settings: [DISHONEST])
    failed = CliRunner().invoke(prove, [])
    assert failed.exit_code == 1
    assert "failed" in failed.output
    unknown = CliRunner().invoke(prove, ["momentum"])
    assert "trading.yaml configures no strategy 'momentum'; it has: peeking." in unknown.output
