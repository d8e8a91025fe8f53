"""Breakers trip at their limit, stay tripped whatever the market does, and clear only as declared."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.risk.breakers import (
    DEFAULT_RULES,
    Breaker,
    BreakerAction,
    BreakerRule,
    due_clearances,
    effective_state,
    evaluate,
    judge,
    losing_streak,
    missing_share,
)
from trading_assets.domain.risk.protections import ClosedTrade
from trading_assets.domain.risk.review import review
from trading_assets.domain.risk.verdicts import Outcome, TradingState
from trading_assets.domain.values import Side

CLOSE = datetime(2012, 6, 1, 20, tzinfo=UTC)
NEW, ALL, DRAWDOWN = Breaker.DAILY_LOSS, Breaker.DAILY_LOSS_STOP_ALL, Breaker.DRAWDOWN


@pytest.mark.parametrize(
    ("equity", "tripped"),
    [
        ("98000.01", []),
        ("98000.00", [NEW]),
        ("97999.99", [NEW]),
        ("95000.01", [NEW]),
        ("95000.00", [NEW, ALL]),
        ("90000.01", [NEW, ALL]),
        ("90000.00", [NEW, ALL, DRAWDOWN]),
        ("89999.99", [NEW, ALL, DRAWDOWN]),
    ],
)
def test_breaker_at_its_limit_trips_exactly(equity: str, tripped: list[Breaker], snapshot: Any, limits: Any) -> None:
    assert [trip.breaker for trip in evaluate(snapshot(equity_usd=equity), limits())] == tripped


def test_breaker_cause_records_the_numbers_that_tripped_it(snapshot: Any, limits: Any) -> None:
    (trip,) = evaluate(snapshot(equity_usd=98_000), limits())
    assert trip.cause == {"equity_usd": "98000", "base_usd": "100000", "change": "-0.02", "limit": "-0.02"}


def test_breaker_that_is_latched_does_not_trip_again(snapshot: Any, limits: Any) -> None:
    book = snapshot(equity_usd=90_000, tripped_breakers=frozenset({"daily_loss", "drawdown"}))
    assert [trip.breaker for trip in evaluate(book, limits())] == [ALL]


@pytest.mark.parametrize("equity", [None, Decimal("NaN"), Decimal(0)])
def test_breaker_without_equity_trips_nothing_while_the_review_denies(
    equity: Any, snapshot: Any, intent: Any, limits: Any
) -> None:
    book = snapshot(equity_usd=equity)
    assert evaluate(book, limits()) == []
    assert review([intent()], book, limits())[0].outcome is Outcome.DENIED


@pytest.mark.parametrize("breaker", Breaker)
def test_breaker_after_a_new_equity_peak_still_stops_new_exposure(
    breaker: Breaker, snapshot: Any, intent: Any, limits: Any
) -> None:
    peak = {"equity_usd": 150_000, "high_water_mark_usd": 150_000, "positions": {"AAA": 100}}
    book = snapshot(**peak, tripped_breakers=frozenset({breaker.value}))
    sell, buy = review([intent(), intent(side=Side.SELL)], book, limits())
    assert (sell.outcome, buy.outcome) == (Outcome.APPROVED, Outcome.DENIED)
    assert review([intent()], snapshot(**peak), limits())[0].outcome is Outcome.APPROVED


@pytest.mark.parametrize(
    ("declared", "tripped", "effective"),
    [
        (TradingState.ACTIVE, set(), TradingState.ACTIVE),
        (TradingState.ACTIVE, {"daily_loss"}, TradingState.ACTIVE),
        (TradingState.ACTIVE, {"daily_loss_stop_all"}, TradingState.REDUCING),
        (TradingState.ACTIVE, {"drawdown"}, TradingState.REDUCING),
        (TradingState.ACTIVE, {"volatility"}, TradingState.REDUCING),
        (TradingState.REDUCING, set(), TradingState.REDUCING),
        (TradingState.HALTED, {"drawdown"}, TradingState.HALTED),
    ],
)
def test_trading_state_with_breakers_is_the_tighter_of_both(
    declared: TradingState, tripped: set[str], effective: TradingState, snapshot: Any
) -> None:
    assert effective_state(snapshot(trading_state=declared, tripped_breakers=frozenset(tripped))) is effective


def test_time_rule_in_a_later_session_clears_stop_new_only() -> None:
    tripped_in = dict.fromkeys((breaker.value for breaker in Breaker), date(2012, 6, 1))
    (clearance,) = due_clearances(tripped_in, date(2012, 6, 4))
    assert clearance.breaker is Breaker.DAILY_LOSS
    assert clearance.cleared_by == "time rule: next session"
    assert clearance.why == "session 2012-06-04 began after the loss of 2012-06-01"


@pytest.mark.parametrize("session", [date(2012, 6, 1), date(2012, 5, 31)])
def test_time_rule_in_the_session_of_the_loss_clears_nothing(session: date) -> None:
    assert due_clearances({"daily_loss": date(2012, 6, 1)}, session) == []


def test_time_rule_with_nothing_tripped_clears_nothing() -> None:
    assert due_clearances({}, date(2012, 6, 4)) == []


# Configured breakers --------------------------------------------------------------------------------

AT_LIMIT = {Breaker.CONSECUTIVE_LOSSES, Breaker.DATA_OUTAGE, Breaker.ORDER_ERRORS}


@pytest.mark.parametrize("breaker", DEFAULT_RULES)
def test_configured_breaker_at_its_limit_trips_as_it_is_documented(breaker: Breaker) -> None:
    rules = {breaker.value: BreakerRule(2.0, 3, BreakerAction.HALT)}

    def trips(value: float | None) -> bool:
        return bool(judge({breaker: value}, rules, ()))

    assert [trips(value) for value in (None, 1.9999, 2.0, 2.0001)] == [False, False, breaker in AT_LIMIT, True]
    (trip,) = judge({breaker: 2.5}, rules, ())
    assert trip.cause == {"value": "2.5", "limit": "2", "window": "3", "action": "halt"}
    assert judge({breaker: 2.5}, {}, ()) == judge({breaker: 2.5}, rules, {breaker.value}) == []


def test_losing_streak_is_that_of_the_newest_trades_since_the_clearing() -> None:
    def streak(*results: int, since: datetime | None = None) -> int:
        trades = [
            ClosedTrade("s", "AAA", Side.BUY, CLOSE + timedelta(days=no), Decimal(pnl), Decimal(100), None)
            for no, pnl in enumerate(results)
        ]
        return losing_streak(trades, since)

    assert [streak(), streak(-1, -1), streak(-1, 1, -1), streak(-1, -1, 0)] == [0, 2, 1, 0]
    assert streak(-1, -1, -1, since=CLOSE + timedelta(days=1)) == 1


def test_missing_share_is_of_what_is_held() -> None:
    assert missing_share([], ["AAA"]) is None
    assert missing_share(["AAA", "BBB"], ["BBB", "CCC"]) == 0.5


@pytest.mark.parametrize(("sessions", "due"), [(None, []), (2, []), (1, [Breaker.VOLATILITY])])
def test_time_rule_of_a_configured_breaker_counts_sessions(sessions: int | None, due: list[Breaker]) -> None:
    rules = {"volatility": BreakerRule(0.3, clears_after_sessions=sessions)}
    cleared = due_clearances({"volatility": date(2012, 6, 1), "drawdown": date(2012, 6, 1)}, date(2012, 6, 4), rules)
    assert [one.breaker for one in cleared] == due
    assert all(one.cleared_by == "time rule: clears_after_sessions 1" for one in cleared)
