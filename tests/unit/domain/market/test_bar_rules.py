"""Bars compared with their predecessors: corporate actions count between two stored bars, wherever the ex-date lies."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.bar_rules import BarContext, annotate_bars
from trading_assets.domain.market.bar_series import SPLIT_RATIOS
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.sessions import bar_bounds
from trading_assets.domain.values import Timeframe

MONDAY, TUESDAY, WEDNESDAY = date(2012, 11, 26), date(2012, 11, 27), date(2012, 11, 28)


def bars_of(closes: dict[date, float], timeframe: Timeframe = Timeframe.SESSION) -> pd.DataFrame:
    """Bars of one symbol that open, trade and close at one price a session."""
    rows = [
        ("AAA", str(timeframe), *bounds, day, close, close, close, close, 1_000.0 + number, "test")
        for day, close in closes.items()
        for number, bounds in enumerate(bar_bounds(day, timeframe))
    ]
    return pd.DataFrame(rows, columns=list(BAR_COLUMNS)).astype(
        {"ts": "datetime64[us, UTC]", "closes_at": "datetime64[us, UTC]"}
    )


def actions_of(*actions: tuple[date, str, float | None, float | None]) -> pd.DataFrame:
    rows = [("AAA", *action) for action in actions]
    return pd.DataFrame(rows, columns=["symbol", "ex_date", "kind", "split_ratio", "amount_usd"])


def newest(bars: pd.DataFrame, actions: pd.DataFrame, timeframe: Timeframe = Timeframe.SESSION) -> pd.Series:
    """The newest bar of Wednesday, annotated."""
    context = BarContext(
        first=WEDNESDAY,
        last=WEDNESDAY,
        timeframes=[timeframe],
        universe=["AAA"],
        known_symbols=frozenset({"AAA"}),
        first_sessions={("AAA", str(timeframe)): MONDAY},
        actions=actions,
        now=datetime(2012, 12, 1, tzinfo=UTC),
    )
    return annotate_bars(bars, context).iloc[-1]


def test_annotate_bars_first_bar_of_a_symbol_has_no_gap() -> None:
    bar = newest(bars_of({WEDNESDAY: 100.0}), actions_of())

    assert pd.isna(bar["overnight_gap"])
    assert not bar["is_unexplained_split"]
    assert bar["is_split_shown"]


def test_annotate_bars_split_on_a_session_without_a_bar_explains_the_next_bar() -> None:
    split = actions_of((TUESDAY, "split", 2.0, None))

    bar = newest(bars_of({MONDAY: 100.0, WEDNESDAY: 50.0}), split)

    assert bar["overnight_gap"] == pytest.approx(0.0)
    assert bar["is_split_shown"]
    assert not bar["is_unexplained_split"]


def test_annotate_bars_split_of_an_earlier_session_explains_nothing() -> None:
    split = actions_of((TUESDAY, "split", 2.0, None))

    bar = newest(bars_of({MONDAY: 100.0, TUESDAY: 50.0, WEDNESDAY: 25.0}), split)

    assert bar["is_unexplained_split"]


def test_annotate_bars_split_and_dividend_between_two_bars_count_together() -> None:
    both = actions_of((TUESDAY, "cash_dividend", None, 10.0), (WEDNESDAY, "split", 3.0, None))

    bar = newest(bars_of({MONDAY: 100.0, WEDNESDAY: 30.0}), both)

    assert bar["overnight_gap"] == pytest.approx(0.0)
    assert bar["dividend_share"] == pytest.approx(0.1)


def test_annotate_bars_split_takes_effect_at_the_first_hour_only() -> None:
    split = actions_of((WEDNESDAY, "split", 2.0, None))
    bars = bars_of({TUESDAY: 100.0, WEDNESDAY: 50.0}, Timeframe.HOUR)

    assert newest(bars, split, Timeframe.HOUR)["overnight_gap"] == pytest.approx(0.0)


@given(ratio=st.sampled_from([*SPLIT_RATIOS, *(1 / SPLIT_RATIOS)]), noise=st.floats(-0.02, 0.02))
def test_annotate_bars_usual_split_is_unexplained_until_it_is_known(ratio: float, noise: float) -> None:
    bars = bars_of({TUESDAY: 100.0, WEDNESDAY: 100.0 / ratio * (1 + noise)})

    assert newest(bars, actions_of())["is_unexplained_split"]
    known = newest(bars, actions_of((WEDNESDAY, "split", ratio, None)))
    assert not known["is_unexplained_split"]
    assert known["is_split_shown"]


@given(change=st.floats(-0.25, 0.35))
def test_annotate_bars_a_day_s_move_is_no_split(change: float) -> None:
    bar = newest(bars_of({TUESDAY: 100.0, WEDNESDAY: 100.0 * (1 + change)}), actions_of())

    assert not bar["is_unexplained_split"]
    assert bar["overnight_gap"] == pytest.approx(change)
