"""Every expectation on bars is shown red by a planted fault, and green on sound bars around holidays and half days."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from standins.sound_bars import (
    FAULTS,
    FAULTS_OF_ACTIONS,
    FAULTS_OF_THE_FRAME,
    FAULTY,
    FIRST,
    LAST,
    UNIVERSE,
    context,
    from_the_fault_on,
    one_action,
    sound_bars,
    with_values,
)

from trading_assets.domain.market.bar_rules import annotate_bars
from trading_assets.domain.market.sessions import bar_bounds
from trading_assets.domain.values import Timeframe
from trading_assets.quality.evaluate import evaluate_suite
from trading_assets.quality.outcomes import ExpectationOutcome, failing_blockers
from trading_assets.quality.suites import BARS


def outcomes_of(frame: pd.DataFrame) -> dict[str, ExpectationOutcome]:
    return {outcome.name: outcome for outcome in evaluate_suite(frame, BARS)}


def failed(frame: pd.DataFrame) -> list[str]:
    return [name for name, outcome in outcomes_of(frame).items() if not outcome.passed]


def test_fault_tables_cover_the_suite() -> None:
    planted = [*FAULTS, *FAULTS_OF_ACTIONS, *FAULTS_OF_THE_FRAME]
    assert sorted(planted) == sorted(expectation.name for expectation in BARS.expectations)


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_bars_suite_sound_bars_around_holidays_half_days_and_a_listing_passes(timeframe: Timeframe) -> None:
    frame = annotate_bars(sound_bars(timeframe), context(timeframe=timeframe))

    assert failed(frame) == []
    assert frame["is_stored"].all()


@pytest.mark.parametrize("name", FAULTS)
def test_expectation_planted_fault_fails_and_touches_exactly_its_session_and_symbol(name: str) -> None:
    frame = annotate_bars(FAULTS[name](sound_bars()), context(last=FAULTY + timedelta(days=10)))

    outcome = outcomes_of(frame)[name]

    culprit = "ZZZ" if name == "bars_belong_to_known_instruments" else "AAA"
    assert not outcome.passed
    assert outcome.error is None
    assert outcome.touched == {(FAULTY, culprit)}
    assert outcome.offenders[0]["session_date"] == FAULTY.isoformat()
    assert outcome.unexpected_count == len(outcome.offenders)


@pytest.mark.parametrize("name", FAULTS_OF_ACTIONS)
def test_expectation_action_that_contradicts_prices_fails(name: str) -> None:
    frame = annotate_bars(sound_bars(), context(actions=FAULTS_OF_ACTIONS[name]))

    assert outcomes_of(frame)[name].touched == {(FAULTY, "AAA")}


@pytest.mark.parametrize("name", FAULTS_OF_THE_FRAME)
def test_expectation_about_the_frame_failed_touches_every_pair(name: str) -> None:
    sound = annotate_bars(sound_bars(), context())

    outcome = outcomes_of(FAULTS_OF_THE_FRAME[name](sound))[name]

    assert not outcome.passed
    assert outcome.touched == set(zip(sound["session_date"], sound["symbol"], strict=True))
    assert "source" in (outcome.observed or "")


def test_expectation_that_cannot_be_evaluated_fails_with_its_error_and_touches_every_pair() -> None:
    sound = annotate_bars(sound_bars(), context())

    outcome = outcomes_of(sound.drop(columns="is_closed"))["bars_have_ended"]

    assert not outcome.passed
    assert "is_closed" in (outcome.error or "")
    assert len(outcome.touched) == len(sound)


def test_bars_suite_split_that_is_known_and_shown_passes() -> None:
    bars = from_the_fault_on(0.5)(sound_bars())

    assert failed(annotate_bars(bars, context(actions=one_action("split", split_ratio=2.0)))) == []


def test_bars_suite_dividend_that_is_known_and_shown_passes() -> None:
    bars = from_the_fault_on(0.97)(sound_bars())

    assert failed(annotate_bars(bars, context(actions=one_action("cash_dividend", amount_usd=3.0)))) == []


def test_bars_suite_known_split_of_a_wrong_ratio_is_found_in_the_adjusted_prices() -> None:
    bars = from_the_fault_on(1 / 3)(sound_bars())

    red = failed(annotate_bars(bars, context(actions=one_action("split", split_ratio=2.0))))

    assert "adjusted_prices_go_on_at_ex_dates" in red
    assert "bars_show_every_known_split" not in red


def test_bars_suite_no_rows_in_a_session_touches_the_whole_universe() -> None:
    bars = sound_bars()
    frame = annotate_bars(bars[bars["session_date"] != FAULTY], context())

    assert outcomes_of(frame)["bars_have_no_gaps"].touched == {(FAULTY, symbol) for symbol in UNIVERSE}


def test_bars_suite_nothing_stored_at_all_fails_for_every_session() -> None:
    frame = annotate_bars(sound_bars().iloc[:0], context(first=FIRST, last=FIRST))

    assert outcomes_of(frame)["bars_have_no_gaps"].touched == {(FIRST, symbol) for symbol in UNIVERSE}


def test_bars_suite_before_the_first_bar_of_the_session_has_ended_expects_nothing() -> None:
    opening = bar_bounds(FIRST, Timeframe.SESSION)[0].ts
    frame = annotate_bars(sound_bars().iloc[:0], context(first=FIRST, last=FIRST, now=opening))

    assert frame.empty
    assert failed(frame) == []


def test_bars_suite_running_session_expects_the_hours_that_have_ended() -> None:
    bounds = bar_bounds(LAST, Timeframe.HOUR)
    bars = sound_bars(Timeframe.HOUR)
    now = bounds[2].closes_at
    stored = bars[bars["closes_at"] <= now]
    late = stored[~((stored["symbol"] == "BBB") & (stored["closes_at"] == now))]

    assert failed(annotate_bars(stored, context(now=now, timeframe=Timeframe.HOUR))) == []
    gap = outcomes_of(annotate_bars(late, context(now=now, timeframe=Timeframe.HOUR)))["bars_have_no_gaps"]
    assert gap.touched == {(LAST, "BBB")}
    assert gap.offenders[0]["ts"] == bounds[2].ts.isoformat()


def test_annotate_bars_one_session_or_the_whole_range_says_the_same() -> None:
    bars = sound_bars()
    whole = annotate_bars(bars, context())
    start = FAULTY - timedelta(days=100)
    alone = annotate_bars(bars[bars["session_date"].between(start, FAULTY)], context(first=FAULTY, last=FAULTY))

    expected = whole[whole["session_date"] == FAULTY].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected)


def test_failing_blockers_warnings_leave_gates_open_and_blockers_close_them() -> None:
    bars = with_values(volume=0.0)(sound_bars())
    bars.loc[(bars["symbol"] == "BBB") & (bars["session_date"] == FAULTY), "high"] = 1.0
    frame = annotate_bars(bars, context(last=FAULTY))

    failing = failing_blockers(frame, evaluate_suite(frame, BARS))

    assert failing[FAULTY, "AAA"] == []
    assert failing[FAULTY, "BBB"] == ["bars_have_high_above_low", "bars_have_high_above_open_and_close"]
    assert set(failing) == set(zip(frame["session_date"], frame["symbol"], strict=True))
    assert [pair for pair, checks in failing.items() if checks] == [(FAULTY, "BBB")]
