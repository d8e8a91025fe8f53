"""Performance metrics of simple session returns: what each one means, and when it has no value.

252 sessions a year, risk-free rate 0. Returns are float64 arrays in time order, ratios (0.01 is one per cent). A metric
that has no value is None: a report leaves the cell empty instead of showing a number nobody can use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trading_assets.domain.performance.returns import Floats, drawdowns, growth
from trading_assets.domain.risk.value_at_risk import TAIL_95, historical_cvar, historical_var

if TYPE_CHECKING:
    import pandas as pd

SESSIONS_A_YEAR = 252
MIN_SESSIONS_FOR_CAGR = 20
TAIL = TAIL_95
# Below this share of the mean square, a variance is the rounding of running sums and not a spread.
VARIANCE_NOISE = 1e-12
EULER_GAMMA = 0.5772156649015329


def total_return(returns: Floats) -> float:
    return float(np.prod(1 + returns) - 1)


def cagr(returns: Floats) -> float | None:
    """(1 + total)^(252 / n) - 1. None after ruin and without a return."""
    final = 1 + total_return(returns)
    return float(final ** (SESSIONS_A_YEAR / len(returns)) - 1) if len(returns) and final > 0 else None


def volatility(returns: Floats) -> float | None:
    """Sample standard deviation (ddof 1) a year."""
    return float(np.std(returns, ddof=1) * math.sqrt(SESSIONS_A_YEAR)) if len(returns) > 1 else None


def sharpe(returns: Floats) -> float | None:
    """Mean over sample standard deviation, a year. None without a spread."""
    deviation = _deviation(returns)
    return float(np.mean(returns) / deviation * math.sqrt(SESSIONS_A_YEAR)) if deviation else None


def downside_risk(returns: Floats) -> float | None:
    """Root mean square of the losses, all sessions in the denominator, a year."""
    if not len(returns):
        return None
    return float(np.sqrt(np.mean(np.minimum(returns, 0) ** 2)) * math.sqrt(SESSIONS_A_YEAR))


def sortino(returns: Floats) -> float | None:
    """Mean return a year over downside risk. None without a loss."""
    risk = downside_risk(returns)
    return float(np.mean(returns) * SESSIONS_A_YEAR / risk) if risk else None


def max_drawdown(returns: Floats) -> float:
    """The deepest drawdown as a ratio, zero or negative; the start counts as a peak."""
    return float(min(drawdowns(returns).min(initial=0.0), 0.0))


def calmar(returns: Floats) -> float | None:
    """CAGR over the deepest drawdown. None without a drawdown."""
    depth, growth_a_year = max_drawdown(returns), cagr(returns)
    return growth_a_year / abs(depth) if depth and growth_a_year is not None else None


def omega(returns: Floats) -> float | None:
    """Sum of gains over sum of losses, threshold 0. None without a loss."""
    losses = float(-np.minimum(returns, 0).sum())
    return float(np.maximum(returns, 0).sum()) / losses if losses else None


def value_at_risk(returns: Floats) -> float | None:
    """Historical 95 % VaR: the 5 % percentile, linearly interpolated; a loss is negative."""
    return historical_var(returns, TAIL) if len(returns) else None


def conditional_value_at_risk(returns: Floats) -> float | None:
    """Mean of the worst floor((n - 1) x 5 %) + 1 returns."""
    return historical_cvar(returns, TAIL) if len(returns) else None


def tail_ratio(returns: Floats) -> float | None:
    """95 % percentile over the 5 % percentile, in absolute value."""
    if not len(returns):
        return None
    low = float(np.percentile(returns, 100 * TAIL))
    return abs(float(np.percentile(returns, 100 * (1 - TAIL))) / low) if low else None


def skew(returns: Floats) -> float | None:
    """Third standardised moment, biased."""
    return _standardised_moment(returns, 3)


def kurtosis(returns: Floats) -> float | None:
    """Fourth standardised moment, biased, not in excess of the normal's 3."""
    return _standardised_moment(returns, 4)


def probabilistic_sharpe(returns: Floats, benchmark: float = 0.0) -> float | None:
    """Probability that the true Sharpe ratio a session exceeds `benchmark` (a session, not a year).

    Bailey and Lopez de Prado (2012), The Sharpe Ratio Efficient Frontier.
    """
    deviation, g3, g4 = _deviation(returns), skew(returns), kurtosis(returns)
    if not deviation or g3 is None or g4 is None:
        return None
    return probability_above(benchmark, float(np.mean(returns)) / deviation, len(returns), g3, g4)


def probability_above(benchmark: float, ratio: float, sessions: int, g3: float, g4: float) -> float | None:
    """Probability that the true Sharpe ratio a session is above `benchmark` when `ratio` was seen over `sessions`.

    `g3` and `g4` are skew and kurtosis of the returns. None where they leave no spread to measure with.
    """
    spread = 1 - g3 * ratio + (g4 - 1) / 4 * ratio**2
    if spread <= 0:
        return None
    return _normal_cdf((ratio - benchmark) * math.sqrt(sessions - 1) / math.sqrt(spread))


def deflated_sharpe(returns: Floats, trial_sharpes: Sequence[float]) -> float | None:
    """Probabilistic Sharpe ratio against the best that luck would give among `trial_sharpes` (a session, not a year).

    Bailey and Lopez de Prado (2014), The Deflated Sharpe Ratio. None with fewer than two trials.
    """
    if len(trial_sharpes) < 2:
        return None
    deviation = float(np.std(np.asarray(trial_sharpes), ddof=1))
    return probabilistic_sharpe(returns, best_of_luck(len(trial_sharpes), deviation))


