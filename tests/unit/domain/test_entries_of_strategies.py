"""Entries that are limits or for an auction, on hand-made bars: the order, what risk asks, and how it trades."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from standins.calm_market import calm_market

from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.orders import OrderStatus, OrderType, TimeInForce
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Side, Timeframe
from trading_assets.settings import RiskSettings

D = Decimal
MON, TUE, WED = sessions_between(date(2012, 11, 26), date(2012, 11, 28))
IBM_TRADES = always_tradable(["IBM"])
LIMITS = RiskLimits.of(
    RiskSettings(max_position=1, max_order_notional=1, max_gross_exposure=1, cash_buffer=0, allow_short=True).limits()
)


def limit(offset_bps: str) -> EntryPlan:
    return EntryPlan(OrderType.LIMIT, D(offset_bps))


def moment(day: date, prices: str, wanted: str | None = None, hour: int | None = None) -> Moment:
    """A bar of IBM: `prices` are open, high, low and close; `wanted` is the weight that strategy s asks for then."""
    bounds = bar_bounds(day, Timeframe.SESSION)[0] if hour is None else bar_bounds(day, Timeframe.HOUR)[hour]
    one = Bar("IBM", bounds.ts, bounds.closes_at, day, *map(D, prices.split()), D(10_000))
    targets = [] if wanted is None else [Target("s", "1", "IBM", one.closes_at, day, D(wanted))]
    calm = calm_market(("IBM",), day, day)
    return Moment(one.closes_at, session(day), [one], [], targets, {"IBM": "open"}, standings=IBM_TRADES, history=calm)


def lived(plan: EntryPlan, *moments: Moment, exits: ExitPlan | None = None) -> Journal:
    account, journal = open_book("acc", D(100_000), moments[0].session)
    rules = Rules(LIMITS, FillModel(D(0), D(1)), {"s": exits} if exits else {}, entries={"s": plan})
    walk(account, moments, rules, {}, (), journal)
    return journal


def traded(journal: Journal) -> list[tuple[Side, str]]:
    return [(fill.side, str(fill.price.normalize())) for fill in journal.fills]


def reasons(journal: Journal) -> list[list[str]]:
    return [[code.value for code in verdict.reason_codes] for verdict in journal.verdicts]


@pytest.mark.parametrize(
    ("offset", "weight", "limit_price", "bar", "price"),
    [
        ("-100", "0.5", "99", "100 101 98.99 100", "99"),
        ("-100", "0.5", "99", "100 101 99 100", None),
        ("-100", "0.5", "99", "98 99 97 98.5", "98"),
        ("50", "0.5", "100.5", "100 101 100 100", "1E+2"),
        ("50", "0.5", "100.5", "100.6 101 100.5 100.8", None),
        ("-100", "-0.5", "101", "100 101.01 99 100", "101"),
        ("-100", "-0.5", "101", "100 101 99 100", None),
        ("-100", "-0.5", "101", "102 103 101 102", "102"),
    ],
)
def test_limit_entry_trades_through_its_limit_and_not_at_a_touch(
    offset: str, weight: str, limit_price: str, bar: str, price: str | None
) -> None:
    journal = lived(limit(offset), moment(MON, "100 100 100 100", weight), moment(TUE, bar))

    (order,) = journal.orders
    assert (order.order_type, order.limit_price, order.time_in_force) == (OrderType.LIMIT, D(limit_price), "day")
    side = Side.BUY if D(weight) > 0 else Side.SELL
    assert traded(journal) == ([] if price is None else [(side, price)])
    assert journal.order_events[-1].status is (OrderStatus.EXPIRED if price is None else OrderStatus.FILLED)


def test_limit_stands_on_the_grid_and_risk_asks_about_the_very_price() -> None:
    journal = lived(limit("-33"), moment(MON, "87.13 87.13 87.13 87.13", "0.5"))

    (order,), (verdict,) = journal.orders, journal.verdicts
    assert order.limit_price == D("86.84")
    asked = {check.rule_id: check.inputs["limit_price"] for check in verdict.checks if "limit_price" in check.inputs}
    assert asked == {"RC-11a": "86.84", "RC-15a": "86.84"}


def test_limit_that_is_too_far_from_the_close_is_denied() -> None:
    too_far = LIMITS.max_limit_distance * 10_000 + 1
    assert reasons(lived(limit(f"-{too_far}"), moment(MON, "100 100 100 100", "0.5"))) == [["LIMIT_PRICE_TOO_FAR"]]


def test_what_closes_is_a_market_order_of_the_day() -> None:
    journal = lived(
        limit("0"),
        moment(MON, "100 100 100 100", "0.5"),
        moment(TUE, "100 101 99 100", "0"),
        moment(WED, "97 98 96 97"),
    )

    entry, closing = journal.orders
    assert (entry.order_type, closing.order_type, closing.limit_price) == (OrderType.LIMIT, OrderType.MARKET, None)
    assert traded(journal) == [(Side.BUY, "1E+2"), (Side.SELL, "97")]


def test_limit_entry_carries_its_legs() -> None:
    journal = lived(limit("0"), moment(MON, "100 100 100 100", "0.5"), exits=ExitPlan(stop_loss=D("0.05")))
    assert [order.order_type for order in journal.orders] == [OrderType.LIMIT, OrderType.STOP]


AT_CLOSE = EntryPlan(time_in_force=TimeInForce.CLS)


def test_entry_for_the_closing_auction_trades_at_the_close_of_the_session() -> None:
    day = [moment(MON, "100 102 98 100", "0.5" if hour == 4 else None, hour) for hour in range(6)]
    close = moment(MON, "100 104 99 103", hour=6)

    before = lived(AT_CLOSE, *day)
    after = lived(AT_CLOSE, *day, close)

    assert before.fills == []
    (fill,) = after.fills
    assert (fill.price, fill.filled_at) == (D(103), session(MON).closes_at)


@pytest.mark.parametrize(
    ("plan", "hour"), [(AT_CLOSE, 6), (EntryPlan(time_in_force=TimeInForce.OPG), 2), (AT_CLOSE, None)]
)
def test_entry_for_an_auction_that_takes_no_orders_at_the_hour_is_denied(plan: EntryPlan, hour: int | None) -> None:
    journal = lived(plan, moment(MON, "100 100 100 100", "0.5", hour))

    assert reasons(journal) == [["ORDER_NOT_TAKEN"]]
    assert journal.orders == []


def test_entry_for_an_auction_with_legs_is_denied() -> None:
    journal = lived(AT_CLOSE, moment(MON, "100 100 100 100", "0.5", 2), exits=ExitPlan(stop_loss=D("0.05")))
    assert journal.orders == []


@pytest.mark.parametrize(
    ("order_type", "offset", "time_in_force"),
    [("limit", None, "day"), ("market", D(5), "day"), ("stop", None, "day"), ("market", None, "gtc")],
)
def test_plan_that_no_entry_can_follow_is_none(order_type: str, offset: Decimal | None, time_in_force: str) -> None:
    with pytest.raises(ValueError, match="entry"):
        EntryPlan(OrderType(order_type), offset, TimeInForce(time_in_force))
