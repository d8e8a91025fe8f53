"""Pairs trading: of two cointegrated symbols buy the cheap one and sell the dear one, until their spread is back.

Reference: Gatev, Goetzmann and Rouwenhorst (2006), Review of Financial Studies 19(3), for the trade; Engle and Granger
(1987), Econometrica 55(2), for the choice of pairs; Vidyamurthy (2004), "Pairs Trading", chapters 6 to 8, for hedge
ratios on log prices. Needs `risk.allow_short`: one leg without the other is another bet.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from trading_assets.domain.market.sessions import MOST_BARS_A_SESSION
from trading_assets.domain.strategy.holding import Flags, hold
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.pairs import (
    Discovery,
    Pair,
    Panel,
    estimate_pairs,
    rolling_zscore,
    select_pairs,
)
from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy, View

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]

CHANGE = Indicator("roc", 1)
MOST_SESSIONS_A_MONTH = 23


class PairsTrading(Strategy):
    """Signals of opposite signs in both symbols of a pair while its spread is open, in the ratio of the hedge.

    Pairs are found at the close of each month's first session, from the `formation` bars up to it, and may be traded
    until the next discovery. The score of a spread is its distance from the mean of its newest `window` values in their
    standard deviations. Its falling below -`entry` buys the spread (y long, x short), its rising above `entry` sells
    it. A position ends when the score is back within `exit`, when it is beyond `stop`, `max_hold` bars after the newest
    crossing, or when the pair is no longer selected; only another crossing of `entry` opens the next. The signal of the
    larger leg is 1, that of the other smaller by the hedge ratio.
    """

    name = "pairs_trading"
    version = "1"
    sells_short = True

    class Parameters(StrategyParameters):
        formation: int = Field(252, ge=30, le=2000, description="bars from which pairs are found")
        max_p_value: float = Field(0.05, gt=0, le=1, description="a pair is selected up to this p-value of its test")
        max_half_life: float = Field(30.0, gt=0, le=1000, description="and up to this half-life of its spread, in bars")
        max_pairs: int = Field(5, ge=1, le=100, description="pairs selected at a discovery, each symbol in one")
        window: int = Field(60, ge=5, le=1000, description="bars of the mean and deviation of a spread")
        entry: float = Field(2.0, gt=0, le=10, description="a score crossing it opens a position")
        exit: float = Field(0.5, ge=0, le=10, description="a score within it closes the position")
        stop: float = Field(4.0, gt=0, le=20, description="a score beyond it closes the position")
        max_hold: int = Field(30, ge=1, le=1000, description="bars a position is held at most")

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if not self.exit < self.entry < self.stop:
                raise ParameterError(
                    f"parameters 'exit', 'entry' and 'stop' are {self.exit}, {self.entry} and {self.stop}: "
                    "accepted is exit below entry below stop."
                )
            if self.window >= self.formation:
                raise ParameterError(
                    f"parameter 'window' is {self.window}, accepted is less than 'formation' ({self.formation})."
                )
            return self

    parameters: Parameters

    def indicators(self) -> tuple[Indicator, ...]:
        return (CHANGE,)

    @property
    def memory(self) -> int:
        # Back to the oldest entry that counts, to the discovery of its pair, and to what the pair was found from.
        return self.parameters.max_hold + MOST_SESSIONS_A_MONTH * MOST_BARS_A_SESSION + self.parameters.formation

    def discoveries(self, view: View) -> list[Discovery]:
        return self._discoveries(_panel(view))

    def signals(self, view: View) -> pd.DataFrame:
        panel = _panel(view)
        found = self._discoveries(panel)
        signal = np.zeros(panel.has_bar.shape)
        reason = np.full(panel.has_bar.shape, "no discovery yet", dtype=object)
        group = np.full(panel.has_bar.shape, None, dtype=object)
        for discovery in found:
            reason[panel.rows_before(discovery.discovered_at) :] = f"in no pair selected on {discovery.session_date}"
        for episode in self._episodes(panel, found):
            self._trade(panel, episode, signal, reason, group)
        return view.signals(*(table[panel.row, panel.column].tolist() for table in (signal, reason, group)))

    def _discoveries(self, panel: Panel) -> list[Discovery]:
        rules = self.parameters
        found = []
        for day, moment in panel.times():
            stop = panel.rows_until(moment)
            if stop < rules.formation:
                continue
            columns = np.flatnonzero(panel.has_bar[stop - 1] & panel.is_member[stop - 1])
            log_prices = panel.log_prices(stop - rules.formation, stop)[:, columns]
            tested = estimate_pairs(log_prices, [panel.symbols[column] for column in columns])
            selected = select_pairs(tested, rules.max_p_value, rules.max_half_life, rules.max_pairs)
            found.append(Discovery(day, moment, tested, selected))
        return found

    def _episodes(self, panel: Panel, found: list[Discovery]) -> list[_Episode]:
        """What each selected pair's score is while it is selected, and on the close before."""
        episodes: dict[tuple[str, str], _Episode] = {}
        begins = [panel.rows_before(discovery.discovered_at) for discovery in found]
        for discovery, (begin, end) in zip(found, pairwise([*begins, len(panel.closes)]), strict=True):
            first = panel.rows_until(discovery.discovered_at) - self.parameters.formation
            log_prices = panel.log_prices(first, end)
            for pair in discovery.selected:
                y, x = (panel.symbols.index(symbol) for symbol in (pair.symbol_y, pair.symbol_x))
                spread = log_prices[:, y] - pair.hedge_ratio * log_prices[:, x]
                score = np.concatenate([np.full(first, np.nan), rolling_zscore(spread, self.parameters.window)])
                episode = episodes.setdefault((pair.symbol_y, pair.symbol_x), _Episode.empty(y, x, len(panel.closes)))
                episode.pairs.append((begin, end, pair))
                episode.score[begin:end] = score[begin:end]
                episode.previous[begin:end] = score[begin - 1 : end - 1]
        return list(episodes.values())

    def _trade(self, panel: Panel, episode: _Episode, signal: Floats, reason: Objects, group: Objects) -> None:
        rules, score, before = self.parameters, episode.score, episode.previous
        y, x = episode.y, episode.x
        has_left = (panel.has_bar & ~panel.is_member)[:, [y, x]].any(axis=1)
        is_over = has_left | ~episode.is_selected()
        bar_numbers = np.arange(len(score))
        # Comparisons with NaN are false: a close at which a symbol has no bar neither opens nor closes anything.
        bought = hold(
            (score <= -rules.entry) & (before > -rules.entry),
            is_over | (score >= -rules.exit) | (score <= -rules.stop),
            rules.max_hold,
            bar_numbers,
        )
        sold = hold(
            (score >= rules.entry) & (before < rules.entry),
            is_over | (score <= rules.exit) | (score >= rules.stop),
            rules.max_hold,
            bar_numbers,
        )
        side = bought.is_held.astype(np.float64) - sold.is_held
        bars = np.where(bought.is_held, bought.bars, sold.bars)
        for begin, end, pair in episode.pairs:
            largest = max(1.0, pair.hedge_ratio)
            group[begin:end, [y, x]] = f"{pair.symbol_y}/{pair.symbol_x}"
            signal[begin:end, y] = side[begin:end] / largest
            signal[begin:end, x] = -side[begin:end] * pair.hedge_ratio / largest
            for row in range(begin, end):
                reason[row, [y, x]] = _reason(pair, score[row], side[row], bars[row])


