"""A broker whose answers say something else than its records: what a divergence from the ledger is made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.ports import Broker
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerAccount, BrokerOrder, BrokerPosition
from trading_assets.domain.execution.orders import TERMINAL

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def unchanged(answer: Any) -> Any:
    return answer


@dataclass
class SpoiledBroker:
    """`broker`, each of whose answers is passed through one of the functions; orders are the same wherever asked."""

    broker: Broker
    orders: Callable[[list[BrokerOrder]], Sequence[BrokerOrder]] = unchanged
    records: Callable[[list[ActivityRecord]], Sequence[ActivityRecord]] = unchanged
    held: Callable[[list[BrokerPosition]], Sequence[BrokerPosition]] = unchanged
    told: Callable[[BrokerAccount], BrokerAccount] = unchanged

    def account(self) -> BrokerAccount:
        return self.told(self.broker.account())

    def positions(self) -> list[BrokerPosition]:
        return list(self.held(self.broker.positions()))

    def activities_since(self, after: datetime) -> list[ActivityRecord]:
        return list(self.records(self.broker.activities_since(after)))

    def open_orders(self) -> list[BrokerOrder]:
        return [one for one in self._all() if one.status not in TERMINAL]

    def orders_since(self, after: datetime) -> list[BrokerOrder]:
        return [one for one in self._all() if one.submitted_at is None or one.submitted_at > after]

    def order(self, broker_order_id: str) -> BrokerOrder:
        return self._one("broker_order_id", broker_order_id)

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        return self._one("client_order_id", client_order_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.broker, name)

    def _all(self) -> list[BrokerOrder]:
        return list(self.orders(self.broker.orders_since(LONG_AGO)))

    def _one(self, key: str, value: str) -> BrokerOrder:
        found = [one for one in self._all() if getattr(one, key) == value]
        if not found:
            raise NotFound(f"order not found for {value}")
        return found[0]


def changing(key: str, value: str, **changes: Any) -> Callable[[Collection[Any]], list[Any]]:
    """Changes those of a list whose `key` is `value`; leaves them out when nothing is said of how."""

    def spoil(answers: Collection[Any]) -> list[Any]:
        rest = [one for one in answers if getattr(one, key, None) != value]
        chosen = [one for one in answers if getattr(one, key, None) == value]
        return [*rest, *(replace(one, **changes) for one in chosen)] if changes else rest

    return spoil


def adding(*more: Any) -> Callable[[Collection[Any]], list[Any]]:
    return lambda answers: [*answers, *more]
