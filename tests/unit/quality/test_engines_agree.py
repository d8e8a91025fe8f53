"""The verdicts of the fast evaluator beside those of Great Expectations, on frames with random faults."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.sound_bars import FAULTS, FAULTS_OF_ACTIONS, FAULTS_OF_THE_FRAME, NO_ACTIONS, context, sound_bars

from trading_assets.domain.market.bar_rules import annotate_bars
from trading_assets.quality.evaluate import evaluate_suite
from trading_assets.quality.expectations import Suite
from trading_assets.quality.runner import run_suite
from trading_assets.quality.suites import BARS, CORPORATE_ACTIONS, FINANCIALS, INSTRUMENTS

FIRST, LAST = date(2012, 11, 19), date(2012, 11, 30)
ODD_VALUES = (None, float("nan"), float("inf"), -1.0, 0.0, 1e9, True, False)
COLUMNS = (
    "open", "high", "low", "volume", "body_top", "lowest_price", "overnight_gap", "ex_date_gap", "return_score",
    "is_closed", "is_repeat", "is_stored", "unchanged_closes", "timeframe", "symbol", "ts",
)  # fmt: skip


@cache
def bars() -> pd.DataFrame:
    return sound_bars(first=date(2012, 9, 4), last=LAST)


def verdicts(outcomes: list[Any]) -> dict[str, Any]:
    return {
        one.name: (
            one.passed,
            one.unexpected_count,
            one.touched,
            one.error is None,
            [{name: str(value) for name, value in row.items()} for row in one.offenders],
        )
        for one in outcomes
    }


def assert_engines_agree(frame: pd.DataFrame, suite: Suite) -> None:
    assert verdicts(evaluate_suite(frame, suite)) == verdicts(run_suite(frame, suite))


@settings(max_examples=5, derandomize=True)
@given(
    planted=st.lists(st.sampled_from(sorted(FAULTS)), max_size=3),
    actions=st.sampled_from([NO_ACTIONS, *FAULTS_OF_ACTIONS.values()]),
    mutations=st.lists(
        st.tuples(st.integers(0, 1000), st.sampled_from(COLUMNS), st.sampled_from(ODD_VALUES)), max_size=5
    ),
    repeated=st.lists(st.integers(0, 1000), max_size=2),
)
def test_engines_random_faults_in_bars_give_the_same_outcomes(
    planted: list[str], actions: pd.DataFrame, mutations: list[tuple[int, str, Any]], repeated: list[int]
) -> None:
    frame = bars().copy()
    for name in planted:
        frame = FAULTS[name](frame)
    frame = annotate_bars(frame, context(actions=actions, first=FIRST, last=LAST))
    for row, name, value in mutations:
        if name in {"timeframe", "symbol", "ts"}:
            value = frame[name].iloc[(row * 7) % len(frame)]
        elif frame[name].dtype == bool:
            value = bool(value)
        elif isinstance(value, bool):
            value = float(value)
        values = frame[name].tolist()
        values[row % len(frame)] = value
        frame[name] = pd.Series(values, dtype=None if value is None else frame[name].dtype)
    frame = pd.concat([frame, frame.iloc[[row % len(frame) for row in repeated]]], ignore_index=True)

    assert_engines_agree(frame, BARS)


@pytest.mark.parametrize("name", FAULTS_OF_THE_FRAME)
def test_engines_faults_of_the_frame_give_the_same_outcomes(name: str) -> None:
    sound = annotate_bars(bars(), context(first=FIRST, last=LAST))

    assert_engines_agree(FAULTS_OF_THE_FRAME[name](sound), BARS)
    assert_engines_agree(sound.drop(columns="is_closed").iloc[:0], BARS)


ROWS: dict[str, dict[str, list[Any]]] = {
    "instruments": {
        "symbol": ["A", "BRK.B", "BRK-B", "C"],
        "spelling": ["A", "BRKB", "BRKB", "C"],
        "asset_class": ["us_equity"] * 4,
        "is_known": [True, True, False, True],
        "is_active": [None, True, False, None],
        "currency": ["USD", None, "EUR", "USD"],
    },
    "corporate_actions": {
        "symbol": ["A", "A", "B"],
        "ex_date": [date(2024, 5, 6), date(2024, 5, 7), date(2024, 5, 11)],
        "kind": ["split", "cash_dividend", "cash_dividend"],
        "split_ratio": [400.0, None, None],
        "days_since_same": [None, 1.0, 91.0],
        "pay_date": [None, date(2024, 5, 3), date(2024, 6, 3)],
        "is_on_session": [True, True, False],
    },
    "financials": {
        "symbol": ["A", "B"],
        "statement": ["income", "income"],
        "item": ["x", "y"],
        "months": [3, 12],
        "period_end": [date(2024, 3, 31), date(2024, 3, 31)],
        "counts_on": [date(2024, 3, 30), date(2024, 4, 30)],
        "currency": [None, "TWD"],
        "is_finite": [True, False],
        "is_known_symbol": [True, True],
    },
}


@pytest.mark.parametrize("suite", [INSTRUMENTS, CORPORATE_ACTIONS, FINANCIALS], ids=lambda suite: suite.name)
def test_engines_faults_and_empty_values_in_other_data_give_the_same_outcomes(suite: Suite) -> None:
    frame = pd.DataFrame(ROWS[suite.name])

    assert [outcome.name for outcome in evaluate_suite(frame, suite) if not outcome.passed]
    assert_engines_agree(frame, suite)
    assert_engines_agree(frame.iloc[:0], suite)
