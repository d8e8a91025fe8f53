"""Indicators against numbers computed by hand, and the proofs that they know nothing of what comes later."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicator_kinds.kind import Kind, Parameter
from trading_assets.domain.strategy.indicators import Indicator, UnknownIndicatorError, compute

ALL_KINDS = [Indicator(name, *(parameter.usual for parameter in kind.parameters)) for name, kind in KINDS.items()]
START = datetime(2020, 1, 2, 14, 30, tzinfo=UTC)


def bars_of(closes_by_symbol: dict[str, list[float]]) -> pd.DataFrame:
    """Daily bars: open 1 USD below the close, high 1 USD above it, low 2 USD below; volume 100, 101 ..."""
    rows = [
        (symbol, START + timedelta(days=number), close - 1, close + 1, close - 2, close, 100.0 + number)
        for symbol, closes in sorted(closes_by_symbol.items())
        for number, close in enumerate(closes)
    ]
    return pd.DataFrame(rows, columns=["symbol", "ts", "open", "high", "low", "close", "volume"])


def values_of(indicator: Indicator, closes: list[float]) -> list[float]:
    bars = bars_of({"A": closes})
    return compute(bars, np.ones(len(bars)), [indicator])[indicator.column].tolist()


def test_sma_of_five_closes_is_their_running_mean():
    assert values_of(Indicator("sma", 3), [1, 2, 6, 4, 11]) == pytest.approx([np.nan, np.nan, 3, 4, 7], nan_ok=True)


def test_ema_starts_with_the_simple_mean_and_weighs_the_newest_by_two_over_n_plus_one():
    # alpha = 2/4: 3, then (4 + 3)/2 = 3.5, then (11 + 3.5)/2 = 7.25.
    assert values_of(Indicator("ema", 3), [1, 2, 6, 4, 11]) == pytest.approx(
        [np.nan, np.nan, 3, 3.5, 7.25], nan_ok=True
    )


def test_rsi_follows_wilders_smoothing():
    # Changes +2 -1 +3 | +1 -4, period 3: gains 5/3, losses 1/3 -> 100 x 5/6; then gains (2 x 5/3 + 1)/3 = 13/9,
    # losses (2 x 1/3 + 0)/3 = 2/9 -> 100 x 13/15; then gains 26/27, losses (4/9 + 4)/3 = 40/27 -> 100 x 26/66.
    expected = [np.nan] * 3 + [100 * 5 / 6, 100 * 13 / 15, 100 * 26 / 66]
    assert values_of(Indicator("rsi", 3), [10, 12, 11, 14, 15, 11]) == pytest.approx(expected, nan_ok=True)


def test_atr_follows_wilders_smoothing():
    # Closes 10 12 11 20, high close + 1, low close - 2, period 2. True ranges from the second bar on:
    # max(3, 13 - 10, 10 - 10) = 3; max(3, 12 - 12, 12 - 9) = 3; max(3, 21 - 11, 18 - 11) = 10.
    # First value (3 + 3)/2 = 3, then (3 + 10)/2 = 6.5.
    assert values_of(Indicator("atr", 2), [10, 12, 11, 20]) == pytest.approx([np.nan, np.nan, 3, 6.5], nan_ok=True)


@pytest.mark.parametrize("indicator", ALL_KINDS, ids=lambda one: one.column)
def test_warm_up_is_exactly_the_number_of_leading_bars_without_a_value(indicator):
    closes = (100 + np.random.default_rng(1).normal(size=120).cumsum()).tolist()
    is_nan = np.isnan(values_of(indicator, closes))
    assert is_nan.tolist() == [True] * indicator.warm_up + [False] * (120 - indicator.warm_up)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_compute_with_fewer_bars_than_the_warm_up_gives_only_nan(count):
    bars = bars_of({"A": [float(number + 1) for number in range(count)]})
    values = compute(bars, np.ones(count), [Indicator("rsi", 14), Indicator("sma", 14)])
    assert values.shape == (count, 2)
    assert values.isna().all(axis=None)


def test_each_symbol_is_computed_by_itself():
    both = bars_of({"A": [1.0, 2, 3, 4], "B": [50.0, 60, 70, 80]})
    values = compute(both, np.ones(8), [Indicator("sma", 3)])["sma_3"]
    assert values.tolist() == pytest.approx([np.nan, np.nan, 2, 3, np.nan, np.nan, 60, 70], nan_ok=True)


def test_price_indicators_across_a_split_are_in_the_raw_units_of_their_own_bar():
    # 2 for 1 before the fourth bar: without adjustment the mean would mix 100 and 50.
    bars = bars_of({"A": [100.0, 100, 100, 50, 50]})
    values = compute(bars, [1.0, 1, 1, 2, 2], [Indicator("sma", 3)])["sma_3"]
    assert values.tolist() == pytest.approx([np.nan, np.nan, 100, 50, 50], nan_ok=True)


def test_ratio_indicators_do_not_see_a_split():
    closes = [10.0, 12, 11, 14, 15, 11]
    halved = [*closes[:4], *(close / 2 for close in closes[4:])]
    bars = bars_of({"A": halved})
    values = compute(bars, [1.0, 1, 1, 1, 2, 2], [Indicator("rsi", 3)])["rsi_3"]
    np.testing.assert_array_equal(values, values_of(Indicator("rsi", 3), closes))


@settings(max_examples=60)
@given(
    closes=st.lists(st.floats(5, 500), min_size=2, max_size=60),
    cut=st.integers(1, 59),
    noise=st.floats(5, 500) | st.just(float("nan")),
)
def test_values_up_to_a_bar_keep_their_bytes_when_later_bars_change_or_are_missing(closes, cut, noise):
    bars = bars_of({"A": closes})
    factors = np.where(np.arange(len(bars)) > 20, 2.0, 1.0)
    known = slice(0, min(cut, len(bars)))
    whole = compute(bars, factors, ALL_KINDS).to_numpy()[known].tobytes()
    truncated = compute(bars.iloc[known], factors[known], ALL_KINDS).to_numpy().tobytes()
    mutated_bars = bars.copy()
    mutated_bars.loc[mutated_bars.index[known.stop :], ["open", "high", "low", "close"]] = noise
    mutated_factors = factors.copy()
    mutated_factors[known.stop :] = 7.0
    mutated = compute(mutated_bars, mutated_factors, ALL_KINDS).to_numpy()[known].tobytes()
    assert truncated == whole
    assert mutated == whole


def test_the_mutation_proof_catches_an_indicator_that_looks_ahead(monkeypatch):
    def centred(ta, close, period):
        return pd.Series(close).rolling(period, center=True).mean().to_numpy()

    period = (Parameter("period", 20, 2, 100),)
    kind = Kind("Centred", period, ("close",), "price", lambda period: period - 1, centred, "none")
    monkeypatch.setitem(KINDS, "sma", kind)
    closes = [1.0, 2, 6, 4, 11]
    bars = bars_of({"A": closes})
    whole = compute(bars, np.ones(5), [Indicator("sma", 3)]).to_numpy()[:3].tobytes()
    assert compute(bars.iloc[:3], np.ones(3), [Indicator("sma", 3)]).to_numpy().tobytes() != whole


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 0, 1, 2], [0, 2, 1, 3]])
def test_compute_on_unsorted_or_double_bars_refuses(order):
    bars = bars_of({"A": [1.0, 2], "B": [3.0, 4]}).iloc[order]
    with pytest.raises(ValueError, match="sorted by symbol and ts"):
        compute(bars, np.ones(4), [Indicator("sma", 2)])


@pytest.mark.parametrize("factors", [[1.0], [1.0, 0.0], [1.0, np.nan], [1.0, -1.0]])
def test_compute_with_a_wrong_factor_refuses(factors):
    with pytest.raises(ValueError, match="one positive, finite factor"):
        compute(bars_of({"A": [1.0, 2]}), factors, [Indicator("sma", 2)])


def test_indicator_of_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(UnknownIndicatorError, match=r"'smma': choose one of ad, adosc, .*, sma, .*zscore"):
        Indicator("smma", 20)


@pytest.mark.parametrize("period", [1, 0, -5, 20_000, 2.5, True])
def test_indicator_with_a_wrong_period_names_it(period):
    with pytest.raises(UnknownIndicatorError, match=r"period .* must be a whole number of bars from 2 to 10000"):
        Indicator("sma", period)


def test_column_names_are_stable():
    assert [one.column for one in (Indicator("sma", 20), Indicator("rsi", 14), Indicator("atr", 14))] == [
        "sma_20",
        "rsi_14",
        "atr_14",
    ]
