"""Shares of a capital of one: hand-computed vectors, the conditions of the optima, and answers that are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.allocation import (
    AllocationError,
    equal_risk_contribution,
    inverse_volatility,
    kkt_residual,
    mean_variance,
    shrunk_covariance,
)


def covariance_of(volatility: list[float], correlation: float) -> Any:
    count = len(volatility)
    matrix = np.full((count, count), correlation) + (1 - correlation) * np.eye(count)
    return matrix * np.outer(volatility, volatility)


@st.composite
def covariances(draw: Any) -> Any:
    """Positive definite, with volatilities from 1 % to several hundred."""
    count = draw(st.integers(1, 12))
    observed = np.random.default_rng(draw(st.integers(0, 2**32))).normal(size=(3 * count + 5, count))
    scale = np.array(draw(st.lists(st.floats(0.01, 3), min_size=count, max_size=count)))
    return np.atleast_2d(np.cov(observed * scale, rowvar=False))


def test_inverse_volatility_of_10_and_20_percent_is_two_thirds_and_one_third() -> None:
    assert inverse_volatility(np.array([0.1, 0.2])) == pytest.approx([2 / 3, 1 / 3], abs=1e-15)


@pytest.mark.parametrize("volatility", [0.0, np.nan, np.inf, -0.1])
def test_inverse_volatility_of_what_is_no_volatility_is_refused(volatility: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        inverse_volatility(np.array([0.1, volatility]))


def test_equal_risk_contribution_without_correlation_is_inverse_volatility() -> None:
    volatility = [0.1, 0.2, 0.35]
    shares = equal_risk_contribution(covariance_of(volatility, 0.0))
    assert shares == pytest.approx(inverse_volatility(np.array(volatility)), abs=1e-12)


def test_equal_risk_contribution_of_two_is_inverse_volatility_whatever_their_correlation() -> None:
    for correlation in (-0.9, 0.3, 0.99):
        assert equal_risk_contribution(covariance_of([0.1, 0.2], correlation)) == pytest.approx([2 / 3, 1 / 3])


@settings(max_examples=60, deadline=None)
@given(covariances())
def test_risk_contributions_are_equal_to_a_hundred_millionth(covariance: Any) -> None:
    shares = equal_risk_contribution(covariance)
    contributions = shares * (covariance @ shares) / (shares @ covariance @ shares)
    assert contributions == pytest.approx(np.full(len(shares), 1 / len(shares)), abs=1e-8)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    assert (shares > 0).all()


def test_equal_risk_contribution_of_an_impossible_covariance_is_refused() -> None:
    with pytest.raises(AllocationError, match="not positive definite"):
        equal_risk_contribution(np.array([[1.0, -3.0], [-3.0, 1.0]]))


def test_mean_variance_inside_its_bounds_is_the_return_by_the_risk() -> None:
    shares = mean_variance(np.array([0.04, 0.05]), covariance_of([0.2, 0.25], 0.0), 4.0)
    assert shares == pytest.approx([0.04 / (4 * 0.04), 0.05 / (4 * 0.0625)], abs=1e-9)


def test_mean_variance_at_its_budget_shares_what_is_left_equally_among_equals() -> None:
    assert mean_variance(np.full(4, 1.0), covariance_of([0.2] * 4, 0.5), 1.0) == pytest.approx([0.25] * 4, abs=1e-8)


def test_mean_variance_holds_nothing_of_what_is_expected_to_fall() -> None:
    shares = mean_variance(np.array([0.1, -0.1]), covariance_of([0.2, 0.2], 0.0), 5.0)
    assert shares == pytest.approx([0.5, 0.0], abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(covariances(), st.data())
def test_mean_variance_meets_the_kkt_conditions_and_every_bound(covariance: Any, data: Any) -> None:
    count = len(covariance)
    strength = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=count, max_size=count)))
    groups = data.draw(st.lists(st.sampled_from("ab"), min_size=count, max_size=count))
    cap, group_cap = data.draw(st.floats(0.05, 1)), data.draw(st.floats(0.05, 1))
    expected = strength * np.sqrt(np.diag(covariance))
    shares = mean_variance(expected, covariance, 5.0, cap=cap, groups=groups, group_cap=group_cap)
    assert (shares >= 0).all()
    assert (shares <= cap).all()
    assert shares.sum() <= 1 + 1e-8
    for group in set(groups):
        assert sum(share for share, one in zip(shares, groups, strict=True) if one == group) <= group_cap + 1e-8
    # No feasible step away from the optimum is better: towards cash, or towards any single position.
    gradient = expected - 5.0 * covariance @ shares
    assert gradient @ shares >= -1e-7


def test_kkt_residual_of_another_point_is_not_small() -> None:
    covariance, rows, bounds = np.eye(1), np.array([[-1.0], [1.0]]), np.array([0.0, 1.0])
    optimum, expected, free = np.array([0.5]), np.array([0.5]), np.zeros(2)
    assert kkt_residual(covariance, expected, rows, bounds, optimum, free) == 0
    assert kkt_residual(covariance, expected, rows, bounds, optimum + 1e-6, free) > 1e-8
    assert kkt_residual(covariance, expected, rows, bounds, optimum, np.array([0.0, -1e-6])) > 1e-8
    assert kkt_residual(covariance, expected * 3, rows, bounds, optimum + 1, np.array([0.0, 0.0])) > 1e-8


def test_mean_variance_of_a_covariance_that_is_none_is_refused() -> None:
    with pytest.raises(AllocationError, match="mean-variance of 2 positions"):
        mean_variance(np.array([0.1, 0.1]), np.array([[1.0, np.nan], [np.nan, 1.0]]), 5.0)


def test_shrunk_covariance_of_more_positions_than_observations_is_positive_definite() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, (20, 50))
    assert np.linalg.eigvalsh(shrunk_covariance(returns, 252)).min() > 0
    assert np.trace(shrunk_covariance(returns, 252)) == pytest.approx(252 * returns.var(axis=0).sum())
