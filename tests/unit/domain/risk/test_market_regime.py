"""The regime of the market: annual volatility of the universe, and the mean correlation of its pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.risk.regime import LEAST_RETURNS, correlation, regime_of, session_returns, volatility

RANDOM = np.random.default_rng(7)


def test_returns_are_between_closes_of_the_same_symbol_and_know_splits() -> None:
    closes = [{"AAA": 100.0, "BBB": 50.0}, {"AAA": 110.0}, {"AAA": 60.5, "BBB": 55.0}]
    returns = session_returns(closes, [{}, {}, {"AAA": 2.0}])
    assert returns.shape == (2, 2)
    assert returns[:, 0] == pytest.approx([0.1, 0.1])
    assert np.isnan(returns[:, 1]).all()
    assert session_returns(closes[:1], [{}]).shape == (0, 2)


def test_volatility_is_annual_and_of_the_equally_weighted_universe() -> None:
    one = np.tile([0.01, -0.01], 20)[:, None]
    assert volatility(one) == pytest.approx(np.std(one, ddof=1) * np.sqrt(252))
    assert volatility(np.hstack([one, -one])) == pytest.approx(0, abs=1e-12)
    assert volatility(np.hstack([one, np.full_like(one, np.nan)])) == volatility(one)


@settings(max_examples=30)
@given(count=st.integers(2, 8), rows=st.integers(LEAST_RETURNS, 40), seed=st.integers(0, 99))
def test_correlation_is_the_mean_of_all_pairs(count: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    returns = random.normal(0, 0.01, (rows, 1)) + random.normal(0, 0.01, (rows, count))
    pairs = np.corrcoef(returns.T)[np.triu_indices(count, 1)]
    assert correlation(returns) == pytest.approx(pairs.mean())


def test_correlation_leaves_out_symbols_with_a_gap_and_those_that_do_not_move() -> None:
    moving = RANDOM.normal(0, 0.01, (30, 3))
    still, gap = np.zeros((30, 1)), moving[:, :1].copy()
    gap[3] = np.nan
    assert correlation(np.hstack([moving, still, gap])) == pytest.approx(correlation(moving))
    assert correlation(np.hstack([moving[:, :1], still])) is None


def test_regime_of_a_short_history_is_not_known() -> None:
    short = RANDOM.normal(0, 0.01, (LEAST_RETURNS - 1, 3))
    assert regime_of(short, 20, 60).volatility is None
    assert regime_of(short, 20, 60).correlation is None


def test_regime_looks_back_no_further_than_its_windows() -> None:
    returns = RANDOM.normal(0, 0.01, (80, 3))
    wild = returns.copy()
    wild[:20] *= 50
    assert regime_of(returns, 20, 60) == regime_of(wild, 20, 60)
