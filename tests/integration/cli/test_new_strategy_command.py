"""`trading new strategy`: what it writes works as written, and it never writes over anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from trading_assets.adapters.plugins import load_strategies
from trading_assets.cli import trading
from trading_assets.settings import load_trading_settings

CONFIG = "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\nstrategies: {}\nstrategies_folder: mine\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "trading.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_CONFIG", raising=False)
    return tmp_path


def new_strategy(*arguments: str) -> Result:
    return CliRunner().invoke(trading, ["new", "strategy", *arguments])


def test_written_strategy_is_found_and_its_test_passes_as_written(home: Path) -> None:
    result = new_strategy("close_above_average")
    assert result.exit_code == 0, result.output
    assert "strategies_folder:" not in result.output
    config = (home / "trading.yaml").read_text().replace("{}", "{close_above_average: {capital_weight: 1}}")
    (home / "trading.yaml").write_text(config)
    (loaded,) = load_strategies(load_trading_settings())
    assert type(loaded.strategy).__name__ == "CloseAboveAverage"
    test_file = home / "mine" / "tests" / "test_close_above_average.py"
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test_file], capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stdout
    assert "2 passed" in tried.stdout


def test_written_test_notices_a_strategy_that_looks_ahead(home: Path) -> None:
    new_strategy("peeking")
    written = home / "mine" / "peeking.py"
    written.write_text(written.read_text().replace("is_long = close > mean", "is_long = close[-1] > mean"))
    test_file = home / "mine" / "tests" / "test_peeking.py"
    tried = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", test_file], capture_output=True, text=True, check=False
    )
    assert "2 failed" in tried.stdout


def test_second_writing_of_a_name_is_refused_and_changes_nothing(home: Path) -> None:
    new_strategy("mine_too")
    written = home / "mine" / "mine_too.py"
    written.write_text(written.read_text() + "# mine\n")
    result = new_strategy("mine_too")
    assert result.exit_code == 1
    assert f"{written} (MineToo) offers a strategy mine_too already" in result.output
    assert written.read_text().endswith("# mine\n")


def test_name_of_an_installed_strategy_is_refused(home: Path) -> None:
    result = new_strategy("sma_crossover")
    assert result.exit_code == 1
    assert "SmaCrossover" in result.output


@pytest.mark.parametrize("name", ["Mine", "1st", "a-b", "../up", "none", "indicator"])
def test_name_that_trading_yaml_or_the_file_itself_would_refuse_is_refused(home: Path, name: str) -> None:
    result = new_strategy(name)
    assert result.exit_code == 2
    assert not (home / "mine").exists()


def test_folder_that_is_not_configured_yet_is_said(home: Path) -> None:
    (home / "trading.yaml").write_text(CONFIG.replace("strategies_folder: mine\n", ""))
    result = new_strategy("first")
    assert (home / "strategies" / "first.py").exists()
    assert f"strategies_folder: {home / 'strategies'}" in result.output
