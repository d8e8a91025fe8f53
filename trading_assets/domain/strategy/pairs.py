"""Pairs of symbols whose prices are tied together: finding them, and how far apart they are.

Discovery follows Engle and Granger (1987), "Co-integration and Error Correction", Econometrica 55(2), on the logarithms
of normalised total-return prices as in Gatev, Goetzmann and Rouwenhorst (2006), "Pairs Trading: Performance of a
Relative-Value Arbitrage Rule", Review of Financial Studies 19(3). When to trade a pair is a strategy's own matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import combinations
from math import inf, log, nan, sqrt
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy, StrategyError, View

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

LEAST_COVERAGE = 0.9
"""Both symbols need a bar at this share of the closes, in the formation period and in every window of the spread."""

LEAST_RESIDUAL = 1e-9
"""Variance of the spread as a share of the price's: below it two series are the same one, and nothing can be tested."""


@dataclass(frozen=True, slots=True)
class Pair:
    """log y = intercept + hedge_ratio x log x + spread, the prices divided by those at the formation's beginning.

    `p_value` is that of no cointegration, `reverse_p_value` that of the test with x explained by y.
    `half_life_bars`: bars in which half of a spread is expected to vanish, infinite where it does not revert.
    """

    symbol_y: str
    symbol_x: str
    hedge_ratio: float
    intercept: float
    half_life_bars: float
    p_value: float
    reverse_p_value: float


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found at the close `discovered_at` (UTC) of a session, from bars up to it.

    `tested` are all pairs by p-value, the likeliest first; `selected` may be traded until the next discovery.
    """

    session_date: date
    discovered_at: datetime
    tested: tuple[Pair, ...]
    selected: tuple[Pair, ...]


@runtime_checkable
class DiscoversPairs(Protocol):
    """A strategy that trades pairs which it finds itself: the asset strategy/pairs stores what it found."""

    def discoveries(self, view: View) -> list[Discovery]:
        """What is found at the `discovery_times` in the view that have enough bars before them, in order."""


def discover(
    configured: ConfiguredStrategy, bars: pd.DataFrame, values: pd.DataFrame, facts: Facts = NO_FACTS
) -> list[Discovery]:
    """What the strategy finds at closes of `bars`, from the same view as its decisions. Raises StrategyError."""
    strategy = configured.strategy
    owner = f"Strategy {configured.name!r} ({configured.version})"
    if not isinstance(strategy, DiscoversPairs):
        raise StrategyError(f"{owner} has no method `discoveries`.")
    try:
        return strategy.discoveries(View(owner, bars, values, strategy.indicators(), facts, strategy.figures()))
    except Exception as error:
        raise StrategyError(f"{owner} raised {type(error).__name__}: {error}") from error


# Discovery ----------------------------------------------------------------------------------------


def discovery_times(first: datetime, last: datetime) -> list[tuple[date, datetime]]:
    """The first session of every month whose close (UTC) lies in [first, last], with that close; in order."""
    days = sessions_between(first.date().replace(day=1), last.date())
    is_first = [number == 0 or day.month != days[number - 1].month for number, day in enumerate(days)]
    closes = [(day, session(day).closes_at) for day, begins in zip(days, is_first, strict=True) if begins]
    return [(day, close) for day, close in closes if first <= close <= last]


def estimate_pairs(log_prices: Floats, symbols: Sequence[str]) -> tuple[Pair, ...]:
    """Every pair of `symbols` that can be tested, in its likelier direction, by p-value and then by name.

    `log_prices`: one row a close, one column a symbol, NaN where a symbol has no bar.
    """
    pairs = []
    for one, other in combinations(range(len(symbols)), 2):
        is_common = np.isfinite(log_prices[:, one]) & np.isfinite(log_prices[:, other])
        if is_common.mean() < LEAST_COVERAGE:
            continue
        names, prices = (symbols[one], symbols[other]), (log_prices[is_common, one], log_prices[is_common, other])
        found = engle_granger(*names, *prices)
        if found is not None:
            pairs.append(found)
    return tuple(sorted(pairs, key=lambda pair: (pair.p_value, pair.symbol_y, pair.symbol_x)))


def engle_granger(one: str, other: str, log_one: Floats, log_other: Floats) -> Pair | None:
    """The pair in the direction with the lower p-value; None where the test is impossible (constant or equal series).

    The test regresses one price on the other and asks whether the residual has a unit root: augmented Dickey-Fuller
    with one lag, p-value by MacKinnon (2010). The same numbers as `coint(y, x, maxlag=1, autolag=None)` of statsmodels,
    at a small part of its cost. Needs at least 10 closes.
    """
    if len(log_one) < 10 or min(float(np.ptp(log_one)), float(np.ptp(log_other))) == 0:
        return None
    forth = _explained(one, other, log_one, log_other)
    back = _explained(other, one, log_other, log_one)
    if forth is None or back is None:
        return None
    likelier, other_way = (back, forth) if back.p_value < forth.p_value else (forth, back)
    return replace(likelier, reverse_p_value=other_way.p_value)


def _explained(symbol_y: str, symbol_x: str, y: Floats, x: Floats) -> Pair | None:
    """y explained by x, with a reverse p-value still unknown (NaN)."""
    from statsmodels.tsa.adfvalues import mackinnonp

    hedge_ratio, intercept = regression(y, x)
    spread = y - hedge_ratio * x - intercept
    if float(spread.var()) <= LEAST_RESIDUAL * float(y.var()):
        return None
    p_value = float(mackinnonp(unit_root_statistic(spread), regression="c", N=2))
    return Pair(symbol_y, symbol_x, hedge_ratio, intercept, half_life(spread), p_value, nan)


def unit_root_statistic(values: Floats) -> float:
    """The t statistic of rho in d(t) = rho v(t-1) + gamma d(t-1) + e(t), where d are the changes of the values v."""
    change = np.diff(values)
    target, level, lag = change[1:], values[1:-1], change[:-1]
    level_level, level_lag, lag_lag = (float((a * b).sum()) for a, b in ((level, level), (level, lag), (lag, lag)))
    level_target, lag_target = float((level * target).sum()), float((lag * target).sum())
    determinant = level_level * lag_lag - level_lag**2
    rho = (lag_lag * level_target - level_lag * lag_target) / determinant
    gamma = (level_level * lag_target - level_lag * level_target) / determinant
    residual = target - rho * level - gamma * lag
    variance = float((residual * residual).sum()) / (len(target) - 2)
    return rho / sqrt(variance * lag_lag / determinant)


def regression(y: Floats, x: Floats) -> tuple[float, float]:
    """Slope and intercept of y on x by least squares."""
    centred = x - x.mean()
    slope = float((centred * (y - y.mean())).sum() / (centred * centred).sum())
    return slope, float(y.mean() - slope * x.mean())


def half_life(spread: Floats) -> float:
    """Bars until half of the spread is gone, -ln 2 / ln phi, where phi is the slope of each value on the one before.

    Infinite for phi >= 1 (no reversion), 0 for phi <= 0 (gone within a bar).
    """
    slope, _ = regression(spread[1:], spread[:-1])
    if slope >= 1:
        return inf
    return -log(2) / log(slope) if slope > 0 else 0.0


def select_pairs(tested: Sequence[Pair], max_p_value: float, max_half_life: float, max_pairs: int) -> tuple[Pair, ...]:
    """The likeliest pairs with a positive hedge ratio (legs of opposite signs), each symbol in one pair at most."""
    selected: list[Pair] = []
    taken: set[str] = set()
    for pair in tested:
        is_good = pair.p_value <= max_p_value and 0 < pair.half_life_bars <= max_half_life and pair.hedge_ratio > 0
        if is_good and len(selected) < max_pairs and not taken & {pair.symbol_y, pair.symbol_x}:
            selected.append(pair)
            taken |= {pair.symbol_y, pair.symbol_x}
    return tuple(selected)


# Prices side by side ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """The bars of a view as one row a close and one column a symbol.

    `closes` (UTC, datetime64[us]) are all closes at which any symbol has a bar; `row` and `column` say where each bar
    of the view is. `log_returns` are NaN where a symbol has no bar or no bar before it.
    """

    closes: npt.NDArray[np.datetime64]
    symbols: tuple[str, ...]
    row: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    has_bar: npt.NDArray[np.bool_]
    is_member: npt.NDArray[np.bool_]
    log_returns: Floats

    @classmethod
    def of(cls, bars: pd.DataFrame, change_pct: Floats, is_member: npt.NDArray[np.bool_]) -> Panel:
        """`bars`: symbol, closes_at. `change_pct`: percent from the symbol's bar before, NaN on its first bar."""
        closes, row = np.unique(bars["closes_at"].to_numpy(dtype="datetime64[us]"), return_inverse=True)
        symbols, column = np.unique(bars["symbol"].to_numpy(dtype=str), return_inverse=True)
        has_bar, belongs = np.zeros((2, len(closes), len(symbols)), dtype=bool)
        has_bar[row, column] = True
        belongs[row, column] = is_member
        log_returns = np.full(has_bar.shape, np.nan)
        log_returns[row, column] = np.log1p(change_pct / 100)
        return cls(closes, tuple(symbols.tolist()), row, column, has_bar, belongs, log_returns)

    def log_prices(self, first: int, stop: int) -> Floats:
        """Of the rows first..stop - 1: logarithms of prices relative to the row before the first, NaN without a bar.

        The sums begin at `first`, so they are the same bytes however much lies before it.
        """
        returns = np.nan_to_num(self.log_returns[first:stop])
        return np.where(self.has_bar[first:stop], np.cumsum(returns, axis=0), np.nan)

    def times(self) -> list[tuple[date, datetime]]:
        """The discovery times within the panel."""
        if not len(self.closes):
            return []
        first, last = (close.item().replace(tzinfo=UTC) for close in (self.closes[0], self.closes[-1]))
        return discovery_times(first, last)

    def rows_before(self, moment: datetime) -> int:
        """How many rows close before `moment`: the first row that knows what was known then."""
        return int(np.searchsorted(self.closes, np.datetime64(moment.replace(tzinfo=None)), side="left"))

    def rows_until(self, moment: datetime) -> int:
        """How many rows close up to `moment`."""
        return int(np.searchsorted(self.closes, np.datetime64(moment.replace(tzinfo=None)), side="right"))


def rolling_zscore(spread: Floats, window: int) -> Floats:
    """Each value's distance from the mean of its `window` newest values, in their population standard deviations.

    NaN where the value is NaN, where fewer than LEAST_COVERAGE of the window are known, or without deviation. Each
    result depends on the values of its own window only, to the last bit.
    """
    scores = np.full(len(spread), np.nan)
    if len(spread) < window:
        return scores
    # Contiguous rows: every sum runs over one window in the same order, however many windows there are.
    windows = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(spread, window))
    is_known = np.isfinite(windows)
    count = is_known.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(is_known, windows, 0.0).sum(axis=1) / count
        distance = np.where(is_known, windows - mean[:, None], 0.0)
        deviation = np.sqrt((distance * distance).sum(axis=1) / count)
        known_scores = (windows[:, -1] - mean) / deviation
    is_flat = deviation <= 1e-12 * np.maximum(np.abs(mean), 1.0)
    scores[window - 1 :] = np.where(is_flat | (count < LEAST_COVERAGE * window), np.nan, known_scores)
    return scores
