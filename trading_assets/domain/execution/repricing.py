"""When an order has rested long enough, and what price it gets then. Sending is the desk's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading_assets.domain.execution.ids import next_attempt
from trading_assets.domain.execution.orders import Order, OrderStatus, OrderType, WorkingOrder
from trading_assets.domain.market.order_prices import CENT, PRICE_STEP
from trading_assets.domain.values import Side

RESTING = frozenset({OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED})


def has_rested(working: WorkingOrder, at: datetime, patience: timedelta) -> bool:
    """Whether an order of ours, no leg, has worked since `patience` before `at` (UTC) without an end."""
    order = working.order
    return not order.is_leg and working.status in RESTING and at - order.submitted_at >= patience


def repriced(
    working: WorkingOrder,
    quote: tuple[Decimal, Decimal],
    reference_price: Decimal,
    collar: Decimal,
    at: datetime,
) -> Order | None:
    """The order that takes the place of a resting limit order at `at` (UTC): at the other side of the `quote`, bid and
    ask in raw USD, but no further than the fraction `collar` from `reference_price`. None where that is no better.
    """
    order = working.order
    if order.order_type is not OrderType.LIMIT or working.limit_price is None or working.remaining <= 0:
        return None
    bid, ask = quote
    is_buy = order.side is Side.BUY
    edge = reference_price * (1 + order.side.sign * collar)
    price = _on_grid(min(ask, edge) if is_buy else max(bid, edge), is_buy)
    if (price - working.limit_price) * order.side.sign <= 0:
        return None
    return replace(
        order,
        client_order_id=next_attempt(order.client_order_id),
        attempt=order.attempt + 1,
        qty=working.remaining,
        limit_price=price,
        submitted_at=at,
        replaces_order_id=order.client_order_id,
    )


def _on_grid(price: Decimal, is_buy: bool) -> Decimal:
    """The nearest legal price that is not beyond `price`."""
    rounding: Mapping[bool, str] = {True: ROUND_FLOOR, False: ROUND_CEILING}
    return price.quantize(CENT if price >= 1 else PRICE_STEP, rounding[is_buy])
