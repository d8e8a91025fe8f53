"""What every broker behind the port must do, told as cases: one account, one market, no knowledge of the broker.

It runs on the simulated broker and on Alpaca's adapter with a local Alpaca; for a broker of your own see
standins/broker_rehearsals.py. Every test begins at noon on a Monday, with cash and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from standins.broker_rehearsals import (
    ACCOUNT,
    CASH,
    DIVIDEND,
    HALF_DAY,
    HOLIDAY,
    MONDAY,
    REHEARSALS,
    TUESDAY,
    Rehearsal,
    bar,
    listening,
    new_york,
)

from trading_assets.adapters.errors import NotFound
from trading_assets.domain.execution.broker_records import (
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    OrderRequest,
    OrderUpdate,
    Replacement,
)
from trading_assets.domain.execution.order_matrix import Phase, Placement, placement
from trading_assets.domain.execution.orders import TERMINAL, OrderClass, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.values import Side

D = Decimal
S, T, F, C = OrderStatus, OrderType, TimeInForce, OrderClass
BUY, SELL = Side.BUY, Side.SELL
MIDNIGHT = new_york("00:00")
PHASES = {
    Phase.OVERNIGHT: "20:30",
    Phase.PRE_MARKET: "08:00",
    Phase.PRE_OPEN: "09:29",
    Phase.REGULAR: "12:00",
    Phase.PRE_CLOSE: "15:55",
    Phase.AFTER_HOURS: "17:00",
    Phase.EVENING: "19:30",
}


@pytest.fixture(params=REHEARSALS)
def stage(request: pytest.FixtureRequest) -> Iterator[Rehearsal]:
    with REHEARSALS[request.param]() as rehearsal:
        yield rehearsal


def wanted(name: str = "one", side: Side = BUY, qty: str = "100", **rest: object) -> OrderRequest:
    """An order for AAA; market and day unless said otherwise, prices as text."""
    symbol = str(rest.pop("symbol", "AAA"))
    # Words of an enumeration are text as well: only plain text is a price.
    values = {key: D(value) if type(value) is str else value for key, value in rest.items()}
    return OrderRequest(name, symbol, side, D(qty), **values)


def sent(stage: Rehearsal, request: OrderRequest) -> BrokerOrder:
    """The order as the broker took it."""
    acknowledged = stage.broker.submit(request)
    assert acknowledged.status is S.ACKED, acknowledged.message
    assert acknowledged.order is not None
    return acknowledged.order


def holding(stage: Rehearsal, qty: str = "100") -> None:
    """Buy shares of AAA at 100, in the hour after noon."""
    sent(stage, wanted("holding", qty=qty))
    stage.trade(bar())
    assert order(stage, "holding").status is S.FILLED


def order(stage: Rehearsal, name: str = "one") -> BrokerOrder:
    return stage.broker.order_by_client_id(name)


def fills(stage: Rehearsal) -> list[BrokerFill]:
    return [one for one in stage.broker.activities_since(MIDNIGHT) if isinstance(one, BrokerFill)]


def held(stage: Rehearsal) -> dict[str, D | None]:
    return {position.symbol: position.qty for position in stage.broker.positions()}


# The account and the market ----------------------------------------------------------------------


def test_account_that_is_new_has_its_cash_and_may_trade(stage: Rehearsal) -> None:
    account = stage.broker.account()

    assert (account.account_number, account.cash_usd, account.equity_usd) == (ACCOUNT, CASH, CASH)
    assert account.buying_power_usd == CASH
    assert account.may_trade
    assert account.faults == ()


@pytest.mark.parametrize(
    ("at", "is_open", "next_open", "next_close"),
    [
        (new_york("12:00"), True, new_york("09:30", TUESDAY), new_york("16:00")),
        (new_york("16:00"), False, new_york("09:30", TUESDAY), new_york("16:00", TUESDAY)),
        (new_york("08:00", TUESDAY), False, new_york("09:30", TUESDAY), new_york("16:00", TUESDAY)),
        (new_york("12:00", HALF_DAY), True, None, new_york("13:00", HALF_DAY)),
    ],
)
def test_clock_at_a_moment_knows_the_market(stage, at, is_open, next_open, next_close) -> None:
    stage.advance(at)
    clock = stage.broker.clock()

    assert (clock.now, clock.is_open, clock.next_close) == (at, is_open, next_close)
    assert next_open is None or clock.next_open == next_open


def test_calendar_over_a_half_day_and_a_holiday_has_every_day(stage: Rehearsal) -> None:
    days = [replace(day, response_id=None) for day in stage.broker.calendar(HALF_DAY, HOLIDAY)]

    assert [day.session_date for day in days] == [HALF_DAY, HOLIDAY]
    assert (days[0].opens_at, days[0].closes_at) == (new_york("09:30", HALF_DAY), new_york("13:00", HALF_DAY))
    assert (days[1].opens_at, days[1].closes_at) == (None, None)


def test_calendar_of_a_holiday_alone_has_no_trading(stage: Rehearsal) -> None:
    (day,) = stage.broker.calendar(HOLIDAY, HOLIDAY)

    assert (day.session_date, day.opens_at) == (HOLIDAY, None)


def test_assets_come_in_the_order_asked_for_without_the_unknown(stage: Rehearsal) -> None:
    assets = stage.broker.assets(["BBB", "NONE", "AAA"])

    assert [asset.symbol for asset in assets] == ["BBB", "AAA"]


@pytest.mark.parametrize(
    ("symbol", "tradable", "shortable", "fractionable"),
    [("AAA", True, True, True), ("BBB", True, False, False), ("CCC-B", True, True, True), ("OLD", False, False, None)],
)
def test_asset_says_what_may_be_done_with_it(stage, symbol, tradable, shortable, fractionable) -> None:
    (asset,) = stage.broker.assets([symbol])

    assert (asset.symbol, asset.is_tradable, asset.is_shortable) == (symbol, tradable, shortable)
    assert bool(asset.is_fractionable) is bool(fractionable)


def test_corporate_actions_are_those_with_an_ex_date_in_the_range(stage: Rehearsal) -> None:
    assert stage.broker.corporate_actions(["AAA"], MONDAY, HALF_DAY) == [DIVIDEND]
    assert stage.broker.corporate_actions(["AAA"], HALF_DAY, HOLIDAY) == []


# Orders that are taken ---------------------------------------------------------------------------

TAKEN = {
    "market": wanted(),
    "market gtc": wanted(time_in_force=F.GTC),
    "market ioc": wanted(time_in_force=F.IOC),
    "market fok": wanted(time_in_force=F.FOK),
    "market for the close": wanted(time_in_force=F.CLS),
    "limit": wanted(order_type=T.LIMIT, limit_price="99.50"),
    "limit gtc": wanted(order_type=T.LIMIT, limit_price="99.50", time_in_force=F.GTC),
    "limit below a dollar": wanted(order_type=T.LIMIT, limit_price="0.1234"),
    "limit for the close": wanted(order_type=T.LIMIT, limit_price="99.50", time_in_force=F.CLS),
    "limit in extended hours": wanted(order_type=T.LIMIT, limit_price="99.50", is_extended_hours=True),
    "stop": wanted(order_type=T.STOP, stop_price="105"),
    "stop limit": wanted(order_type=T.STOP_LIMIT, stop_price="105", limit_price="106"),
    "trailing by dollars": wanted(order_type=T.TRAILING_STOP, trail_usd="1.50"),
    "trailing by percent": wanted(order_type=T.TRAILING_STOP, trail_pct="2.5", time_in_force=F.GTC),
    "part of a share": wanted(qty="0.5"),
    "class of shares": wanted(symbol="CCC-B"),
    "short sale": wanted(side=SELL),
    "longest client id": wanted("x" * 48),
}


@pytest.mark.parametrize("name", TAKEN)
def test_order_that_is_legal_is_taken_as_it_was_asked_for(stage: Rehearsal, name: str) -> None:
    request = TAKEN[name]
    sent(stage, request)
    taken = order(stage, request.client_order_id)

    assert (taken.client_order_id, taken.symbol, taken.side, taken.qty) == (
        request.client_order_id,
        request.symbol,
        request.side,
        request.qty,
    )
    assert (taken.order_type, taken.time_in_force) == (request.order_type, request.time_in_force)
    assert (taken.limit_price, taken.stop_price) == (request.limit_price, request.stop_price)
    assert (taken.trail_usd, taken.trail_pct) == (request.trail_usd, request.trail_pct)
    assert taken.is_extended_hours is request.is_extended_hours
    assert taken.submitted_at == new_york("12:00")
    assert (taken.filled_qty, taken.filled_avg_price) == (0, None)
    assert taken.is_status_known
    assert taken.faults == ()


def test_bracket_that_is_taken_shows_its_waiting_legs(stage: Rehearsal) -> None:
    taken = sent(stage, wanted(order_class=C.BRACKET, take_profit_price="110", stop_loss_price="90"))

    assert taken.order_class == C.BRACKET
    assert {(leg.order_type, leg.limit_price, leg.stop_price) for leg in taken.legs} == {
        (T.LIMIT, D(110), None),
        (T.STOP, None, D(90)),
    }
    assert {leg.status for leg in taken.legs} == {S.HELD}
    assert {leg.side for leg in taken.legs} == {SELL}


@pytest.mark.parametrize("exits", [{"take_profit_price": "110"}, {"stop_loss_price": "90"}])
def test_one_triggers_other_that_is_taken_has_one_leg(stage: Rehearsal, exits: dict[str, str]) -> None:
    taken = sent(stage, wanted(order_class=C.OTO, **exits))

    assert [leg.status for leg in taken.legs] == [S.HELD]


def test_one_cancels_other_that_is_taken_works_on_both_sides(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted(side=SELL, order_type=T.LIMIT, limit_price="110", order_class=C.OCO, stop_loss_price="90"))

    working = [one for one in stage.broker.open_orders() if one.status is S.WORKING]
    assert {(one.limit_price, one.stop_price) for one in working} == {(D(110), None), (None, D(90))}


# Orders that are refused -------------------------------------------------------------------------

REFUSED = {
    "no quantity": wanted(qty="0"),
    "negative quantity": wanted(qty="-5"),
    "limit without its price": wanted(order_type=T.LIMIT),
    "market with a price": wanted(limit_price="99"),
    "stop without its price": wanted(order_type=T.STOP),
    "stop limit with one price": wanted(order_type=T.STOP_LIMIT, stop_price="105"),
    "trailing without a distance": wanted(order_type=T.TRAILING_STOP),
    "trailing with two distances": wanted(order_type=T.TRAILING_STOP, trail_usd="1", trail_pct="1"),
    "part of a cent": wanted(order_type=T.LIMIT, limit_price="99.505"),
    "unknown symbol": wanted(symbol="NONE"),
    "symbol that is not traded": wanted(symbol="OLD"),
    "more than the cash": wanted(order_type=T.LIMIT, limit_price="100", qty="1001"),
    "short sale of what cannot be borrowed": wanted(side=SELL, symbol="BBB"),
    "part of a share that has none": wanted(symbol="BBB", qty="0.5"),
    "part of a share till cancelled": wanted(qty="0.5", time_in_force=F.GTC),
    "market in extended hours": wanted(is_extended_hours=True),
    "for an opening that is over": wanted(time_in_force=F.OPG),
    "stop for the close": wanted(order_type=T.STOP, stop_price="105", time_in_force=F.IOC),
    "bracket with one exit": wanted(order_class=C.BRACKET, take_profit_price="110"),
    "bracket with its exits swapped": wanted(order_class=C.BRACKET, take_profit_price="90", stop_loss_price="110"),
    "bracket at once": wanted(
        order_class=C.BRACKET, take_profit_price="110", stop_loss_price="90", time_in_force=F.IOC
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_order_that_is_not_legal_is_refused_and_leaves_nothing(stage: Rehearsal, name: str) -> None:
    acknowledged = stage.broker.submit(REFUSED[name])

    assert acknowledged.status is S.REJECTED
    assert acknowledged.code
    assert acknowledged.message
    with pytest.raises(NotFound):
        order(stage)
    assert stage.broker.open_orders() == []


def test_client_id_that_was_used_proves_nothing_and_sends_nothing(stage: Rehearsal) -> None:
    first = sent(stage, wanted())
    acknowledged = stage.broker.submit(wanted(qty="7"))

    assert acknowledged.status is S.SUBMIT_UNKNOWN
    assert order(stage).broker_order_id == first.broker_order_id
    assert [one.qty for one in stage.broker.open_orders()] == [100]


def test_sale_of_more_than_is_held_is_refused(stage: Rehearsal) -> None:
    holding(stage)

    assert stage.broker.submit(wanted(side=SELL, qty="101")).status is S.REJECTED


def test_sale_of_what_another_order_sells_is_refused(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted("first", SELL, "60", order_type=T.LIMIT, limit_price="110"))

    assert stage.broker.submit(wanted(side=SELL, qty="41")).status is S.REJECTED
    assert stage.broker.submit(wanted(side=SELL, qty="40")).status is S.ACKED


@pytest.mark.parametrize(("limit", "status"), [("110", S.REJECTED), ("110.01", S.REJECTED), ("109.99", S.ACKED)])
def test_limit_that_meets_an_own_one_is_refused(stage: Rehearsal, limit: str, status: OrderStatus) -> None:
    holding(stage)
    sent(stage, wanted("sale", SELL, order_type=T.LIMIT, limit_price="110"))

    assert stage.broker.submit(wanted(qty="1", order_type=T.LIMIT, limit_price=limit)).status is status


def test_market_order_against_an_own_order_is_refused(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted("sale", SELL, order_type=T.LIMIT, limit_price="110"))

    assert stage.broker.submit(wanted()).status is S.REJECTED


def test_cash_that_open_orders_may_cost_is_not_spent_twice(stage: Rehearsal) -> None:
    sent(stage, wanted("first", order_type=T.LIMIT, limit_price="99", qty="600"))

    assert stage.broker.account().buying_power_usd == CASH - 59_400
    assert stage.broker.submit(wanted(order_type=T.LIMIT, limit_price="99", qty="600")).status is S.REJECTED


def test_suspended_account_refuses_orders_until_it_trades_again(stage: Rehearsal) -> None:
    stage.broker.suspend_trade(True)

    assert not stage.broker.account().may_trade
    assert stage.broker.submit(wanted()).status is S.REJECTED
    stage.broker.suspend_trade(False)
    assert stage.broker.account().may_trade
    assert stage.broker.submit(wanted()).status is S.ACKED


@pytest.mark.parametrize("phase", Phase)
def test_every_cell_of_the_matrix_has_the_broker_s_verdict(stage: Rehearsal, phase: Phase) -> None:
    day = TUESDAY if new_york(PHASES[phase]) < new_york("12:00") else MONDAY
    stage.advance(new_york(PHASES[phase], day))
    prices = {
        T.MARKET: {},
        T.LIMIT: {"limit_price": "50"},
        T.STOP: {"stop_price": "150"},
        T.STOP_LIMIT: {"stop_price": "150", "limit_price": "151"},
        T.TRAILING_STOP: {"trail_usd": "1"},
    }
    statuses = {Placement.NOW: S.WORKING, Placement.LATER: S.ACKED}
    for number, (kind, good_for, extended) in enumerate(product(T, F, (False, True))):
        request = wanted(
            f"cell-{number}",
            qty="1",
            order_type=kind,
            time_in_force=good_for,
            is_extended_hours=extended,
            **prices[kind],
        )
        acknowledged = stage.broker.submit(request)
        ours = placement(kind, good_for, phase, extended)
        found = acknowledged.order and acknowledged.order.status
        assert (acknowledged.status, found) == (
            (S.REJECTED, None) if ours is Placement.REFUSED else (S.ACKED, statuses[ours])
        ), (kind, good_for, extended)


@pytest.mark.parametrize("order_class", [C.BRACKET, C.OTO, C.OCO])
def test_groups_have_the_broker_s_verdict_in_every_time_in_force(stage: Rehearsal, order_class: OrderClass) -> None:
    holding(stage)
    entry = wanted(qty="1", order_type=T.LIMIT, limit_price="95", take_profit_price="110", stop_loss_price="90")
    asked = {
        C.BRACKET: entry,
        C.OTO: replace(entry, take_profit_price=None),
        C.OCO: replace(entry, side=SELL, limit_price=D(110), take_profit_price=None),
    }[order_class]
    for number, (good_for, extended) in enumerate(product(F, (False, True))):
        request = replace(
            asked,
            client_order_id=f"cell-{number}",
            order_class=order_class,
            time_in_force=good_for,
            is_extended_hours=extended,
        )
        ours = placement(T.LIMIT, good_for, Phase.REGULAR, extended, order_class)
        expected = S.REJECTED if ours is Placement.REFUSED else S.ACKED
        assert stage.broker.submit(request).status is expected, (good_for, extended)


# What bars execute -------------------------------------------------------------------------------

EXECUTED = {
    "market at the open": (wanted(), "100", "100"),
    "market beyond the volume": (wanted(qty="900", symbol="BBB"), "250", "10"),
    "limit above the open": (wanted(order_type=T.LIMIT, limit_price="101"), "100", "100"),
    "limit inside": (wanted(order_type=T.LIMIT, limit_price="98.01"), "100", "98.01"),
    "stop inside": (wanted(order_type=T.STOP, stop_price="102"), "100", "102"),
    "stop above which it opens": (wanted(order_type=T.STOP, stop_price="99"), "100", "100"),
    "stop limit": (wanted(order_type=T.STOP_LIMIT, stop_price="102", limit_price="102.50"), "100", "102"),
    "at once": (wanted(order_type=T.LIMIT, limit_price="100.50", time_in_force=F.IOC), "100", "100"),
    "all or nothing": (wanted(time_in_force=F.FOK), "100", "100"),
    "short sale": (wanted(side=SELL), "100", "100"),
}


@pytest.mark.parametrize("name", EXECUTED)
def test_order_that_a_bar_executes_is_on_every_record(stage: Rehearsal, name: str) -> None:
    request, qty, price = EXECUTED[name]
    sent(stage, request)
    stage.trade(bar(), bar(symbol="BBB", open=10, high=10, low=10, close=10, volume=10_000))

    executed = order(stage)
    assert (executed.filled_qty, executed.filled_avg_price) == (D(qty), D(price))
    assert executed.status is (S.FILLED if executed.filled_qty == request.qty else S.PARTIALLY_FILLED)
    (fill,) = fills(stage)
    assert (fill.kind, fill.broker_order_id, fill.symbol) == ("fill", executed.broker_order_id, request.symbol)
    assert (fill.side, fill.qty, fill.price) == (request.side, D(qty), D(price))
    assert (fill.cum_qty, fill.leaves_qty) == (D(qty), request.qty - D(qty))
    assert held(stage) == {request.symbol: D(qty) * request.side.sign}
    cash = stage.broker.account().cash_usd
    assert cash == CASH - request.side.sign * D(qty) * D(price)


WAITING = {
    "limit that is only touched": wanted(order_type=T.LIMIT, limit_price="98"),
    "stop that is not reached": wanted(order_type=T.STOP, stop_price="103.01"),
    "for the close": wanted(time_in_force=F.CLS),
}


@pytest.mark.parametrize("name", WAITING)
def test_order_that_a_bar_does_not_execute_waits(stage: Rehearsal, name: str) -> None:
    sent(stage, WAITING[name])
    stage.trade(bar())

    assert order(stage).status in {S.ACKED, S.WORKING}
    assert fills(stage) == []
    assert held(stage) == {}


@pytest.mark.parametrize(
    "request_",
    [
        wanted(qty="900", symbol="BBB", time_in_force=F.FOK),
        wanted(order_type=T.LIMIT, limit_price="90", time_in_force=F.IOC),
    ],
)
def test_immediate_order_that_cannot_execute_is_cancelled(stage: Rehearsal, request_: OrderRequest) -> None:
    sent(stage, request_)
    stage.trade(bar(), bar(symbol="BBB", open=10, high=10, low=10, close=10, volume=10_000))

    assert order(stage).status is S.CANCELED
    assert fills(stage) == []


def test_immediate_order_that_executes_in_part_is_cancelled_for_the_rest(stage: Rehearsal) -> None:
    sent(stage, wanted(qty="900", symbol="BBB", time_in_force=F.IOC))
    stage.trade(bar(symbol="BBB", open=10, high=10, low=10, close=10, volume=10_000))

    assert (order(stage).status, order(stage).filled_qty) == (S.CANCELED, 250)


def test_order_larger_than_the_volume_executes_bar_by_bar(stage: Rehearsal) -> None:
    sent(stage, wanted(qty="600", symbol="BBB"))
    for begins in ("12:30", "13:30", "14:30"):
        stage.trade(bar(begins, symbol="BBB", open=10, high=11, low=9, close=10, volume=10_000))

    assert [fill.qty for fill in fills(stage)] == [250, 250, 100]
    assert [fill.cum_qty for fill in fills(stage)] == [250, 500, 600]
    assert len({fill.execution_id for fill in fills(stage)}) == 3
    assert order(stage).status is S.FILLED


def test_order_for_the_open_executes_in_the_auction(stage: Rehearsal) -> None:
    stage.advance(new_york("19:30"))
    sent(stage, wanted(time_in_force=F.OPG))
    stage.trade(bar("09:30", TUESDAY, open=97))

    assert (order(stage).status, order(stage).filled_avg_price) == (S.FILLED, 97)


def test_order_for_the_close_executes_in_the_auction(stage: Rehearsal) -> None:
    sent(stage, wanted(time_in_force=F.CLS))
    stage.trade(bar("15:30", close=102))

    assert (order(stage).status, order(stage).filled_avg_price) == (S.FILLED, 102)


def test_order_in_extended_hours_executes_after_the_close(stage: Rehearsal) -> None:
    sent(stage, wanted("regular", order_type=T.LIMIT, limit_price="101", time_in_force=F.GTC))
    sent(stage, wanted("extended", order_type=T.LIMIT, limit_price="101", is_extended_hours=True))
    stage.advance(new_york("16:00"))
    stage.trade(bar("17:00"))

    assert order(stage, "extended").status is S.FILLED
    assert order(stage, "regular").status is S.WORKING


def test_halted_symbol_executes_nothing_until_it_trades_again(stage: Rehearsal) -> None:
    sent(stage, wanted())
    stage.halt("AAA")
    stage.trade(bar())
    assert (order(stage).status, fills(stage)) == (S.WORKING, [])

    stage.halt("AAA", is_halted=False)
    stage.trade(bar("13:30"))
    assert order(stage).status is S.FILLED


def test_trailing_stop_follows_the_price_and_never_back(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted(side=SELL, order_type=T.TRAILING_STOP, trail_usd="5", time_in_force=F.GTC))
    stage.trade(bar("13:30", open=101, high=108, low=101, close=107))
    assert (order(stage).mark_price, order(stage).stop_price) == (108, 103)

    stage.trade(bar("14:30", open=106, high=106, low=102, close=102))
    assert (order(stage).status, order(stage).filled_avg_price) == (S.FILLED, 103)


def test_position_that_is_sold_is_gone(stage: Rehearsal) -> None:
    holding(stage)
    (position,) = stage.broker.positions()
    assert (position.qty, position.avg_entry_price, position.current_price) == (100, 100, 101)

    sent(stage, wanted(side=SELL))
    stage.trade(bar("13:30", open=104, high=105, low=103, close=104))
    assert held(stage) == {}
    assert stage.broker.account().equity_usd == CASH + 400


# Groups ------------------------------------------------------------------------------------------


def bracket(stage: Rehearsal) -> BrokerOrder:
    return sent(
        stage,
        wanted(order_class=C.BRACKET, take_profit_price="110", stop_loss_price="90", time_in_force=F.GTC),
    )


def test_bracket_whose_entry_executes_works_on_both_exits(stage: Rehearsal) -> None:
    bracket(stage)
    stage.trade(bar())

    assert {leg.status for leg in order(stage).legs} == {S.WORKING}
    assert {leg.qty for leg in order(stage).legs} == {100}


@pytest.mark.parametrize(
    ("prices", "filled", "cancelled"),
    [
        ({"open": 105, "high": 111, "low": 104, "close": 110}, T.LIMIT, T.STOP),
        ({"open": 95, "high": 96, "low": 89, "close": 90}, T.STOP, T.LIMIT),
        ({"open": 100, "high": 111, "low": 89, "close": 100}, T.STOP, T.LIMIT),
    ],
)
def test_bracket_whose_exit_executes_cancels_the_other(stage, prices, filled, cancelled) -> None:
    bracket(stage)
    stage.trade(bar())
    stage.trade(bar("13:30", **prices))

    statuses = {leg.order_type: leg.status for leg in order(stage).legs}
    assert statuses == {filled: S.FILLED, cancelled: S.CANCELED}
    assert held(stage) == {}


def test_bracket_whose_entry_is_cancelled_has_no_legs_left(stage: Rehearsal) -> None:
    taken = sent(
        stage,
        wanted(
            order_type=T.LIMIT, limit_price="95", order_class=C.BRACKET, take_profit_price="110", stop_loss_price="90"
        ),
    )
    stage.broker.cancel(taken.broker_order_id)

    assert {leg.status for leg in order(stage).legs} == {S.CANCELED}
    assert stage.broker.open_orders() == []


def test_one_cancels_other_that_executes_cancels_the_other(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted(side=SELL, order_type=T.LIMIT, limit_price="110", order_class=C.OCO, stop_loss_price="90"))
    stage.trade(bar("13:30", open=105, high=111, low=104, close=110))

    assert order(stage).status is S.FILLED
    assert stage.broker.open_orders() == []


# Cancelling --------------------------------------------------------------------------------------


def test_order_that_works_is_cancelled(stage: Rehearsal) -> None:
    taken = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))

    assert stage.broker.cancel(taken.broker_order_id).status is S.CANCELED
    assert stage.broker.open_orders() == []


def test_order_that_waits_for_its_hours_is_cancelled(stage: Rehearsal) -> None:
    stage.advance(new_york("17:00"))
    taken = sent(stage, wanted())

    assert stage.broker.cancel(taken.broker_order_id).status is S.CANCELED


def test_cancelling_twice_is_as_once(stage: Rehearsal) -> None:
    taken = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))
    stage.broker.cancel(taken.broker_order_id)

    assert stage.broker.cancel(taken.broker_order_id).status is S.CANCELED


def test_cancelling_what_is_filled_leaves_it_filled(stage: Rehearsal) -> None:
    holding(stage)

    assert stage.broker.cancel(order(stage, "holding").broker_order_id).status is S.FILLED


def test_cancelling_an_unknown_order_finds_none(stage: Rehearsal) -> None:
    with pytest.raises(NotFound):
        stage.broker.cancel("5ca0a5f6-0000-4000-8000-000000000000")


def test_cancel_that_stays_pending_may_lose_to_an_execution(stage: Rehearsal) -> None:
    stage.hold_cancels()
    taken = sent(stage, wanted())
    assert stage.broker.cancel(taken.broker_order_id).status is S.PENDING_CANCEL

    stage.trade(bar())
    stage.confirm_cancels()
    assert order(stage).status is S.FILLED


def test_cancel_that_stays_pending_is_open_until_it_is_confirmed(stage: Rehearsal) -> None:
    stage.hold_cancels()
    taken = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))
    stage.broker.cancel(taken.broker_order_id)
    assert [one.status for one in stage.broker.open_orders()] == [S.PENDING_CANCEL]

    stage.confirm_cancels()
    assert order(stage).status is S.CANCELED


def test_cancel_after_hours_waits_for_the_opening(stage: Rehearsal) -> None:
    taken = sent(stage, wanted(order_type=T.LIMIT, limit_price="95", time_in_force=F.GTC))
    stage.advance(new_york("17:00"))
    assert stage.broker.cancel(taken.broker_order_id).status is S.PENDING_CANCEL

    stage.advance(new_york("09:30", TUESDAY))
    assert order(stage).status is S.CANCELED


# Replacing ---------------------------------------------------------------------------------------


def test_replaced_order_and_its_successor_name_each_other(stage: Rehearsal) -> None:
    old = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))
    acknowledged = stage.broker.replace(old.broker_order_id, Replacement("two", qty=D(50), limit_price=D("96.50")))

    assert acknowledged.status is S.ACKED
    new, old = order(stage, "two"), order(stage)
    assert (new.status, new.qty, new.limit_price) == (S.WORKING, 50, D("96.50"))
    assert (new.replaces, old.replaced_by) == (old.broker_order_id, new.broker_order_id)
    assert old.status is S.REPLACED
    assert [one.client_order_id for one in stage.broker.open_orders()] == ["two"]


def test_replacement_keeps_what_it_does_not_change(stage: Rehearsal) -> None:
    old = sent(stage, wanted(order_type=T.STOP_LIMIT, stop_price="105", limit_price="106", time_in_force=F.GTC))
    stage.broker.replace(old.broker_order_id, Replacement("two", stop_price=D(104)))
    new = order(stage, "two")

    assert (new.stop_price, new.limit_price, new.qty, new.time_in_force) == (104, 106, 100, F.GTC)


def test_replacing_a_trailing_stop_changes_its_distance(stage: Rehearsal) -> None:
    old = sent(stage, wanted(order_type=T.TRAILING_STOP, trail_pct="2"))
    stage.broker.replace(old.broker_order_id, Replacement("two", trail=D("3.5")))

    assert (order(stage, "two").trail_pct, order(stage, "two").trail_usd) == (D("3.5"), None)


@pytest.mark.parametrize("circumstance", ["filled", "queued", "unknown"])
def test_replacing_what_does_not_work_is_refused(stage: Rehearsal, circumstance: str) -> None:
    holding(stage)
    broker_order_id = order(stage, "holding").broker_order_id
    if circumstance == "queued":
        stage.advance(new_york("17:00"))
        broker_order_id = sent(stage, wanted()).broker_order_id
    elif circumstance == "unknown":
        broker_order_id = "5ca0a5f6-0000-4000-8000-000000000000"

    assert stage.broker.replace(broker_order_id, Replacement("two", qty=D(5))).status is S.REJECTED
    with pytest.raises(NotFound):
        order(stage, "two")


def test_replacing_under_a_client_id_that_was_used_proves_nothing(stage: Rehearsal) -> None:
    old = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))

    assert stage.broker.replace(old.broker_order_id, Replacement("one", qty=D(5))).status is S.SUBMIT_UNKNOWN
    assert order(stage).status is S.WORKING


@pytest.mark.parametrize(
    "replacement",
    [Replacement("two", qty=D(101)), Replacement("two", qty=D(0)), Replacement("two", limit_price=D("110.005"))],
)
def test_replacement_that_would_be_no_legal_order_is_refused(stage: Rehearsal, replacement: Replacement) -> None:
    holding(stage)
    old = sent(stage, wanted(side=SELL, order_type=T.LIMIT, limit_price="110"))

    assert stage.broker.replace(old.broker_order_id, replacement).status is S.REJECTED
    assert order(stage).status is S.WORKING


def test_replacement_that_costs_more_than_there_is_leaves_the_order(stage: Rehearsal) -> None:
    old = sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))

    assert stage.broker.replace(old.broker_order_id, Replacement("two", qty=D(2000))).status is S.REJECTED
    assert order(stage).status is S.WORKING


# The end of a session ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "after_close", "at_night"),
    [
        (wanted(order_type=T.LIMIT, limit_price="95"), S.EXPIRED, S.EXPIRED),
        (wanted(order_type=T.LIMIT, limit_price="95", time_in_force=F.GTC), S.WORKING, S.WORKING),
        (wanted(order_type=T.LIMIT, limit_price="95", is_extended_hours=True), S.WORKING, S.EXPIRED),
        (wanted(time_in_force=F.CLS), S.EXPIRED, S.EXPIRED),
    ],
)
def test_order_at_the_end_of_the_session_is_good_for_as_long_as_it_said(stage, request_, after_close, at_night) -> None:
    sent(stage, request_)
    stage.advance(new_york("16:00"))
    assert order(stage).status is after_close
    stage.advance(new_york("20:00"))
    assert order(stage).status is at_night


def test_day_order_sent_after_the_close_is_good_for_the_next_session(stage: Rehearsal) -> None:
    stage.advance(new_york("17:00"))
    sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))
    assert order(stage).status is S.ACKED
    stage.advance(new_york("09:30", TUESDAY))
    assert order(stage).status is S.WORKING
    stage.advance(new_york("16:00", TUESDAY))
    assert order(stage).status is S.EXPIRED


def test_session_that_ends_early_ends_orders_early(stage: Rehearsal) -> None:
    stage.advance(new_york("12:00", HALF_DAY))
    sent(stage, wanted(order_type=T.LIMIT, limit_price="95"))
    stage.advance(new_york("13:00", HALF_DAY))

    assert order(stage).status is S.EXPIRED


# What happens later ------------------------------------------------------------------------------


def test_order_that_is_refused_after_it_was_taken_is_over(stage: Rehearsal) -> None:
    taken = sent(stage, wanted())
    stage.reject(taken.broker_order_id)

    assert stage.broker.order(taken.broker_order_id).status is S.REJECTED
    assert stage.broker.open_orders() == []


def test_execution_that_is_busted_is_taken_back_everywhere(stage: Rehearsal) -> None:
    holding(stage)
    (fill,) = fills(stage)
    stage.bust(fill.execution_id)

    first, bust = fills(stage)
    assert (first, bust.kind, bust.previous_execution_id) == (fill, "trade_bust", fill.execution_id)
    assert bust.execution_id != fill.execution_id
    assert order(stage, "holding").filled_qty == 0
    assert held(stage) == {}
    assert stage.broker.account().cash_usd == CASH


def test_execution_that_is_corrected_counts_as_corrected(stage: Rehearsal) -> None:
    holding(stage)
    (fill,) = fills(stage)
    stage.correct(fill.execution_id, D(90), D("99.50"))

    correction = fills(stage)[-1]
    assert (correction.kind, correction.previous_execution_id) == ("trade_correct", fill.execution_id)
    assert (correction.qty, correction.price) == (90, D("99.50"))
    assert (order(stage, "holding").filled_qty, held(stage)) == (90, {"AAA": D(90)})
    assert stage.broker.account().cash_usd == CASH - 8955


def test_cash_that_is_booked_is_an_activity(stage: Rehearsal) -> None:
    stage.book("DIV", D("25.00"), "CCC-B")
    stage.advance(new_york("13:00"))
    stage.book("FEE", D("-0.03"))
    activities = stage.broker.activities_since(MIDNIGHT)

    assert [(one.kind, one.amount_usd, one.symbol) for one in activities if isinstance(one, BrokerActivity)] == [
        ("DIV", 25, "CCC-B"),
        ("FEE", D("-0.03"), None),
    ]
    assert stage.broker.account().cash_usd == CASH + D("24.97")


# Asking ------------------------------------------------------------------------------------------


def test_order_is_found_by_either_id(stage: Rehearsal) -> None:
    taken = sent(stage, wanted())

    assert stage.broker.order(taken.broker_order_id) == order(stage)


@pytest.mark.parametrize("ask", ["order", "order_by_client_id"])
def test_order_that_never_was_is_not_found(stage: Rehearsal, ask: str) -> None:
    with pytest.raises(NotFound):
        getattr(stage.broker, ask)("5ca0a5f6-0000-4000-8000-000000000000")


def test_orders_since_a_moment_are_all_those_sent_later(stage: Rehearsal) -> None:
    sent(stage, wanted("first"))
    stage.trade(bar())
    sent(stage, wanted("second", order_type=T.LIMIT, limit_price="95"))
    sent(stage, wanted("third", order_type=T.LIMIT, limit_price="96"))

    everything = stage.broker.orders_since(MIDNIGHT)
    assert [one.client_order_id for one in everything] == ["first", "second", "third"]
    assert [one.client_order_id for one in stage.broker.orders_since(new_york("12:00"))] == ["second", "third"]
    assert [one.client_order_id for one in stage.broker.open_orders()] == ["second", "third"]


def test_lists_of_orders_have_the_legs_of_groups(stage: Rehearsal) -> None:
    taken = bracket(stage)
    expected = {taken.broker_order_id, *(leg.broker_order_id for leg in taken.legs)}

    assert {one.broker_order_id for one in stage.broker.open_orders()} == expected
    assert {one.broker_order_id for one in stage.broker.orders_since(MIDNIGHT)} == expected


def test_activities_since_a_moment_are_those_recorded_later(stage: Rehearsal) -> None:
    holding(stage)
    sent(stage, wanted(side=SELL))
    stage.trade(bar("13:30"))

    assert [one.side for one in fills(stage)] == [BUY, SELL]
    later = stage.broker.activities_since(new_york("13:30"))
    assert [one.side for one in later if isinstance(one, BrokerFill)] == [SELL]


def test_asking_twice_gives_the_same(stage: Rehearsal) -> None:
    holding(stage)
    bracket(stage)
    broker = stage.broker

    for ask in (broker.account, broker.positions, broker.open_orders, lambda: broker.activities_since(MIDNIGHT)):
        assert ask() == ask()


# The stream --------------------------------------------------------------------------------------


def test_stream_tells_of_an_order_s_life_and_names_its_execution(stage: Rehearsal) -> None:
    with listening(stage.broker) as listener:
        sent(stage, wanted())
        stage.trade(bar())
        heard: list[OrderUpdate] = []
        while not heard or heard[-1].event != "fill":
            heard += listener.updates(1)

    (fill,) = fills(stage)
    last = heard[-1]
    assert {update.order.client_order_id for update in heard} == {"one"}
    assert (last.execution_id, last.qty, last.price, last.position_qty) == (fill.execution_id, 100, 100, 100)
    assert (last.order.status, last.order.filled_qty) == (S.FILLED, 100)


@pytest.mark.parametrize("event", ["canceled", "rejected", "expired", "replaced", "partial_fill", "trade_bust"])
def test_stream_tells_of_what_becomes_of_an_order(stage: Rehearsal, event: str) -> None:
    holding(stage)
    (fill,) = fills(stage)
    with listening(stage.broker) as listener:
        taken = sent(stage, wanted(qty="5000", symbol="BBB", order_type=T.LIMIT, limit_price="10"))
        match event:
            case "canceled":
                stage.broker.cancel(taken.broker_order_id)
            case "rejected":
                stage.reject(taken.broker_order_id)
            case "expired":
                stage.advance(new_york("16:00"))
            case "replaced":
                stage.broker.replace(taken.broker_order_id, Replacement("two", qty=D(10)))
            case "partial_fill":
                stage.trade(bar("13:30", symbol="BBB", open=9, high=9, low=9, close=9))
            case "trade_bust":
                stage.bust(fill.execution_id)
        while (update := listener.updates(1)[0]).event != event:
            pass

    assert update.order.client_order_id == ("holding" if event == "trade_bust" else "one")
    assert update.previous_execution_id == (fill.execution_id if event == "trade_bust" else None)


def test_stream_that_is_told_to_stop_ends(stage: Rehearsal) -> None:
    with listening(stage.broker) as listener:
        pass

    assert not listener._thread.is_alive()


def test_statuses_of_the_suite_are_the_broker_s(stage: Rehearsal) -> None:
    bracket(stage)
    holding(stage)
    for shown in stage.broker.orders_since(MIDNIGHT):
        assert shown.is_status_known
        assert (shown.status in TERMINAL) == (
            shown.broker_order_id not in {one.broker_order_id for one in stage.broker.open_orders()}
        )
