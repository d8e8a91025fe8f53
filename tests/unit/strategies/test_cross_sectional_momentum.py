"""Cross-sectional momentum on a few symbols and sessions, against rankings worked out by hand."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest

from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.strategy import NO_FACTS, WARMING_UP, ConfiguredStrategy, decide
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.cross_sectional_momentum import FIRST_REBALANCING, CrossSectionalMomentum

DAYS = sessions_between(date(2000, 1, 3), date(2000, 1, 31))
SETTINGS = {"lookback": 1, "skip": 1, "top_pct": 34, "rebalance_sessions": 3}
"""Rebalancing at the sessions 0, 3, 6 ... by the return of the session before."""

CLOSES = {
    "A": [100, 100, 110, 110, 110, 110, 110, 110],
    "B": [100, 100, 105, 110, 110, 121, 110, 110],
    "C": [100, 100, 100, 100, 100, 110, 110, 110],
}


def bars_of(closes: dict[str, Sequence[float | None]], timeframe: Timeframe = Timeframe.SESSION) -> pd.DataFrame:
    """Bars of each symbol from the first of DAYS on; None where it has none."""
    bounds = [(day, *bar) for day in DAYS for bar in bar_bounds(day, timeframe)]
    rows = [
        (symbol, timeframe.value, ts, closes_at, day, price, price, price, price, 1.0)
        for symbol, prices in sorted(closes.items())
        for price, (day, ts, closes_at) in zip(prices, bounds, strict=False)
        if price is not None
    ]
    names = ["symbol", "timeframe", "ts", "closes_at", "session_date", "open", "high", "low", "close", "volume"]
    return pd.DataFrame(rows, columns=names)


def decided(bars: pd.DataFrame, facts: Facts = NO_FACTS, **changed: object) -> pd.DataFrame:
    strategy = CrossSectionalMomentum(**(SETTINGS | changed))
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    configured = ConfiguredStrategy(strategy.name, strategy, Timeframe(bars["timeframe"].iloc[0]), 1.0)
    return decide(configured, bars, values, facts)


def signals_of(frame: pd.DataFrame) -> dict[str, list[float]]:
    return {symbol: rows["signal"].tolist() for symbol, rows in frame.groupby("symbol")}


def test_momentum_holds_the_highest_past_return_until_the_next_rebalancing():
    # At session 3 the returns of session 2 count: A 10 %, B 5 %, C 0. At session 6 those of session 5: A 0, B 10 %,
    # C 10 %. Two of three are the top 34 %, rounded up.
    frame = decided(bars_of(CLOSES))
    assert signals_of(frame) == {
        "A": [0, 0, 0, 1, 1, 1, 0, 0],
        "B": [0, 0, 0, 1, 1, 1, 1, 1],
        "C": [0, 0, 0, 0, 0, 0, 1, 1],
    }
    reasons = frame["reason"].tolist()
    assert reasons[0] == WARMING_UP
    assert reasons[1] == "not ranked at the newest rebalancing"
    assert reasons[4] == "roc_1 +10.0 %, 1 bars before 2000-01-06: rank 1 of 3, in the top 34 %"
    assert reasons[8 + 8 + 4] == "roc_1 +0.0 %, 1 bars before 2000-01-06: rank 3 of 3, not in the top 34 %"


def test_momentum_holds_at_least_one_symbol_and_the_first_by_name_of_equal_ones():
    held = signals_of(decided(bars_of({"B": [1, 1, 1, 1], "A": [1, 1, 1, 1]}), top_pct=1))
    assert (held["A"][3], held["B"][3]) == (1, 0)


def test_momentum_without_a_skip_counts_the_bar_of_the_rebalancing_itself():
    held = signals_of(decided(bars_of({"A": [1, 1, 1, 1], "B": [1, 1, 1, 2]}), skip=0, top_pct=50))
    assert (held["A"][3], held["B"][3]) == (0, 1)


def test_symbol_without_a_bar_at_a_rebalancing_is_neither_ranked_nor_held_until_the_next_one():
    closes = CLOSES | {"A": [100, 100, 110, None, 110, 110, 110, 110]}
    frame = decided(bars_of(closes))
    held = signals_of(frame)
    assert held["A"] == [0, 0, 0, 0, 0, 0, 0]
    # Two remain, of which 34 % are one.
    assert (held["B"][3], held["C"][3]) == (1, 0)
    assert frame["reason"].iloc[3] == "not ranked at the newest rebalancing"


def test_only_members_of_the_universe_are_ranked():
    members = [Membership("A", date(2000, 1, 10)), Membership("B", date(1999, 1, 1)), Membership("C", date(1999, 1, 1))]
    held = signals_of(decided(bars_of(CLOSES), Facts(members=members)))
    assert held["A"][3:6] == [0, 0, 0]
    assert held["B"][3:6] == [1, 1, 1]


def test_momentum_of_hourly_bars_is_ranked_at_the_close_of_the_session():
    # 7 bars a session: the fourth session is bars 21 to 27, and only the last of them closes with it.
    prices = {"A": [1.0 + number for number in range(30)], "B": [100.0] * 30}
    held = signals_of(decided(bars_of(prices, Timeframe.HOUR), top_pct=50))
    assert held["A"][:6] == [0] * 6
    assert held["A"][6:] == [1] * 24  # the first session is one of rebalancing, too
    assert held["B"] == [0] * 30
    assert DAYS[0] == FIRST_REBALANCING


@pytest.mark.parametrize("begin", [4, 5, 6, 7])
def test_ranking_days_do_not_depend_on_where_a_range_begins(begin):
    generator = np.random.default_rng(5)
    bars = bars_of({symbol: (100 + generator.normal(size=20).cumsum()).tolist() for symbol in "ABCDE"})
    strategy = CrossSectionalMomentum(**SETTINGS)
    values = compute(bars, np.ones(len(bars)), strategy.indicators())
    configured = ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0)
    whole = decide(configured, bars, values)
    is_part = bars["session_date"] >= DAYS[begin]
    part = decide(configured, bars[is_part].reset_index(drop=True), values[is_part].reset_index(drop=True))
    # The first session of rebalancing whose skipped bar is there as well.
    settled = DAYS[9 if begin > 5 else 6]
    assert set(whole["signal"]) == {0.0, 1.0}
    pd.testing.assert_frame_equal(
        part[part["session_date"] >= settled].reset_index(drop=True),
        whole[whole["session_date"] >= settled].reset_index(drop=True),
    )
