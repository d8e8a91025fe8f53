"""Strategies that remember: going on from a stored state is the same as never having stopped."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.stateful import StatefulStrategy, StrategyState, decide_from
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, StrategyError, decide
from trading_assets.domain.values import Timeframe

PRICES = st.floats(1, 1000, allow_nan=False)


class Trailing(StatefulStrategy):
    """Long a symbol until it falls 10 % below the highest close since its first bar; for ever out after that."""

    name = "trailing"
    version = "1"

    class State(StrategyState):
        highest: dict[str, float]
        stopped: tuple[str, ...] = ()

    def indicators(self):
        return (Indicator("sma", 2),)

    def initial_state(self):
        return self.State(highest={})

    def step(self, state, view):
        highest, stopped, signals = dict(state.highest), set(state.stopped), []
        for symbol, close in zip(view.bars["symbol"], view.bars["close"], strict=True):
            highest[symbol] = max(close, highest.get(symbol, 0.0))
            if close < 0.9 * highest[symbol]:
                stopped.add(symbol)
            signals.append(symbol not in stopped)
        after = self.State(highest=highest, stopped=tuple(sorted(stopped)))
        return after, view.signals(signals, [f"high {highest[one]}" for one in view.bars["symbol"]])


def bars_of(**closes: list[float]) -> pd.DataFrame:
    """One bar a day; NaN for a day on which a symbol has none."""
    frames = []
    for symbol, prices in sorted(closes.items()):
        starts = [datetime(2012, 1, 3, 14, 30, tzinfo=UTC) + timedelta(days=number) for number in range(len(prices))]
        frame = pd.DataFrame({"symbol": symbol, "timeframe": "1d", "ts": starts, "close": prices})
        frame["closes_at"] = frame["ts"] + timedelta(hours=6.5)
        frame["session_date"] = [date(2012, 1, 3) + timedelta(days=number) for number in range(len(prices))]
        frames.append(frame.assign(open=frame["close"], high=frame["close"], low=frame["close"], volume=1.0).dropna())
    return pd.concat(frames, ignore_index=True)


def values_of(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"sma_2": np.where(bars.groupby("symbol").cumcount() > 0, 1.0, np.nan)})


TRAILING = ConfiguredStrategy("trailing", Trailing(), Timeframe.SESSION, 1.0)
nan = float("nan")
BARS = bars_of(A=[10.0, 12.0, 11.0, 10.0, 13.0], B=[nan, 5.0, 6.0, nan, 5.0])


def test_signals_follow_the_state_by_hand() -> None:
    signals = decide(TRAILING, BARS, values_of(BARS))
    # A falls below 10.8 on the fourth day; B below 5.4 on its last. The first bar of each warms up.
    assert signals["signal"].tolist() == [0, 1, 1, 0, 0, 0, 1, 0]
    assert signals["reason"].tolist()[6:] == ["high 6.0", "high 6.0"]


def test_state_after_every_bar_close_is_a_plain_document() -> None:
    _, states = decide_from(TRAILING, BARS, values_of(BARS), None)
    assert [one.session_date.day for one in states] == [3, 4, 5, 6, 7]
    assert states[3].state == {"highest": {"A": 12.0, "B": 6.0}, "stopped": ["A"]}
    assert states[3].decision_at == datetime(2012, 1, 6, 21, tzinfo=UTC)


@settings(max_examples=30)
@given(
    a=st.lists(PRICES, min_size=4, max_size=8),
    b=st.lists(PRICES, min_size=4, max_size=8),
    cut=st.integers(1, 3),
)
def test_a_history_in_two_parts_is_the_history_in_one_to_the_byte(a: list[float], b: list[float], cut: int) -> None:
    bars = bars_of(A=a, B=b)
    values = values_of(bars)
    whole, states = decide_from(TRAILING, bars, values, None)
    is_early = (bars["session_date"] < date(2012, 1, 3) + timedelta(days=cut)).to_numpy()
    _, before = decide_from(TRAILING, bars[is_early], values[is_early], None)
    stored = json.loads(json.dumps(before[-1].state))
    later, after = decide_from(TRAILING, bars[~is_early], values[~is_early], stored)
    pd.testing.assert_frame_equal(later, whole[~is_early].reset_index(drop=True), check_exact=True)
    assert before + after == states


def test_history_without_bars_leaves_no_state() -> None:
    signals, states = decide_from(TRAILING, BARS.iloc[:0], values_of(BARS).iloc[:0], None)
    assert (len(signals), states) == (0, [])


def broken(**methods: object) -> ConfiguredStrategy:
    return ConfiguredStrategy("broken", type("Broken", (Trailing,), methods)(), Timeframe.SESSION, 1.0)


def test_state_that_does_not_fit_names_the_strategy_the_field_and_the_remedy() -> None:
    with pytest.raises(StrategyError, match=r"'trailing' .* state does not fit its State \(highest: .*raise `version`"):
        decide_from(TRAILING, BARS, values_of(BARS), {"stopped": []})


def test_state_that_is_not_finite_is_refused() -> None:
    def step(self, state, view):
        return self.State.model_construct(highest={"A": nan}, stopped=()), view.signals([0.0] * len(view.bars), [""])

    with pytest.raises(StrategyError, match="'broken'"):
        decide(broken(step=step), BARS, values_of(BARS))


def test_step_that_forgets_a_row_is_refused() -> None:
    def step(self, state, view):
        return state, view.signals([0.0] * len(view.bars), [""] * len(view.bars)).iloc[1:]

    with pytest.raises(StrategyError, match=r"step\(\) gave 0 rows for the 1 bars of 2012-01-03"):
        decide(broken(step=step), BARS, values_of(BARS))


def test_negative_zero_of_a_state_is_stored_as_the_database_would() -> None:
    def step(self, state, view):
        count = len(view.bars)
        return self.State(highest={"A": -0.0}), view.signals(np.ones(count), [""] * count)

    _, states = decide_from(broken(step=step), BARS, values_of(BARS), None)
    assert not np.signbit(states[0].state["highest"]["A"])
