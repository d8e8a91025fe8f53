"""Backtests and sweeps over stored bars: what is recorded, what a repetition gives, and what is refused."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from trading_assets.adapters.backtests import deflated_sharpe, name_of, plan_backtest, report_path, run_backtest
from trading_assets.adapters.errors import ContractBroken, LedgerConflict, NotFound
from trading_assets.adapters.isolation import IsolatedError
from trading_assets.adapters.postgres.backtests import sharpes_tried, store_backtest, store_sweep
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import BARS_DATASET, store_bars
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record, traded_sessions
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.sweeps import Search, SweepResult, run_sweep
from trading_assets.defs.strategy.backtests import NAMES, backtests
from trading_assets.domain.backtest import MarketRecord
from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.walk_forward import WalkForward
from trading_assets.domain.values import Timeframe
from trading_assets.settings import SettingsError, TradingSettings, overridden

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["AAPL", "IBM"],
        "timeframes": ["1d"],
        "strategies": {"sma_crossover": {"capital_weight": 0.6, "parameters": {"fast": 3, "slow": 10}}},
        "risk": {"max_order_notional": 0.5, "max_position": 0.5},
    }
)
HISTORY, FIRST, LAST = date(2011, 3, 1), date(2011, 5, 2), date(2011, 10, 31)
NOW = datetime(2013, 6, 3, tzinfo=UTC)
FAST, SLOW = "strategies.sma_crossover.parameters.fast", "strategies.sma_crossover.parameters.slow"
SEARCH = Search({FAST: [3, 5, 20], SLOW: [10, 20]})
WINDOWS = WalkForward(train=40, test=30, embargo=2, purge=1)


@pytest.fixture
def stored(database: Database) -> Database:
    source = SampleSource()
    bars = source.bars(SETTINGS.universe, Timeframe.SESSION, HISTORY, LAST, NOW)
    pairs = zip(bars["session_date"], bars["symbol"], strict=True)
    with database.transaction() as connection:
        store_bars(connection, bars)
        store_instruments(connection, source.instruments(SETTINGS.universe), source.name)
        store_actions(connection, source.corporate_actions(SETTINGS.universe, HISTORY, LAST), source.name)
        hold_gates(connection)
        write_gates(connection, BARS_DATASET, {pair: [] for pair in pairs}, NOW)
    return database


def record_of(database: Database) -> MarketRecord:
    return read_market_record(database, SETTINGS, FIRST, LAST, NOW)


def rows(database: Database, query: str) -> list[tuple]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


def swept(record: MarketRecord, processes: int) -> SweepResult:
    return run_sweep(SETTINGS, record, data_hash(record), SEARCH, WINDOWS, "crossings", processes=processes)


def test_backtest_is_stored_once_and_adds_up(stored: Database) -> None:
    record = record_of(stored)
    plan = plan_backtest(SETTINGS, record, {"broker.opening_cash_usd": 50_000})
    result, again = (run_backtest(plan, record, data_hash(record)) for _ in range(2))
    with stored.transaction() as connection:
        assert (store_backtest(connection, result), store_backtest(connection, again)) == (1, 0)

    ((name, sharpe, final, overrides),) = rows(
        stored, "select name, sharpe, final_equity_usd, overrides from strategy.backtests"
    )
    assert name == "broker.opening_cash_usd=50000"
    assert overrides == {"broker.opening_cash_usd": 50_000}
    equity = rows(
        stored, "select equity_usd, return_pct, drawdown_pct from strategy.backtest_equity order by session_date"
    )
    assert len(equity) == len(result.summary.sessions) == 128
    assert equity[-1][0] == final
    assert np.prod([1 + change / 100 for _, change, _ in equity]) == pytest.approx(float(final) / 50_000)
    assert sharpe == metrics.sharpe(result.summary.returns)
    # What was won and lost in trades, and is still held, explains the change of equity.
    ((closed, count),) = rows(
        stored, "select sum(net_pnl_usd), count(*) from strategy.backtest_trades where closed_at is not null"
    )
    assert count == result.summary.figures.trades > 3
    if not rows(stored, "select 1 from strategy.backtest_trades where closed_at is null"):
        assert closed == final - 50_000


def test_other_result_of_the_same_backtest_is_a_conflict(stored: Database) -> None:
    record = record_of(stored)
    result = run_backtest(plan_backtest(SETTINGS, record, {}), record, data_hash(record))
    figures = replace(result.summary.figures, final_equity_usd=Decimal(1))
    with stored.transaction() as connection:
        store_backtest(connection, result)
        with pytest.raises(LedgerConflict, match=r"strategy\.backtests: .* now computed 1"):
            store_backtest(connection, replace(result, summary=replace(result.summary, figures=figures)))


def test_every_trial_of_a_sweep_is_recorded_and_processes_change_nothing(stored: Database) -> None:
    record = record_of(stored)
    alone, together = swept(record, 1), swept(record, 2)
    with stored.transaction() as connection:
        assert store_sweep(connection, alone) == 5, "four trials and the walk-forward account"
        assert store_sweep(connection, together) == 0

    assert alone.left_out == 2, "fast must be smaller than slow: 20 is not"
    assert rows(stored, "select trials, left_out from strategy.sweeps") == [(4, 2)]
    kinds = rows(stored, "select kind, count(*) from strategy.backtests group by kind order by kind")
    assert kinds == [("trial", 4), ("walk_forward", 1)]
    folds = rows(stored, "select fold_no, train_last < test_first, is_chosen from strategy.sweep_folds where is_chosen")
    assert len(folds) == len(alone.folds) == 3
    trial_days = {(trial.plan.first, trial.plan.last) for trial in alone.trials}
    assert trial_days == {(alone.folds[0].window.test_first, alone.folds[-1].window.test_last)}


def test_walk_forward_trades_in_each_test_window_what_was_best_before_it(stored: Database) -> None:
    sweep = swept(record_of(stored), 1)
    for fold in sweep.folds:
        assert fold.train_sharpes[fold.chosen] == max(one for one in fold.train_sharpes if one is not None)
    # Until its first change of parameters the account is that of the trial it follows.
    first = sweep.folds[0]
    days = [day for day in sweep.out_of_sample.summary.sessions if day <= first.window.test_last]
    chosen = sweep.trials[first.chosen].summary
    assert sweep.out_of_sample.summary.equity_usd[: len(days)] == chosen.equity_usd[: len(days)]
    luck = [(trial.summary.figures.sharpe or 0) / 252**0.5 for trial in sweep.trials]
    assert sweep.deflated_sharpes[1] == metrics.deflated_sharpe(sweep.trials[1].summary.returns, luck)


def test_data_after_a_training_window_cannot_change_its_choice(stored: Database) -> None:
    record = record_of(stored)
    window = WINDOWS.windows(record_sessions(record))[0]
    short = read_market_record(stored, SETTINGS, FIRST, window.test_last, NOW)
    whole, cut = swept(record, 1), swept(short, 1)
    assert cut.folds[0] == whole.folds[0]


def record_sessions(record: MarketRecord) -> list[date]:
    return sorted({day for day, _ in record.tape.bars})


def test_trials_of_earlier_searches_count_in_the_deflated_sharpe_ratio(stored: Database) -> None:
    record = record_of(stored)
    of_data = data_hash(record)

    def search(values: list[int]) -> SweepResult:
        with stored.transaction() as connection:
            found = run_sweep(
                SETTINGS,
                record,
                of_data,
                Search({FAST: values}),
                processes=1,
                tried_before=lambda sweep_id, names: sharpes_tried(connection, names, sweep_id),
            )
            store_sweep(connection, found)
        return found

    first = search([3, 5])
    assert first.earlier_trials == 0
    with stored.transaction() as connection:
        store_backtest(connection, run_backtest(plan_backtest(SETTINGS, record, {SLOW: 25}), record, of_data))
    second = search([5, 6, 7])
    assert second.earlier_trials == 2, "fast 3, and slow 25; fast 5 is one of its own"
    luck = [one.summary.figures.sharpe or 0.0 for one in (*first.trials, *second.trials[1:])]
    with stored.transaction() as connection:
        (by_hand,) = {*sharpes_tried(connection, ["sma_crossover"]).values()} - {*luck}
    assert second.deflated_sharpes[2] == pytest.approx(
        deflated_sharpe(second.trials[2].summary.returns, [*luck, by_hand])
    )
    # The same search again is the same, whatever was tried since.
    again = search([3, 5])
    assert (again.earlier_trials, again.deflated_sharpes) == (0, first.deflated_sharpes)
    assert rows(stored, "select trials, earlier_trials from strategy.sweeps order by finished_at") == [(2, 0), (3, 2)]
    with stored.transaction() as connection:
        assert sharpes_tried(connection, ["rsi_reversion"]) == {}


def test_random_search_draws_the_same_trials_for_a_seed() -> None:
    first, again, other = (Search(SEARCH.parameters, 3, seed).combinations() for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == 3
    assert Search(SEARCH.parameters, 100).combinations() == SEARCH.combinations()


def test_what_cannot_be_searched_or_read_is_refused_in_one_line(stored: Database) -> None:
    record = record_of(stored)
    with pytest.raises(SettingsError, match="universe cannot be searched"):
        Search({"universe": [["AAPL"]]})
    with pytest.raises(SettingsError, match=r"None of the 1 combinations is accepted.*'fast' is 30"):
        run_sweep(SETTINGS, record, "", Search({FAST: [30]}))
    with pytest.raises(SettingsError, match="walk-forward needs at least 502"):
        run_sweep(SETTINGS, record, "", Search({FAST: [3]}), WalkForward(train=500, test=20))
    with pytest.raises(SettingsError, match=r"strategies\.sma_crossover\.parametres is not a setting"):
        plan_backtest(SETTINGS, record, {"strategies.sma_crossover.parametres.fast": 3})
    with pytest.raises(NotFound, match="no trading session"):
        read_market_record(stored, SETTINGS, date(2011, 7, 2), date(2011, 7, 3), NOW)
    late = read_market_record(stored, SETTINGS, LAST, date(2011, 11, 1), NOW)
    with pytest.raises(ContractBroken, match="No bars and no targets are stored for session 2011-11-01"):
        run_backtest(plan_backtest(SETTINGS, late, {}), late, "")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("os._exit(3)", "ended its process (exit code 3) without an answer"),
        ("time.sleep(600)", "did not finish within 2 s and was ended"),
        ("[bytearray(10**6) for _ in range(10**5)]", "ran out of its 256 MB of memory"),
        ("1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_strategy_that_misbehaves_ends_a_backtest_and_a_search_with_its_name(
    stored: Database, tmp_path: Path, body: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    source = COUNTING.replace("closes = state", f"print('seen'); {body}; closes = state")
    (tmp_path / "counting.py").write_text(f"import os, time\n{source}")
    limits = {"seconds": 2, "memory_mb": 256}
    settings = overridden(SETTINGS, {"strategies_folder": tmp_path, "strategy_limits": limits})
    fixed = {"strategies": {"counting": {"capital_weight": 0.5}}}
    record = read_market_record(stored, overridden(settings, fixed), FIRST, LAST, NOW)
    with pytest.raises(IsolatedError, match=re.escape(told)):
        run_backtest(plan_backtest(settings, record, fixed), record, "")
    assert "seen" in capfd.readouterr().err
    search = Search({"strategies.counting.capital_weight": [0.4, 0.5]})
    with pytest.raises(IsolatedError, match=re.escape(told)):
        run_sweep(settings, record, "", search, overrides=fixed, processes=2)


def test_record_of_a_search_has_every_timeframe_that_is_tried(stored: Database) -> None:
    settings = overridden(SETTINGS, {"timeframes": ["1d", "1h"]})
    search = Search({"strategies.sma_crossover.timeframe": ["1d", "1h"], FAST: [3, 30]})
    read, *others = search.settings_tried(settings, {})
    assert set(read_market_record(stored, read, FIRST, LAST, NOW, others).known) == set(Timeframe)
    with pytest.raises(SettingsError, match=r"None of the 1 combinations is accepted.*asks for timeframe 1h"):
        Search({"strategies.sma_crossover.timeframe": ["1h"]}).settings_tried(SETTINGS, {})


def test_names_say_what_is_different() -> None:
    assert name_of({}) == "as-configured"
    assert name_of({FAST: 10, "risk.allow_short": True}) == "sma_crossover.fast=10,risk.allow_short=true"


class Afterwards:
    def now(self) -> datetime:
        return NOW


def materialise(database: Database, settings: TradingSettings, *configs: dict) -> dg.AssetMaterialization:
    """The newest materialisation of the backtest `five`, after one run a config; an empty one gives none."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(NAMES.name, ["five"])
        for config in configs:
            result = dg.materialize(
                [backtests],
                partition_key="five",
                instance=instance,
                run_config={"ops": {"strategy__backtests": {"config": config}}} if config else {},
                resources={"database": database, "settings": settings, "clock": Afterwards()},
            )
            (event,) = result.asset_materializations_for_node("strategy__backtests")
    return event


