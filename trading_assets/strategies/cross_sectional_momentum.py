"""Cross-sectional momentum: hold the symbols with the highest past returns, chosen anew every few sessions.

Reference: Jegadeesh and Titman (1993), "Returns to Buying Winners and Selling Losers: Implications for Stock Market
Efficiency", Journal of Finance 48(1): rank by the return over past months, leaving out the newest week. Winners only,
and one portfolio at a time instead of overlapping ones.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from trading_assets.domain.market.sessions import MOST_BARS_A_SESSION, session, sessions_between
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd

FIRST_REBALANCING = date(2000, 1, 3)
"""Sessions are counted from here, so that the days of rebalancing do not depend on the range asked for."""


class CrossSectionalMomentum(Strategy):
    """Signal 1 for the symbols in the top `top_pct` percent by past return, from one rebalancing to the next, else 0.

    Rebalancing is at the close of every `rebalance_sessions`-th session of the calendar, among the members of the
    universe with a bar at that close and enough history. The past return is that over `lookback` bars, `skip` bars ago.
    Long only; at least one symbol is held, and among equal returns the first by name.
    """

    name = "cross_sectional_momentum"
    version = "1"

    class Parameters(StrategyParameters):
        lookback: int = Field(126, ge=1, le=2000, description="bars over which the past return is measured")
        skip: int = Field(5, ge=0, le=500, description="newest bars that are left out")
        top_pct: int = Field(20, ge=1, le=100, description="share of the ranked symbols to hold, in percent")
        rebalance_sessions: int = Field(21, ge=1, le=252, description="sessions from one ranking to the next")

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (Indicator("roc", self.parameters.lookback),)

    @property
    def memory(self) -> int:
        return self.parameters.rebalance_sessions * MOST_BARS_A_SESSION + self.parameters.skip

    def signals(self, view: View) -> pd.DataFrame:
        (change,) = self.indicators()
        skip, top_pct = self.parameters.skip, self.parameters.top_pct
        bar_numbers = view.bar_numbers()
        past_return = np.where(bar_numbers >= skip, np.roll(view.indicator(change), skip), np.nan)
        closes = view.bars["closes_at"].to_numpy(dtype="datetime64[us]")
        times = _rebalancing_times(view.bars, self.parameters.rebalance_sessions)
        period = np.searchsorted(times, closes, side="right") - 1
        is_rebalancing = np.isin(closes, times)
        is_ranked = is_rebalancing & np.isfinite(past_return) & view.is_member()
        place, field_size = _ranked(past_return, period, is_ranked)
        # From here on row for row: the ranking of the newest rebalancing, if the symbol took part in it.
        row = np.arange(len(closes))
        ranking = np.maximum.accumulate(np.where(is_ranked, row, -1))
        takes_part = (ranking >= row - bar_numbers) & (period[ranking] == period)
        is_long = takes_part & (place[ranking] <= -(-field_size[ranking] * top_pct // 100))
        days = view.bars["session_date"].to_numpy(dtype=object)
        reasons = [
            f"{change.column} {past_return[ranked]:+.1f} %, {skip} bars before {days[ranked]}: "
            f"rank {place[ranked]} of {field_size[ranked]}, {'' if long else 'not '}in the top {top_pct} %"
            if part
            else "not ranked at the newest rebalancing"
            for ranked, part, long in zip(ranking.tolist(), takes_part.tolist(), is_long.tolist(), strict=True)
        ]
        return view.signals(is_long, reasons)


def _rebalancing_times(bars: pd.DataFrame, every: int) -> npt.NDArray[np.datetime64]:
    """The closes (UTC) of every `every`-th session up to the newest of `bars`, in order."""
    if bars.empty:
        return np.array([], dtype="datetime64[us]")
    first, last = bars["session_date"].min(), bars["session_date"].max()
    days = [day for day in sessions_between(FIRST_REBALANCING, last)[::every] if day >= first]
    return np.array([session(day).closes_at.replace(tzinfo=None) for day in days], dtype="datetime64[us]")


def _ranked(
    past_return: npt.NDArray[np.float64], period: npt.NDArray[np.int64], is_ranked: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each ranked row its place (1 is the highest return) among those of its period, and how many those are."""
    place, field_size = np.zeros((2, len(period)), dtype=np.int64)
    rows = np.flatnonzero(is_ranked)
    # The sort is stable and rows are in order of their symbols.
    rows = rows[np.lexsort((-past_return[rows], period[rows]))]
    _, first, count = np.unique(period[rows], return_index=True, return_counts=True)
    place[rows] = np.arange(len(rows)) - np.repeat(first, count) + 1
    field_size[rows] = np.repeat(count, count)
    return place, field_size
