"""The Broker port over a venue in memory: for rehearsals, and as the measure that other brokers are held to.

What the venue does with orders belongs in domain/execution/venue.py. Backtests and backfills need no broker: their time
loop works orders by the same matching.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from trading_assets.adapters.errors import NotFound
from trading_assets.domain.execution.broker_records import (
    Acknowledgement,
    ActivityRecord,
    BrokerAccount,
    BrokerClock,
    BrokerOrder,
    BrokerPosition,
    Hint,
    OrderRequest,
    OrderUpdate,
    Replacement,
    StreamOpened,
)
from trading_assets.domain.execution.orders import TERMINAL, OrderStatus
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.market.broker_calendar import BrokerSession
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.quotes import Quote
from trading_assets.domain.market.sessions import NEW_YORK, is_session, newest_session, next_session, session

DAY = timedelta(days=1)
LISTENING_S = 0.1


@dataclass
class SimulatedBroker:
    """Broker over `venue`, whose time somebody else moves. `known_actions` are all corporate actions there are.

    `key_venue` is the broker that it stands for in a rehearsal.
    """

    venue: Venue
    known_actions: Sequence[CorporateAction] = ()
    key_venue: str = "simulated"
    name = "simulated"
    _queues: list[queue.SimpleQueue[OrderUpdate]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.venue.listeners.append(self._pass_on)

    def account(self) -> BrokerAccount:
        return self.venue.account()

    def clock(self) -> BrokerClock:
        return clock_at(self.venue.now)

    def calendar(self, first: date, last: date) -> list[BrokerSession]:
        return calendar_of(first, last)

    def assets(self, symbols: Sequence[str]) -> list[Instrument]:
        return [self.venue.instruments[symbol] for symbol in symbols if symbol in self.venue.instruments]

    def submit(self, request: OrderRequest) -> Acknowledgement:
        try:
            return Acknowledgement(OrderStatus.ACKED, self.venue.submit(request))
        except Refusal as refusal:
            return _refused(refusal)

    def replace(self, broker_order_id: str, replacement: Replacement) -> Acknowledgement:
        try:
            return Acknowledgement(OrderStatus.ACKED, self.venue.replace(broker_order_id, replacement))
        except Refusal as refusal:
            return _refused(refusal)

    def cancel(self, broker_order_id: str) -> BrokerOrder:
        try:
            return self.venue.cancel(broker_order_id)
        except Refusal:
            return self.order(broker_order_id)

    def order(self, broker_order_id: str) -> BrokerOrder:
        try:
            return self.venue.order(broker_order_id)
        except Refusal as refusal:
            raise NotFound(refusal.message) from refusal

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        try:
            return self.venue.order_by_client_id(client_order_id)
        except Refusal as refusal:
            raise NotFound(refusal.message) from refusal

    def open_orders(self) -> list[BrokerOrder]:
        return [order for order in self.venue.orders() if order.status not in TERMINAL]

    def orders_since(self, after: datetime) -> list[BrokerOrder]:
        return [order for order in self.venue.orders() if order.submitted_at is None or order.submitted_at > after]

    def positions(self) -> list[BrokerPosition]:
        return self.venue.positions()

    def activities_since(self, after: datetime) -> list[ActivityRecord]:
        return [record for at, record in self.venue.activities() if at > after]

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        wanted = set(symbols)
        return [one for one in self.known_actions if one.symbol in wanted and first <= one.ex_date <= last]

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Its market has one price, which is bid and ask."""
        prices = self.venue.ledger.last_prices
        return [
            Quote(symbol, self.venue.now, float(prices[symbol]), 0.0, float(prices[symbol]), 0.0)
            for symbol in sorted(symbols)
            if symbol in prices
        ]

    def suspend_trade(self, is_suspended: bool) -> None:
        self.venue.is_suspended = is_suspended

    def order_updates(self, stopping: threading.Event) -> Iterator[Hint]:
        """Updates from the first `next` on; they are in memory, so none is lost."""
        heard: queue.SimpleQueue[OrderUpdate] = queue.SimpleQueue()
        self._queues.append(heard)
        try:
            yield StreamOpened(1)
            while not stopping.is_set():
                with contextlib.suppress(queue.Empty):
                    yield heard.get(timeout=LISTENING_S)
        finally:
            self._queues.remove(heard)

    def _pass_on(self, update: OrderUpdate) -> None:
        for heard in self._queues:
            heard.put(update)


def clock_at(now: datetime) -> BrokerClock:
    """The exchange calendar's word on the moment `now` (UTC)."""
    today = now.astimezone(NEW_YORK).date()
    trading = session(newest_session(now))
    is_open = trading.opens_at <= now < trading.closes_at
    is_ahead = is_session(today) and now < session(today).opens_at
    following = session(today if is_ahead else next_session(today))
    closing = trading.closes_at if is_open else following.closes_at
    return BrokerClock(now, is_open, following.opens_at, closing)


def calendar_of(first: date, last: date) -> list[BrokerSession]:
    """The exchange calendar as a broker gives it."""
    days = [first + number * DAY for number in range((last - first).days + 1)]
    return [
        BrokerSession(day, session(day).opens_at, session(day).closes_at)
        if is_session(day)
        else BrokerSession(day, None, None)
        for day in days
    ]


def _refused(refusal: Refusal) -> Acknowledgement:
    """As from a broker: a client id that was used before says that an order exists, not that this one was refused."""
    status = OrderStatus.SUBMIT_UNKNOWN if refusal.kind is RefusalKind.DUPLICATE else OrderStatus.REJECTED
    return Acknowledgement(status, code=refusal.kind, message=refusal.message)
