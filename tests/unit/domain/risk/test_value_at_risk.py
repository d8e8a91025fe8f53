"""Value at risk against numbers worked out by hand, and the properties that make its parts worth showing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading_assets.domain.risk.value_at_risk import (
    TAIL_95,
    TAIL_99,
    component_cvar,
    component_var,
    deviation_usd,
    historical_cvar,
    historical_var,
    marginal_var,
    parametric_cvar,
    parametric_var,
)

RETURNS = np.array([0.01, -0.02, 0.015, 0.0, 0.005, -0.01, 0.02])
HUNDRED_AND_ONE = np.arange(-50.0, 51.0)

# 60,000 USD at 1 % and 20,000 USD at 3 % a session, correlation 0.5.
VALUES = np.array([60_000.0, 20_000.0])
COVARIANCE = np.array([[0.0001, 0.00015], [0.00015, 0.0009]])

positions = st.integers(1, 6).flatmap(
    lambda count: st.tuples(
        arrays(np.float64, count, elements=st.floats(-1e6, 1e6)),
        arrays(np.float64, (40, count), elements=st.floats(-0.2, 0.2)),
    )
)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        # Sorted: -0.02, -0.01, 0, ...; the 5 % quantile lies 0.3 of the way from the first to the second.
        (historical_var(RETURNS, TAIL_95), -0.017),
        (historical_var(RETURNS, TAIL_99), -0.0194),
        (historical_cvar(RETURNS, TAIL_95), -0.02),
        (historical_var(HUNDRED_AND_ONE, TAIL_95), -45.0),
        (historical_var(HUNDRED_AND_ONE, TAIL_99), -49.0),
        # The worst floor(100 x 0.05) + 1 = 6 are -50 to -45, the worst two -50 and -49.
        (historical_cvar(HUNDRED_AND_ONE, TAIL_95), -47.5),
        (historical_cvar(HUNDRED_AND_ONE, TAIL_99), -49.5),
        # Normal quantiles 1.6449 and 2.3263; densities there 0.10314 and 0.02665.
        (parametric_var(1000.0, TAIL_95), -1644.853627),
        (parametric_var(1000.0, TAIL_99), -2326.347874),
        (parametric_cvar(1000.0, TAIL_95), -2062.712808),
        (parametric_cvar(1000.0, TAIL_99), -2665.214220),
    ],
)
def test_figure_of_a_small_sample_is_the_one_by_hand(figure: float, expected: float) -> None:
    assert figure == pytest.approx(expected, rel=1e-8)


def test_contributions_of_two_positions_are_those_by_hand() -> None:
    # Variances 600 squared, 600 squared, covariance 180,000: together 1,080,000.
    assert deviation_usd(VALUES, COVARIANCE) == pytest.approx(math.sqrt(1_080_000))
    # Both rows of C v are 9 and 27; over the deviation, times the quantile.
    scale = -1.6448536269514722 / math.sqrt(1_080_000)
    assert marginal_var(VALUES, COVARIANCE, TAIL_95) == pytest.approx([9 * scale, 27 * scale])
    assert component_var(VALUES, COVARIANCE, TAIL_95) == pytest.approx([540_000 * scale, 540_000 * scale])


def test_tail_loss_is_divided_by_who_lost_it_in_the_worst_sessions() -> None:
    returns = np.array([[0.01, 0.01], [-0.10, 0.02], [0.01, -0.01]])
    assert component_cvar(np.array([1000.0, 500.0]), returns, TAIL_95) == pytest.approx([-100.0, 10.0])


def test_marginal_var_is_the_derivative() -> None:
    total = component_var(VALUES, COVARIANCE, TAIL_99).sum()
    dearer = component_var(VALUES + np.array([0.0, 1.0]), COVARIANCE, TAIL_99).sum()
    assert dearer - total == pytest.approx(marginal_var(VALUES, COVARIANCE, TAIL_99)[1], rel=1e-3)


@given(positions)
def test_contributions_add_up_to_the_whole(book: tuple[np.ndarray, np.ndarray]) -> None:
    values, returns = book
    covariance = np.cov(returns, rowvar=False, ddof=1).reshape(len(values), len(values))
    near = {"rel": 1e-6, "abs": 1e-6}

    whole = parametric_var(deviation_usd(values, covariance), TAIL_95)
    assert component_var(values, covariance, TAIL_95).sum() == pytest.approx(whole, **near)
    assert component_cvar(values, returns, TAIL_95).sum() == pytest.approx(
        historical_cvar(returns @ values, TAIL_95), **near
    )


@given(positions, st.floats(0.01, 100))
def test_a_book_so_many_times_as_large_risks_so_many_times_as_much(
    book: tuple[np.ndarray, np.ndarray], factor: float
) -> None:
    values, returns = book
    profits = returns @ values
    for figure in (historical_var, historical_cvar):
        assert figure(profits * factor, TAIL_99) == pytest.approx(figure(profits, TAIL_99) * factor, rel=1e-9, abs=1e-9)


@given(arrays(np.float64, st.integers(1, 300), elements=st.floats(-1, 1)))
def test_mean_of_the_tail_is_no_better_than_its_edge_and_99_no_better_than_95(profits: np.ndarray) -> None:
    for tail in (TAIL_95, TAIL_99):
        assert historical_cvar(profits, tail) <= historical_var(profits, tail) + 1e-12
    assert historical_var(profits, TAIL_99) <= historical_var(profits, TAIL_95) + 1e-12
