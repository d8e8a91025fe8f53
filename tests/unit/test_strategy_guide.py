"""The strategy that docs/guides/strategies.md shows works as it stands, and its tests would catch a look ahead."""

from __future__ import annotations

import re
import sys
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, decide
from trading_assets.domain.values import Timeframe
from trading_assets.settings import StrategySettings

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "strategies.md").read_text()
CLOSES = [10.0, 10.0, 10.0, 12.0, 13.0, 9.0, 8.0]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE, re.M | re.S)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("my_strategies.breakout")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(blocks("python")[0], module.__dict__)  # noqa: S102  our own documentation
    return module


def bars_of(closes: list[float]) -> pd.DataFrame:
    starts = [datetime(2024, 1, 1, 14, 30, tzinfo=UTC) + timedelta(days=number) for number in range(len(closes))]
    return pd.DataFrame(
        {
            "symbol": "MSFT",
            "timeframe": "1d",
            "ts": pd.DatetimeIndex(starts),
            "closes_at": pd.DatetimeIndex(starts) + pd.Timedelta(hours=6, minutes=30),
            "session_date": [date(2024, 1, 1) + timedelta(days=number) for number in range(len(closes))],
            **dict.fromkeys(("open", "high", "low", "close"), closes),
            "volume": 1000.0,
        }
    )


def signals_of(module: ModuleType, closes: list[float]) -> list[float]:
    """What the guide's last example computes."""
    bars = bars_of(closes)
    declared = module.Breakout(fast=2, slow=3, margin_pct=0.5).indicators()
    names: dict[str, Any] = {
        "Breakout": module.Breakout,
        "ConfiguredStrategy": ConfiguredStrategy,
        "Timeframe": Timeframe,
        "decide": decide,
        "bars": bars,
        "values": compute(bars, np.ones(len(bars)), declared),
    }
    exec(blocks("python")[1], names)  # noqa: S102  our own documentation
    return names["signals"]["signal"].tolist()


def test_the_guides_strategy_gives_the_signals_worked_out_by_hand(module: ModuleType) -> None:
    # Averages of 2 and 3: (11, 10.67), (12.5, 11.67) are long; (11, 11.33), (8.5, 10) are not.
    assert signals_of(module, CLOSES) == [0, 0, 0, 1, 1, 0, 0]


def test_the_guides_strategy_does_not_look_ahead(module: ModuleType) -> None:
    whole = signals_of(module, CLOSES)
    for last in range(1, len(CLOSES)):
        changed = [*CLOSES[:last], *(99.0 for _ in CLOSES[last:])]
        assert signals_of(module, changed)[:last] == whole[:last]


def test_the_guides_registration_is_that_of_its_class(module: ModuleType) -> None:
    entry_points = tomllib.loads(blocks("toml")[0])["project"]["entry-points"]["trading_assets.strategies"]
    assert entry_points == {module.Breakout.name: f"{module.__name__}:{module.Breakout.__name__}"}
    section = yaml.safe_load(blocks("yaml")[0])["strategies"]["breakout"]
    module.Breakout.configured(StrategySettings(**section).parameters)


def test_the_guides_strategy_that_remembers_gives_the_signals_worked_out_by_hand() -> None:
    names: dict[str, Any] = {"__name__": __name__}
    exec(blocks("python")[2], names)  # noqa: S102  our own documentation
    strategy = names["TrailingStop"]()
    bars = bars_of([10.0, 10.0, 12.0, 10.0, 8.0, 8.0, 8.0])
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    configured = ConfiguredStrategy("trailing_stop", strategy, Timeframe.SESSION, capital_weight=1.0)
    # Averages 10, 11, 11, 9, 8, 8: 9 is below 9.9; then the highest begins anew.
    assert decide(configured, bars, values)["signal"].tolist() == [0, 1, 1, 1, 0, 1, 1]
