"""How to share out a capital of one among positions: vectors in, shares in the same order out.

Pure numerics. What may be held, for which strategy and within which caps is in portfolio.py. Covariances are annual,
and of the positions and not of the symbols: for a short position the signs of its row and column are turned beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KKT_TOLERANCE = 1e-8
_NEWTON_STEPS = 200


class AllocationError(ArithmeticError):
    """A solver found no solution that passes its own proof; the message says how far off it was."""


def shrunk_covariance(returns: Floats, periods_a_year: float) -> Floats:
    """The annual covariance of `returns` (observations x positions), shrunk towards a multiple of the identity.

    Ledoit, Wolf: A well-conditioned estimator for large-dimensional covariance matrices (2004). Positive definite
    also where positions outnumber observations.
    """
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(np.ascontiguousarray(returns, dtype=np.float64))
    return np.asarray(covariance * periods_a_year, dtype=np.float64)


def inverse_volatility(volatility: Floats) -> Floats:
    """Shares in proportion to 1 / volatility: 10 % and 20 % have 2/3 and 1/3. Raises ValueError unless all are > 0."""
    if not (np.isfinite(volatility) & (volatility > 0)).all():
        raise ValueError(f"volatilities must be positive numbers, not {volatility.tolist()}")
    inverse = 1 / np.asarray(volatility, dtype=np.float64)
    return np.asarray(inverse / inverse.sum(), dtype=np.float64)


def equal_risk_contribution(covariance: Floats) -> Floats:
    """Shares of which each adds the same to the variance: all `w * (covariance @ w)` are equal.

    The minimum of N/2 w'Cw - sum(ln w) over w > 0, scaled to a sum of one (Spinu: An algorithm for computing risk
    parity weights, 2013). The function is self-concordant, so damped Newton steps reach it from anywhere. Without
    correlation it is inverse_volatility. Raises AllocationError when the covariance is not positive definite.
    """
    volatility = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(volatility, volatility)
    count = len(volatility)
    shares = np.full(count, 1 / np.sqrt(count))
    for _ in range(_NEWTON_STEPS):
        gradient = count * (correlation @ shares) - 1 / shares
        hessian = count * correlation + np.diag(1 / shares**2)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        squared = float(gradient @ step)
        if not squared >= 0:
            break
        decrement = np.sqrt(squared)
        shares = shares - step / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-9:
            weights = shares / volatility
            return np.asarray(weights / weights.sum(), dtype=np.float64)
    raise AllocationError(
        f"the covariance of {count} positions has no equal risk contributions: it is not positive definite"
    )


def mean_variance(
    expected: Floats,
    covariance: Floats,
    risk_aversion: float,
    *,
    budget: float = 1.0,
    cap: float = 1.0,
    groups: Sequence[str] | None = None,
    group_cap: float = 1.0,
) -> Floats:
    """The shares that maximise `expected'w - risk_aversion/2 w'Cw` with 0 <= w <= cap and sum(w) <= budget.

    `expected` are annual returns. With `groups`, one name a position, no group's shares sum to more than `group_cap`.
    What is not worth its risk stays in cash. The answer is checked against the conditions of Karush, Kuhn and Tucker:
    raises AllocationError when one is missed by 1e-8 or more.
    """
    import clarabel
    from scipy import sparse

    count = len(expected)
    names = sorted(set(groups or ()))
    members = [[float(group == name) for group in groups or ()] for name in names]
    rows = np.vstack([-np.eye(count), np.eye(count), np.ones((1, count)), *map(np.atleast_2d, members)])
    bounds = np.concatenate([np.zeros(count), np.full(count, cap), [budget], np.full(len(names), group_cap)])
    quadratic = risk_aversion * covariance
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-11
    solution = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(quadratic)),
        -np.asarray(expected, dtype=np.float64),
        sparse.csc_matrix(rows),
        bounds,
        [clarabel.NonnegativeConeT(len(bounds))],
        options,
    ).solve()
    shares = np.clip(np.asarray(solution.x, dtype=np.float64), 0.0, cap)
    residual = kkt_residual(quadratic, expected, rows, bounds, shares, np.asarray(solution.z, dtype=np.float64))
    if not residual < KKT_TOLERANCE:
        raise AllocationError(f"mean-variance of {count} positions: {solution.status}, KKT residual {residual:.1e}")
    return shares


def kkt_residual(
    quadratic: Floats, expected: Floats, rows: Floats, bounds: Floats, shares: Floats, multipliers: Floats
) -> float:
    """By how much `shares` miss being the minimum of `w'Qw/2 - expected'w` with `rows @ w <= bounds`: 0 is exact.

    The largest of: the gradient of the Lagrangian, a violated bound, a negative multiplier, multiplier x slack.
    """
    slack = bounds - rows @ shares
    gradient = quadratic @ shares - expected + rows.T @ multipliers
    violations = (np.abs(gradient), -slack, -multipliers, np.abs(multipliers * slack))
    return float(max(each.max(initial=0.0) for each in violations))
