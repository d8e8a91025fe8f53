"""Trend following by moving average convergence/divergence: long while the MACD line is above its signal line.

Reference: Gerald Appel (2005), "Technical Analysis: Power Tools for Active Investors", chapter 8: the crossings of the
signal line, 12-26-9 by default; long side only, without his filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.strategy import Strategy, View
from trading_assets.strategies._crossover import FastAndSlow

if TYPE_CHECKING:
    import pandas as pd


class MacdTrend(Strategy):
    """Signal 1 while macd > macd_signal, else 0. Long only."""

    name = "macd_trend"
    version = "1"

    class Parameters(FastAndSlow):
        fast: int = Field(12, ge=2, le=1000, description="bars of the fast average")
        slow: int = Field(26, ge=3, le=2000, description="bars of the slow average")
        signal: int = Field(9, ge=2, le=500, description="bars of the signal line, the average of the MACD line")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        lengths = (self.parameters.fast, self.parameters.slow, self.parameters.signal)
        return (Indicator("macd", *lengths), Indicator("macd_signal", *lengths))

    def signals(self, view: View) -> pd.DataFrame:
        line, signal = self.indicators()
        line_values, signal_values = view.indicator(line), view.indicator(signal)
        is_long = line_values > signal_values
        reasons = [
            f"{line.column} {line_value:.3f} {'above' if above else 'not above'} its signal line {signal_value:.3f}"
            for line_value, signal_value, above in zip(
                line_values.tolist(), signal_values.tolist(), is_long.tolist(), strict=True
            )
        ]
        return view.signals(is_long, reasons)
