"""One bar at a time gives the bytes of the whole history, for every kind, whatever its parameters and the split."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.bar_by_bar import BarByBar
from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicator_kinds.kind import Kind
from trading_assets.domain.strategy.indicators import Indicator, compute

FIELDS = ["open", "high", "low", "close", "volume"]


def random_bars(seed: int, count: int, tick: float) -> pd.DataFrame:
    """Bars on a grid of `tick` USD: a coarse one makes flat prices, equal highs and bars without a range."""
    random = np.random.default_rng(seed)
    close = np.maximum(np.round((50 + random.normal(0, 1, count).cumsum()) / tick), 1) * tick
    open_ = np.concatenate((close[:1], close[:-1]))
    return pd.DataFrame(
        {
            "symbol": "A",
            "ts": pd.date_range(datetime(2020, 1, 2, tzinfo=UTC), periods=count),
            "open": open_,
            "high": np.maximum(open_, close) + tick * random.integers(0, 2, count),
            "low": np.minimum(open_, close) - tick / 4 * random.integers(0, 2, count),
            "close": close,
            "volume": random.integers(0, 3, count) * 100.0,
        }
    )


@st.composite
def indicators(draw: st.DrawFn) -> Indicator:
    """Any kind with small parameters, in the order that it asks for."""
    name = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[name]
    numbers = [
        draw(st.integers(parameter.minimum, 12))
        if parameter.is_whole
        else draw(st.integers(1, 10)) * max(parameter.minimum, 0.1)
        for parameter in kind.parameters
    ]
    return Indicator(name, *in_order(kind, numbers))


def in_order(kind: Kind, numbers: list[float]) -> list[float]:
    names = [parameter.name for parameter in kind.parameters]
    for before, name in zip(kind.ascending, kind.ascending[1:], strict=False):
        place = names.index(name)
        numbers[place] = max(numbers[place], numbers[names.index(before)] + 1)
    return [number if isinstance(number, int) else round(number, 4) for number in numbers]


@settings(max_examples=200, deadline=None)
@given(
    declared=st.lists(indicators(), min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 10_000),
    tick=st.sampled_from([0.01, 1.0, 5.0]),
    split=st.integers(0, 90),
    split_ratio=st.sampled_from([1.0, 2.0, 0.97]),
)
def test_appended_bars_give_the_bytes_of_the_whole_history(declared, seed, tick, split, split_ratio):
    bars = random_bars(seed, 90, tick)
    factors = np.where(np.arange(90) >= 45, split_ratio, 1.0)
    whole = compute(bars, factors, declared).to_numpy()
    forward = BarByBar(bars[:split], factors[:split], declared)
    rows = bars[FIELDS].to_dict("records")
    appended = [forward.append(rows[number], float(factors[number])) for number in range(split, 90)]
    assert_same_bits(np.array(appended).reshape(-1, len(declared)), whole[split:])


@settings(max_examples=200, deadline=None)
@given(indicator=indicators(), seed=st.integers(0, 10_000))
def test_warm_up_is_exact_for_every_parameter_set(indicator, seed):
    bars = random_bars(seed, 90, 0.01)
    values = compute(bars, np.ones(90), [indicator])[indicator.column].to_numpy()
    assert np.isnan(values[: indicator.warm_up]).all()
    # A quotient has no value where two closes are equal, or volume rests, for as long as its period.
    if indicator.kind not in {"vwma", "cmf", "zscore", "bollinger_percent_b"}:
        assert not np.isnan(values[indicator.warm_up :]).any()


@pytest.mark.parametrize("name", sorted(KINDS))
def test_usual_parameters_of_every_kind_carry_on_from_the_last_bar(name):
    indicator = Indicator(name, *(parameter.usual for parameter in KINDS[name].parameters))
    bars = random_bars(3, 120, 0.01)
    whole = compute(bars, np.ones(120), [indicator])[indicator.column].to_numpy()
    value = BarByBar(bars[:-1], np.ones(119), [indicator]).append(bars[FIELDS].iloc[-1].to_dict(), 1.0)
    assert_same_bits(np.array(value), whole[-1:])


def test_the_comparison_of_bits_sees_the_last_digit():
    with pytest.raises(AssertionError):
        assert_same_bits(np.array([0.1 + 0.2]), np.array([0.3]))


@pytest.mark.parametrize("field", ["close", "volume"])
@pytest.mark.parametrize("count", [3, 60])
def test_bar_that_is_not_finite_is_refused_and_changes_nothing(field, count):
    declared = [Indicator("ema", 5), Indicator("dollar_volume", 5), Indicator("previous_high", 5)]
    bars = random_bars(1, count + 1, 0.01)
    forward = BarByBar(bars[:count], np.ones(count), declared)
    last = bars[FIELDS].iloc[-1].to_dict()
    with pytest.raises(ValueError, match="not every number is finite"):
        forward.append({**last, field: float("nan")}, 1.0)
    assert_same_bits(np.array(forward.append(last, 1.0)), compute(bars, np.ones(count + 1), declared).to_numpy()[-1])


def last_of_a_tail(indicator: Indicator) -> tuple[np.ndarray, np.ndarray]:
    """The newest value over a long history, and over the bars alone that it needs to begin."""
    bars = random_bars(7, 2000, 0.01)
    tail = bars[-indicator.warm_up - 1 :]
    values = [compute(part, np.ones(len(part)), [indicator]).to_numpy()[-1] for part in (bars, tail)]
    return values[0], values[1]


@pytest.mark.parametrize("name", ["sma", "linearreg", "ema", "rsi", "atr", "obv"])
def test_running_sums_and_averages_over_a_tail_have_other_bits_so_no_tail_is_ever_stored(name):
    whole, tail = last_of_a_tail(Indicator(name, *(parameter.usual for parameter in KINDS[name].parameters)))
    assert whole.tobytes() != tail.tobytes()


def test_history_of_two_symbols_is_refused():
    bars = pd.concat([random_bars(1, 5, 0.01), random_bars(2, 5, 0.01).assign(symbol="B")])
    with pytest.raises(ValueError, match="one symbol"):
        BarByBar(bars, np.ones(10), [Indicator("sma", 3)])


def assert_same_bits(ours: np.ndarray, expected: np.ndarray) -> None:
    # Arithmetic may give NaN either sign: every NaN is the same "no value".
    assert np.where(np.isnan(ours), np.nan, ours).tobytes() == np.where(np.isnan(expected), np.nan, expected).tobytes()
