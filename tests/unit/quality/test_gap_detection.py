"""Gap detection over every kind of session: no false alarm when all is there, and an alarm for a hole in each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from trading_assets.domain.market.bar_rules import BarContext, annotate_bars
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.sessions import bar_bounds, next_session, previous_session, session, sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.quality.evaluate import evaluate_suite
from trading_assets.quality.expectations import Suite
from trading_assets.quality.suites import BARS

UNIVERSE = ("AAA", "BBB")
GAPS = Suite(
    BARS.name,
    BARS.dataset,
    BARS.key_columns,
    tuple(each for each in BARS.expectations if each.name in {"bars_have_no_gaps", "bars_lie_on_the_session_grid"}),
    has_gates=True,
)
NO_ACTIONS = pd.DataFrame([], columns=["symbol", "ex_date", "kind", "split_ratio", "amount_usd"], dtype=object)
KINDS = {
    "full session": date(2024, 5, 7),
    "half day after a holiday": date(2024, 11, 29),
    "half day before Christmas": date(2024, 12, 24),
    "half day before Independence Day": date(2024, 7, 3),
    "after a weekend and a holiday": date(2024, 5, 28),
    "after a weekend and a holiday, four days": date(2024, 1, 2),
    "last before clocks go forward": date(2024, 3, 8),
    "first after clocks went forward": date(2024, 3, 11),
    "last before clocks go back": date(2024, 11, 1),
    "first after clocks went back": date(2024, 11, 4),
    "after four days closed": date(2001, 9, 17),
    "after a storm": date(2012, 10, 31),
}


def bars_between(first: date, last: date, timeframe: Timeframe, listed_on: date | None = None) -> pd.DataFrame:
    """Bars of all sessions; those of BBB from its listing on."""
    rows = [
        (symbol, str(timeframe), *bounds, day, 10.0, 11.0, 9.0, 10.0 + number / 100, 100.0, "test")
        for symbol in UNIVERSE
        for day in sessions_between(first, last)
        if symbol != "BBB" or listed_on is None or day >= listed_on
        for number, bounds in enumerate(bar_bounds(day, timeframe))
    ]
    frame = pd.DataFrame(rows, columns=list(BAR_COLUMNS))
    return frame.astype({"ts": "datetime64[us, UTC]", "closes_at": "datetime64[us, UTC]"})


def gaps(
    bars: pd.DataFrame,
    first: date,
    last: date,
    timeframe: Timeframe,
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    since: dict[str, date] | None = None,
) -> set[tuple[date, str]]:
    """The sessions and symbols that gap detection, or the grid it rests on, complains about."""
    started = since or dict.fromkeys(UNIVERSE, first - timedelta(days=30))
    context = BarContext(
        first=first,
        last=last,
        timeframes=[timeframe],
        universe=UNIVERSE,
        known_symbols=frozenset(UNIVERSE),
        first_sessions={(symbol, str(timeframe)): day for symbol, day in started.items()},
        actions=NO_ACTIONS,
        now=now,
    )
    outcomes = evaluate_suite(annotate_bars(bars, context), GAPS)
    return {pair for outcome in outcomes for pair in outcome.touched}


@pytest.mark.parametrize("timeframe", list(Timeframe))
@pytest.mark.parametrize("kind", KINDS)
def test_gaps_of_each_kind_of_session_are_found_and_never_invented(kind: str, timeframe: Timeframe) -> None:
    day = KINDS[kind]
    first, last = previous_session(day), next_session(day)
    bars = bars_between(first, last, timeframe)

    assert gaps(bars, first, last, timeframe) == set()
    for hole in bars.index[(bars["session_date"] == day) & (bars["symbol"] == "AAA")]:
        assert gaps(bars.drop(index=hole), first, last, timeframe) == {(day, "AAA")}


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_gaps_before_a_listing_are_none_and_after_it_are_found(timeframe: Timeframe) -> None:
    first, listed_on, last = date(2024, 6, 28), date(2024, 7, 2), date(2024, 7, 5)
    bars = bars_between(first, last, timeframe, listed_on)
    since = {"AAA": first, "BBB": listed_on}
    on_the_first_day = bars.index[(bars["symbol"] == "BBB") & (bars["session_date"] == listed_on)][-1]

    assert gaps(bars, first, last, timeframe, since=since) == set()
    assert gaps(bars.drop(index=on_the_first_day), first, last, timeframe, since=since) == {(listed_on, "BBB")}


@pytest.mark.parametrize("timeframe", list(Timeframe))
@pytest.mark.parametrize("kind", KINDS)
def test_gaps_of_the_running_session_are_those_whose_end_has_passed(kind: str, timeframe: Timeframe) -> None:
    day = KINDS[kind]
    bars = bars_between(day, day, timeframe)
    first_close = bar_bounds(day, timeframe)[0].closes_at
    before, after = first_close - timedelta(seconds=1), first_close

    assert gaps(bars.iloc[:0], day, day, timeframe, now=session(day).opens_at) == set()
    assert gaps(bars.iloc[:0], day, day, timeframe, now=before) == set()
    assert gaps(bars.iloc[:0], day, day, timeframe, now=after) == {(day, symbol) for symbol in UNIVERSE}
    assert gaps(bars[bars["closes_at"] <= after], day, day, timeframe, now=after) == set()
