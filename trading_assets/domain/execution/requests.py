"""What one order of ours, with the legs that protect it, is as a request to a broker.

A broker wants prices where the simulation knows distances from the entry: they count from the reference price here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from trading_assets.domain.execution.broker_records import BrokerOrder, OrderRequest
from trading_assets.domain.execution.orders import Order, OrderType
from trading_assets.domain.market.order_prices import order_price


class UnsendableOrder(ValueError):
    """No request says what the orders say; the message names why."""


def priced(orders: Sequence[Order], reference_price: Decimal) -> list[Order]:
    """The entry and its legs, with the prices (raw USD) that the legs' distances make from `reference_price`."""
    return [_priced(order, reference_price) for order in orders]


def _priced(order: Order, reference_price: Decimal) -> Order:
    if order.entry_offset_pct is None:
        return order
    level = order_price(reference_price * (1 + order.entry_offset_pct / 100))
    if order.order_type is OrderType.LIMIT:
        return replace(order, limit_price=level, entry_offset_pct=None)
    return replace(order, stop_price=level, entry_offset_pct=None)


def request_of(orders: Sequence[Order]) -> OrderRequest:
    """The request that sends the first of `orders` with the others, which are its legs, priced.

    Raises UnsendableOrder for a leg that trails: a broker takes none with an entry.
    """
    entry, *legs = orders
    profit = loss = None
    for leg in legs:
        if leg.order_type is OrderType.LIMIT:
            profit = leg.limit_price
        elif leg.order_type is OrderType.STOP:
            loss = leg.stop_price
        else:
            raise UnsendableOrder(
                f"strategy {leg.strategy} has a trailing exit, which no broker takes together with an entry: "
                "use stop_loss and take_profit in trading.yaml"
            )
    return OrderRequest(
        client_order_id=entry.client_order_id,
        symbol=entry.symbol,
        side=entry.side,
        qty=entry.qty,
        order_type=entry.order_type,
        time_in_force=entry.time_in_force,
        limit_price=entry.limit_price,
        stop_price=entry.stop_price,
        trail_usd=entry.trail_usd,
        trail_pct=entry.trail_pct,
        order_class=entry.order_class,
        take_profit_price=profit,
        stop_loss_price=loss,
    )


def names_of_legs(orders: Sequence[Order], shown: BrokerOrder) -> dict[str, str]:
    """Our client id by the broker's id: of the entry, and of each leg that the broker made of it, found by its type."""
    entry, *legs = orders
    names = {shown.broker_order_id: entry.client_order_id}
    ours = {leg.order_type.value: leg.client_order_id for leg in legs}
    names.update({leg.broker_order_id: ours[leg.order_type] for leg in shown.legs if leg.order_type in ours})
    return names
