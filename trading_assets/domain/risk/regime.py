"""The regime of the market, as its breakers see it: how much the universe moves, and how much it moves as one.

Everything is computed from raw closes up to a session's close, so that a later bar changes no earlier number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_RETURNS = 20
"""With fewer returns there is no regime: a breaker needs a cause."""

_SESSIONS_A_YEAR = 252


@dataclass(frozen=True, slots=True)
class Regime:
    """At one session's close; None where the history is too short. Volatility is annual, a fraction: 0.30 is 30 %."""

    volatility: float | None = None
    correlation: float | None = None


UNKNOWN_REGIME = Regime()


def session_returns(closes: Sequence[Mapping[str, float]], splits: Sequence[Mapping[str, float]]) -> Floats:
    """One row a session from the second on, one column a symbol in the order of the names; NaN without both closes.

    `closes` are raw, by session and symbol; `splits` are the new shares for one old that take effect in the session.
    """
    symbols = sorted({symbol for row in closes for symbol in row})
    prices = np.array([[row.get(symbol, np.nan) for symbol in symbols] for row in closes], dtype=np.float64)
    ratios = np.array([[row.get(symbol, 1.0) for symbol in symbols] for row in splits], dtype=np.float64)
    if len(prices) < 2:
        return np.empty((0, len(symbols)))
    returns: Floats = prices[1:] * ratios[1:] / prices[:-1] - 1
    return returns


def regime_of(returns: Floats, volatility_window: int, correlation_window: int) -> Regime:
    """The regime after the last row of `returns`."""
    return Regime(volatility(returns[-volatility_window:]), correlation(returns[-correlation_window:]))


def volatility(returns: Floats) -> float | None:
    """Annual standard deviation (ddof 1) of the equally weighted universe; None with fewer than LEAST_RETURNS rows."""
    known = ~np.isnan(returns)
    counts = known.sum(axis=1)
    rows = counts > 0
    if rows.sum() < LEAST_RETURNS:
        return None
    means = np.where(known, returns, 0.0).sum(axis=1)[rows] / counts[rows]
    return float(np.std(means, ddof=1) * np.sqrt(_SESSIONS_A_YEAR))


def correlation(returns: Floats) -> float | None:
    """Mean correlation of all pairs of symbols that have every return and move; None without two, or too few rows.

    The correlations of n standardised columns sum to |sum of the columns|^2 / rows: no matrix of pairs is needed.
    """
    if len(returns) < LEAST_RETURNS:
        return None
    complete = returns[:, ~np.isnan(returns).any(axis=0)]
    spread = complete.std(axis=0)
    moving = complete[:, spread > 0]
    count = moving.shape[1]
    if count < 2:
        return None
    standard = (moving - moving.mean(axis=0)) / moving.std(axis=0)
    total = float(np.square(standard.sum(axis=1)).mean())
    return float((total - count) / (count * (count - 1)))
