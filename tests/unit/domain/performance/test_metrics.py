"""Metrics against values worked out beforehand, and against empyrical-reloaded on arbitrary returns."""

from __future__ import annotations

import math
from datetime import date, timedelta

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import drawdown_table, drawdowns, time_weighted_returns

GOLDEN = np.array([0.01, -0.02, 0.015, 0, 0.005, -0.01, 0.02])

GOLDEN_VALUES = {
    metrics.total_return: 0.019565003302999706,
    metrics.cagr: 1.008801917462688,
    metrics.volatility: 0.22383029285599393,
    metrics.sharpe: 3.2167227715831457,
    metrics.downside_risk: 0.1341640786499874,
    metrics.sortino: 5.366563145999494,
    metrics.max_drawdown: -0.02,
    metrics.calmar: 50.4400958731345,
    metrics.omega: 1.6666666666666667,
    metrics.value_at_risk: -0.017,
    metrics.conditional_value_at_risk: -0.02,
    metrics.tail_ratio: 1.0882352941176467,
    metrics.skew: -0.4423276254324471,
    metrics.kurtosis: 2.0222847717738173,
    metrics.probabilistic_sharpe: 0.6819737988901033,
}

ORACLES = {
    metrics.total_return: lambda r: empyrical.cum_returns_final(r),
    metrics.cagr: empyrical.cagr,
    metrics.volatility: empyrical.annual_volatility,
    metrics.sharpe: empyrical.sharpe_ratio,
    metrics.downside_risk: empyrical.downside_risk,
    metrics.sortino: empyrical.sortino_ratio,
    metrics.max_drawdown: empyrical.max_drawdown,
    metrics.omega: empyrical.omega_ratio,
    metrics.value_at_risk: empyrical.value_at_risk,
    metrics.conditional_value_at_risk: empyrical.conditional_value_at_risk,
    metrics.tail_ratio: empyrical.tail_ratio,
}

some_returns = st.lists(
    st.floats(-0.2, 0.2).map(lambda x: round(x, 6)), min_size=5, max_size=60
).map(np.array).filter(lambda r: np.std(r) > 1e-4 and (r < 0).any() and abs(np.percentile(r, 5)) > 1e-6)  # fmt: skip


@pytest.mark.parametrize("metric", GOLDEN_VALUES, ids=lambda metric: metric.__name__)
def test_metric_of_the_golden_returns_is_the_golden_value(metric) -> None:
    assert metric(GOLDEN) == pytest.approx(GOLDEN_VALUES[metric], rel=1e-12)


@pytest.mark.parametrize("metric", ORACLES, ids=lambda metric: metric.__name__)
@given(returns=some_returns)
def test_metric_of_any_returns_equals_the_oracle(metric, returns) -> None:
    assert metric(returns) == pytest.approx(float(ORACLES[metric](returns)), rel=1e-9, abs=1e-12)


@given(returns=some_returns, seed=st.integers(0, 9))
def test_beta_and_alpha_equal_the_oracle(returns, seed) -> None:
    benchmark = np.random.default_rng(seed).normal(0, 0.01, len(returns))
    relative = metrics.relative_to(returns, benchmark)
    assert relative.beta == pytest.approx(empyrical.beta(returns, benchmark), rel=1e-9, abs=1e-12)
    daily_alpha = np.mean(returns) - empyrical.beta(returns, benchmark) * np.mean(benchmark)
    assert relative.alpha == pytest.approx(daily_alpha * 252, rel=1e-9, abs=1e-12)
    assert relative.tracking_error == pytest.approx(np.std(returns - benchmark, ddof=1) * math.sqrt(252))


