"""The back-test of value at risk: exceptions counted by hand, Kupiec's test against worked numbers and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trading_assets.domain.performance.var_back_test import BackTestVerdict, back_test, kupiec


def test_five_of_250_at_99_is_the_likelihood_ratio_by_hand() -> None:
    # 2 (5 ln 2 + 245 ln(0.98 / 0.99)) = 1.9568
    assert kupiec(5, 250, 0.01) == pytest.approx(stats.chi2.sf(1.9568, 1), abs=1e-4)


@pytest.mark.parametrize(("failed", "forecasts", "tail"), [(1, 100, 0.01), (13, 260, 0.05)])
def test_share_as_forecast_is_as_likely_as_can_be(failed: int, forecasts: int, tail: float) -> None:
    assert kupiec(failed, forecasts, tail) == pytest.approx(1.0)


@pytest.mark.parametrize(("failed", "forecasts"), [(0, 250), (250, 250)])
def test_extremes_have_a_value(failed: int, forecasts: int) -> None:
    tail = 0.05
    ratio = -2 * (failed * np.log(tail) + (forecasts - failed) * np.log(1 - tail))
    assert kupiec(failed, forecasts, tail) == pytest.approx(stats.chi2.sf(ratio, 1), rel=1e-9)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.01, 0.05]))
def test_p_value_is_the_chi_squared_tail_of_binomial_likelihoods(counts: tuple[int, int], tail: float) -> None:
    failed, forecasts = counts
    best = stats.binom.logpmf(failed, forecasts, failed / forecasts)
    ratio = 2 * (best - stats.binom.logpmf(failed, forecasts, tail))
    assert kupiec(failed, forecasts, tail) == pytest.approx(stats.chi2.sf(max(ratio, 0), 1), abs=1e-6)


def test_exceptions_are_sessions_below_their_forecast() -> None:
    returns = np.array([-0.03, -0.02, 0.01, -0.05, -0.01])
    forecasts = np.array([np.nan, -0.02, -0.02, -0.02, 0.0])

    result = back_test(returns, forecasts, 0.05)

    # No forecast, exactly as forecast, a gain, an exception, an empty book.
    assert (result.forecasts, result.exceptions, result.expected) == (3, 1, pytest.approx(0.15))


@pytest.mark.parametrize(
    ("failed", "verdict"),
    [(13, BackTestVerdict.PLAUSIBLE), (30, BackTestVerdict.TOO_MANY), (2, BackTestVerdict.TOO_FEW)],
)
def test_verdict_says_in_which_direction_the_forecast_was_wrong(failed: int, verdict: BackTestVerdict) -> None:
    returns = np.where(np.arange(260) < failed, -0.03, 0.0)
    assert back_test(returns, np.full(260, -0.02), 0.05).verdict is verdict


def test_nothing_forecast_is_untested() -> None:
    assert back_test(np.array([-0.1]), np.array([np.nan]), 0.01).verdict is BackTestVerdict.UNTESTED
