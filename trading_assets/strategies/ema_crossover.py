"""Trend following by two exponential moving averages: long while the fast one is above the slow one, otherwise flat.

Reference: Gerald Appel (2005), "Technical Analysis: Power Tools for Active Investors", chapter 6 (the averages, weight
2/(n + 1)); Brock, Lakonishok and LeBaron (1992), Journal of Finance 47(5) (the rule, long side only, without a band).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class EmaCrossover(Strategy):
    """Signal 1 while ema(fast) > ema(slow), else 0. Long only."""

    name = "ema_crossover"
    version = "1"

    class Parameters(StrategyParameters):
        fast: int = Field(12, ge=2, le=1000, description="bars of the fast average")
        slow: int = Field(26, ge=3, le=2000, description="bars of the slow average")

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.fast >= self.slow:
                raise ParameterError(f"parameter 'fast' is {self.fast}, accepted is less than 'slow' ({self.slow}).")
            return self

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator("ema", self.parameters.fast), Indicator("ema", self.parameters.slow))

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