def best_of_luck(trials: int, deviation: float) -> float:
    """The Sharpe ratio to expect of the best of `trials` without any skill, when theirs have this standard deviation.

    Equation 1 of Bailey and Lopez de Prado (2014), after the maximum of independent normal draws; at least two trials.
    """
    from statistics import NormalDist

    quantile = NormalDist().inv_cdf
    return deviation * (
        (1 - EULER_GAMMA) * quantile(1 - 1 / trials) + EULER_GAMMA * quantile(1 - 1 / (trials * math.e))
    )


@dataclass(frozen=True, slots=True)
class Relative:
    """Against a benchmark: `alpha`, `tracking_error` and `information_ratio` a year, `beta` as a number."""

    beta: float
    alpha: float
    tracking_error: float
    information_ratio: float | None


def relative_to(returns: Floats, benchmark: Floats) -> Relative | None:
    """Ordinary least squares with intercept, and active returns with ddof 1. None when the benchmark never moves."""
    if len(returns) < 2 or not _deviation(benchmark):
        return None
    beta = float(np.cov(returns, benchmark, ddof=1)[0, 1] / np.var(benchmark, ddof=1))
    active = returns - benchmark
    spread = _deviation(active)
    return Relative(
        beta=beta,
        alpha=float(np.mean(returns) - beta * np.mean(benchmark)) * SESSIONS_A_YEAR,
        tracking_error=(spread or 0.0) * math.sqrt(SESSIONS_A_YEAR),
        information_ratio=float(np.mean(active)) / spread * math.sqrt(SESSIONS_A_YEAR) if spread else None,
    )


def turnover(bought_usd: float, sold_usd: float, equity_usd: Floats) -> float | None:
    """The smaller of purchases and sales over average equity, a year."""
    if not len(equity_usd) or np.mean(equity_usd) <= 0:
        return None
    return float(min(bought_usd, sold_usd) / np.mean(equity_usd) * SESSIONS_A_YEAR / len(equity_usd))


def rolling_sharpe(returns: Floats, window: int) -> Floats:
    """Sharpe ratio of the last `window` sessions; NaN before there are as many, and without a spread."""
    result = np.full(len(returns), np.nan)
    if len(returns) >= window:
        views = np.lib.stride_tricks.sliding_window_view(returns, window)
        means, deviations = views.mean(axis=1), views.std(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(deviations > 0, means / deviations, np.nan)
        result[window - 1 :] = ratios * math.sqrt(SESSIONS_A_YEAR)
    return result


def metrics_as_of_each_session(returns: Floats, exposure: Floats) -> pd.DataFrame:
    """Every metric of `analytics.performance`, at each session over all sessions up to it; NaN where it has no value.

    `exposure` is gross position value over equity. Columns are ratios: return, total_return, drawdown, cagr,
    volatility, sharpe, sortino, max_drawdown, calmar, exposure. Running sums go strictly forward, so that a row never
    depends on the sessions after it, to the last bit.
    """
    import pandas as pd

    count = np.arange(1, len(returns) + 1, dtype=np.float64)
    mean = np.cumsum(returns) / count
    mean_square = np.cumsum(returns**2) / count
    year = math.sqrt(SESSIONS_A_YEAR)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = mean_square - mean**2
        is_spread = (count > 1) & (variance > VARIANCE_NOISE * mean_square)
        deviation = np.sqrt(np.where(count > 1, np.maximum(variance, 0) * count / (count - 1), np.nan))
        downside = np.sqrt(np.cumsum(np.minimum(returns, 0) ** 2) / count) * year
        index = growth(returns)
        depth = drawdowns(returns)
        deepest = np.minimum.accumulate(np.minimum(depth, 0.0))
        has_cagr = (count >= MIN_SESSIONS_FOR_CAGR) & (index > 0)
        growth_a_year = np.where(has_cagr, np.maximum(index, 0) ** (SESSIONS_A_YEAR / count) - 1, np.nan)
        return pd.DataFrame(
            {
                "return": returns,
                "total_return": index - 1,
                "drawdown": depth,
                "cagr": growth_a_year,
                "volatility": deviation * year,
                "sharpe": np.where(is_spread, mean / deviation * year, np.nan),
                "sortino": np.where(downside > 0, mean * SESSIONS_A_YEAR / downside, np.nan),
                "max_drawdown": deepest,
                "calmar": np.where(deepest < 0, growth_a_year / np.abs(deepest), np.nan),
                "exposure": np.cumsum(exposure) / count,
            }
        )


def _deviation(returns: Floats) -> float | None:
    """Sample standard deviation; None when it is nothing but rounding."""
    if len(returns) < 2:
        return None
    variance = float(np.var(returns, ddof=1))
    return math.sqrt(variance) if variance > VARIANCE_NOISE * float(np.mean(returns**2)) else None


def _standardised_moment(returns: Floats, order: int) -> float | None:
    if _deviation(returns) is None:
        return None
    centred = returns - np.mean(returns)
    return float(np.mean(centred**order) / np.mean(centred**2) ** (order / 2))


def _normal_cdf(value: float) -> float:
    return 0.5 * math.erfc(-value / math.sqrt(2))
