"""A book measured by hand: exposure, beta, sectors, tail, stress, and what is said where history is missing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk import stress
from trading_assets.domain.risk.portfolio_risk import (
    Holdings,
    PortfolioRisk,
    SectorExposure,
    benchmark_returns,
    correlations,
    exposure,
    measure,
)

MARKET = np.array([0.01, -0.02, 0.03, 0.0, -0.01])
# Twice the market, and half of it the other way, plus a constant that no slope sees.
RETURNS = np.column_stack([2 * MARKET + 0.001, -0.5 * MARKET])
BOOK = Holdings(("AAA", "BBB"), np.array([30_000.0, -10_000.0]), ("Technology", "Energy"), 50_000.0)


def measured(book: Holdings = BOOK, returns: np.ndarray = RETURNS, market: np.ndarray = MARKET) -> PortfolioRisk:
    return measure(book, returns, market, 5)


def test_exposure_of_a_long_and_a_short_is_the_one_by_hand() -> None:
    found = exposure(BOOK)
    assert (found.gross_usd, found.net_usd, found.leverage) == (40_000, 20_000, 0.8)
    assert (found.largest_symbol, found.largest_usd) == ("AAA", 30_000)
    assert found.herfindahl == pytest.approx(0.75**2 + 0.25**2)
    assert found.sectors == {
        "Energy": SectorExposure(-10_000, 10_000),
        "Technology": SectorExposure(30_000, 30_000),
    }


def test_beta_is_the_slope_of_each_symbol_weighed_by_its_value() -> None:
    risk = measured()
    assert risk.betas == pytest.approx([2.0, -0.5])
    # (30,000 x 2 + 10,000 x 0.5) / 50,000
    assert risk.beta == pytest.approx(1.3)
    assert risk.volatilities == pytest.approx(np.std(RETURNS, axis=0, ddof=1) * math.sqrt(252))


def test_tail_is_that_of_todays_book_in_past_sessions() -> None:
    risk = measured()
    profits = RETURNS @ BOOK.values_usd
    assert profits.tolist() == pytest.approx([680, -1270, 1980, 30, -620])
    assert risk.tail is not None
    assert risk.tail.sessions == 5
    # 0.2 of the way from the worst to the second.
    assert risk.tail.var_95_usd == pytest.approx(-1270 + 0.2 * 650)
    assert risk.tail.cvar_99_usd == pytest.approx(-1270)


def test_stress_of_market_moves_goes_through_beta() -> None:
    found = {each.scenario: each.profit_usd for each in measured().stress}
    black_monday = 224.84 / 282.70 - 1
    assert found["1987-10-19"] == pytest.approx(65_000 * black_monday)
    assert found["largest position halved"] == -15_000
    tail = measured().tail
    assert tail is not None
    assert found["volatility doubled"] == pytest.approx(2 * tail.parametric_var_99_usd)


@pytest.mark.parametrize(("scenario", "change"), [("1987-10-19", -0.2047), ("2008-10", -0.2722), ("2020-03", -0.2426)])
def test_market_moves_are_those_of_the_index(scenario: str, change: float) -> None:
    (move,) = [one for one in stress.MARKET_MOVES if one.scenario == scenario]
    assert move.change == pytest.approx(change, abs=5e-5)


def test_a_share_loses_no_more_than_all_of_its_value() -> None:
    assert stress.market_move_profit(np.array([1000.0]), np.array([6.0]), -0.2) == -1000


def test_symbol_with_too_few_returns_makes_the_figures_missing_and_says_so() -> None:
    short = RETURNS.copy()
    short[:2, 1] = np.nan
    risk = measured(returns=short)
    assert risk.tail is None
    assert risk.beta is None
    assert risk.tail_missing == risk.beta_missing == "too few returns, 5 are needed: BBB 3"
    assert risk.exposure.gross_usd == 40_000
    assert risk.betas[0] == pytest.approx(2.0)
    assert {each.scenario for each in risk.stress if each.profit_usd is None} == {
        "1987-10-19",
        "2008-10",
        "2020-03",
        "volatility doubled",
    }


def test_symbols_that_never_traded_together_have_no_common_tail() -> None:
    returns = np.full((10, 2), np.nan)
    returns[:5, 0] = returns[5:, 1] = MARKET
    risk = measured(returns=returns, market=np.tile(MARKET, 2))
    assert risk.tail_missing == "only 0 sessions have a return of every held symbol, 5 are needed"
    assert risk.beta == pytest.approx(0.4)


def test_benchmark_that_never_moves_leaves_beta_missing_and_the_tail_there() -> None:
    risk = measured(market=np.zeros(5))
    assert risk.beta_missing == "the benchmark has too few returns, or never moves, in the sessions of AAA, BBB"
    assert risk.tail is not None


def test_account_without_equity_has_no_leverage_and_no_beta() -> None:
    risk = measured(Holdings(BOOK.symbols, BOOK.values_usd, BOOK.sectors, -1.0))
    assert (risk.exposure.leverage, risk.beta, risk.beta_missing) == (None, None, "equity is -1.00 USD")


def test_empty_book_risks_nothing_whatever_is_known() -> None:
    risk = measure(Holdings((), np.zeros(0), (), 1000.0), np.zeros((0, 0)), np.zeros(0), 60)
    assert risk.tail is not None
    assert (risk.beta, risk.tail.var_99_usd, risk.tail.parametric_cvar_95_usd) == (0, 0, 0)
    assert (risk.exposure.herfindahl, risk.exposure.largest_symbol) == (None, None)
    assert [each.profit_usd for each in risk.stress] == [0, 0, 0, 0, 0]


def test_benchmark_is_the_mean_of_those_that_have_a_return() -> None:
    returns = np.array([[0.02, 0.04], [np.nan, 0.01], [np.nan, np.nan]])
    assert benchmark_returns(returns) == pytest.approx([0.03, 0.01, np.nan], nan_ok=True)


def test_correlations_of_a_covariance_are_those_by_hand() -> None:
    matrix = correlations(np.array([[0.0004, 0.0003, 0.0], [0.0003, 0.0009, 0.0], [0.0, 0.0, 0.0]]))
    assert matrix == pytest.approx(np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]))


@given(st.floats(0.01, 1000))
def test_a_book_so_many_times_as_large_has_the_same_ratios_and_so_many_times_the_dollars(factor: float) -> None:
    small, large = measured(), measured(Holdings(BOOK.symbols, BOOK.values_usd * factor, BOOK.sectors, 50_000 * factor))
    assert small.tail is not None
    assert large.tail is not None
    assert (large.beta, large.exposure.leverage) == (pytest.approx(small.beta), pytest.approx(0.8))
    assert large.exposure.herfindahl == pytest.approx(small.exposure.herfindahl)
    assert large.tail.component_var_95_usd == pytest.approx(small.tail.component_var_95_usd * factor)
    for one, other in zip(small.stress, large.stress, strict=True):
        assert other.profit_usd == pytest.approx(one.profit_usd * factor)


def test_many_symbols_with_few_sessions_have_a_positive_risk() -> None:
    random = np.random.default_rng(3)
    returns = random.normal(0, 0.01, (30, 80))
    names = tuple(f"S{number}" for number in range(80))
    values = random.normal(0, 1000, 80)
    tail = measure(Holdings(names, values, names, 1e5), returns, returns.mean(axis=1), 30).tail
    assert tail is not None
    assert tail.deviation_usd > 0
    assert np.linalg.eigvalsh(tail.correlations).min() > 0
