"""The orders on a venue's books: which are open, which belong together, and what they may still cost or close.

What becomes of them is decided in `venue`.
"""

from __future__ import annotations

from decimal import Decimal

from trading_assets.domain.execution.broker_records import BrokerOrder
from trading_assets.domain.execution.orders import Order, OrderStatus, WorkingOrder
from trading_assets.domain.execution.venue_ledger import VenueLedger
from trading_assets.domain.execution.venue_orders import VenueOrder
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind, opening_value
from trading_assets.domain.values import ZERO, Side


class VenueBook:
    """All orders that one account ever had, by submission."""

    def __init__(self, ledger: VenueLedger) -> None:
        self.ledger = ledger
        self._orders: dict[str, VenueOrder] = {}

    def enter(self, order: Order, is_extended_hours: bool = False) -> VenueOrder:
        """Put an order on the books, on its way to being accepted."""
        working = WorkingOrder.approved(order)
        working.move(OrderStatus.SUBMITTING, order.submitted_at, order.session_date)
        name = self.ledger.new_id("order", len(self._orders))
        self._orders[name] = VenueOrder(working, name, is_extended_hours, order.submitted_at)
        return self._orders[name]

    def all(self) -> list[VenueOrder]:
        return list(self._orders.values())

    def open(self, symbol: str | None = None, with_held: bool = False) -> list[VenueOrder]:
        """The orders, of one symbol or all, that are not over; those that wait for another one only if asked for."""
        return [
            one
            for one in self._orders.values()
            if not one.working.is_terminal
            and symbol in {None, one.order.symbol}
            and (with_held or one.status is not OrderStatus.HELD)
        ]

    def find(self, broker_order_id: str) -> VenueOrder:
        """Raises Refusal."""
        if broker_order_id not in self._orders:
            raise Refusal(RefusalKind.NOT_FOUND, f"order not found for {broker_order_id}")
        return self._orders[broker_order_id]

    def find_by_client_id(self, client_order_id: str) -> VenueOrder:
        """Raises Refusal."""
        for one in self._orders.values():
            if one.order.client_order_id == client_order_id:
                return one
        raise Refusal(RefusalKind.NOT_FOUND, f"order not found for {client_order_id}")

    def check_client_id(self, client_order_id: str) -> None:
        """Raises Refusal for an id that was used before."""
        if any(client_order_id == one.order.client_order_id for one in self._orders.values()):
            raise Refusal(RefusalKind.DUPLICATE, "client_order_id must be unique")

    def siblings(self, one: VenueOrder) -> list[VenueOrder]:
        """The other orders of a group whose members exclude each other."""
        return [
            other
            for other in self._orders.values()
            if one.order.group_id is not None
            and other is not one
            and other.order.group_id == one.order.group_id
            and other.order.parent_order_id == one.order.parent_order_id
        ]

    def committed(self, symbol: str, side: Side, without: VenueOrder | None = None) -> Decimal:
        """Shares that open orders on a side may close; of a group, whose orders exclude each other, one."""
        by_group: dict[str, Decimal] = {}
        for one in self.open(symbol):
            if one.order.side is side and one is not without:
                group = one.order.group_id or one.broker_order_id
                by_group[group] = max(by_group.get(group, ZERO), one.working.remaining)
        if without is not None and without.order.group_id in by_group:
            del by_group[without.order.group_id]
        return sum(by_group.values(), ZERO)

    def cost(self, side: Side, symbol: str, qty: Decimal, limit_price: Decimal | None) -> Decimal:
        """USD that an order for `qty` shares may take from the buying power."""
        return opening_value(side, qty, self.ledger.held(symbol), limit_price, self.ledger.last_prices.get(symbol))

    def cost_of(self, one: VenueOrder) -> Decimal:
        """What is left to pay for an order."""
        return self.cost(one.order.side, one.order.symbol, one.working.remaining, one.working.limit_price)

    @property
    def buying_power_usd(self) -> Decimal:
        """What may be spent without credit, after what open orders may cost."""
        open_cost = sum((self.cost_of(one) for one in self.open()), ZERO)
        return self.ledger.equity_usd - self.ledger.gross_usd - open_cost

    def shown(self, one: VenueOrder, with_legs: bool = False) -> BrokerOrder:
        """The order as the broker says it."""
        _, average_price = self.ledger.executed(one.order.client_order_id)
        return one.shown(average_price, with_legs)
