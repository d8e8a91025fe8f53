"""Trend following by two simple moving averages: long while the fast one is above the slow one, otherwise flat.

Reference: Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the Stochastic Properties of Stock
Returns", Journal of Finance 47(5), the variable-length moving average rule without a band, long side only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError, parameter
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class SmaCrossover(Strategy):
    """Signal 1 while sma(fast) > sma(slow), else 0. Long only."""

    name = "sma_crossover"
    version = "1"

    @dataclass(frozen=True)
    class Parameters:
        fast: int = parameter(20, minimum=2, maximum=1000, meaning="bars of the fast average")
        slow: int = parameter(50, minimum=3, maximum=2000, meaning="bars of the slow average")

        def __post_init__(self) -> None:
            if self.fast >= self.slow:
                raise ParameterError(f"parameter 'fast' is {self.fast}, accepted is less than 'slow' ({self.slow}).")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator("sma", self.parameters.fast), Indicator("sma", self.parameters.slow))

    def signals(self, view: View) -> pd.DataFrame:
        fast, slow = self.indicators()
        fast_values, slow_values = view.indicator(fast), view.indicator(slow)
        is_long = fast_values > slow_values
        reasons = [
            f"{fast.column} {fast_value:.2f} {'above' if above else 'not above'} {slow.column} {slow_value:.2f}"
            for fast_value, slow_value, above in zip(
                fast_values.tolist(), slow_values.tolist(), is_long.tolist(), strict=True
            )
        ]
        return view.signals(is_long, reasons)
