"""Sizes by range, volatility and Kelly, the same in ledger and backtest; and the sessions again under other limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from trading_assets.adapters.backtests import plan_backtest, run_journal
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.limits import set_limit
from trading_assets.adapters.postgres.market import BARS_DATASET, store_bars
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.adapters.postgres.scenarios import effects, scenario, scenarios
from trading_assets.adapters.postgres.strategy import store_targets, targets_between
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.execution.scenarios import review_scenario_job
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.domain.backtest import MarketRecord
from trading_assets.domain.market.sessions import session
from trading_assets.domain.strategy.targets import combine
from trading_assets.domain.values import Timeframe
from trading_assets.settings import SettingsError, TradingSettings

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["AAPL", "IBM"],
        "timeframes": ["1d"],
        "strategies": {
            "sma_crossover": {
                "capital_weight": 0.4,
                "parameters": {"fast": 3, "slow": 10},
                "position_size": {"method": "atr", "risk": 0.004, "multiple": 2, "period": 10},
            },
            "rsi_reversion": {
                "capital_weight": 0.3,
                "parameters": {"period": 3, "entry": 40, "exit": 55, "max_hold": 5},
                "position_size": {"method": "volatility_target", "target": 0.03},
                "sizing_lookback": 20,
            },
            "ema_crossover": {
                "capital_weight": 0.3,
                "parameters": {"fast": 2, "slow": 4},
                "position_size": {"method": "kelly"},
            },
        },
        "risk": {
            "max_order_notional": 0.5,
            "max_position": 0.5,
            "stop_new_daily_loss": 0.5,
            "stop_all_daily_loss": 0.6,
        },
    }
)
HISTORY, FIRST, LAST = date(2011, 3, 1), date(2011, 5, 2), date(2011, 8, 31)
NOW = datetime(2013, 6, 3, tzinfo=UTC)
STRATEGIES = load_strategies(SETTINGS)


def record_of(database: Database) -> MarketRecord:
    return read_market_record(database, SETTINGS, FIRST, LAST, NOW)


def rows(database: Database, query: str) -> list[Any]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


def with_data(database: Database) -> Database:
    """Bars, actions, open gates and targets."""
    source = SampleSource()
    bars = source.bars(SETTINGS.universe, Timeframe.SESSION, HISTORY, LAST, NOW)
    pairs = zip(bars["session_date"], bars["symbol"], strict=True)
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(SETTINGS.universe), source.name)
        store_bars(connection, bars)
        store_actions(connection, source.corporate_actions(SETTINGS.universe, HISTORY, LAST), source.name)
        hold_gates(connection)
        write_gates(connection, BARS_DATASET, {pair: [] for pair in pairs}, NOW)
    record = record_of(database)
    signals = pd.concat([record.signals(one) for one in STRATEGIES], ignore_index=True)
    wanted = combine(signals, STRATEGIES, record.members, record._histories(STRATEGIES), record.sectors)
    store_targets(database, STRATEGIES, wanted, SETTINGS.universe, FIRST, LAST)
    return database


@pytest.fixture(scope="module")
def prepared(new_module_database: Callable[..., Database]) -> Database:
    return with_data(new_module_database())


@pytest.fixture(scope="module")
def traded(prepared: Database, new_module_database: Callable[..., Database]) -> Database:
    """A copy of the data that an account has lived through."""
    database = new_module_database(prepared)
    TradingDesk(database, SETTINGS, NOW).replay(FIRST, LAST)
    return database


def test_ledger_of_sized_positions_is_a_backtest_s(
    prepared: Database, traded: Database, new_database: Callable[..., Database]
) -> None:
    record = record_of(prepared)
    versions = {one.name: one.version for one in STRATEGIES}
    assert record.targets(STRATEGIES) == targets_between(prepared, versions, FIRST, LAST)
    plan = plan_backtest(SETTINGS, record, {})
    other = new_database()
    with other.transaction() as connection:
        ledger.open_account(connection, "simulated", SETTINGS.fingerprint(), FIRST, plan.terms.opening_cash_usd)
        ledger.record(connection, run_journal(plan, record))
    assert ledger_hash(other, plan.terms.account_id) == ledger_hash(traded)


def test_verdicts_say_how_their_size_came_about(traded: Database) -> None:
    recorded = {
        method: (inputs, float(equity), float(price))
        for method, inputs, equity, price in rows(
            traded,
            "select distinct on (sizing) sizing, sizing_inputs, equity_usd, reference_price from risk.verdicts "
            "where purpose = 'open' and requested_qty > 0 order by sizing, decision_at desc",
        )
    }
    assert set(recorded) == {"atr", "volatility_target", "kelly"}
    inputs, equity, price = recorded["atr"]
    qty = min(0.004 * equity / (2 * float(inputs["atr"])), 0.4 * equity / price)
    assert int(inputs["wanted_qty"]) == int(qty)
    inputs, equity, price = recorded["volatility_target"]
    assert int(inputs["wanted_qty"]) == int(min(0.03 / float(inputs["volatility"]), 0.3) * equity / price)
    inputs, equity, price = recorded["kelly"]
    assert int(inputs["trades"]) > 5
    assert inputs["reason"] == ("TOO_FEW_TRADES" if int(inputs["trades"]) < 20 else "SIZED")


def test_replay_of_recorded_verdicts_gives_the_same_bytes(traded: Database) -> None:
    def as_bytes() -> list[Any]:
        return [
            rows(traded, f"select one::text from {table} as one order by 1")
            for table in ("risk.verdicts", "risk.verdict_checks", "risk.approvals", "execution.orders")
        ]

    before = as_bytes()
    written = TradingDesk(traded, SETTINGS, NOW).replay(FIRST, LAST).written
    assert as_bytes() == before
    assert not any(written.values())


def test_other_limits_are_a_scenario_that_changes_no_record(traded: Database) -> None:
    before = ledger_hash(traded), rows(traded, "select count(*) from risk.verdict_checks")
    outcome = TradingDesk(traded, SETTINGS, NOW).what_if(FIRST, LAST, {"max_position": 0.1})
    assert (ledger_hash(traded), rows(traded, "select count(*) from risk.verdict_checks")) == before

    ((equity,),) = rows(traded, "select equity_usd from execution.equity order by at desc limit 1")
    assert outcome.recorded.equity[-1].equity_usd == equity
    assert outcome.worth_usd == outcome.otherwise.equity[-1].equity_usd - equity != 0
    assert outcome.differences
    for one in outcome.differences:
        assert one.otherwise.approved_qty < one.recorded.approved_qty
        (failed,) = [check for check in one.otherwise.checks if not check.is_passed]
        assert failed.rule_id == "RC-21"
    largest = max(abs(point.value_usd / SETTINGS.broker.opening_cash_usd) for point in outcome.otherwise.positions)
    assert largest < Decimal("0.13"), "a tenth when it was bought"


def test_scenario_is_stored_once_beside_verdicts_that_stay_as_they_were(
    traded: Database,
) -> None:
    def recorded() -> list[Any]:
        return [
            rows(traded, f"select one::text from {table} as one order by 1")
            for table in ("risk.verdicts", "risk.verdict_checks", "risk.approvals")
        ]

    def stored() -> list[Any]:
        return [
            rows(traded, f"select one::text from {table} as one order by 1")
            for table in ("risk.scenarios", "risk.scenario_verdicts")
        ]

    verdicts, limits = recorded(), {"max_position": 0.1}
    desk = TradingDesk(traded, SETTINGS, NOW)
    outcome, scenario_id = desk.what_if(FIRST, LAST, limits), desk.store_what_if(FIRST, LAST, limits)
    once = stored()
    assert desk.store_what_if(FIRST, LAST, limits) == scenario_id
    assert stored() == once
    assert recorded() == verdicts

    with traded.transaction() as connection:
        found, effected = scenario(connection, scenario_id), effects(connection, scenario_id)
    assert (found.worth_usd, found.limits) == (outcome.worth_usd, limits)
    assert (found.denied_count, found.smaller_count, found.larger_count) == (
        outcome.denied,
        outcome.smaller,
        outcome.larger,
    )
    computed = {
        (intent.decision_at, intent.strategy, intent.symbol): outcome.effect_usd(one)
        for one in outcome.differences
        for intent in [one.recorded.intent]
    }
    assert {(one.decision_at, one.strategy, one.symbol): one.effect_usd for one in effected} == computed
    ((symbol, side, recorded_qty, qty, price, effect),) = rows(
        traded,
        "select symbol, side, recorded_qty, approved_qty, reference_price, effect_usd from risk.scenario_effects "
        "order by decision_at, strategy limit 1",
    )
    ((last,),) = rows(traded, f"select close from market.bars where symbol = '{symbol}' and session_date = '{LAST}'")
    assert side == "buy"
    assert float(effect) == pytest.approx(float(qty - recorded_qty) * (last - float(price)))


def test_job_stores_a_scenario_from_its_run_config(traded: Database) -> None:
    class AtLast:
        def now(self) -> datetime:
            return NOW

    config = {"first": f"{FIRST}", "last": f"{LAST}", "limits": {"max_position": 0.2}}
    review_scenario_job.execute_in_process(
        run_config={"ops": {"review_scenario": {"config": config}}},
        resources={"database": traded, "settings": SETTINGS, "clock": AtLast()},
    )
    with traded.transaction() as connection:
        (stored,) = [one for one in scenarios(connection) if one.limits == {"max_position": 0.2}]
    assert (stored.first_session, stored.last_session) == (FIRST, LAST)


def test_same_limits_as_recorded_are_worth_nothing(traded: Database) -> None:
    outcome = TradingDesk(traded, SETTINGS, NOW).what_if(FIRST, LAST, {"max_position": 0.5})
    assert (outcome.differences, outcome.worth_usd) == ([], 0)


def test_limit_that_only_the_scenario_has_is_told_of_the_market(traded: Database) -> None:
    outcome = TradingDesk(traded, SETTINGS, NOW).what_if(FIRST, LAST, {"max_order_adv": 1})
    assert (outcome.differences, outcome.worth_usd) == ([], 0)


def test_what_if_of_what_nobody_lived_through_or_no_limits_is_refused(traded: Database) -> None:
    desk = TradingDesk(traded, SETTINGS, NOW)
    with pytest.raises(NotFound, match="has lived through sessions 2011-05-02 to 2011-09-01"):
        desk.what_if(FIRST, date(2011, 9, 1), {"max_position": 0.1})
    with pytest.raises(SettingsError, match="Did you mean max_position"):
        desk.what_if(FIRST, LAST, {"max_postion": 0.1})
    with pytest.raises(SettingsError, match="These limits do not fit together"):
        desk.what_if(FIRST, LAST, {"stop_all_daily_loss": 0.1})


def test_limit_set_by_a_person_binds_from_its_time_on_in_ledger_and_backtest(
    prepared: Database, new_database: Callable[..., Database]
) -> None:
    database, begin = new_database(prepared), session(date(2011, 7, 1)).opens_at
    unlimited = data_hash(record_of(database))
    with database.transaction() as connection:
        set_limit(connection, SETTINGS, "max_position", 0.05, "Ada", "a test", begin - timedelta(days=9), begin)
    TradingDesk(database, SETTINGS, NOW).replay(FIRST, LAST)
    held = dict(
        rows(
            database,
            "select session_date >= '2011-07-01', max(limit_value / equity_usd::float8) from risk.verdicts "
            "join risk.verdict_checks using (intent_id) where rule_id = 'RC-21' group by 1",
        )
    )
    assert held == {False: pytest.approx(0.5), True: pytest.approx(0.05)}
    before = ledger_hash(database)
    assert not any(TradingDesk(database, SETTINGS, NOW).replay(FIRST, LAST).written.values())

    record = record_of(database)
    assert data_hash(record) != unlimited
    tried = plan_backtest(SETTINGS, record, {"risk.max_position": 0.4})
    assert tried.terms.rules.changes == ()
    plan, other = plan_backtest(SETTINGS, record, {}), new_database()
    with other.transaction() as connection:
        ledger.open_account(connection, "simulated", SETTINGS.fingerprint(), FIRST, plan.terms.opening_cash_usd)
        ledger.record(connection, run_journal(plan, record))
    assert ledger_hash(other, plan.terms.account_id) == before


def test_command_shows_what_other_limits_would_have_done(
    traded: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    from trading_assets.cli import trading

    (tmp_path / "trading.yaml").write_text(yaml.safe_dump(SETTINGS.model_dump(mode="json", exclude_unset=True)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", traded.url)
    span = ["--from", f"{FIRST}", "--to", f"{LAST}"]
    told = CliRunner().invoke(trading, ["whatif", *span, "--limit", "max_position=0.1"], env={"COLUMNS": "160"})
    assert told.exit_code == 0, told.output
    assert "MAX_POSITION" in told.output.upper()
    assert " recorded verdicts " in told.output
    assert "No recorded verdict was touched." in told.output
    listed = CliRunner().invoke(trading, ["whatif", "list"], env={"COLUMNS": "160"})
    assert (listed.exit_code, "max_position=0.1" in listed.output) == (0, True), listed.output
    with traded.transaction() as connection:
        (stored,) = [one for one in scenarios(connection) if one.limits == {"max_position": 0.1}]
    shown = CliRunner().invoke(trading, ["whatif", "show", stored.scenario_id[:8]], env={"COLUMNS": "160"})
    assert (shown.exit_code, shown.output.splitlines()[-3:]) == (0, told.output.splitlines()[-3:])
    assert "The first 20 of" in told.output
    assert len(shown.output.splitlines()) > len(told.output.splitlines())
    unknown = CliRunner().invoke(trading, ["whatif", "show", "zz"])
    assert (unknown.exit_code, "There is no scenario" in unknown.output) == (1, True), unknown.output
    assert CliRunner().invoke(trading, ["whatif", "--limit", "max_position=0.1"]).exit_code == 2
