"""Mean reversion by the relative strength index: buy when it falls into oversold, sell when it has recovered.

Reference: J. Welles Wilder (1978), "New Concepts in Technical Trading Systems", section VI (the index, its 30 level);
the holding limit keeps the memory finite, so that a decision can be recomputed from the bars just before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from trading_assets.domain.strategy.holding import hold, previous
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class RsiReversion(Strategy):
    """Signal 1 from the bar on which the index crosses below `entry` until it is above `exit`, else 0. Long only.

    A position ends `max_hold` bars after the newest crossing at the latest, and only another crossing opens the next.
    """

    name = "rsi_reversion"
    version = "1"

    class Parameters(StrategyParameters):
        period: int = Field(14, ge=2, le=500, description="bars of the index")
        entry: float = Field(30.0, ge=1, le=99, description="crossing below it opens a position")
        exit: float = Field(55.0, ge=1, le=99, description="above it a position is closed")
        max_hold: int = Field(20, ge=1, le=1000, description="bars a position is held at most")

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.entry >= self.exit:
                raise ParameterError(f"parameter 'entry' is {self.entry}, accepted is less than 'exit' ({self.exit}).")
            return self

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator("rsi", self.parameters.period),)

    @property
    def memory(self) -> int:
        # The oldest crossing that still counts is max_hold - 1 bars ago, and it compares with the bar before it.
        return self.parameters.max_hold

    def signals(self, view: View) -> pd.DataFrame:
        (rsi,) = self.indicators()
        name, values = rsi.column, view.indicator(rsi)
        entry, exit_, max_hold = self.parameters.entry, self.parameters.exit, self.parameters.max_hold
        bar_numbers = view.bar_numbers()
        is_crossing = (values < entry) & (previous(values, bar_numbers) >= entry)
        is_long, held = hold(is_crossing, values > exit_, max_hold, bar_numbers)
        reasons = [
            f"{name} {value:.1f}: crossed below {entry:g} {bars} bars ago, not yet above {exit_:g}"
            if long
            else f"{name} {value:.1f}: no open crossing below {entry:g} in the last {max_hold} bars"
            for value, bars, long in zip(values.tolist(), held.tolist(), is_long.tolist(), strict=True)
        ]
        return view.signals(is_long, reasons)
