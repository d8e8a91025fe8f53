"""Cointegrated pairs: the test against another implementation, half-lives and scores against hand-made series."""

from datetime import UTC, date, datetime
from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.pairs import (
    Pair,
    discovery_times,
    engle_granger,
    estimate_pairs,
    half_life,
    regression,
    rolling_zscore,
    select_pairs,
)


def walk(seed: int, count: int = 250) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.01, size=count).cumsum()


def reverting(seed: int, phi: float = 0.8, count: int = 250) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(scale=0.005, size=count)
    spread = np.zeros(count)
    for row in range(1, count):
        spread[row] = phi * spread[row - 1] + shocks[row]
    return spread


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_tied", [True, False])
def test_p_values_of_both_directions_are_those_of_statsmodels(seed, is_tied):
    from statsmodels.tsa.stattools import coint

    x = walk(seed)
    y = 0.7 * x + 0.1 + reverting(seed + 10) if is_tied else walk(seed + 20)
    pair = engle_granger("Y", "X", y, x)
    expected = {
        ("Y", "X"): float(coint(y, x, maxlag=1, autolag=None)[1]),
        ("X", "Y"): float(coint(x, y, maxlag=1, autolag=None)[1]),
    }
    likelier = min(expected, key=expected.__getitem__)
    assert (pair.symbol_y, pair.symbol_x) == likelier
    assert pair.p_value == pytest.approx(expected[likelier], rel=1e-6)
    assert pair.reverse_p_value == pytest.approx(max(expected.values()), rel=1e-6)
    assert (pair.p_value < 0.01) is is_tied


def test_tied_prices_give_back_the_hedge_ratio_and_half_life_they_were_made_with():
    x = walk(1, 5000)
    pair = engle_granger("Y", "X", 0.7 * x + 0.1 + reverting(2, phi=0.9, count=5000), x)
    assert (pair.symbol_y, pair.symbol_x) == ("Y", "X")
    assert pair.hedge_ratio == pytest.approx(0.7, abs=0.01)
    assert pair.intercept == pytest.approx(0.1, abs=0.01)
    assert pair.half_life_bars == pytest.approx(-log(2) / log(0.9), rel=0.15)


def test_regression_of_four_points_by_hand():
    # x - 2.5 = -1.5 -.5 .5 1.5, y - 4 = -3 -1 2 2: slope (4.5 + .5 + 1 + 3) / 5 = 1.8, intercept 4 - 4.5.
    assert regression(np.array([1.0, 3, 6, 6]), np.array([1.0, 2, 3, 4])) == pytest.approx((1.8, -0.5))


def test_half_life_of_a_spread_that_halves_with_every_bar_is_one():
    assert half_life(np.array([16.0, 8, 4, 2, 1])) == pytest.approx(1.0)


def test_half_life_without_reversion_is_infinite_and_of_a_spread_that_swings_is_zero():
    assert half_life(np.array([1.0, 2, 4, 8])) == inf
    assert half_life(np.array([1.0, -1, 1, -1])) == 0.0


@pytest.mark.parametrize("y", [np.zeros(50), 0.5 * walk(1, 50) + 3])
def test_constant_prices_and_prices_that_are_the_same_cannot_be_tested(y):
    assert engle_granger("Y", "X", y, walk(1, 50)) is None


def test_pairs_with_too_few_common_bars_are_left_out():
    prices = np.column_stack([walk(1, 100), walk(2, 100), walk(3, 100)])
    prices[:11, 2] = np.nan
    assert [{pair.symbol_y, pair.symbol_x} for pair in estimate_pairs(prices, ["A", "B", "C"])] == [{"A", "B"}]
    prices[0, 2] = 0.0
    assert len(estimate_pairs(prices, ["A", "B", "C"])) == 3


def test_pairs_come_in_the_order_of_their_p_values():
    x = walk(1)
    prices = np.column_stack([walk(5), 0.9 * x + reverting(3), x])
    first, *others = estimate_pairs(prices, ["A", "B", "C"])
    assert {first.symbol_y, first.symbol_x} == {"B", "C"}
    assert [first.p_value, *(pair.p_value for pair in others)] == sorted(pair.p_value for pair in [first, *others])


def pair(y: str, x: str, p_value: float = 0.01, half_life_bars: float = 5.0, hedge_ratio: float = 1.0) -> Pair:
    return Pair(y, x, hedge_ratio, 0.0, half_life_bars, p_value, 0.5)


def test_each_symbol_is_in_one_selected_pair_and_the_likeliest_come_first():
    tested = [pair("A", "B"), pair("B", "C"), pair("C", "D"), pair("E", "F")]
    assert select_pairs(tested, 0.05, 10, 5) == (tested[0], tested[2], tested[3])
    assert select_pairs(tested, 0.05, 10, 2) == (tested[0], tested[2])


@pytest.mark.parametrize(
    "refused",
    [
        pair("A", "B", p_value=0.051),
        pair("A", "B", half_life_bars=10.1),
        pair("A", "B", half_life_bars=inf),
        pair("A", "B", half_life_bars=0.0),
        pair("A", "B", hedge_ratio=-0.5),
    ],
)
def test_unlikely_slow_and_same_sided_pairs_are_not_selected(refused):
    assert select_pairs([refused], 0.05, 10, 5) == ()


def test_discoveries_are_at_the_closes_of_first_sessions_of_months():
    # 2 September 2019 is Labor Day; 2 January 2020 the first session of its year.
    first, last = datetime(2019, 8, 1, 20, tzinfo=UTC), datetime(2019, 10, 1, 19, 59, tzinfo=UTC)
    assert discovery_times(first, last) == [
        (date(2019, 8, 1), datetime(2019, 8, 1, 20, tzinfo=UTC)),
        (date(2019, 9, 3), datetime(2019, 9, 3, 20, tzinfo=UTC)),
    ]
    assert discovery_times(datetime(2020, 1, 3, tzinfo=UTC), datetime(2020, 1, 31, 21, tzinfo=UTC)) == []


def test_rolling_zscore_by_hand():
    # Means 2, 3, 4 and deviations sqrt(2/3), sqrt(2/3), sqrt(8/3).
    found = rolling_zscore(np.array([1.0, 2, 3, 4, 2]), 3)
    assert found[:2].tolist() == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert found[2:].tolist() == pytest.approx([1 / np.sqrt(2 / 3), 1 / np.sqrt(2 / 3), -1 / np.sqrt(2 / 3)])


def test_rolling_zscore_without_deviation_or_enough_values_is_nan():
    assert np.isnan(rolling_zscore(np.full(20, 0.1), 10)).all()
    gaps = np.arange(20.0)
    gaps[[3, 4]] = np.nan
    assert np.isfinite(rolling_zscore(gaps, 10)).tolist() == [False] * 13 + [True] * 7


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(5, 30), st.integers(0, 60))
def test_rolling_zscore_keeps_its_bytes_when_values_before_or_after_are_missing(seed, window, last):
    spread = np.random.default_rng(seed).normal(size=100)
    row = min(window - 1 + last, 99)
    alone = rolling_zscore(spread[row - window + 1 : row + 1], window)[-1]
    assert alone.tobytes() == rolling_zscore(spread, window)[row].tobytes()
