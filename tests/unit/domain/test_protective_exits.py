"""Entries with protective exits on hand-made bars: what closes a position, at which price, and what the legs do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from standins.calm_market import calm_market

from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.orders import Order, OrderClass, OrderStatus, OrderType, TimeInForce, WorkingOrder
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.performance.round_trips import round_trips
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Side, Timeframe

D = Decimal
MON, TUE, WED, THU, FRI = sessions_between(date(2012, 11, 26), date(2012, 11, 30))
LIMITS = RiskLimits(
    max_order_qty=D(100_000),
    max_order_notional=D(1),
    max_position=D(1),
    max_gross_exposure=D(1),
    cash_buffer=D(0),
    stop_new_daily_loss=D("0.3"),
    stop_all_daily_loss=D("0.4"),
    stop_all_drawdown=D("0.5"),
    rebalance_band=D("0.02"),
    approval_ttl=timedelta(minutes=2),
    allow_short=False,
)
BRACKET = ExitPlan(stop_loss=D("0.05"), take_profit=D("0.10"))

IBM_TRADES = always_tradable(["IBM"])


def rules(plan: ExitPlan = BRACKET, *, allow_short: bool = False) -> Rules:
    return Rules(replace(LIMITS, allow_short=allow_short), FillModel(D(0), D(1)), {"s": plan})


def moment(
    day: date,
    opened: str,
    high: str,
    low: str,
    closed: str,
    wanted: str | None = None,
    *,
    volume: int = 10_000,
    hour: int | None = None,
    action: CorporateAction | None = None,
) -> Moment:
    """One bar of IBM; `wanted` is the weight that strategy s asks for at its close."""
    bounds = bar_bounds(day, Timeframe.SESSION)[0] if hour is None else bar_bounds(day, Timeframe.HOUR)[hour]
    one = Bar("IBM", bounds.ts, bounds.closes_at, day, D(opened), D(high), D(low), D(closed), D(volume))
    targets = [] if wanted is None else [Target("s", "1", "IBM", one.closes_at, day, D(wanted))]
    return Moment(
        one.closes_at,
        session(day),
        [one],
        [action] if action else [],
        targets,
        {"IBM": "open"},
        standings=IBM_TRADES,
        history=calm_market(("IBM",), day, day),
    )


DECIDED = moment(MON, "100", "100", "100", "100", "0.5")
ENTERED = moment(TUE, "100", "101", "99", "100")


def lived(*moments: Moment, by: Rules | None = None) -> tuple[Account, Journal]:
    account, journal = open_book("acc", D(100_000), moments[0].session)
    walk(account, moments, by or rules(), {}, (), journal)
    return account, journal


def traded(journal: Journal) -> list[tuple[Side, int, str]]:
    return [(fill.side, int(fill.qty), str(fill.price.normalize())) for fill in journal.fills]


def legs(account: Account) -> dict[OrderType, WorkingOrder]:
    return {one.order.order_type: one for one in account.working.values() if one.order.is_leg}


def ends(journal: Journal) -> dict[OrderType, OrderStatus]:
    """The last status of every leg."""
    kinds = {order.client_order_id: order.order_type for order in journal.orders if order.is_leg}
    return {kinds[one.client_order_id]: one.status for one in journal.order_events if one.client_order_id in kinds}


BUY_500 = (Side.BUY, 500, "1E+2")


def test_entry_is_a_bracket_whose_legs_are_held_until_it_fills() -> None:
    account, journal = lived(DECIDED)

    entry, stop, target = journal.orders
    assert (entry.order_class, entry.group_id, entry.parent_order_id) == (
        OrderClass.BRACKET,
        entry.client_order_id,
        None,
    )
    assert (stop.order_type, target.order_type) == (OrderType.STOP, OrderType.LIMIT)
    for leg in (stop, target):
        assert (leg.side, leg.qty, leg.time_in_force) == (Side.SELL, D(500), TimeInForce.GTC)
        assert (leg.intent_id, leg.parent_order_id) == (entry.intent_id, entry.client_order_id)
    assert {one.status for one in legs(account).values()} == {OrderStatus.HELD}

    account, _ = lived(DECIDED, ENTERED)
    working = legs(account)
    assert {one.status for one in working.values()} == {OrderStatus.WORKING}
    assert (working[OrderType.STOP].stop_price, working[OrderType.LIMIT].limit_price) == (D(95), D(110))


def test_one_exit_is_one_triggers_other() -> None:
    _, journal = lived(DECIDED, by=rules(ExitPlan(stop_loss=D("0.05"))))
    assert [order.order_class for order in journal.orders] == [OrderClass.OTO, OrderClass.OTO]


def test_strategy_without_a_plan_sends_simple_orders() -> None:
    _, journal = lived(DECIDED, by=replace(rules(), exits={"other": BRACKET}))
    (order,) = journal.orders
    assert (order.order_class, order.group_id) == (OrderClass.SIMPLE, None)


@pytest.mark.parametrize(
    ("opened", "high", "low", "price", "cancelled"),
    [
        ("99", "100", "94", "95", OrderType.LIMIT),
        ("90", "92", "88", "9E+1", OrderType.LIMIT),
        ("105", "111", "104", "1.1E+2", OrderType.STOP),
        ("112", "113", "111", "112", OrderType.STOP),
        ("100", "112", "94", "95", OrderType.LIMIT),
    ],
    ids=["stop", "gap through the stop", "target", "gap through the target", "both in one bar: stop first"],
)
def test_exit_in_the_bar_after_the_entry(opened: str, high: str, low: str, price: str, cancelled: OrderType) -> None:
    account, journal = lived(DECIDED, ENTERED, moment(WED, opened, high, low, opened))

    assert traded(journal) == [BUY_500, (Side.SELL, 500, price)]
    assert sorted(ends(journal).values()) == [OrderStatus.CANCELED, OrderStatus.FILLED]
    assert ends(journal)[cancelled] is OrderStatus.CANCELED
    assert account.working == {}
    (trip,) = round_trips([*journal.fills, *journal.activities])
    assert (trip.is_open, trip.gross_pnl_usd) == (False, 500 * (D(price) - 100))


def test_stop_is_reached_in_the_bar_whose_open_is_the_entry() -> None:
    _, journal = lived(DECIDED, moment(TUE, "100", "101", "94", "99"))
    assert traded(journal) == [BUY_500, (Side.SELL, 500, "95")]


def test_levels_count_from_the_price_of_the_entry_and_not_of_the_decision() -> None:
    account, _ = lived(DECIDED, moment(TUE, "90.37", "91", "90", "90"))
    assert legs(account)[OrderType.STOP].stop_price == D("85.85")
    assert legs(account)[OrderType.LIMIT].limit_price == D("99.41")


def test_entry_filled_in_part_has_legs_for_that_part_and_its_stop_ends_the_rest() -> None:
    account, journal = lived(DECIDED, moment(TUE, "100", "101", "99", "100", volume=300, hour=0))
    assert [one.remaining for one in legs(account).values()] == [300, 300]

    walk(account, [moment(TUE, "102", "103", "101", "102", volume=100, hour=1)], rules(), {}, (), journal)
    # 300 at 100 and 100 at 102 cost 100.50 on average: the stop is 5 % below, to the cent.
    assert [one.remaining for one in legs(account).values()] == [400, 400]
    assert legs(account)[OrderType.STOP].stop_price == D("95.48")

    walk(account, [moment(TUE, "95", "96", "94", "95", volume=1_000, hour=2)], rules(), {}, (), journal)
    assert traded(journal)[2:] == [(Side.SELL, 400, "95")]
    assert account.working == {}
    assert account.book.quantity_of("IBM") == 0


def test_entry_that_expires_after_a_part_leaves_its_legs_good_till_cancelled() -> None:
    account, journal = lived(
        DECIDED,
        moment(TUE, "100", "101", "99", "100", volume=300),
        moment(WED, "100", "101", "99", "100"),
        moment(THU, "96", "97", "94", "95"),
    )
    assert traded(journal) == [(Side.BUY, 300, "1E+2"), (Side.SELL, 300, "95")]
    assert account.working == {}


def test_entry_without_any_execution_takes_its_legs_along() -> None:
    account, journal = lived(DECIDED, moment(TUE, "100", "100", "100", "100", volume=0))
    assert set(ends(journal).values()) == {OrderStatus.CANCELED}
    assert account.working == {}


def test_trailing_stop_follows_the_highs_of_earlier_bars() -> None:
    by = rules(ExitPlan(trailing_stop=D("0.08")))
    account, journal = lived(
        DECIDED,
        moment(TUE, "100", "105", "99", "104"),
        moment(WED, "104", "120", "97", "118"),
        by=by,
    )
    assert [mark.mark_price for mark in journal.trail_marks] == [105, 120]
    assert legs(account)[OrderType.TRAILING_STOP].stop_price == D("110.40")

    walk(account, [moment(THU, "115", "130", "110", "111")], by, {}, (), journal)
    assert traded(journal)[1:] == [(Side.SELL, 500, "110.4")]


def test_target_that_reduces_takes_the_shares_from_the_legs_first() -> None:
    account, journal = lived(DECIDED, moment(TUE, "100", "101", "99", "100", "0.2"))
    assert [one.remaining for one in legs(account).values()] == [200, 200]

    walk(account, [moment(WED, "100", "101", "94", "100")], rules(), {}, (), journal)
    assert traded(journal) == [BUY_500, (Side.SELL, 300, "1E+2"), (Side.SELL, 200, "95")]


def test_target_that_closes_holds_the_legs_and_cancels_them_when_nothing_is_left() -> None:
    account, journal = lived(DECIDED, moment(TUE, "100", "101", "99", "100", "0"))
    assert {one.status for one in legs(account).values()} == {OrderStatus.HELD}

    walk(account, [moment(WED, "96", "97", "90", "95")], rules(), {}, (), journal)
    assert traded(journal) == [BUY_500, (Side.SELL, 500, "96")]
    assert set(ends(journal).values()) == {OrderStatus.CANCELED}
    assert account.working == {}


def test_legs_protect_again_what_a_closing_order_could_not_sell() -> None:
    account, journal = lived(
        DECIDED,
        moment(TUE, "100", "101", "99", "100", "0"),
        moment(WED, "100", "101", "94", "100", volume=120),
    )
    assert account.book.quantity_of("IBM") == 380
    assert {(one.status, int(one.remaining)) for one in legs(account).values()} == {(OrderStatus.WORKING, 380)}

    walk(account, [moment(THU, "100", "101", "94", "100")], rules(), {}, (), journal)
    assert traded(journal)[2:] == [(Side.SELL, 380, "95")]


def test_shares_that_leave_are_taken_from_the_oldest_entry() -> None:
    account, journal = lived(
        moment(MON, "100", "100", "100", "100", "0.3"),
        moment(TUE, "100", "101", "99", "100", "0.5"),
        moment(WED, "100", "101", "99", "100", "0.1"),
    )
    first, second = (order.client_order_id for order in journal.orders if order.side is Side.BUY)
    left = {
        one.order.parent_order_id: one for one in account.working.values() if one.order.order_type is OrderType.STOP
    }
    assert left[first].status is OrderStatus.HELD
    assert (left[second].status, left[second].remaining) == (OrderStatus.WORKING, 100)

    walk(account, [moment(THU, "100", "101", "99", "100")], rules(), {}, (), journal)
    assert {one.order.parent_order_id for one in account.working.values()} == {second}


def test_legs_leave_the_review_of_other_orders_as_it_is() -> None:
    _, plain = lived(DECIDED, moment(TUE, "100", "101", "99", "100", "0.7"), by=replace(rules(), exits={}))
    _, protected = lived(DECIDED, moment(TUE, "100", "101", "99", "100", "0.7"))
    assert protected.verdicts == plain.verdicts


def test_short_entry_is_bought_back_above_its_price() -> None:
    short = moment(MON, "100", "100", "100", "100", "-0.4")
    account, journal = lived(short, ENTERED, moment(WED, "100", "106", "99", "104"), by=rules(allow_short=True))
    assert traded(journal) == [(Side.SELL, 400, "1E+2"), (Side.BUY, 400, "105")]
    assert account.working == {}


def test_split_scales_the_levels_and_the_shares_of_the_legs() -> None:
    split = CorporateAction("IBM", WED, ActionKind.SPLIT, split_ratio=D(4))
    by = rules(ExitPlan(D("0.05"), D("0.10"), D("0.08")))
    account, journal = lived(DECIDED, ENTERED, moment(WED, "25", "25", "24.9", "25", action=split), by=by)
    working = legs(account)
    assert {int(one.remaining) for one in working.values()} == {2_000}
    assert working[OrderType.STOP].stop_price == D("23.75")
    assert working[OrderType.LIMIT].limit_price == D("27.50")
    assert (working[OrderType.TRAILING_STOP].mark_price, working[OrderType.TRAILING_STOP].stop_price) == (
        D("25.25"),
        D("23.23"),
    )

    walk(account, [moment(THU, "24", "24", "23", "23")], by, {}, (), journal)
    assert traded(journal)[1:] == [(Side.SELL, 2_000, "23.75")]


def test_delisting_cancels_the_legs() -> None:
    gone = CorporateAction("IBM", WED, ActionKind.DELISTING, amount_usd=D(80), reason="acquired")
    account, journal = lived(DECIDED, ENTERED, moment(WED, "80", "80", "80", "80", action=gone))
    assert set(ends(journal).values()) == {OrderStatus.CANCELED}
    assert account.working == {}
    assert traded(journal) == [BUY_500]


@pytest.mark.parametrize("plan", [{}, {"stop_loss": D(1)}, {"take_profit": D(0)}, {"trailing_stop": D("-0.1")}])
def test_plan_that_protects_nothing_is_refused(plan: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match=r"exit plan needs one of|it must be a fraction above 0 and below 1"):
        ExitPlan(**plan)


def test_every_order_of_a_bracket_has_an_id_of_its_own() -> None:
    _, journal = lived(DECIDED, by=rules(ExitPlan(D("0.05"), D("0.10"), D("0.08"))))
    orders: list[Order] = journal.orders
    assert len({order.client_order_id for order in orders}) == len(orders) == 4
