"""Channel breakout: buy at a close above the highest high of the bars before, sell below their lowest low.

Reference: Curtis Faith (2003), "The Original Turtle Trading Rules": entry on the 20-day and exit on the 10-day channel,
after Richard Donchian's four-week rule (1960). Here closes are compared, because a decision is taken at a bar's close;
long side only, without the Turtles' units and stops. The holding limit keeps the memory finite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from trading_assets.domain.strategy.holding import hold
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class DonchianBreakout(Strategy):
    """Signal 1 from a close above previous_high(entry) until a close below previous_low(exit), else 0. Long only.

    The channels end with the bar before, so a bar can break out of them. A position ends `max_hold` bars after the
    newest breakout at the latest.
    """

    name = "donchian_breakout"
    version = "1"

    class Parameters(StrategyParameters):
        entry: int = Field(20, ge=2, le=1000, description="bars of the channel whose high is broken to enter")
        exit: int = Field(10, ge=2, le=1000, description="bars of the channel whose low is broken to exit")
        max_hold: int = Field(120, ge=1, le=1000, description="bars a position outlives its newest breakout")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator("previous_high", self.parameters.entry), Indicator("previous_low", self.parameters.exit))

    @property
    def memory(self) -> int:
        return self.parameters.max_hold - 1

    def signals(self, view: View) -> pd.DataFrame:
        high, low = (view.indicator(level) for level in self.indicators())
        close = view.bars["close"].to_numpy(dtype=np.float64)
        is_long, held = hold(close > high, close < low, self.parameters.max_hold, view.bar_numbers())
        entry, exit_ = self.parameters.entry, self.parameters.exit
        reasons = [
            f"close {price:.2f}: {entry}-bar breakout {bars} bars ago, not below the {exit_}-bar low {floor:.2f} since"
            if long
            else f"close {price:.2f}: no open breakout above the {entry}-bar high {ceiling:.2f}"
            for price, ceiling, floor, bars, long in zip(
                close.tolist(), high.tolist(), low.tolist(), held.tolist(), is_long.tolist(), strict=True
            )
        ]
        return view.signals(is_long, reasons)
