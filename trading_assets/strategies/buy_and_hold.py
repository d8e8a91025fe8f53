"""Benchmark: hold every symbol all the time. What a strategy earns beyond this is its own.

Reference: Fama and Blume (1966), "Filter Rules and Stock-Market Trading", Journal of Business 39(1), which measures
trading rules against buying and holding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class BuyAndHold(Strategy):
    """Signal 1 on every bar."""

    name = "buy_and_hold"
    version = "1"

    class Parameters(StrategyParameters):
        """None."""

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return ()

    def signals(self, view: View) -> pd.DataFrame:
        return view.signals(np.ones(len(view.bars)), ["always long"] * len(view.bars))
