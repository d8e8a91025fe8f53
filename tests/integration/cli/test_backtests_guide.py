"""The commands of docs/guides/backtests.md, in their order, on the bundled history."""

import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import BARS_DATASET, store_bars
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.adapters.sample import SampleSource
from trading_assets.cli import trading
from trading_assets.domain.values import Timeframe
from trading_assets.settings import PROJECT_ROOT, load_trading_settings

GUIDE = (PROJECT_ROOT / "docs" / "guides" / "backtests.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", GUIDE, re.S) for line in block.splitlines()]


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs a line of a shell in this process, on a database with the bundled bars up to the guide's last session."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.setenv("TRADING_CONFIG", str(PROJECT_ROOT / "trading.yaml"))
    monkeypatch.setenv("COLUMNS", "200")
    universe, source, now = load_trading_settings().universe, SampleSource(), WallClock().now()
    first, last = date(2010, 9, 1), date(2012, 12, 31)
    bars = source.bars(universe, Timeframe.SESSION, first, last, now)
    with database.transaction() as connection:
        store_bars(connection, bars)
        store_instruments(connection, source.instruments(universe), source.name)
        store_actions(connection, source.corporate_actions(universe, first, last), source.name)
        hold_gates(connection)
        pairs = zip(bars["session_date"], bars["symbol"], strict=True)
        write_gates(connection, BARS_DATASET, {pair: [] for pair in pairs}, now)

    def line(text: str) -> str:
        program, *arguments = shlex.split(text)
        assert program == "trading"
        result = CliRunner().invoke(trading, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    return line


def test_commands_of_the_guide_work_and_say_how_many_trials_there_were(run) -> None:
    plain, faster, searched, forward, compared, table = map(run, COMMANDS)
    assert "as-configured: sessions 2011-01-03 to 2012-12-31" in plain
    assert "Sharpe ratio" in plain
    assert "Probability of a Sharpe ratio above 0" in plain
    assert faster.startswith("faster: ")
    assert "4 trials, sessions 2011-01-03 to 2012-12-31, in sample" in searched
    assert "┃ Trial ┃ fast ┃ slow ┃ Sharpe ┃ Deflated ┃" in searched
    assert "with 4 trials and 2 earlier ones the deflated Sharpe ratio is" in searched
    assert "2 trials" in forward
    assert "out of sample" in forward
    assert forward.count("with 2 trials and 4 earlier ones the deflated Sharpe ratio is") == 2
    assert "Training window" in forward
    assert compared.startswith("Comparison: ")
    assert "faster" in table
    assert "came out the same" in run(COMMANDS[0])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["backtest", "--set", "risk.max_positon=0.2"], "Did you mean max_position?"),
        (["backtest", "--set", "strategies.sma_crossover.parameters.fast=70"], "'fast' is 70"),
        (["backtest", "--set", "risk"], "is no setting"),
        (["backtest", "--from", "1990-01-02"], "1990-01-02 lies outside the frozen calendar"),
        (["sweep", "--grid", "universe=AAPL,IBM"], "universe cannot be searched"),
        (["sweep", "--grid", "risk.max_position=0.1", "--grid", "risk.max_position=0.2"], "names a key twice"),
        (["sweep", "--grid", "risk.max_position=0.1", "--walk-forward", "train=1,test=5"], "must be at least 2"),
        (["sweep", "--grid", "risk.max_position=0.1", "--walk-forward", "weeks=3"], "write train=252"),
    ],
)
def test_mistake_is_one_line_that_names_it(run, arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(trading, arguments)
    assert result.exit_code > 0
    assert complaint in result.output
    assert "Traceback" not in result.output
