"""When a fall of a tenth binds a short sale: from which bar on, for how long, and where it is not known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.market_view import MarketHistory
from trading_assets.domain.risk.price_falls import Fall, PastPrices
from trading_assets.domain.risk.review import review
from trading_assets.domain.values import Side, Timeframe

MON, TUE, WED, THU, FRI = DAYS = sessions_between(date(2012, 6, 4), date(2012, 6, 8))
HOUR, DAY = Timeframe.HOUR, Timeframe.SESSION
Lows = Mapping[date | tuple[date, int], float]


def prices(
    lows: Lows, timeframe: Timeframe = DAY, actions: Sequence[CorporateAction] = (), gone: Sequence[Any] = ()
) -> PastPrices:
    """Bars of AAA that close at 100 and nowhere fall lower, but for `lows`, and but for those that are `gone`."""
    rows = []
    for day in DAYS:
        for hour, bar in enumerate(bar_bounds(day, timeframe)):
            key = day if timeframe is DAY else (day, hour)
            if key not in gone:
                rows.append(("AAA", day, bar.closes_at, lows.get(key, 100.0), 100.0))
    bars = pd.DataFrame(rows, columns=["symbol", "session_date", "closes_at", "low", "close"])
    return PastPrices.of_bars(session(MON).opens_at, session(FRI).closes_at, bars, actions)


def close_of(day: date, hour: int = 0, timeframe: Timeframe = DAY) -> datetime:
    return bar_bounds(day, timeframe)[hour].closes_at


@pytest.fixture(scope="session")
def reasons(snapshot: Any, intent: Any, limits: Any) -> Callable[..., list[str]]:
    """Why a short sale of AAA that is decided at the close of a bar is not approved."""

    def asked(known: PastPrices | Sequence[PastPrices], day: date, hour: int | None = None) -> list[str]:
        at = close_of(day) if hour is None else close_of(day, hour, HOUR)
        market = MarketHistory(prices=[known] if isinstance(known, PastPrices) else known).view(at, day, {})
        book = replace(snapshot(market=market), at=at, session_date=day)
        sale = intent(side=Side.SELL, decision_at=at, session_date=day)
        (verdict,) = review([sale], book, limits(allow_short=True))
        return [check.reason_code.value for check in verdict.checks if check.rule_id == "RC-09b" and check.reason_code]

    return asked


RESTRICTED, MISSING = ["SHORT_SALE_RESTRICTED"], ["INPUT_MISSING"]


@pytest.mark.parametrize(("low", "expected"), [(89.99, RESTRICTED), (90.0, RESTRICTED), (90.01, []), (99.0, [])])
def test_fall_binds_from_a_tenth_on(low: float, expected: list[str], reasons: Any) -> None:
    assert reasons(prices({WED: low}), WED) == expected


def test_fall_binds_what_works_in_its_session_and_in_the_next(reasons: Any) -> None:
    fallen = prices({WED: 90.0})
    # At the close of a session the order works in the next one, for which only the fall of that session counts.
    assert [reasons(fallen, day) for day in (TUE, WED, THU)] == [[], RESTRICTED, []]


def test_fall_within_a_session_binds_from_the_end_of_its_bar_to_the_end_of_the_next_session(reasons: Any) -> None:
    fallen = prices({(WED, 3): 90.0}, HOUR)
    asked = {(day, hour): reasons(fallen, day, hour) for day in (WED, THU) for hour in range(7)}
    assert [place for place, answer in asked.items() if not answer] == [(WED, 0), (WED, 1), (WED, 2), (THU, 6)]
    assert all(answer in ([], RESTRICTED) for answer in asked.values())


def test_deepest_of_the_falls_that_bind_is_told() -> None:
    known = MarketHistory(prices=[prices({(TUE, 2): 89.0, (WED, 0): 95.0, (WED, 1): 88.0}, HOUR)])
    at = [close_of(WED, hour, HOUR) for hour in (0, 1)]
    assert [known.view(one, WED, {}).fall("AAA") for one in at] == [Fall(Decimal(89), Decimal(100)), (88, 100)]


@pytest.mark.parametrize(
    ("gone", "day", "hour", "expected"),
    [
        ([(TUE, 6)], WED, 6, MISSING),
        ([(TUE, 6)], WED, 0, MISSING),
        ([(TUE, 6)], THU, 0, MISSING),
        ([(TUE, 6)], THU, 6, []),
        ([(TUE, 5)], WED, 0, []),
        ([(WED, hour) for hour in range(7)], WED, 6, MISSING),
        ([(WED, hour) for hour in range(7)], WED, 2, MISSING),
    ],
)
def test_short_sale_without_the_bar_that_ended_the_session_before_is_denied(
    gone: Any, day: date, hour: int, expected: list[str], reasons: Any
) -> None:
    assert reasons(prices({}, HOUR, gone=gone), day, hour) == expected


def test_first_session_of_a_history_has_none_before_it(reasons: Any) -> None:
    assert [reasons(prices({}), day) for day in (MON, TUE)] == [MISSING, []]
    assert reasons([], TUE) == MISSING


@pytest.mark.parametrize(
    ("ratio", "low", "expected"),
    [("2", 50.0, []), ("2", 45.01, []), ("2", 45.0, RESTRICTED), ("0.1", 900.0, RESTRICTED), ("0.1", 900.01, [])],
)
def test_split_between_the_sessions_is_taken_out(ratio: str, low: float, expected: list[str], reasons: Any) -> None:
    split = CorporateAction("AAA", WED, ActionKind.SPLIT, split_ratio=Decimal(ratio))
    assert reasons(prices({WED: low}, actions=[split]), WED) == expected


def test_action_of_a_day_without_trading_takes_effect_in_the_session_after_it(reasons: Any) -> None:
    stock = CorporateAction("AAA", date(2012, 6, 3), ActionKind.STOCK_DIVIDEND, share_ratio=Decimal(1))
    days = {date(2012, 6, 1): 100.0, MON: 50.0}
    rows = [("AAA", day, close_of(day), low, low) for day, low in days.items()]
    bars = pd.DataFrame(rows, columns=["symbol", "session_date", "closes_at", "low", "close"])
    span = session(MON).opens_at, session(MON).closes_at
    assert reasons(PastPrices.of_bars(*span, bars, [stock]), MON) == []
    assert reasons(PastPrices.of_bars(*span, bars, []), MON) == RESTRICTED


def test_dividend_is_not_taken_out(reasons: Any) -> None:
    dividend = CorporateAction("AAA", WED, ActionKind.CASH_DIVIDEND, amount_usd=Decimal(20))
    assert reasons(prices({WED: 80.0}, actions=[dividend]), WED) == RESTRICTED


def test_timeframes_complete_each_other(reasons: Any) -> None:
    days, hours = prices({TUE: 90.0}), prices({(WED, 1): 90.0}, HOUR, gone=[(MON, 6), (TUE, 6)])
    # Without the end of Monday the hours do not know Tuesday, without that of Tuesday not Wednesday.
    assert reasons(hours, WED, 0) == MISSING
    assert reasons([days, hours], WED, 0) == RESTRICTED
    assert reasons([prices({}), hours], WED, 0) == []
    assert reasons([prices({}), hours], WED, 1) == RESTRICTED


def test_prices_of_another_time_are_not_used(reasons: Any) -> None:
    known = prices({})
    assert reasons(replace(known, after=close_of(WED)), WED) == MISSING
    assert reasons(replace(known, until=close_of(TUE)), WED) == MISSING
    assert reasons([replace(known, until=close_of(TUE)), replace(known, after=close_of(TUE))], WED) == []


def test_what_lies_long_before_is_not_kept() -> None:
    days = sessions_between(date(2012, 5, 1), FRI)
    rows = [("AAA", day, close_of(day), 100.0, 100.0) for day in days]
    bars = pd.DataFrame(rows, columns=["symbol", "session_date", "closes_at", "low", "close"])
    kept = PastPrices.of_bars(session(FRI).opens_at, session(FRI).closes_at, bars, []).days
    assert days[-3] in kept.tolist()
    assert len(kept) <= 11
