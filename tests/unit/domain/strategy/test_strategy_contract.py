"""The contract around a strategy: parameters, versions, the view, and what happens to a wrong answer."""

import inspect
import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.parameters import ParameterError, StrategyParameters
from trading_assets.domain.strategy.strategy import (
    WARMING_UP,
    ConfiguredStrategy,
    Strategy,
    StrategyError,
    UndeclaredIndicatorError,
    decide,
    strategy_version,
)
from trading_assets.domain.values import Timeframe


class Probe(Strategy):
    """Says what a test tells it to."""

    name = "probe"
    version = "3"

    class Parameters(StrategyParameters):
        period: int = Field(2, ge=2, le=50, description="bars")
        level: float = Field(30.0, ge=0, le=100, description="level")

    answer = staticmethod(lambda view: view.signals(np.ones(len(view.bars)), ["because"] * len(view.bars)))

    def indicators(self):
        return (Indicator("sma", self.parameters.period),)

    def signals(self, view):
        return self.answer(view)


def bars(count: int = 4) -> pd.DataFrame:
    starts = [datetime(2020, 1, 2, 14, 30, tzinfo=UTC) + timedelta(days=number) for number in range(count)]
    frame = pd.DataFrame({"symbol": "A", "timeframe": "1d", "ts": starts})
    frame["closes_at"] = frame["ts"] + timedelta(hours=6.5)
    frame["session_date"] = [date(2020, 1, 2) + timedelta(days=number) for number in range(count)]
    return frame.assign(open=1.0, high=2.0, low=0.5, close=1.5, volume=100.0)


def values(count: int = 4) -> pd.DataFrame:
    return pd.DataFrame({"sma_2": [np.nan, *np.ones(count - 1)], "rsi_9": 50.0})


def decided(answer) -> pd.DataFrame:
    probe = Probe()
    probe.answer = answer
    return decide(ConfiguredStrategy("probe", probe, Timeframe.SESSION, 0.5), bars(), values())


# Parameters and versions -------------------------------------------------------------------------


def test_unknown_parameter_lists_the_accepted_ones():
    with pytest.raises(ParameterError, match=r"'probe' has no parameter 'perod'. Accepted: period, level"):
        Probe.configured({"perod": 5})


@pytest.mark.parametrize("value", [1, 51, 2.5, "2", True, None])
def test_parameter_out_of_range_or_of_another_type_names_value_and_range(value):
    with pytest.raises(ParameterError, match=f"'period' is {value!r}, accepted is a whole number from 2 to 50"):
        Probe.configured({"period": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1])
def test_float_parameter_that_is_not_a_number_in_range_is_refused(value):
    with pytest.raises(ParameterError, match="'level' is"):
        Probe.configured({"level": value})


def test_version_changes_with_parameters_and_timeframe_and_with_nothing_else():
    versions = {
        strategy_version(Probe(), Timeframe.SESSION),
        strategy_version(Probe(period=3), Timeframe.SESSION),
        strategy_version(Probe(level=31.0), Timeframe.SESSION),
        strategy_version(Probe(), Timeframe.HOUR),
    }
    assert len(versions) == 4
    assert strategy_version(Probe(level=30, period=2), Timeframe.SESSION) == strategy_version(
        Probe(), Timeframe.SESSION
    )


def test_version_is_the_code_version_and_eight_hex_digits_that_never_move():
    # printf '{"level":30.0,"period":2,"timeframe":"1d"}' | sha256sum
    assert strategy_version(Probe(), Timeframe.SESSION) == "3+b37ccc53"


# The view ----------------------------------------------------------------------------------------


def test_undeclared_indicator_is_refused_by_name_even_when_it_is_stored():
    with pytest.raises(StrategyError, match="asks for rsi_9 but declares only sma_2") as caught:
        decided(lambda view: view.signals(view.indicator(Indicator("rsi", 9)), []))
    assert isinstance(caught.value.__cause__, UndeclaredIndicatorError)


# Answers -----------------------------------------------------------------------------------------


def test_signals_are_zero_with_a_reason_while_warming_up():
    frame = decided(Probe.answer)
    assert frame["signal"].tolist() == [0, 1, 1, 1]
    assert frame["reason"].tolist() == [WARMING_UP, "because", "because", "because"]


def test_nan_of_a_strategy_during_its_warm_up_is_zero():
    frame = decided(lambda view: view.signals(view.indicator(Indicator("sma", 2)), ["r"] * 4))
    assert frame["signal"].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("bad", [1.01, -2, np.nan, np.inf])
def test_signal_that_is_no_number_from_minus_one_to_one_is_refused_with_symbol_and_time(bad):
    with pytest.raises(StrategyError, match=r"'probe' \(3\+.* gave .* for A at 2020-01-04"):
        decided(lambda view: view.signals([0, 0, bad, 0], ["r"] * 4))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.iloc[:3], "returned 3 rows for 4 bars: one row a bar, as in view.bars."),
        (
            lambda frame: frame.iloc[::-1],
            "returned A at 2020-01-05 14:30:00+00:00 in row 0, where view.bars has A at 2020-01-02 14:30:00+00:00: ",
        ),
        (
            lambda frame: frame.assign(symbol=["A", "A", "B", "A"]),
            "returned B at 2020-01-04 14:30:00+00:00 in row 2, where view.bars has A at 2020-01-04 14:30:00+00:00: ",
        ),
        (lambda frame: frame.drop(columns="reason"), "returned no frame with reason: build it with view.signals()."),
        (lambda frame: None, "returned no frame with symbol, ts, "),
        (lambda frame: frame.assign(signal="long"), "gave signals that are no numbers: could not convert string"),
        (
            lambda frame: frame.assign(reason=["r", None, "r", "r"]),
            "gave no reason for A at 2020-01-03 21:00:00+00:00.",
        ),
    ],
    ids=["short", "reversed", "another_symbol", "no_reasons", "nothing", "words", "no_reason"],
)
def test_answer_of_another_shape_is_refused_with_what_is_wrong(change, told):
    with pytest.raises(StrategyError, match=rf"Strategy 'probe' \(3\+\w+\) {re.escape(told)}"):
        decided(lambda view: change(view.signals(np.ones(4), ["r"] * 4)))


def test_strategy_that_raises_is_named_with_the_line():
    line = inspect.getsourcelines(Probe.signals)[1] + 1
    told = rf"Strategy 'probe' \(3\+\w+\) raised TypeError in line {line} of test_strategy_contract.py: "
    with pytest.raises(StrategyError, match=told):
        decided(None)


def test_negative_zero_becomes_zero():
    frame = decided(lambda view: view.signals([-0.0] * 4, ["r"] * 4))
    assert not np.signbit(frame["signal"]).any()
