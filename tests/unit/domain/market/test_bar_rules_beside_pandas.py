"""The NumPy rules of bars beside the same rules in pandas, on bars with random faults."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.sound_bars import FAULTY, context, one_action, sound_bars

from bench import bars_in_pandas
from trading_assets.domain.market.bar_rules import annotate_bars
from trading_assets.domain.market.corporate_actions import ActionKind
from trading_assets.domain.values import Timeframe

FIRST, LAST = date(2012, 11, 16), date(2012, 11, 30)
VALUES = ("open", "high", "low", "close", "volume")
ODD_NUMBERS = (0.0, -1.0, float("nan"), float("inf"), 1e-300, 50.0, 200.0)


@cache
def bars_of(timeframe: Timeframe) -> pd.DataFrame:
    return sound_bars(timeframe, date(2012, 9, 4), LAST)


def assert_same_answers(bars: pd.DataFrame, timeframe: Timeframe, actions: pd.DataFrame, first: date = FIRST) -> None:
    judged_by = context(actions=actions, first=first, last=LAST, timeframe=timeframe)

    ours, theirs = annotate_bars(bars, judged_by), bars_in_pandas.annotate_bars(bars, judged_by)

    assert set(ours) == set(theirs)
    pd.testing.assert_frame_equal(ours[theirs.columns], theirs, check_dtype=False)


@st.composite
def faults(draw: st.DrawFn) -> list[tuple[int, str, float]]:
    places = st.tuples(st.integers(0, 10_000), st.sampled_from(VALUES), st.sampled_from(ODD_NUMBERS))
    return draw(st.lists(places, max_size=6))


@settings(max_examples=40)
@given(
    timeframe=st.sampled_from(list(Timeframe)),
    planted=faults(),
    lost=st.lists(st.integers(0, 10_000), max_size=5),
    doubled=st.lists(st.integers(0, 10_000), max_size=2),
    shifted=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(["ts", "closes_at"]), st.integers(-90, 90))),
    seed=st.integers(0, 99),
    dividend=st.sampled_from([None, 0.5, 150.0]),
    split=st.sampled_from([None, 2.0, 0.1]),
)
def test_annotate_bars_with_random_faults_answers_like_pandas(
    timeframe: Timeframe,
    planted: list[tuple[int, str, float]],
    lost: list[int],
    doubled: list[int],
    shifted: list[tuple[int, str, int]],
    seed: int,
    dividend: float | None,
    split: float | None,
) -> None:
    bars = bars_of(timeframe).copy()
    for row, name, number in planted:
        bars.loc[row % len(bars), name] = number
    for row, name, minutes in shifted:
        bars.loc[row % len(bars), name] += timedelta(minutes=minutes)
    copies = bars.iloc[[row % len(bars) for row in doubled]]
    bars = pd.concat([bars.drop(index=[row % len(bars) for row in lost]), copies])
    bars = bars.sample(frac=1, random_state=np.random.RandomState(seed))
    known = [
        one_action(ActionKind.CASH_DIVIDEND, amount_usd=dividend) if dividend else None,
        one_action(ActionKind.SPLIT, split_ratio=split) if split else None,
    ]
    actions = pd.concat([action for action in known if action is not None] or [one_action("none").iloc[:0]])

    assert_same_answers(bars, timeframe, actions)


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_annotate_bars_without_any_bar_answers_like_pandas(timeframe: Timeframe) -> None:
    assert_same_answers(bars_of(timeframe).iloc[:0], timeframe, one_action("none").iloc[:0])


def test_annotate_bars_of_two_timeframes_answers_like_pandas() -> None:
    both = pd.concat([bars_of(timeframe) for timeframe in Timeframe])
    judged = both[(both["symbol"] != "BBB") | (both["session_date"] != FAULTY)]

    assert_same_answers(judged, Timeframe.HOUR, one_action("split", split_ratio=2.0))
