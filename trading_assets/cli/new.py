"""`trading new strategy`: a working strategy and its test, written into the folder of strategies."""

from __future__ import annotations

from pathlib import Path
from string import Template

import click

WORDS_OF_THE_FILE = {"False", "None", "True", "Field", "Indicator", "Strategy", "StrategyParameters"}


@click.group()
def new() -> None:
    """Write a file to begin with."""


@new.command("strategy")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder.  [default: strategies_folder of trading.yaml, else `strategies` beside it]",
)
def strategy(name: str, into: Path | None) -> None:
    """Write the strategy NAME and its test: working files, to be changed."""
    import re

    from trading_assets.adapters.plugins import find_strategies
    from trading_assets.settings import STRATEGY_NAME, config_path, load_trading_settings

    if not re.fullmatch(STRATEGY_NAME, name):
        raise click.UsageError(f"{name!r} does not match {STRATEGY_NAME}: lower case, for example close_above_average.")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    if class_name in WORDS_OF_THE_FILE:
        raise click.UsageError(f"A class {class_name} would hide a word that its own file needs: choose another name.")
    settings = load_trading_settings()
    if name in (taken := find_strategies(settings).offers):
        raise click.ClickException(f"{taken[name][0].described} offers a strategy {name} already: choose another name.")
    folder = into or settings.strategies_folder or config_path().resolve().parent / "strategies"
    strategy_file, test_file = folder / f"{name}.py", folder / "tests" / f"test_{name}.py"
    for path in (strategy_file, test_file):
        if path.exists():
            raise click.ClickException(f"{path} is there already and stays as it is: choose another name.")
    test_file.parent.mkdir(parents=True, exist_ok=True)
    for path, template in ((strategy_file, STRATEGY), (test_file, TEST)):
        path.write_text(Template(template).substitute(name=name, class_name=class_name), encoding="utf-8")
        click.echo(f"Wrote {path}")
    if settings.strategies_folder is None or settings.strategies_folder.resolve() != folder.resolve():
        click.echo(f"Add to {config_path()}:  strategies_folder: {folder}")
    click.echo(f"Try it:  python -m pytest {test_file}")
    click.echo(f"Trade it: name it under `strategies` in {config_path()}, then `trading doctor` and `make up`.")


STRATEGY = '''\
"""Long while the close is above its simple moving average, otherwise flat.

Say here what the strategy trades on, where the idea was published, and when it should not work.
"""

from __future__ import annotations

from pydantic import Field

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy


class $class_name(Strategy):
    """Signal 1 while the close is above sma(period), else 0. Long only."""

    name = "$name"
    # Raise it with every change that may change a decision: it is recorded with each of them.
    version = "1"

    class Parameters(StrategyParameters):
        """What `parameters` in trading.yaml may say; another value changes the recorded version too."""

        period: int = Field(20, ge=2, le=1000, description="bars of the average")

    parameters: Parameters

    def indicators(self):
        """What `signals` reads: computed from a symbol's first bar on, NaN while warming up."""
        return (Indicator("sma", self.parameters.period),)

    def signals(self, view):
        """One signal from -1 to 1 and one reason for each row of `view.bars`, from that row and earlier ones."""
        (average,) = self.indicators()
        close, mean = view.bars["close"].to_numpy(), view.indicator(average)
        is_long = close > mean
        reasons = [
            f"close {price:.2f} {'above' if above else 'not above'} {average.column} {value:.2f}"
            for price, value, above in zip(close, mean, is_long, strict=True)
        ]
        return view.signals(is_long, reasons)
'''

TEST = '''\
"""$class_name against decisions worked out by hand, and against looking ahead."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from trading_assets.adapters.strategy_files import strategies_in
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, decide
from trading_assets.domain.values import Timeframe

FILE = Path(__file__).parents[1] / "$name.py"
CLOSES = [10.0, 10.0, 10.0, 13.0, 8.0]


def signals_of(closes: list[float], **parameters: object) -> list[float]:
    """The decisions on one symbol's daily bars, as the graph takes them."""
    (found,) = (one for one in strategies_in(FILE) if one.name == "$name")
    strategy = found.strategy.configured(parameters)
    days = sessions_between(date(2012, 1, 3), date(2012, 12, 31))[: len(closes)]
    bounds = [bar_bounds(day, Timeframe.SESSION)[0] for day in days]
    bars = pd.DataFrame(
        {
            "symbol": "MSFT",
            "timeframe": "1d",
            "ts": pd.DatetimeIndex([bar.ts for bar in bounds]),
            "closes_at": pd.DatetimeIndex([bar.closes_at for bar in bounds]),
            "session_date": days,
            **{price: closes for price in ("open", "high", "low", "close")},
            "volume": 1000.0,
        }
    )
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    configured = ConfiguredStrategy("$name", strategy, Timeframe.SESSION, capital_weight=1.0)
    return decide(configured, bars, values)["signal"].tolist()


def test_signals_are_those_worked_out_by_hand():
    # Averages of three closes: 10, 11 and 10.33, from the third bar on.
    assert signals_of(CLOSES, period=3) == [0, 0, 0, 1, 0]


def test_later_bars_change_no_earlier_signal():
    whole = signals_of(CLOSES, period=3)
    for known in range(1, len(CLOSES)):
        changed = [*CLOSES[:known], *(99.0 for _ in CLOSES[known:])]
        assert signals_of(changed, period=3)[:known] == whole[:known]
'''
