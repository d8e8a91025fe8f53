"""Trend following by two exponential moving averages: long while the fast one is above the slow one, otherwise flat.

Reference: Gerald Appel (2005), "Technical Analysis: Power Tools for Active Investors", chapter 6 (the averages, weight
2/(n + 1)); Brock, Lakonishok and LeBaron (1992), Journal of Finance 47(5) (the rule, long side only, without a band).
"""

from __future__ import annotations

from pydantic import Field

from trading_assets.strategies._crossover import Crossover, FastAndSlow


class EmaCrossover(Crossover):
    """Signal 1 while ema(fast) > ema(slow), else 0. Long only."""

    name = "ema_crossover"
    version = "1"
    average = "ema"

    class Parameters(FastAndSlow):
        fast: int = Field(12, ge=2, le=1000, description="bars of the fast average")
        slow: int = Field(26, ge=3, le=2000, description="bars of the slow average")
