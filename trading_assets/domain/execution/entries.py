"""How the orders of a strategy that open or enlarge a position are sent. Those that close are market orders of the day.

What executes such an order in a bar is the business of `fill_model`, when to enter that of the strategy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from trading_assets.domain.execution.orders import AUCTION_TIMES, Order, OrderType, TimeInForce
from trading_assets.domain.market.order_prices import limit_beyond

_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
_TIMES = AUCTION_TIMES | {TimeInForce.DAY}


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """A market order, or a limit `limit_offset_bps` beyond the close that was decided on: above it to buy, below it to
    sell, the other way round when negative. Raises ValueError for anything else."""

    order_type: OrderType = OrderType.MARKET
    limit_offset_bps: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        if self.order_type not in _TYPES or self.time_in_force not in _TIMES:
            raise ValueError(f"an entry is a market or limit order for day, opg or cls, no {self}")
        if (self.order_type is OrderType.LIMIT) != (self.limit_offset_bps is not None):
            raise ValueError("a limit entry, and nothing else, has limit_offset_bps")


FOR_THE_DAY = EntryPlan()


def planned(order: Order, plan: EntryPlan, reference_price: Decimal | None) -> Order:
    """`order` as the plan has it; `reference_price` is the close that was decided on, raw USD.

    Raises ValueError for a limit entry without one.
    """
    limit = None
    if plan.limit_offset_bps is not None:
        if reference_price is None:
            raise ValueError(f"order {order.client_order_id}: a limit entry needs the close that was decided on")
        limit = limit_beyond(reference_price, order.side, plan.limit_offset_bps)
    return replace(order, order_type=plan.order_type, time_in_force=plan.time_in_force, limit_price=limit)
