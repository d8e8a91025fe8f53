"""The pages of backtests: one with its report, several side by side, a search; and how the web page learns of them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pytest
from click.testing import CliRunner, Result

from trading_assets.adapters.backtest_report import backtest_report
from trading_assets.adapters.backtests import plan_backtest, report_path, run_backtest
from trading_assets.adapters.comparison import render_comparison, render_sweep
from trading_assets.adapters.plugins import source_sha256
from trading_assets.adapters.postgres.analytics import buy_and_hold_returns
from trading_assets.adapters.postgres.backtests import store_backtest
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record
from trading_assets.adapters.postgres.stored_backtests import stored_backtests, stored_sweep
from trading_assets.adapters.report import render
from trading_assets.adapters.sample import SampleSource
from trading_assets.cli import trading
from trading_assets.defs.strategy.backtests import BACKTESTS, NAMES, list_backtests_sensor
from trading_assets.domain.values import Timeframe
from trading_assets.settings import load_trading_settings
from trading_assets.strategies.sma_crossover import SmaCrossover

HISTORY, FIRST, LAST = date(2011, 3, 1), date(2011, 5, 2), date(2011, 8, 31)
NOW = datetime(2013, 6, 3, tzinfo=UTC)
FAST, SLOW = "strategies.sma_crossover.parameters.fast", "strategies.sma_crossover.parameters.slow"
YAML = """
source: sample
universe: [AAPL, IBM]
timeframes: [1d]
strategies: {sma_crossover: {capital_weight: 0.6, parameters: {fast: 3, slow: 10}}}
risk: {max_order_notional: 0.5, max_position: 0.5}
"""


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with bars, and a folder with a configuration, that commands and sensors use."""
    source = SampleSource()
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(["AAPL", "IBM"]), source.name)
        store_bars(connection, source.bars(["AAPL", "IBM"], Timeframe.SESSION, HISTORY, LAST, NOW))
        connection.execute("update ops.quality_gates set state = 'open'")
    (tmp_path / "trading.yaml").write_text(YAML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_CONFIG", raising=False)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    return database


def command(*arguments: str) -> Result:
    result = CliRunner().invoke(trading, list(arguments))
    assert result.exit_code == 0, result.output
    return result


def page_of(result: Result) -> str:
    (path,) = re.findall(r"^(?:Report|Comparison): (.+)$", result.output, re.MULTILINE)
    return Path(path).read_text(encoding="utf-8")


def backtest(*more: str) -> Result:
    return command("backtest", "--from", f"{FIRST}", "--to", f"{LAST}", *more)


def test_report_of_a_backtest_says_what_it_is_and_what_it_is_worth(
    desk: Database, caplog: pytest.LogCaptureFixture
) -> None:
    alone = page_of(backtest())
    assert "findfont" not in caplog.text
    version = re.search(r"1\+[0-9a-f]{8}", alone).group()
    source = source_sha256(SmaCrossover)
    for told in (
        "Backtest: as-configured",
        version,
        source,
        "Survivorship-biased",
        "only configuration",
        "slow <b>10</b>",
    ):
        assert told in alone, told
    assert alone.count("<svg") == 4
    assert not re.search(r'(?:src|href)="(?!data:|#)', alone), "it is one file"

    faster = page_of(backtest("--set", f"{FAST}=2", "--name", "<faster>"))
    for told in ("after 2 configurations", "&lt;faster&gt;", f"{FAST} = 2", "Slippage, at most (5 bps)"):
        assert told in faster, told


def test_report_counts_as_the_summary_does(desk: Database) -> None:
    settings = load_trading_settings()
    record = read_market_record(desk, settings, FIRST, LAST, NOW)
    result = run_backtest(plan_backtest(settings, record, {}), record, data_hash(record))
    summary = result.summary
    held = buy_and_hold_returns(desk, settings.universe, summary.sessions)
    data = backtest_report(result, held, {"another": 1.0})
    assert len(held) == len(summary.sessions)
    assert data.backtest.tried == 2
    profit = sum(float(series[-1]) for series in data.strategy_profit_usd.values())
    assert profit - data.fees_usd == pytest.approx(float(summary.equity_usd[-1]) - 100_000)
    assert sum(one.count for one in data.denials) >= summary.figures.denied
    assert render(data) == render(data)
    for deflated, told in ((0.97, "It convinces."), (0.5, "may well be luck")):
        assert told in render(replace(data, backtest=replace(data.backtest, deflated_sharpe=deflated)))


def test_search_of_two_parameters_has_a_heat_map_and_its_worth(desk: Database) -> None:
    grid = ("--grid", f"{FAST}=2,3,12", "--grid", f"{SLOW}=10,20", "--name", "crossings")
    page = page_of(command("sweep", "--from", f"{FIRST}", "--to", f"{LAST}", *grid))
    assert "Search: crossings" in page
    assert "Deflated Sharpe ratio of the best trial, after 5 configurations" in page
    assert page.count('<td class="best"') == 2, "in the map of Sharpe ratios and in that of drawdowns"
    assert page.count('style="background:transparent"') == 2, "fast 12 and slow 10 is no combination"
    assert "1 combination not accepted" in page
    assert page_of(command("compare", "crossings")) == page
    with desk.transaction() as connection:
        sweep = stored_sweep(connection, "crossings")
        assert stored_sweep(connection, "another") is None
    best = max(sweep.trials, key=lambda one: one.figures.sharpe)
    assert f"<td>{best.figures.sharpe:.2f}</td><td>{best.deflated_sharpe * 100:.0f} %</td>" in page.replace("−", "-")
    one_key = replace(sweep, parameters={FAST: [2, 3, 12]})
    assert "What each value gave" in render_sweep(one_key)


def test_backtests_side_by_side_show_what_differs_and_the_best(desk: Database) -> None:
    backtest()
    backtest("--set", f"{FAST}=2", "--name", "faster")
    page = page_of(command("compare", "as-configured", "faster"))
    assert "2 backtests side by side" in page
    assert '<td class="l">sma_crossover.fast</td><td>3</td><td>2</td>' in page
    assert "capital_weight" not in page
    with desk.transaction() as connection:
        found = stored_backtests(connection, ["as-configured", "faster"])
    returns = [one.figures.total_return_pct for one in found]
    best = f"<b>{max(returns):.2f} %</b>".replace("-", "−")
    assert '<td class="l">Total return</td>' in page
    assert best in page
    assert np.prod(1 + found[0].returns) - 1 == pytest.approx(returns[0] / 100)
    assert render_comparison(found) == page
    refused = CliRunner().invoke(trading, ["compare", "faster", "slower"])
    assert (refused.exit_code, refused.output) == (1, "Error: No backtest or sweep has the id or the name 'slower'.\n")


def test_backtest_of_the_command_becomes_a_partition_of_the_asset_once(desk: Database, tmp_path: Path) -> None:
    backtest("--name", "mine")
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor: str | None):
            with dg.build_sensor_context(instance, cursor=cursor, resources={"database": desk}) as context:
                return list_backtests_sensor.evaluate_tick(context)

        first = tick(None)
        (request,) = first.dynamic_partitions_requests
        assert (request.partitions_def_name, list(request.partition_keys)) == (NAMES.name, ["mine"])
        (event,) = first.asset_events
        assert (event.asset_key, event.partition) == (BACKTESTS, "mine")
        backtest_id = event.metadata["backtest_id"].value
        assert event.metadata["report"].value == str(report_path(tmp_path / "home", backtest_id))
        instance.add_dynamic_partitions(NAMES.name, ["mine"])
        instance.report_runless_asset_event(event)
        assert tick(first.cursor).skip_message == "Every stored backtest is shown."

        with desk.transaction() as connection:
            settings = load_trading_settings()
            record = read_market_record(desk, settings, FIRST, date(2011, 8, 30), NOW)
            other = run_backtest(plan_backtest(settings, record, {}, "mine"), record, data_hash(record))
            store_backtest(connection, other)
        (event,) = tick(first.cursor).asset_events
        assert event.metadata["backtest_id"].value == other.backtest_id
