"""What strategies of two averages share: the order of their lengths, and the rule long above, otherwise flat.

Which average it is, its usual lengths and its reference belong in the strategy's own file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd


class FastAndSlow(StrategyParameters):
    """Bars of a fast and of a slow average; a subclass gives their usual lengths. Raises ParameterError."""

    fast: int
    slow: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fast >= self.slow:
            raise ParameterError(f"parameter 'fast' is {self.fast}, accepted is less than 'slow' ({self.slow}).")
        return self


class Crossover(Strategy):
    """Signal 1 while the fast average of kind `average` is above the slow one, else 0. Long only."""

    average: ClassVar[str]
    parameters: FastAndSlow

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator(self.average, self.parameters.fast), Indicator(self.average, self.parameters.slow))

    def signals(self, view: View) -> pd.DataFrame:
        fast, slow = self.indicators()
        fast_values, slow_values = view.indicator(fast), view.indicator(slow)
        is_long = fast_values > slow_values
        fast_name, slow_name = fast.column, slow.column
        reasons = [
            f"{fast_name} {fast_value:.2f} {'above' if above else 'not above'} {slow_name} {slow_value:.2f}"
            for fast_value, slow_value, above in zip(
                fast_values.tolist(), slow_values.tolist(), is_long.tolist(), strict=True
            )
        ]
        return view.signals(is_long, reasons)
