"""What a broker says of an account at one time: everything that the comparison with our ledger needs, read to the end.

Nothing is judged or stored here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import NotFound
from trading_assets.domain.execution.broker_records import BrokerOrder, flattened
from trading_assets.domain.execution.orders import TERMINAL
from trading_assets.domain.execution.reconciliation import BrokerView

if TYPE_CHECKING:
    from trading_assets.adapters.ports import Broker

TRIES = 3
"""How often everything is read again because something was recorded meanwhile."""
_MOMENT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """What to ask for. All times UTC, by the broker's clock.

    Orders submitted after `orders_after`, and records after `records_after` or the first of the orders; `live` are our
    orders that are not over, with the broker's id where it is known; what was over when the account began, at
    `began_at`, is of no interest.
    """

    began_at: datetime
    orders_after: datetime
    records_after: datetime
    live: Mapping[str, str | None]


def read_broker(broker: Broker, scope: Scope, pending_actions: Collection[str]) -> BrokerView:
    """Everything within `scope`. Raises AdapterError when the broker does not answer, or not to the end.

    What is recorded while it is read is in some of the answers and not in others: then everything is read again.
    """
    for _ in range(TRIES):
        orders = _orders(broker, scope)
        begin = min([scope.records_after, *(one.submitted_at - _MOMENT for one in orders if one.submitted_at)])
        records = broker.activities_since(begin)
        account, positions = broker.account(), broker.positions()
        if set(broker.activities_since(begin)) == set(records):
            break
    return BrokerView(account, orders, records, positions, pending_actions)


def _orders(broker: Broker, scope: Scope) -> list[BrokerOrder]:
    found = {one.broker_order_id: one for one in (*broker.open_orders(), *broker.orders_since(scope.orders_after))}
    listed = {one.client_order_id for one in found.values()}
    for name, broker_order_id in scope.live.items():
        if name in listed or broker_order_id in found:
            continue
        for one in _asked_for(broker, name, broker_order_id):
            found[one.broker_order_id] = one
    return [one for one in found.values() if not _was_over(one, scope.began_at)]


def _asked_for(broker: Broker, client_order_id: str, broker_order_id: str | None) -> list[BrokerOrder]:
    """An order of ours that no list shows, with its legs, by both ids; none when the broker has neither."""
    try:
        found = broker.order(broker_order_id) if broker_order_id else broker.order_by_client_id(client_order_id)
    except NotFound:
        try:
            found = broker.order_by_client_id(client_order_id)
        except NotFound:
            return []
    return flattened([found])


def _was_over(order: BrokerOrder, at: datetime) -> bool:
    return order.status in TERMINAL and order.updated_at is not None and order.updated_at < at
