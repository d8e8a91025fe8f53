"""Benchmark: buy at random, hold for a fixed time. A strategy that earns no more than this has found nothing.

Every draw is a hash of the seed, the symbol and the decision's time: the same decision in every run and in every range.
Reference: Brock, Lakonishok and LeBaron (1992), Journal of Finance 47(5), on judging rules by what chance earns; the
hash is SplitMix64 of Steele, Lea and Flood (2014), "Fast Splittable Pseudorandom Number Generators", OOPSLA.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from trading_assets.domain.strategy.holding import hold
from trading_assets.domain.strategy.indicators import Indicator, symbol_slices
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd

GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


class RandomEntry(Strategy):
    """Signal 1 for `hold` bars from each bar on which the draw falls below `entry_pct` percent, else 0. Long only."""

    name = "random_entry"
    version = "1"

    class Parameters(StrategyParameters):
        seed: int = Field(1, ge=0, le=2**31 - 1, description="another seed draws other entries")
        entry_pct: float = Field(5.0, ge=0, le=100, description="chance of an entry on a bar, in percent")
        hold: int = Field(10, ge=1, le=1000, description="bars a position is held after its newest entry")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return ()

    @property
    def memory(self) -> int:
        return self.parameters.hold - 1

    def signals(self, view: View) -> pd.DataFrame:
        entry_pct = self.parameters.entry_pct
        draw_pct = 100 * draws(self.parameters.seed, view.bars)
        is_entry = draw_pct < entry_pct
        never = np.zeros(len(is_entry), dtype=bool)
        is_long, held = hold(is_entry, never, self.parameters.hold, view.bar_numbers())
        reasons = [
            f"drew an entry {bars} bars ago" if long else f"drew {draw:.1f}, no entry below {entry_pct:g}"
            for draw, bars, long in zip(draw_pct.tolist(), held.tolist(), is_long.tolist(), strict=True)
        ]
        return view.signals(is_long, reasons)


def draws(seed: int, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each bar, uniform and independent over symbols and times. `bars`: symbol, closes_at."""
    state = bars["closes_at"].to_numpy(dtype="datetime64[us]").astype(np.uint64)
    for rows in symbol_slices(bars):
        name = f"{seed} {bars['symbol'].iloc[rows.start]}".encode()
        # Wraps around 2**64, as arithmetic on arrays of numpy does.
        state[rows] += np.uint64(int.from_bytes(blake2b(name, digest_size=8).digest(), "big"))
    return (mixed(mixed(state)) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The output of SplitMix64 for each state: 64 well mixed bits."""
    z = state + GOLDEN_GAMMA
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
