"""Every expectation beside those on bars is green on a sound frame, and red when one value of it is wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from trading_assets.quality.evaluate import evaluate_suite
from trading_assets.quality.expectations import Severity, Suite
from trading_assets.quality.suites import (
    BAR_SESSIONS,
    CORPORATE_ACTIONS,
    FINANCIALS,
    FUNDAMENTALS,
    INSTRUMENTS,
    SUITES,
)

DAY = date(2024, 5, 6)
NAN = float("nan")
SOUND: dict[str, dict[str, list[Any]]] = {
    "bar_sessions": {
        "session_date": [DAY, DAY],
        "symbol": ["AAPL", "NEW"],
        "timeframe": ["1h", "1h"],
        "count_drift": [0.0, NAN],
        "restated_share": [0.25, 0.0],
        "minutes_overdue": [30.0, NAN],
    },
    "instruments": {
        "symbol": ["AAPL", "OLD"],
        "is_known": [True, True],
        "is_active": [True, None],
        "currency": ["USD", "USD"],
        "asset_class": ["us_equity", "us_equity"],
        "spelling": ["AAPL", "OLD"],
    },
    "corporate_actions": {
        "symbol": ["AAPL", "AAPL", "AAPL"],
        "ex_date": [DAY, DAY, date(1990, 1, 1)],
        "kind": ["split", "cash_dividend", "split"],
        "split_ratio": [4.0, NAN, 2.0],
        "pay_date": [None, date(2024, 5, 20), None],
        "days_since_same": [NAN, 91.0, NAN],
        "is_on_session": [True, True, None],
    },
    "financials": {
        "symbol": ["AAPL", "AAPL"],
        "statement": ["income", "income"],
        "item": ["TotalRevenue", "BasicAverageShares"],
        "months": [3, 3],
        "period_end": [date(2024, 3, 31), date(2024, 3, 31)],
        "currency": ["USD", None],
        "counts_on": [date(2024, 5, 3), date(2024, 3, 31)],
        "is_finite": [True, True],
        "is_known_symbol": [True, True],
    },
    "fundamentals": {
        "symbol": ["AAPL", "AAPL"],
        "topic": ["profile", "profile"],
        "item": ["sector", "industry"],
        "is_known_symbol": [True, True],
        "has_value": [True, True],
    },
}

FAULTS: dict[str, tuple[Suite, dict[str, Any]]] = {
    "bars_are_fresh": (BAR_SESSIONS, {"minutes_overdue": 31.0}),
    "bars_come_in_usual_numbers": (BAR_SESSIONS, {"count_drift": -2 / 7}),
    "bars_are_rarely_restated": (BAR_SESSIONS, {"restated_share": 0.3}),
    "instruments_cover_the_universe": (INSTRUMENTS, {"is_known": False}),
    "instruments_are_active": (INSTRUMENTS, {"is_active": False}),
    "instruments_are_priced_in_usd": (INSTRUMENTS, {"currency": "EUR"}),
    "instruments_have_unique_symbols": (INSTRUMENTS, {"spelling": "OLD"}),
    "actions_take_effect_on_sessions": (CORPORATE_ACTIONS, {"is_on_session": False}),
    "split_ratios_are_plausible": (CORPORATE_ACTIONS, {"split_ratio": 400.0}),
    "actions_are_not_told_twice": (CORPORATE_ACTIONS, {"days_since_same": 1.0}),
    "dividends_are_paid_after_their_ex_date": (CORPORATE_ACTIONS, {"pay_date": date(2024, 5, 3)}),
    "financials_count_after_their_period": (FINANCIALS, {"counts_on": date(2024, 3, 30)}),
    "financials_have_finite_amounts": (FINANCIALS, {"is_finite": False}),
    "financials_belong_to_known_instruments": (FINANCIALS, {"is_known_symbol": False}),
    "financials_are_in_usd": (FINANCIALS, {"currency": "TWD"}),
    "fundamentals_belong_to_known_instruments": (FUNDAMENTALS, {"is_known_symbol": False}),
    "fundamentals_have_values": (FUNDAMENTALS, {"has_value": False}),
}
"""What is wrong in the first row, by the expectation that must find it."""


def frame_of(suite: Suite) -> pd.DataFrame:
    return pd.DataFrame(SOUND[suite.name])


def failed(frame: pd.DataFrame, suite: Suite) -> list[str]:
    outcomes = evaluate_suite(frame, suite)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    return [outcome.name for outcome in outcomes if not outcome.passed]


def test_faults_cover_every_suite_without_gates() -> None:
    expected = [each.name for suite in SUITES if not suite.has_gates for each in suite.expectations]
    assert sorted(FAULTS) == sorted(expected)


@pytest.mark.parametrize("suite", [suite for suite in SUITES if not suite.has_gates], ids=lambda suite: suite.name)
def test_suite_sound_frame_passes(suite: Suite) -> None:
    assert failed(frame_of(suite), suite) == []


@pytest.mark.parametrize("suite", [suite for suite in SUITES if not suite.has_gates], ids=lambda suite: suite.name)
def test_suite_frame_without_rows_passes(suite: Suite) -> None:
    assert failed(frame_of(suite).iloc[:0], suite) == []


@pytest.mark.parametrize("name", FAULTS)
def test_expectation_one_wrong_value_fails_it_alone_and_names_the_row(name: str) -> None:
    suite, fault = FAULTS[name]
    frame = frame_of(suite)
    for column, value in fault.items():
        frame[column] = [value, *frame[column].tolist()[1:]]

    assert failed(frame, suite) == [name]
    (outcome,) = [outcome for outcome in evaluate_suite(frame, suite) if not outcome.passed]
    assert outcome.offenders[0]["symbol"] == "AAPL"
    assert outcome.touched == frozenset()


def test_only_suites_with_gates_block() -> None:
    blocking = {suite.name for suite in SUITES if any(each.blocking for each in suite.expectations)}
    assert blocking == {suite.name for suite in SUITES if suite.has_gates} == {"bars"}


def test_expectations_have_names_of_their_own_and_warnings_never_block() -> None:
    expectations = [each for suite in SUITES for each in suite.expectations]
    assert len({each.name for each in expectations}) == len(expectations)
    assert [each.name for each in expectations if each.blocking and each.severity is Severity.WARNING] == []