@dataclass(frozen=True, slots=True, eq=False)
class _Episode:
    """A pair over a whole panel: its columns, and for every close the score of its spread then and one close before.

    Both scores are by the hedge ratio that holds at the close, NaN while the pair is not selected.
    """

    y: int
    x: int
    score: Floats
    previous: Floats
    pairs: list[tuple[int, int, Pair]]

    @classmethod
    def empty(cls, y: int, x: int, closes: int) -> Self:
        return cls(y, x, np.full(closes, np.nan), np.full(closes, np.nan), [])

    def is_selected(self) -> Flags:
        selected = np.zeros(len(self.score), dtype=bool)
        for begin, end, _ in self.pairs:
            selected[begin:end] = True
        return selected


def _panel(view: View) -> Panel:
    return Panel.of(view.bars, view.indicator(CHANGE), view.is_member())


def _reason(pair: Pair, score: float, side: float, bars: int) -> str:
    legs = f"{pair.symbol_y} against {pair.hedge_ratio:.3f} {pair.symbol_x}"
    facts = f"{legs} (p {pair.p_value:.3f}, half-life {pair.half_life_bars:.1f} bars), score {score:+.2f}"
    if not side:
        return f"{facts}: no open position"
    return f"{facts}: spread {'bought' if side > 0 else 'sold'} {bars} bars ago"
