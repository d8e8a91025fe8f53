"""Protections lock after certain exits, for as long as they say, and only what they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.protections import (
    ClosedTrade,
    Lock,
    Protection,
    ProtectionKind,
    TradeRecord,
    locks_at,
    locks_on,
)
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.verdicts import Outcome, Purpose
from trading_assets.domain.values import Side, Timeframe

D = Decimal
DAYS = sessions_between(date(2012, 6, 1), date(2012, 6, 29))
COOLDOWN, GUARD, LOW_PROFIT, DRAWDOWN = ProtectionKind


def close(number: int) -> datetime:
    return session(DAYS[number]).closes_at


def trade(
    day: int, pnl: int = -10, symbol: str = "AAA", *, side: Side = Side.BUY, strategy: str = "alpha", stop: bool = True
) -> ClosedTrade:
    return ClosedTrade(strategy, symbol, side, close(day), D(pnl), D(1_000), f"stop-{day}" if stop else f"sell-{day}")


def locks(protection: Protection, trades: Any, day: int, invested: int = 10_000) -> list[tuple[Any, Any, Any, int]]:
    """Symbol, side, strategy of the locks at the close of `day`, and the day at whose close each ends."""
    stops = {one.closed_by for one in trades if one.closed_by and one.closed_by.startswith("stop")}
    found = locks_at([protection], TradeRecord(trades, stops, D(invested)), close(day))
    ends = {close(number): number for number in range(len(DAYS))}
    return [(one.symbol, one.side, one.strategy, ends[one.until]) for one in found]


@pytest.mark.parametrize(("day", "ends"), [(2, []), (3, [5]), (4, [5]), (5, [])])
def test_cooldown_locks_the_symbol_for_its_bars_after_every_exit(day: int, ends: list[int]) -> None:
    cooldown = Protection(COOLDOWN, stop_bars=2)
    assert locks(cooldown, [trade(0), trade(3, pnl=50, stop=False)], day) == [("AAA", None, None, end) for end in ends]


GUARDED = Protection(GUARD, stop_bars=3, lookback_bars=4, trade_limit=2)


@pytest.mark.parametrize(
    ("trades", "day", "found"),
    [
        ([trade(1)], 2, []),
        ([trade(1), trade(2)], 2, [("AAA", None, None, 5)]),
        ([trade(1), trade(2)], 4, [("AAA", None, None, 5)]),
        # At the close of session 5 the look-back of four bars begins after session 1.
        ([trade(1), trade(2)], 5, []),
        ([trade(1), trade(2, stop=False)], 2, []),
        ([trade(1), trade(2, pnl=0)], 2, []),
        ([trade(1), trade(2, symbol="BBB")], 2, []),
    ],
)
def test_stoploss_guard_counts_losing_stops_of_a_symbol_within_its_look_back(trades: Any, day: int, found: Any) -> None:
    assert locks(GUARDED, trades, day) == found


def test_stoploss_guard_of_all_symbols_or_of_one_side_locks_just_that() -> None:
    stopped = [trade(1), trade(2, symbol="BBB", side=Side.SELL), trade(2, symbol="BBB", side=Side.SELL)]
    assert locks(replace(GUARDED, is_per_symbol=False, trade_limit=3), stopped, 2) == [(None, None, None, 5)]
    assert locks(replace(GUARDED, is_per_side=True), stopped, 2) == [("BBB", Side.SELL, None, 5)]


def test_protection_of_one_strategy_counts_and_locks_only_it() -> None:
    stopped = [trade(1), trade(2, strategy="beta"), trade(2, strategy="beta")]
    (found,) = locks(replace(GUARDED, strategy="beta"), stopped, 2)
    assert found == ("AAA", None, "beta", 5)
    assert locks(replace(GUARDED, strategy="alpha"), stopped, 2) == []


@pytest.mark.parametrize(("pnl", "found"), [(-21, [("AAA", None, None, 5)]), (-20, []), (0, [])])
def test_low_profit_sums_the_returns_of_a_symbol(pnl: int, found: Any) -> None:
    """Two trades of 1,000 USD: 1 % and what makes the sum -1 % or a little less."""
    low = Protection(LOW_PROFIT, stop_bars=3, lookback_bars=9, trade_limit=2, required_profit=D("-0.01"))
    assert locks(low, [trade(1, pnl=10, stop=False), trade(2, pnl=pnl, stop=False)], 2) == found
    assert locks(low, [trade(2, pnl=-500)], 2) == []


@pytest.mark.parametrize(("pnl", "found"), [(-1_101, [(None, None, None, 5)]), (-1_100, [])])
def test_max_drawdown_is_from_the_peak_of_the_closed_trades_equity(pnl: int, found: Any) -> None:
    """10,000 paid in, 500 earned before the look-back, a peak of 11,000 inside it: 10 % of that are 1,100."""
    fallen = Protection(DRAWDOWN, stop_bars=3, lookback_bars=2, trade_limit=2, max_drawdown=D("0.1"))
    assert locks(fallen, [trade(0, pnl=500), trade(1, pnl=500), trade(2, pnl=pnl)], 2) == found
    assert locks(fallen, [trade(2, pnl=-5_000)], 2) == []


def test_protection_by_the_hour_counts_hours_across_the_night() -> None:
    hours = [bar.closes_at for day in DAYS[:2] for bar in bar_bounds(day, Timeframe.HOUR)]
    cooldown = Protection(COOLDOWN, stop_bars=3, timeframe=Timeframe.HOUR)
    record = TradeRecord([replace(trade(0), closed_at=hours[5])], (), D(0))
    assert [bool(locks_at([cooldown], record, at)) for at in hours[4:10]] == [False, True, True, True, False, False]


def test_trade_that_closes_later_locks_nothing_yet() -> None:
    assert locks(Protection(COOLDOWN, stop_bars=9), [trade(3)], 2) == []


LOCK = Lock(COOLDOWN, close(9), symbol="AAA")


@pytest.mark.parametrize(
    ("lock", "holds"),
    [
        (LOCK, True),
        (Lock(DRAWDOWN, close(9)), True),
        (replace(LOCK, side=Side.BUY, strategy="alpha"), True),
        (replace(LOCK, side=Side.SELL), False),
        (replace(LOCK, symbol="BBB"), False),
        (replace(LOCK, strategy="beta"), False),
    ],
)
def test_lock_stops_openings_of_what_it_names_and_never_closings(
    lock: Lock, holds: bool, snapshot: Any, intent: Any, limits: Any
) -> None:
    assert bool(locks_on([lock], "alpha", "AAA", Side.BUY)) is holds
    (opening,) = review([intent()], snapshot(locks=[lock]), limits())
    assert [check.rule_id for check in opening.checks if not check.is_passed] == ["RC-33"] * holds
    short = snapshot(locks=[lock], positions={"AAA": -100})
    (closing,) = review([intent(purpose=Purpose.CLOSE, qty=100)], short, limits(allow_short=True))
    assert closing.outcome is Outcome.APPROVED
