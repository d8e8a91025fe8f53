"""Volatility breakout: buy when the close leaves the Bollinger bands upwards, sell when it is back below a band.

Reference: John Bollinger (2001), "Bollinger on Bollinger Bands", chapter 16, method I: a close above the upper band is
bought. His filter by the Squeeze is not applied; his exit at the opposite band is `exit_band: lower`. The holding limit
keeps the memory finite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from trading_assets.domain.strategy.holding import hold
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class BollingerBreakout(Strategy):
    """Signal 1 from a close above the upper band until a close below the `exit_band`, else 0. Long only.

    A position ends `max_hold` bars after the newest close above the upper band at the latest.
    """

    name = "bollinger_breakout"
    version = "1"

    class Parameters(StrategyParameters):
        period: int = Field(20, ge=2, le=1000, description="bars of the average and of the deviation")
        deviations: float = Field(2.0, ge=0.1, le=10, description="width of the bands in standard deviations")
        exit_band: Literal["middle", "lower"] = Field("middle", description="a close below this band ends a position")
        max_hold: int = Field(60, ge=1, le=1000, description="bars a position outlives its newest close above")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        width = (self.parameters.period, self.parameters.deviations)
        return (Indicator("bollinger_upper", *width), Indicator(f"bollinger_{self.parameters.exit_band}", *width))

    @property
    def memory(self) -> int:
        return self.parameters.max_hold - 1

    def signals(self, view: View) -> pd.DataFrame:
        upper, lower = (view.indicator(band) for band in self.indicators())
        exit_band, max_hold = self.parameters.exit_band, self.parameters.max_hold
        close = view.bars["close"].to_numpy(dtype=np.float64)
        is_long, held = hold(close > upper, close < lower, max_hold, view.bar_numbers())
        reasons = [
            f"close {price:.2f}: above the upper band {bars} bars ago, not below the {exit_band} band {level:.2f} since"
            if long
            else f"close {price:.2f}: no open breakout above the upper band {limit:.2f}"
            for price, limit, level, bars, long in zip(
                close.tolist(), upper.tolist(), lower.tolist(), held.tolist(), is_long.tolist(), strict=True
            )
        ]
        return view.signals(is_long, reasons)
