"""Every built-in strategy is offered, listed in the guide as it is, and looks neither ahead nor too far back."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from datetime import date
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from pydantic.fields import FieldInfo

import trading_assets.strategies
from trading_assets.adapters.plugins import GROUP, PluginError, load_strategies
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.histories import History
from trading_assets.domain.strategy.proofs import prove_no_look_ahead
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy
from trading_assets.domain.strategy.warm_up import prove_warm_up
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "strategies.md").read_text()
OFFERED: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
BUILT_IN: dict[str, type[Strategy]] = {name: EntryPoint(name, at, GROUP).load() for name, at in OFFERED.items()}

PARAMETERS: dict[str, dict[str, object]] = {
    "bollinger_breakout": {"period": 5, "deviations": 1.0, "max_hold": 6},
    "buy_and_hold": {},
    "cross_sectional_momentum": {"lookback": 5, "skip": 1, "rebalance_sessions": 2, "top_pct": 34},
    "donchian_breakout": {"entry": 5, "exit": 3, "max_hold": 8},
    "ema_crossover": {"fast": 3, "slow": 7},
    "macd_trend": {"fast": 3, "slow": 6, "signal": 3},
    "pairs_trading": {"formation": 30, "window": 10, "entry": 1.2, "max_hold": 5, "max_p_value": 0.5},
    "random_entry": {"entry_pct": 20.0, "hold": 3},
    "rsi_reversion": {"period": 3, "entry": 45, "exit": 55, "max_hold": 4},
    "sma_crossover": {"fast": 3, "slow": 7},
}
"""Short enough for a history of a few hundred bars."""


def history(sessions: int, facts: Facts) -> History:
    """Three symbols, two of which are tied together, from the first session of 2015 on."""
    days = sessions_between(date(2015, 1, 2), date(2020, 12, 31))[:sessions]
    generator = np.random.default_rng(11)
    walks = generator.normal(scale=0.02, size=(sessions, 3)).cumsum(axis=0)
    spread = generator.normal(scale=0.02, size=sessions)
    walks[:, 1] = 0.7 * walks[:, 0] + spread
    bounds = [bar_bounds(day, Timeframe.SESSION)[0] for day in days]
    frames = []
    for symbol, walk in zip("ABC", walks.T, strict=True):
        close = 50 * np.exp(walk)
        frame = pd.DataFrame({"symbol": symbol, "timeframe": "1d", "ts": pd.DatetimeIndex([one.ts for one in bounds])})
        frame["closes_at"], frame["session_date"] = pd.DatetimeIndex([one.closes_at for one in bounds]), days
        prices = {"open": close, "high": close * 1.005, "low": close * 0.995, "close": close, "volume": 1000.0}
        frames.append(frame.assign(**prices, version=1, source="test", known_at=frame["closes_at"]))
    return History(pd.concat(frames, ignore_index=True), facts=facts)


def configured(name: str) -> ConfiguredStrategy:
    return ConfiguredStrategy(name, BUILT_IN[name](**PARAMETERS[name]), Timeframe.SESSION, 1.0)


def test_every_file_of_the_folder_is_offered_under_its_name():
    files = {path.stem for path in Path(trading_assets.strategies.__file__).parent.glob("[a-z]*.py")}
    assert files == set(OFFERED) == {one.name for one in BUILT_IN.values()} == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS)
def test_built_in_does_not_look_ahead(name):
    leaving = Membership("C", date(2000, 1, 3), date(2015, 3, 20))
    members = [*(Membership(symbol, date(2000, 1, 3)) for symbol in "AB"), leaving]
    tried = history(90, Facts(members=members))
    one = configured(name)
    assert set(tried.decisions(one)["signal"]) - {0.0}, "a strategy that does nothing proves nothing"
    proof = prove_no_look_ahead(one, tried, times=5)
    assert proof.passed, proof.finding


@pytest.mark.parametrize("name", PARAMETERS)
def test_built_in_needs_no_more_bars_than_it_says(name):
    one = configured(name)
    tried = history(4 * (one.strategy.warm_up + one.strategy.memory) + 60, Facts())
    assert set(tried.decisions(one)["signal"]) - {0.0}, "a strategy that does nothing proves nothing"
    proof = prove_warm_up(one, tried, times=3)
    assert proof.passed, proof.finding


# The guide ---------------------------------------------------------------------------------------


def row_of(strategy: type[Strategy]) -> str:
    """The line of the guide's table: what stands in the strategy's own file."""
    text = " ".join(inspect.getdoc(sys.modules[strategy.__module__]).split())
    idea = inspect.getdoc(sys.modules[strategy.__module__]).split("\n\n")[0].replace("\n", " ").rstrip(".")
    (reference,) = re.findall(r"Reference: (.+?\(\d{4}\))", text)
    fields = strategy.Parameters.model_fields
    parameters = ", ".join(f"`{name}` {field.default}{limits(field)}" for name, field in fields.items()) or "none"
    return f"| `{strategy.name}` | {idea} | {parameters} | {reference} |"


def limits(field: FieldInfo) -> str:
    found = {kind: getattr(one, kind) for one in field.metadata for kind in ("ge", "gt", "le") if hasattr(one, kind)}
    if not found:
        return f" ({' or '.join(get_args(field.annotation))})"
    lowest = found.get("ge", f"above {found.get('gt')}")
    return f" ({lowest} to {found['le']})"


def test_the_guide_lists_every_built_in_with_idea_parameters_and_reference():
    rows = re.findall(r"^\| `[a-z_]+` \| .*$", GUIDE.split("## Built-in strategies")[1], re.M)
    assert rows == [row_of(BUILT_IN[name]) for name in sorted(BUILT_IN)]


# Short sales -------------------------------------------------------------------------------------


def trading(allow_short: bool) -> TradingSettings:
    section = {"capital_weight": 0.5, "parameters": {}}
    facts = {"source": "sample", "universe": ["AAPL", "MSFT"], "timeframes": ["1d"]}
    return TradingSettings.model_validate(
        {**facts, "strategies": {"pairs_trading": section}, "risk": {"allow_short": allow_short}}
    )


def test_strategy_that_sells_short_is_refused_unless_shorts_are_allowed():
    offers = [EntryPoint("pairs_trading", OFFERED["pairs_trading"], GROUP)]
    assert [one.name for one in load_strategies(trading(allow_short=True), offers)] == ["pairs_trading"]
    with pytest.raises(PluginError, match=r"strategies\.pairs_trading sells short, and risk\.allow_short is false"):
        load_strategies(trading(allow_short=False), offers)