@pytest.mark.parametrize(
    ("metric", "returns"),
    [
        (metrics.sharpe, [0.01] * 30),
        (metrics.sharpe, [0.01]),
        (metrics.sortino, [0.01, 0.02]),
        (metrics.calmar, [0.01, 0.02]),
        (metrics.omega, [0.01, 0.02]),
        (metrics.cagr, [0.5, -1.0]),
        (metrics.volatility, [0.1]),
        (metrics.tail_ratio, [0.0, 0.0]),
        (metrics.skew, [0.1, 0.1]),
        (metrics.probabilistic_sharpe, [0.1, 0.1]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_metric_without_a_meaning_is_none(metric, returns) -> None:
    assert metric(np.array(returns)) is None


@given(returns=some_returns)
def test_each_session_equals_the_metric_of_its_prefix(returns) -> None:
    frame = metrics.metrics_as_of_each_session(returns, np.full(len(returns), 0.5))
    for name in ("total_return", "volatility", "sharpe", "sortino", "max_drawdown"):
        for n in (1, 2, len(returns) // 2, len(returns)):
            expected = getattr(metrics, name)(returns[:n])
            found = frame[name].iloc[n - 1]
            assert (expected is None and np.isnan(found)) or found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert frame["exposure"].iloc[-1] == pytest.approx(0.5)


@given(returns=some_returns, cut=st.integers(1, 60))
def test_row_of_a_session_does_not_depend_on_later_sessions(returns, cut) -> None:
    exposure = np.abs(returns)
    whole = metrics.metrics_as_of_each_session(returns, exposure).head(cut)
    short = metrics.metrics_as_of_each_session(returns[:cut], exposure[:cut])
    assert whole.to_numpy().tobytes() == short.to_numpy().tobytes()


def test_cagr_has_no_value_before_twenty_sessions() -> None:
    frame = metrics.metrics_as_of_each_session(np.tile([0.01, -0.005], 15), np.zeros(30))
    assert frame["cagr"].isna().tolist() == [True] * 19 + [False] * 11


def test_ruin_has_no_growth_a_year_and_stays_ruin() -> None:
    frame = metrics.metrics_as_of_each_session(np.array([0.01] * 25 + [-1.0, 0.1]), np.zeros(27))
    assert frame["total_return"].tolist()[-2:] == [-1, -1]
    assert frame["cagr"].isna().tolist()[-2:] == [True, True]
    assert frame["max_drawdown"].iloc[-1] == -1


def test_deflated_sharpe_of_the_paper_is_reproduced() -> None:
    """The example of Bailey and Lopez de Prado (2014), 'A numerical example': a Sharpe ratio of 2.5 a year."""
    # 100 trials whose yearly ratios have the variance 1/2, five years of 250 days, skew -3, kurtosis 10.
    luck = metrics.best_of_luck(100, (0.5 / 250) ** 0.5)
    assert luck == pytest.approx(0.1132, abs=5e-5)
    assert metrics.probability_above(luck, 2.5 / 250**0.5, 1250, -3, 10) == pytest.approx(0.9004, abs=5e-5)


def test_best_of_luck_by_hand() -> None:
    # Two trials: the quantile of 1/2 is 0, that of 1 - 1/(2e) = 0.81606 is 0.90045; times Euler's 0.577216.
    assert metrics.best_of_luck(2, 1.0) == pytest.approx(0.577216 * 0.90045, abs=1e-5)
    # Ten: 1.281552 of 0.9 and 1.789199 of 0.963212.
    assert metrics.best_of_luck(10, 0.2) == pytest.approx(0.2 * (0.422784 * 1.281552 + 0.577216 * 1.789199), abs=1e-5)


def test_deflated_sharpe_is_the_probability_of_beating_luck() -> None:
    returns = np.random.default_rng(7).normal(0.001, 0.01, 250)
    trials = [0.02, 0.05, 0.11]
    luck = metrics.best_of_luck(3, float(np.std(trials, ddof=1)))
    assert metrics.deflated_sharpe(returns, trials) == metrics.probabilistic_sharpe(returns, luck)


def test_deflated_sharpe_falls_with_the_number_of_trials() -> None:
    returns = np.random.default_rng(7).normal(0.001, 0.01, 500)
    few, many = ([0.01 * (-1) ** n * (1 + n / 100) for n in range(count)] for count in (5, 200))
    assert metrics.probabilistic_sharpe(returns) > metrics.deflated_sharpe(returns, few)
    assert metrics.deflated_sharpe(returns, few) > metrics.deflated_sharpe(returns, many)
    assert metrics.deflated_sharpe(returns, [0.1]) is None


def test_rolling_sharpe_equals_the_sharpe_of_each_window() -> None:
    rolling = metrics.rolling_sharpe(GOLDEN, 4)
    assert np.isnan(rolling[:3]).all()
    assert rolling[3:] == pytest.approx([metrics.sharpe(GOLDEN[n - 4 : n]) for n in range(4, 8)])


def test_turnover_is_the_smaller_side_over_average_equity_a_year() -> None:
    assert metrics.turnover(50.0, 80.0, np.array([90.0, 110.0])) == pytest.approx(0.5 * 126)


def test_flow_at_the_start_of_a_session_is_no_return() -> None:
    returns = time_weighted_returns(np.array([110.0, 190.0, 95.0]), np.array([100.0, 90.0, -95.0]))
    assert returns == pytest.approx([0.10, -0.05, 0.0])


def test_session_that_begins_with_nothing_returns_zero() -> None:
    assert time_weighted_returns(np.array([0.0, 0.0]), np.array([0.0, 0.0])).tolist() == [0, 0]


def test_drawdown_table_lists_the_deepest_first_and_leaves_an_open_one_unrecovered() -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(7)]
    deepest, second = drawdown_table(days, np.array([0.10, -0.10, 0.20, -0.20, -0.05, 0.01, 0.01]))
    assert (deepest.started, deepest.trough, deepest.recovered, deepest.sessions) == (days[2], days[4], None, 4)
    assert deepest.depth == pytest.approx(0.8 * 0.95 - 1)
    assert (second.started, second.trough, second.recovered, second.sessions) == (days[0], days[1], days[2], 2)


def test_loss_in_the_first_session_is_a_drawdown_from_the_start() -> None:
    returns = np.array([-0.1, 0.2])
    assert drawdowns(returns) == pytest.approx([-0.1, 0])
    (only,) = drawdown_table([date(2024, 1, 1), date(2024, 1, 2)], returns)
    assert (only.started, only.recovered) == (date(2024, 1, 1), date(2024, 1, 2))
