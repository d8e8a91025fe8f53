"""What a book would lose in days like the worst ones that there were, and under shocks of its own.

Market moves reach a position through its beta. A profit is positive, a loss negative, in USD.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trading_assets.domain.risk.value_at_risk import TAIL_99, Floats, parametric_var

HALVED = 0.5
VOLATILITY_FACTOR = 2.0


class MarketMove(NamedTuple):
    """A fall of the market from the level `before` to `after`; `source`: of which index, when, and what confirms it."""

    scenario: str
    before: float
    after: float
    source: str

    @property
    def change(self) -> float:
        return self.after / self.before - 1


MARKET_MOVES = (
    MarketMove("1987-10-19", 282.70, 224.84, "S&P 500, closes of 1987-10-16 and 1987-10-19: one session"),
    MarketMove(
        "2008-10",
        1166.36,
        848.92,
        "S&P 500, closes of 2008-09-30 and 2008-10-27, the lowest of the month: data set sp500 of the package arch 8.0",
    ),
    MarketMove("2020-03", 2954.22, 2237.40, "S&P 500, closes of 2020-02-28 and 2020-03-23, the lowest of the month"),
)
VOLATILITY_DOUBLED = "volatility doubled"
LARGEST_HALVED = "largest position halved"


class StressResult(NamedTuple):
    """`profit_usd` is None where a number that it needs is missing; `basis` says what was assumed, and from where."""

    scenario: str
    profit_usd: float | None
    basis: str


def market_move_profit(values_usd: Floats, betas: Floats, change: float) -> float:
    """Profit when the market changes by the ratio `change` and every price follows its beta, at most down to zero."""
    return float(values_usd @ np.maximum(betas * change, -1.0)) + 0.0


def doubled_volatility_profit(deviation_usd: float) -> float:
    """The parametric 99 % VaR of a session in which every return deviates twice as far as its past says."""
    return VOLATILITY_FACTOR * parametric_var(deviation_usd, TAIL_99) + 0.0


def largest_halved_profit(values_usd: Floats) -> float:
    """Profit when the largest position, long or short, loses half of its value."""
    return -HALVED * float(np.abs(values_usd).max(initial=0.0)) + 0.0


def stress(values_usd: Floats, betas: Floats | None, deviation_usd: float | None) -> tuple[StressResult, ...]:
    """Every scenario. `betas` and the `deviation_usd` of a session's profit are None where history is missing."""
    moves = [
        StressResult(
            move.scenario,
            None if betas is None else market_move_profit(values_usd, betas, move.change),
            f"the market falls by {-100 * move.change:.1f} %, by beta ({move.source})",
        )
        for move in MARKET_MOVES
    ]
    doubled = None if deviation_usd is None else doubled_volatility_profit(deviation_usd)
    return (
        *moves,
        StressResult(VOLATILITY_DOUBLED, doubled, "parametric 99 % VaR of a session at twice the volatility"),
        StressResult(LARGEST_HALVED, largest_halved_profit(values_usd), "the largest position loses half its value"),
    )
