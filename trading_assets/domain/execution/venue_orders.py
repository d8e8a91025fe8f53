"""Orders as a venue keeps them, made from what was asked for: the entry, its legs, and what replaces an order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.broker_records import BrokerOrder, OrderRequest, Replacement
from trading_assets.domain.execution.order_matrix import Placement, phase_at, placement
from trading_assets.domain.execution.orders import Order, OrderClass, OrderStatus, OrderType, WorkingOrder
from trading_assets.domain.execution.venue_ledger import WHOLE_ACCOUNT
from trading_assets.domain.execution.venue_rules import LONGEST_CLIENT_ID
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Side

_SUFFIX_LENGTH = len("-profit")


@dataclass(slots=True)
class VenueOrder:
    """One order on the venue's books."""

    working: WorkingOrder
    broker_order_id: str
    is_extended_hours: bool
    updated_at: datetime
    legs: list[VenueOrder] = field(default_factory=list)
    replaces: str | None = None
    replaced_by: str | None = None

    @property
    def order(self) -> Order:
        return self.working.order

    @property
    def status(self) -> OrderStatus:
        return self.working.status

    def is_tradable(self, at: datetime) -> bool:
        """Whether its hours are now; the matrix has the orders of a group in the same hours as simple ones."""
        placed = placement(self.order.order_type, self.order.time_in_force, phase_at(at), self.is_extended_hours)
        return placed is Placement.NOW

    def shown(self, average_price: Decimal | None, with_legs: bool = False) -> BrokerOrder:
        """The order as the broker says it, with the average price of its executions."""
        working, order = self.working, self.order
        return BrokerOrder(
            broker_order_id=self.broker_order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            status=working.status,
            broker_status=working.status.lower(),
            is_status_known=True,
            side=order.side,
            qty=working.qty,
            filled_qty=working.filled_qty,
            filled_avg_price=average_price,
            order_type=order.order_type,
            time_in_force=order.time_in_force,
            order_class=order.order_class,
            limit_price=working.limit_price,
            stop_price=working.stop_price,
            trail_usd=working.trail_usd,
            trail_pct=order.trail_pct,
            mark_price=working.mark_price,
            is_extended_hours=self.is_extended_hours,
            submitted_at=order.submitted_at,
            updated_at=self.updated_at,
            replaces=self.replaces,
            replaced_by=self.replaced_by,
            legs=tuple(leg.shown(None) for leg in self.legs) if with_legs else (),
        )


def order_of(request: OrderRequest, account_id: str, now: datetime) -> Order:
    """The order that was asked for, without its legs."""
    return Order(
        client_order_id=request.client_order_id,
        intent_id=request.client_order_id,
        attempt=1,
        account_id=account_id,
        strategy=WHOLE_ACCOUNT,
        strategy_version="",
        symbol=request.symbol,
        side=request.side,
        qty=request.qty,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        submitted_at=now,
        session_date=now.astimezone(NEW_YORK).date(),
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        order_class=request.order_class,
        group_id=None if request.order_class is OrderClass.SIMPLE else request.client_order_id,
        trail_usd=request.trail_usd,
        trail_pct=request.trail_pct,
    )


def legs_of(request: OrderRequest, entry: Order) -> list[Order]:
    """The exits: they wait for the entry of a bracket or oto, and stand beside the limit order of an oco group."""
    is_oco = request.order_class is OrderClass.OCO
    opposite = Side.SELL if request.side is Side.BUY else Side.BUY
    name = entry.client_order_id[: LONGEST_CLIENT_ID - _SUFFIX_LENGTH]

    def leg(suffix: str, kind: OrderType, limit_price: Decimal | None, stop_price: Decimal | None) -> Order:
        return replace(
            entry,
            client_order_id=f"{name}-{suffix}",
            side=request.side if is_oco else opposite,
            parent_order_id=None if is_oco else entry.client_order_id,
            order_type=kind,
            limit_price=limit_price,
            stop_price=stop_price,
            trail_usd=None,
            trail_pct=None,
        )

    legs = []
    if request.take_profit_price is not None:
        legs.append(leg("profit", OrderType.LIMIT, request.take_profit_price, None))
    if request.stop_loss_price is not None:
        limit = request.stop_loss_limit_price
        kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
        legs.append(leg("loss", kind, limit, request.stop_loss_price))
    return legs


def replacement_of(old: WorkingOrder, wanted: Replacement, now: datetime) -> Order:
    """The order that takes the place of `old`: what is not asked for stays, and the quantity is what remained."""
    order, trail = old.order, wanted.trail
    in_usd = order.trail_usd is not None
    return replace(
        order,
        client_order_id=wanted.client_order_id,
        submitted_at=now,
        session_date=now.astimezone(NEW_YORK).date(),
        qty=old.remaining if wanted.qty is None else wanted.qty,
        limit_price=old.limit_price if wanted.limit_price is None else wanted.limit_price,
        stop_price=order.stop_price if wanted.stop_price is None else wanted.stop_price,
        time_in_force=wanted.time_in_force or order.time_in_force,
        trail_usd=trail if trail is not None and in_usd else old.trail_usd,
        trail_pct=trail if trail is not None and not in_usd else order.trail_pct,
    )
