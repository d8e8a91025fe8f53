"""Every expectation on bars is shown red by a planted fault, and green on sound bars around holidays and half days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from trading_assets.domain.market.bar_rules import BarContext, annotate_bars
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.quality.runner import ExpectationOutcome, failing_blockers, run_suite
from trading_assets.quality.suites import BARS

# Hurricane days before, Thanksgiving, two half days and Christmas inside.
HISTORY_FIRST, FIRST, LAST = date(2012, 8, 20), date(2012, 11, 19), date(2012, 12, 31)
FAULTY = date(2012, 11, 27)
UNIVERSE = ("AAA", "BBB", "NEW")
LISTED_ON = date(2012, 11, 21)
NO_ACTIONS = pd.DataFrame({"symbol": [], "ex_date": [], "kind": [], "split_ratio": [], "amount_usd": []}, dtype=object)


def sound_bars(
    timeframe: Timeframe = Timeframe.SESSION, first: date = HISTORY_FIRST, last: date = LAST
) -> pd.DataFrame:
    random = np.random.default_rng(7)
    rows = []
    for symbol in UNIVERSE:
        close = 100.0
        for day in sessions_between(first, last):
            if symbol == "NEW" and day < LISTED_ON:
                continue
            for bounds in bar_bounds(day, timeframe):
                open_ = close * float(np.exp(random.normal(0, 0.002)))
                close = open_ * float(np.exp(random.normal(0, 0.01)))
                high, low = max(open_, close) * 1.001, min(open_, close) * 0.999
                volume = float(random.integers(1_000, 100_000))
                rows.append((symbol, str(timeframe), *bounds, day, open_, high, low, close, volume, "test"))
    columns = [
        "symbol",
        "timeframe",
        "ts",
        "closes_at",
        "session_date",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "source",
    ]
    return pd.DataFrame(rows, columns=columns).astype({"ts": "datetime64[us, UTC]", "closes_at": "datetime64[us, UTC]"})


def context(
    actions: pd.DataFrame = NO_ACTIONS,
    now: datetime = datetime(2013, 1, 1, tzinfo=UTC),
    first: date = FIRST,
    last: date = LAST,
    timeframe: Timeframe = Timeframe.SESSION,
) -> BarContext:
    return BarContext(
        first=first,
        last=last,
        timeframes=[timeframe],
        universe=UNIVERSE,
        known_symbols=frozenset(UNIVERSE),
        first_sessions={
            (symbol, str(timeframe)): LISTED_ON if symbol == "NEW" else HISTORY_FIRST for symbol in UNIVERSE
        },
        actions=actions,
        now=now,
    )


def one_action(kind: str, **amounts: float) -> pd.DataFrame:
    row = {"symbol": "AAA", "ex_date": FAULTY, "kind": kind, "split_ratio": None, "amount_usd": None} | amounts
    return pd.DataFrame([row])


def outcomes_of(frame: pd.DataFrame) -> dict[str, ExpectationOutcome]:
    return {outcome.name: outcome for outcome in run_suite(frame, BARS)}


def failed(frame: pd.DataFrame) -> list[str]:
    return [name for name, outcome in outcomes_of(frame).items() if not outcome.passed]


def at_fault(bars: pd.DataFrame) -> pd.Series:
    return (bars["symbol"] == "AAA") & (bars["session_date"] == FAULTY)


def before_fault(bars: pd.DataFrame) -> pd.DataFrame:
    return bars[(bars["symbol"] == "AAA") & (bars["session_date"] < FAULTY)].iloc[-1]


def with_values(**values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, value in values.items():
            bars.loc[at_fault(bars), name] = value
        return bars

    return plant


def with_factor(**factors: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, factor in factors.items():
            bars.loc[at_fault(bars), name] *= factor
        return bars

    return plant


def from_the_fault_on(factor: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        later = (bars["symbol"] == "AAA") & (bars["session_date"] >= FAULTY)
        bars.loc[later, ["open", "high", "low", "close"]] *= factor
        return bars

    return plant


def missing(bars: pd.DataFrame) -> pd.DataFrame:
    return bars[~at_fault(bars)]


def twice(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)]])


def repeated(bars: pd.DataFrame) -> pd.DataFrame:
    values = ["open", "high", "low", "close", "volume"]
    bars.loc[at_fault(bars), values] = before_fault(bars)[values].to_numpy(dtype=float)
    return bars


def shifted(**shifts: timedelta) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def plant(bars: pd.DataFrame) -> pd.DataFrame:
        for name, shift in shifts.items():
            bars.loc[at_fault(bars), name] += shift
        return bars

    return plant


def unknown_symbol(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)].assign(symbol="ZZZ")])


def unknown_timeframe(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([bars, bars[at_fault(bars)].assign(timeframe="5m")])


def standing_still(bars: pd.DataFrame) -> pd.DataFrame:
    still = (bars["symbol"] == "AAA") & bars["session_date"].between(date(2012, 11, 19), FAULTY)
    bars.loc[still, ["open", "high", "low", "close"]] = 100.0
    return bars


FAULTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "bars_have_no_missing_values": with_values(close=np.nan),
    "bars_are_unique": twice,
    "bars_have_known_timeframes": unknown_timeframe,
    "bars_belong_to_known_instruments": unknown_symbol,
    "bars_have_positive_prices": with_values(low=0.0),
    "bars_have_finite_values": with_values(volume=np.inf),
    "bars_have_high_above_low": with_factor(low=1.5),
    "bars_have_high_above_open_and_close": with_factor(high=0.9),
    "bars_have_low_below_open_and_close": with_factor(low=1.1),
    "bars_have_no_negative_volume": with_values(volume=-1.0),
    "bars_start_before_they_end": shifted(closes_at=-timedelta(hours=7)),
    "bars_lie_inside_their_session": shifted(closes_at=timedelta(hours=1)),
    "bars_lie_on_the_session_grid": shifted(ts=timedelta(minutes=1)),
    "bars_have_ended": shifted(closes_at=timedelta(days=60)),
    "bars_have_no_gaps": missing,
    "bars_do_not_repeat": repeated,
    "bars_have_no_unexplained_split": from_the_fault_on(0.5),
    "bars_have_volume": with_values(volume=0.0),
    "bars_do_not_stand_still": standing_still,
    "bars_open_near_the_previous_close": from_the_fault_on(0.75),
    "bars_have_usual_returns": from_the_fault_on(0.8),
}
"""A fault in the bars of AAA on one day, by the expectation that must find it."""

FAULTS_OF_ACTIONS = {
    "bars_show_every_known_split": one_action("split", split_ratio=2.0),
    "dividends_are_plausible": one_action("cash_dividend", amount_usd=15.0),
}
FAULTS_OF_THE_FRAME = {"bars_have_all_columns": lambda frame: frame.drop(columns="source")}


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

    failing = failing_blockers(frame, run_suite(frame, BARS))

    assert failing[FAULTY, "AAA"] == []
    assert failing[FAULTY, "BBB"] == ["bars_have_high_above_low", "bars_have_high_above_open_and_close"]
    assert set(failing) == set(zip(frame["session_date"], frame["symbol"], strict=True))
    assert [pair for pair, checks in failing.items() if checks] == [(FAULTY, "BBB")]
