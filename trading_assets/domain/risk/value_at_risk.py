"""Value at risk: what a book may lose in one session, from the past of what it holds or from a normal distribution.

Every figure is a profit: a loss is negative, in the unit of its input (a ratio or USD). Whose returns they are, and
what to do where there are too few, belongs to portfolio_risk.py.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TAIL_95, TAIL_99 = 0.05, 0.01
"""The probability of a worse result than the value at risk, at 95 % and at 99 %."""


def historical_var(profits: Floats, tail: float) -> float:
    """The `tail` quantile of past profits, linearly interpolated. At least one profit."""
    return float(np.percentile(profits, 100 * tail))


def historical_cvar(profits: Floats, tail: float) -> float:
    """The mean of the worst floor((n - 1) x tail) + 1 of n past profits. At least one profit."""
    return float(np.mean(profits[_worst(profits, tail)]))


def parametric_var(deviation: float, tail: float) -> float:
    """The `tail` quantile of a normal distribution around zero: a session's mean is too small to be estimated."""
    return deviation * NormalDist().inv_cdf(tail)


def parametric_cvar(deviation: float, tail: float) -> float:
    """The mean of a normal distribution around zero below its `tail` quantile."""
    normal = NormalDist()
    return -deviation * normal.pdf(normal.inv_cdf(tail)) / tail


def deviation_usd(values_usd: Floats, covariance: Floats) -> float:
    """Standard deviation of a session's profit of positions worth `values_usd`, of returns with this covariance."""
    return math.sqrt(max(float(values_usd @ covariance @ values_usd), 0.0))


def marginal_var(values_usd: Floats, covariance: Floats, tail: float) -> Floats:
    """How much one more dollar in each position changes the parametric VaR of all: its derivative. 0 without risk."""
    deviation = deviation_usd(values_usd, covariance)
    if not deviation:
        return np.zeros(len(values_usd))
    return np.asarray(covariance @ values_usd / deviation * parametric_var(1.0, tail), dtype=np.float64)


def component_var(values_usd: Floats, covariance: Floats, tail: float) -> Floats:
    """The parts of the parametric VaR that the positions contribute; they add up to it (Euler's theorem)."""
    return values_usd * marginal_var(values_usd, covariance, tail)


def component_cvar(values_usd: Floats, returns: Floats, tail: float) -> Floats:
    """What each position lost on average in the worst sessions of all: the parts of the historical CVaR.

    `returns` are sessions x positions, at least one session.
    """
    worst = _worst(returns @ values_usd, tail)
    return np.asarray(values_usd * returns[worst].mean(axis=0), dtype=np.float64)


def _worst(profits: Floats, tail: float) -> npt.NDArray[np.intp]:
    """Where the worst floor((n - 1) x tail) + 1 profits are; of equal ones the earliest."""
    count = int((len(profits) - 1) * tail) + 1
    return np.argsort(profits, kind="stable")[:count]
