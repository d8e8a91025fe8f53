"""Sends an order once and finds out what became of it: steps five to eight of the submit protocol.

Steps one to four are decided and committed before, by the broker's desk; the ninth is the outbox. Nothing here is tried
again: a request leaves once, and what its answer leaves open is looked up until the broker has said it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.broker_booking import Follower
from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.errors import AdapterError, NotFound
from trading_assets.adapters.postgres.broker_orders import (
    Submission,
    record_answer,
    record_lookup,
    unresolved_submissions,
)
from trading_assets.domain.execution.broker_records import Acknowledgement, BrokerOrder
from trading_assets.domain.execution.orders import OrderStatus

if TYPE_CHECKING:
    from trading_assets.adapters.ports import Broker, Clock
    from trading_assets.adapters.postgres.database import Database

SEND_WITHIN = timedelta(seconds=1)
"""How long after it was written down a request may leave; a halt that is committed later is obeyed by then."""
ANSWER_WITHIN = timedelta(seconds=16)
"""How long after that an answer can still come: longer than every timeout of a broker's adapter."""
ABSENT_FOR = timedelta(seconds=10)
LOOK_AGAIN_S = (1, 2, 5, 10, 20)
LOOK_BACK = timedelta(minutes=1)

Tell = Callable[[str], None]


def silent(_line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class OrderSubmission:
    """One account's requests. `clock` is the graph's, which events carry; deadlines and waits are the wall's.

    `tell` gets a line for each step of each order. For use by the account's sole writer only.
    """

    database: Database
    broker: Broker
    account_id: str
    clock: Clock
    wall: Clock = field(default_factory=WallClock)
    sleep: Callable[[float], None] = time.sleep
    tell: Tell = silent

    def deadlines(self) -> tuple[datetime, datetime]:
        """Until when a request that is written down now may leave, and may be answered."""
        send_by = self.wall.now() + SEND_WITHIN
        return send_by, send_by + ANSWER_WITHIN

    def send(self, name: str, send_by: datetime, post: Callable[[], Acknowledgement]) -> None:
        """Send an order that is written down already by `post`; write down the answer, and what it proves."""
        if self.wall.now() >= send_by:
            self.tell(f"{name}: not sent, its time to leave was over at {send_by:%H:%M:%S}")
            return
        try:
            answer = post()
        except AdapterError as error:
            answer = Acknowledgement(OrderStatus.SUBMIT_UNKNOWN, message=f"nothing was sent: {error}")
        self.tell(f"{name}: step 5, sent")
        with self.database.transaction() as connection:
            record_answer(connection, name, answer, self.wall.now())
        self.tell(f"{name}: step 6, answer recorded: {answer.status} {answer.message}".rstrip())
        self._classify(name, answer)
        self.tell(f"{name}: step 7, {answer.status}")

    def settle(self, waits_s: Sequence[float] = LOOK_AGAIN_S) -> list[Submission]:
        """Find out what became of every request of unknown fate; returns those that stay unknown.

        A request without an answer whose time to leave is over counts as unknown, and is never sent again. Between one
        look and the next it waits as `waits_s` says; what is left then is settled by the next call.
        """
        self._give_up_unanswered()
        for wait in (*waits_s, None):
            pending = self._unresolved()
            for one in pending:
                self._look_up(one)
            if not pending or wait is None or not (pending := self._unresolved()):
                break
            self.sleep(wait)
        return self._unresolved()

    def _give_up_unanswered(self) -> None:
        for one in self._unresolved():
            if one.status is not OrderStatus.SUBMITTING:
                continue
            if one.answer is None:
                self.sleep(max(0.0, (one.send_by - self.wall.now()).total_seconds()))
            answer = one.answer or Acknowledgement(OrderStatus.SUBMIT_UNKNOWN, message="nobody heard an answer")
            self._classify(one.order.client_order_id, answer)
            self.tell(f"{one.order.client_order_id}: step 7 after an interruption, {answer.status}")

    def _classify(self, name: str, answer: Acknowledgement) -> None:
        with self._follower() as follower:
            if answer.order is not None:
                follower.name(name, answer.order)
            # An accepted order whose name at the broker was lost with the answer is looked up like one of unknown fate.
            is_nameless = answer.status is OrderStatus.ACKED and answer.order is None
            status = OrderStatus.SUBMIT_UNKNOWN if is_nameless else answer.status
            follower.move_submitted(name, status, answer.message or answer.code)

    def _look_up(self, one: Submission) -> None:
        name, at = one.order.client_order_id, self.wall.now()
        try:
            shown = self._find(one)
        except NotFound as absent:
            with self.database.transaction() as connection:
                record_lookup(connection, name, at, "not_found", str(absent))
            self.tell(f"{name}: step 8, the broker has no such order")
            if _never_arrived(one, at):
                with self._follower() as follower:
                    follower.move_submitted(name, OrderStatus.NEVER_ARRIVED, "the broker twice had no such order")
                self.tell(f"{name}: step 8, never arrived")
            return
        except AdapterError as error:
            with self.database.transaction() as connection:
                record_lookup(connection, name, at, "unclear", str(error))
            self.tell(f"{name}: step 8, unclear: {error}")
            return
        with self.database.transaction() as connection:
            record_lookup(connection, name, at, "found", shown.broker_status)
        with self._follower() as follower:
            follower.name(name, shown)
            follower.follow(shown)
        self.tell(f"{name}: step 8, found as {shown.broker_status}")

    def _find(self, one: Submission) -> BrokerOrder:
        """The order at the broker. Raises NotFound when neither its id nor the list of orders shows it."""
        name = one.order.client_order_id
        try:
            return self.broker.order_by_client_id(name)
        except NotFound:
            listed = self.broker.orders_since(one.order.submitted_at - LOOK_BACK)
            found = next((shown for shown in listed if shown.client_order_id == name), None)
            if found is None:
                raise
            return self.broker.order(found.broker_order_id)

    def _unresolved(self) -> list[Submission]:
        with self.database.transaction() as connection:
            return unresolved_submissions(connection, self.account_id)

    def _follower(self) -> Follower:
        return Follower(self.database, self.account_id, self.clock.now())


def _never_arrived(one: Submission, now: datetime) -> bool:
    """Whether it was absent at `now` and at least ABSENT_FOR before, both when no answer could come any more."""
    return any(at > one.answer_by and now - at >= ABSENT_FOR for at in one.absent_at)
