"""Indicators against numbers computed by hand, and the proofs that they know nothing of what comes later."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.indicator_references import REFERENCES

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


def random_bars(seed: int, count: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = 50 + random.normal(size=count).cumsum()
    open_ = close + random.normal(0, 0.5, count)
    return pd.DataFrame(
        {
            "symbol": "A",
            "ts": pd.date_range(START, periods=count),
            "open": open_,
            "high": np.maximum(open_, close) + random.uniform(0.1, 1, count),
            "low": np.minimum(open_, close) - random.uniform(0.1, 1, count),
            "close": close,
            "volume": random.integers(1, 1000, count).astype(float),
        }
    )


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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (("macd_signal", 12, 26), r"macd_signal takes fast, slow, signal: 3 numbers, not 2"),
        (("obv", 5), r"obv takes no parameters: 0 numbers, not 1"),
        (("macd", 26, 12, 9), r"macd: fast 26 must be smaller than slow 12"),
        (("ultosc", 7, 7, 28), r"ultosc: short 7 must be smaller than middle 7"),
        (("bollinger_upper", 20, 0.05), r"deviations 0.05 must be a number with at most 4 decimals from 0.1 to 10.0"),
        (("bollinger_upper", 20, 2.00001), r"deviations 2.00001 must be a number with at most 4 decimals"),
        (("bollinger_upper", 20, float("nan")), r"deviations nan must be a number"),
        (("bollinger_upper", 20, "2"), r"deviations '2' must be a number"),
        (("bollinger_upper", 20.0, 2), r"period 20.0 must be a whole number of bars from 2 to 10000"),
    ],
)
def test_parameters_that_a_kind_does_not_take_are_named(parameters, message):
    with pytest.raises(UnknownIndicatorError, match=message):
        Indicator(*parameters)


@pytest.mark.parametrize(
    ("indicator", "column", "description"),
    [
        (Indicator("sma", 20), "sma_20", "Simple moving average of the close over 20 bars, USD"),
        (
            Indicator("rsi", 14),
            "rsi_14",
            "Relative strength index of the close, 0 to 100 (Wilder 1978) over 14 bars, ratio",
        ),
        (Indicator("atr", 14), "atr_14", "Average true range (Wilder 1978) over 14 bars, USD"),
        (
            Indicator("macd_signal", 12, 26, 9),
            "macd_signal_12_26_9",
            "Exponential average of the MACD line, fast 12, slow 26, signal 9, USD",
        ),
        (
            Indicator("bollinger_upper", 20, 2.5),
            "bollinger_upper_20_2p5",
            "Upper Bollinger band: simple average plus population standard deviations of the close, "
            "period 20, deviations 2.5, USD",
        ),
        (
            Indicator("keltner_lower", 20, 10, 1),
            "keltner_lower_20_10_1",
            "Lower Keltner channel: exponential average of the close minus a multiple of the average true range, "
            "period 20, atr period 10, multiple 1, USD",
        ),
        (
            Indicator("sar", 0.0001, 0.2),
            "sar_0p0001_0p2",
            "Parabolic stop and reverse, acceleration 0.0001, maximum 0.2, USD",
        ),
        (Indicator("obv"), "obv", "On-balance volume since the symbol's first bar, shares"),
    ],
    ids=lambda one: one.column if isinstance(one, Indicator) else "",
)
def test_columns_and_descriptions_are_stable(indicator, column, description):
    assert indicator.column == column
    assert indicator.description == description


def test_whole_and_decimal_writing_of_a_number_are_one_indicator():
    assert Indicator("bollinger_upper", 20, 2) == Indicator("bollinger_upper", 20, 2.0)
    assert len({Indicator("bollinger_upper", 20, 2), Indicator("bollinger_upper", 20, 2.0)}) == 1


def test_indicators_sort_by_kind_and_parameters():
    given_order = [Indicator("sma", 100), Indicator("obv"), Indicator("sma", 20), Indicator("macd", 12, 26, 9)]
    assert [one.column for one in sorted(given_order)] == ["macd_12_26_9", "obv", "sma_20", "sma_100"]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_column_name_is_legal_and_never_longer_than_postgresql_allows(name):
    # A kind whose words have no number of their own cannot be mistaken for another one with its parameters.
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z]+)*", name)
    indicator = Indicator(name, *(parameter.usual for parameter in KINDS[name].parameters))
    assert re.fullmatch(rf"{name}(_[0-9]+(p[0-9]+)?)*", indicator.column)
    longest = [len("_10000") if one.is_whole else len(f"_{one.maximum:.0f}p0001") for one in KINDS[name].parameters]
    assert len(name) + sum(longest) <= 63


def test_no_column_takes_a_name_of_the_table():
    own = {"symbol", "timeframe", "ts", "closes_at", "session_date"}
    assert not own & {indicator.column for indicator in ALL_KINDS}


def small(parameter: Parameter) -> float:
    if parameter.is_whole:
        return max(int(parameter.minimum), int(parameter.usual) // 2 + 1)
    return round(parameter.usual * 1.25, 4)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("parameters_of", [lambda one: one.usual, small], ids=["usual", "small"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_agrees_with_its_definition_written_in_numpy(name, parameters_of, seed):
    indicator = Indicator(name, *(parameters_of(parameter) for parameter in KINDS[name].parameters))
    bars = random_bars(seed, 150)
    expected = REFERENCES[name](bars, *indicator.parameters)
    values = compute(bars, np.ones(150), [indicator])[indicator.column]
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("indicator", ALL_KINDS, ids=lambda one: one.column)
def test_across_a_split_every_kind_stays_in_the_raw_units_of_its_own_bar(indicator):
    # Twice as many shares of half the price from bar 80 on: a value in USD halves, a variance is a quarter, shares
    # double, and what has no unit does not change.
    bars, late = random_bars(5, 150), np.arange(150) >= 80
    after = bars.copy()
    after.loc[late, ["open", "high", "low", "close"]] /= 2
    after.loc[late, "volume"] *= 2
    whole = compute(bars, np.ones(150), [indicator])[indicator.column].to_numpy()
    split = compute(after, np.where(late, 2.0, 1.0), [indicator])[indicator.column].to_numpy()
    scale = {"price": 0.5, "price_squared": 0.25, "shares": 2.0, "usd": 1.0, "ratio": 1.0}[indicator.unit]
    np.testing.assert_array_equal(split, whole * np.where(late, scale, 1.0))


def test_indicator_that_is_named_twice_has_one_column():
    twice = [Indicator("sma", 2), Indicator("ema", 2), Indicator("sma", 2)]
    assert compute(bars_of({"A": [1.0, 2, 3]}), np.ones(3), twice).columns.tolist() == ["sma_2", "ema_2"]


def test_flat_prices_leave_a_quotient_of_nothing_without_a_value():
    flat = [Indicator("zscore", 5), Indicator("bollinger_percent_b", 5, 2.0)]
    bars = bars_of({"A": [7.0] * 10})
    assert compute(bars, np.ones(10), flat).isna().all(axis=None)


def test_columns_that_the_indicators_read_are_asked_for_and_no_others():
    bars = bars_of({"A": [1.0, 2, 3]})
    assert compute(bars[["symbol", "ts", "close"]], np.ones(3), [Indicator("sma", 2)]).shape == (3, 1)
    with pytest.raises(ValueError, match="need the columns high, volume of the bars"):
        compute(bars.drop(columns=["high", "volume"]), np.ones(3), [Indicator("ad")])


def test_calls_that_two_indicators_share_do_not_mix_their_symbols():
    both = bars_of({"A": [1.0, 2, 6, 4, 11], "B": [50.0, 60, 10, 80, 20]})
    lines = [Indicator("bollinger_upper", 3, 2.0), Indicator("bollinger_lower", 3, 2.0)]
    together = compute(both, np.ones(10), lines)
    alone = [compute(both, np.ones(10), [line])[line.column] for line in lines]
    np.testing.assert_array_equal(together.to_numpy(), np.column_stack(alone))