COUNTING = """
from trading_assets.domain.strategy.stateful import StatefulStrategy, StrategyState


class Counting(StatefulStrategy):
    name, version = "counting", "1"

    class State(StrategyState):
        closes: int = 0

    def indicators(self):
        return ()

    def initial_state(self):
        return self.State()

    def step(self, state, view):
        closes = state.closes + 1
        return self.State(closes=closes), view.signals([closes // 20 % 2] * len(view.bars), ["count"] * len(view.bars))
"""


def test_changes_trade_as_if_they_stood_in_the_file_of_settings(
    stored: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    (tmp_path / "counting.py").write_text(COUNTING)
    settings = overridden(SETTINGS, {"strategies_folder": tmp_path})
    changes = {"universe": ["IBM"], "strategies": {"counting": {"capital_weight": 0.5}}}
    changed = overridden(settings, changes)
    search = Search({"strategies.counting.capital_weight": [0.5]})
    fixed = {key: value for key, value in changes.items() if key == "universe"} | {"strategies.sma_crossover": None}

    record = read_market_record(stored, changed, FIRST, LAST, NOW)
    written = run_backtest(plan_backtest(changed, record, {}), record, data_hash(record))
    materialise(stored, settings, {"first": f"{FIRST}", "last": f"{LAST}", "overrides": changes})
    read, *others = search.settings_tried(settings, fixed)
    record = read_market_record(stored, read, FIRST, LAST, NOW, others)
    searched = run_sweep(settings, record, data_hash(record), search, overrides=fixed, processes=1)

    assert {trip.symbol for trip in written.summary.trips} == {"IBM"}
    assert rows(stored, "select final_equity_usd, sharpe, data_hash from strategy.backtests") == [
        (written.summary.figures.final_equity_usd, written.summary.figures.sharpe, written.data_hash)
    ]
    assert searched.trials[0].summary.figures == written.summary.figures


def test_asset_runs_a_named_backtest_and_remembers_what_it_was(
    stored: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    assert traded_sessions(stored, SETTINGS) == (HISTORY, LAST)
    config = {"first": f"{FIRST}", "last": f"{LAST}", "overrides": {FAST: 5}}
    event = materialise(stored, SETTINGS, config, {})
    assert rows(stored, "select name, overrides, first_session from strategy.backtests") == [("five", {FAST: 5}, FIRST)]
    assert event.metadata["is_new"].value is False
    ((backtest_id,),) = rows(stored, "select backtest_id from strategy.backtests")
    assert event.metadata["report"].value == str(report_path(tmp_path, backtest_id))
    assert "data:image/png;base64," in event.metadata["summary"].value
    assert event.metadata["sessions"].value == f"{FIRST} to {LAST}"
