"""The venue under any sequence of orders, bars, cancels, replacements and busts: its records always add up."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.broker_rehearsals import CASH, TUESDAY, bar, new_venue

from trading_assets.domain.execution.broker_records import BrokerFill, OrderRequest, OrderUpdate, Replacement
from trading_assets.domain.execution.orders import OrderClass, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.values import ZERO, Side

BEGINS = ["12:30", "13:30", "14:30", "15:30"]
prices = st.integers(95, 106).map(Decimal)
MOSTLY_RESTING = [TimeInForce.DAY, TimeInForce.GTC] * 3 + list(TimeInForce)
MOSTLY_SIMPLE = [OrderClass.SIMPLE] * 4 + list(OrderClass)
requests = st.builds(
    OrderRequest,
    client_order_id=st.integers(0, 10**6).map(lambda number: f"order-{number}"),
    symbol=st.sampled_from(["AAA", "BBB"]),
    side=st.sampled_from(Side),
    qty=st.integers(1, 400).map(Decimal),
    order_type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(MOSTLY_RESTING),
    limit_price=prices,
    stop_price=prices,
    trail_usd=st.just(Decimal(2)),
    order_class=st.sampled_from(MOSTLY_SIMPLE),
    take_profit_price=prices,
    stop_loss_price=prices,
).map(lambda request: _sensible(request))
steps = st.lists(
    st.one_of(
        requests,
        requests,
        st.tuples(st.just("bar"), st.tuples(prices, prices, prices, prices)),
        st.tuples(st.sampled_from(["cancel", "replace", "bust", "reject"]), st.integers(0, 20)),
        st.tuples(st.just("bar"), st.tuples(prices, prices, prices, prices)),
    ),
    min_size=3,
    max_size=30,
)


def _sensible(request: OrderRequest) -> OrderRequest:
    """Without the prices that its type and class cannot have: what is left is refused for better reasons, if at all."""
    kind, group = request.order_type, request.order_class
    if group is OrderClass.OCO:
        kind = OrderType.LIMIT
    above, below = max(prices_of(request)) + 1, min(prices_of(request))
    closes_by_selling = (request.side is Side.SELL) is (group is OrderClass.OCO)
    profit, loss = (above, below) if closes_by_selling else (below, above)
    limit = profit if group is OrderClass.OCO else request.limit_price
    return replace(
        request,
        order_type=kind,
        limit_price=limit if kind in {OrderType.LIMIT, OrderType.STOP_LIMIT} else None,
        stop_price=request.stop_price if kind in {OrderType.STOP, OrderType.STOP_LIMIT} else None,
        trail_usd=request.trail_usd if kind is OrderType.TRAILING_STOP else None,
        take_profit_price=profit if group in {OrderClass.BRACKET, OrderClass.OTO} else None,
        stop_loss_price=loss if group in {OrderClass.BRACKET, OrderClass.OCO} else None,
    )


def prices_of(request: OrderRequest) -> list[Decimal]:
    return [price for price in (request.take_profit_price, request.stop_loss_price) if price is not None]


def live_through(plan: list[object]) -> tuple[Venue, list[OrderUpdate]]:
    venue, heard = new_venue(), list[OrderUpdate]()
    venue.listeners.append(heard.append)
    begins = iter([(day, begin) for day in (None, TUESDAY) for begin in BEGINS])
    for step in plan:
        with contextlib.suppress(Refusal):
            match step:
                case OrderRequest():
                    venue.submit(step)
                case ("bar", ends):
                    day, begin = next(begins, (None, None))
                    if begin is not None:
                        low, first, last, high = sorted(ends)
                        values = {"low": low, "open": first, "close": last, "high": high, "volume": 20_000}
                        on = {} if day is None else {"day": day}
                        venue.trade(bar(begin, **on, **values), bar(begin, symbol="BBB", **on, **values))
                case (act, number):
                    _do(venue, act, number)
    return venue, heard


def _do(venue: Venue, act: str, number: int) -> None:
    orders = venue.orders()
    fills = [record for _, record in venue.activities() if isinstance(record, BrokerFill) and record.kind == "fill"]
    if act == "bust" and fills:
        venue.bust(fills[number % len(fills)].execution_id)
    elif orders:
        chosen = orders[number % len(orders)]
        if act == "cancel":
            venue.cancel(chosen.broker_order_id)
        elif act == "replace":
            venue.replace(chosen.broker_order_id, Replacement(f"replacement-{len(orders)}", qty=Decimal(number + 1)))
        elif chosen.status in {OrderStatus.WORKING, OrderStatus.ACKED}:
            venue.reject(chosen.broker_order_id, "refused by the exchange")


@settings(max_examples=60)
@given(steps)
def test_records_of_any_sequence_add_up(plan: list[object]) -> None:
    venue, heard = live_through(plan)
    executed: dict[str, Decimal] = {}
    busted = {one.previous_execution_id for _, one in venue.activities() if isinstance(one, BrokerFill)}
    cash, shares = CASH, dict.fromkeys(("AAA", "BBB"), ZERO)
    for _, fill in venue.activities():
        assert isinstance(fill, BrokerFill)
        if fill.kind == "fill" and fill.execution_id not in busted:
            signed = fill.qty * fill.side.sign
            executed[fill.broker_order_id] = executed.get(fill.broker_order_id, ZERO) + fill.qty
            cash -= signed * fill.price
            shares[fill.symbol] += signed

    assert venue.account().cash_usd == cash
    assert {one.symbol: one.qty for one in venue.positions()} == {name: qty for name, qty in shares.items() if qty}
    for order in venue.orders():
        assert order.filled_qty == executed.get(order.broker_order_id, ZERO)
        assert order.filled_qty <= order.qty
    assert len({update.execution_id for update in heard if update.execution_id}) == len(venue.activities())


@settings(max_examples=25)
@given(steps)
def test_same_sequence_gives_the_same_records(plan: list[object]) -> None:
    first, second = live_through(plan), live_through(plan)

    assert first[1] == second[1]
    assert first[0].orders() == second[0].orders()
    assert first[0].activities() == second[0].activities()


def test_time_does_not_go_back() -> None:
    venue = new_venue()

    with pytest.raises(ValueError, match="is over"):
        venue.advance(venue.now - timedelta(seconds=1))


def test_execution_that_is_not_there_cannot_be_undone() -> None:
    with pytest.raises(Refusal) as refused:
        new_venue().bust("5ca0a5f6-0000-4000-8000-000000000000")

    assert refused.value.kind is RefusalKind.NOT_FOUND


def test_last_bar_of_a_session_ends_its_day_orders_after_what_it_executes() -> None:
    venue = new_venue()
    venue.submit(OrderRequest("day", "AAA", Side.BUY, Decimal(100)))
    venue.trade(bar("15:30", volume=1000))

    assert [(order.status, order.filled_qty) for order in venue.orders()] == [(OrderStatus.EXPIRED, Decimal(25))]
