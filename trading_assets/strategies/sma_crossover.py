"""Trend following by two simple moving averages: long while the fast one is above the slow one, otherwise flat.

Reference: Brock, Lakonishok and LeBaron (1992), "Simple Technical Trading Rules and the Stochastic Properties of Stock
Returns", Journal of Finance 47(5), the variable-length moving average rule without a band, long side only.
"""

from __future__ import annotations

from pydantic import Field

from trading_assets.strategies._crossover import Crossover, FastAndSlow


class SmaCrossover(Crossover):
    """Signal 1 while sma(fast) > sma(slow), else 0. Long only."""

    name = "sma_crossover"
    version = "1"
    average = "sma"

    class Parameters(FastAndSlow):
        fast: int = Field(20, ge=2, le=1000, description="bars of the fast average")
        slow: int = Field(50, ge=3, le=2000, description="bars of the slow average")
