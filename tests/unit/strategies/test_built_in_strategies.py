"""The built-in strategies against decisions worked out by hand; they look neither ahead nor too far back."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.parameters import ParameterError
from trading_assets.domain.strategy.strategy import WARMING_UP, ConfiguredStrategy, Strategy, decide
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover

nan = float("nan")


def bars_of(closes_by_symbol: dict[str, list[float]]) -> pd.DataFrame:
    frames = []
    for symbol, closes in sorted(closes_by_symbol.items()):
        days = range(len(closes))
        frame = pd.DataFrame({"symbol": symbol, "timeframe": "1d", "close": np.asarray(closes, dtype=float)})
        frame["ts"] = [datetime(2020, 1, 2, 14, 30, tzinfo=UTC) + timedelta(days=number) for number in days]
        frame["closes_at"] = frame["ts"] + timedelta(hours=6.5)
        frame["session_date"] = [date(2020, 1, 2) + timedelta(days=number) for number in days]
        frames.append(frame.assign(open=frame["close"], high=frame["close"], low=frame["close"], volume=1.0))
    return pd.concat(frames, ignore_index=True)


def decisions(strategy: Strategy, closes_by_symbol: dict[str, list[float]], values: pd.DataFrame) -> pd.DataFrame:
    configured = ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0)
    return decide(configured, bars_of(closes_by_symbol), values)


# sma_crossover -----------------------------------------------------------------------------------


def test_sma_crossover_is_long_exactly_while_fast_is_above_slow():
    values = pd.DataFrame({"sma_2": [nan, 10, 12, 11, 9], "sma_3": [nan, nan, 11, 11, 10]})
    frame = decisions(SmaCrossover(fast=2, slow=3), {"A": [1, 2, 3, 4, 5]}, values)
    assert frame["signal"].tolist() == [0, 0, 1, 0, 0]
    assert frame["reason"].tolist() == [
        WARMING_UP,
        WARMING_UP,
        "sma_2 12.00 above sma_3 11.00",
        "sma_2 11.00 not above sma_3 11.00",
        "sma_2 9.00 not above sma_3 10.00",
    ]


def test_sma_crossover_with_fast_not_below_slow_is_refused():
    with pytest.raises(ParameterError, match="'fast' is 50, accepted is less than 'slow' \\(50\\)"):
        SmaCrossover.configured({"fast": 50})


# rsi_reversion -----------------------------------------------------------------------------------


def rsi_signals(values: list[float], **parameters) -> list[float]:
    strategy = RsiReversion(period=2, entry=30, exit=50, **parameters)
    return decisions(strategy, {"A": [1] * len(values)}, pd.DataFrame({"rsi_2": values}))["signal"].tolist()


def test_rsi_reversion_is_long_from_the_crossing_until_recovery():
    assert rsi_signals([nan, 40, 29, 35, 50, 51, 40, 60]) == [0, 0, 1, 1, 1, 0, 0, 0]


def test_rsi_reversion_ends_after_max_hold_bars_and_waits_for_another_crossing():
    assert rsi_signals([nan, 40, 29, 28, 27, 26, 31, 29, 28], max_hold=3) == [0, 0, 1, 1, 1, 0, 0, 1, 1]


def test_rsi_reversion_that_begins_oversold_has_seen_no_crossing():
    assert rsi_signals([nan, nan, 20, 20, 20]) == [0] * 5


def test_rsi_reversion_at_the_levels_themselves_neither_enters_nor_exits():
    assert rsi_signals([nan, 31, 30, 31]) == [0] * 4
    assert rsi_signals([nan, 30, 29, 50, 50]) == [0, 0, 1, 1, 1]


def test_rsi_reversion_keeps_symbols_apart():
    strategy = RsiReversion(period=2, entry=30, exit=50)
    values = pd.DataFrame({"rsi_2": [40, 40, 29, 25, 25, 25]})
    frame = decisions(strategy, {"A": [1, 1, 1], "B": [1, 1, 1]}, values)
    assert frame["signal"].tolist() == [0, 0, 1, 0, 0, 0]


def test_rsi_reversion_with_entry_not_below_exit_is_refused():
    with pytest.raises(ParameterError, match=r"'entry' is 60.0, accepted is less than 'exit' \(55.0\)"):
        RsiReversion.configured({"entry": 60})


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 8))
def test_rsi_reversion_agrees_with_a_loop_that_walks_bar_by_bar(values, max_hold):
    expected, held, previous = [], None, nan
    for value in values:
        held = None if held is None else held + 1
        if value < 30 <= previous:
            held = 0
        if held is not None and (value > 50 or held >= max_hold):
            held = None
        expected.append(0.0 if held is None else 1.0)
        previous = value
    assert rsi_signals(values, max_hold=max_hold) == expected


# Both --------------------------------------------------------------------------------------------

STRATEGIES = [SmaCrossover(fast=3, slow=7), RsiReversion(period=3, entry=45, exit=55, max_hold=4)]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.name)
@settings(max_examples=40)
@given(closes=st.lists(st.floats(50, 150), min_size=12, max_size=50), cut=st.integers(8, 50), noise=st.floats(1, 999))
def test_decisions_up_to_a_bar_keep_their_bytes_when_later_bars_change_or_are_missing(strategy, closes, cut, noise):
    def decided(prices: list[float]) -> list[tuple[object, ...]]:
        bars = bars_of({"A": prices})
        values = compute(bars, np.ones(len(bars)), strategy.indicators())
        frame = decisions(strategy, {"A": prices}, values)[["signal", "reason"]]
        return list(frame.itertuples(index=False, name=None))[:cut]

    whole = decided(closes)
    assert decided(closes[:cut]) == whole
    assert decided([*closes[:cut], *([noise] * len(closes[cut:]))]) == whole


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda one: one.name)
def test_memory_is_enough_for_every_decision(strategy):
    closes = (100 + 3 * np.random.default_rng(7).normal(size=300).cumsum()).tolist()
    bars = bars_of({"A": closes})
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    configured = ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0)
    whole = decide(configured, bars, values)
    assert {0.0, 1.0} == set(whole["signal"])
    for row in range(strategy.memory, len(bars)):
        tail = slice(row - strategy.memory, row + 1)
        last = decide(configured, bars.iloc[tail], values.iloc[tail]).iloc[-1]
        assert (last["signal"], last["reason"]) == (whole["signal"][row], whole["reason"][row])


def test_warm_up_is_that_of_the_slowest_indicator():
    assert SmaCrossover(fast=3, slow=7).warm_up == 6
    assert RsiReversion(period=3).warm_up == 3
