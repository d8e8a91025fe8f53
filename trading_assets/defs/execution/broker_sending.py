"""Sends the approvals of one account at a real broker, one by one: step four, and the order of the steps around it.

Each order is written down, with a second look, in a transaction of its own before it leaves. The steps after that
belong in adapters/order_submission.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from trading_assets.adapters.broker_booking import take_records
from trading_assets.adapters.broker_link import Heard, hear, link_of
from trading_assets.adapters.order_submission import LOOK_AGAIN_S
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.broker_orders import live_legs, record_submission
from trading_assets.adapters.postgres.reconciliations import is_reconciling
from trading_assets.adapters.postgres.trading_states import begin_submission
from trading_assets.defs.execution.controls import watch_orders
from trading_assets.domain import simulation
from trading_assets.domain.execution.broker_records import OrderRequest
from trading_assets.domain.execution.orders import Order, OrderStatus, WorkingOrder
from trading_assets.domain.execution.requests import UnsendableOrder, priced, request_of
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import newest_session
from trading_assets.domain.risk.intents import OPENING
from trading_assets.domain.risk.trading_states import states_of
from trading_assets.domain.risk.verdicts import Verdict

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.ledger import AccountRecord
    from trading_assets.defs.execution.broker_desk import BrokerDesk

LOOKS_AT_LEGS = 10
LEGS_PAUSE_S = 0.5


class Sending:
    """One writer's round over the approvals of an account. `written` counts rows by table, `refused` are lines."""

    def __init__(self, desk: BrokerDesk, record: AccountRecord, token: int) -> None:
        self.desk, self.record, self.token = desk, record, token
        self.submission = desk.submission(record)
        self.written: Counter[str] = Counter()
        self.refused: list[str] = []

    def send_all(self) -> None:
        """Find out about older orders before anything else may trade; then send what waits, and find out about that."""
        self.submission.settle(())
        self.desk.agree(self.record)
        for verdict in self._waiting():
            self._send(verdict)
        if unknown := self.submission.settle(LOOK_AGAIN_S):
            names = ", ".join(one.order.symbol for one in unknown)
            self.desk.tell(f"orders of unknown fate in {names}: nothing is sent there until the broker has said it")

    def _waiting(self) -> list[Verdict]:
        with self.desk.database.transaction() as connection:
            return [verdict for verdict, _ in reviews.unsent_approvals(connection, self.record.account_id)]

    def _send(self, verdict: Verdict) -> None:
        heard = hear(self.desk.broker, self.desk.clock, [verdict.intent.symbol])
        reason = heard.refusal
        if reason is None and verdict.intent.purpose not in OPENING:
            reason = self._end_legs(verdict)
        request = None
        if reason is None:
            request, send_by, reason = self._write_down(verdict.intent.intent_id, heard)
        if request is not None:
            self.desk.tell(f"{request.client_order_id}: step 4, written down")
            self.submission.send(request.client_order_id, send_by, partial(self.desk.broker.submit, request))
        elif reason is not None:
            self.refused.append(f"{verdict.intent.side} {verdict.intent.symbol} {verdict.intent.intent_id}: {reason}")

    def _write_down(self, intent_id: str, heard: Heard) -> tuple[OrderRequest | None, datetime, str | None]:
        """Step four, in one transaction: look again, use the approval, write down the order that is about to leave.

        Returns the request and until when it may leave, else the reason why nothing is to be sent; neither when the
        approval was used meanwhile.
        """
        desk, account_id = replace(self.desk, now=self.desk.clock.now()), self.record.account_id
        send_by, answer_by = self.submission.deadlines()
        with desk.database.transaction() as connection:
            ledger.lock_ledger(connection)
            if is_reconciling(connection, account_id):
                return None, send_by, "the account is being compared with the broker's records"
            unsent = {one.intent.intent_id: (one, use) for one, use in reviews.unsent_approvals(connection, account_id)}
            account = ledger.load_account(connection, account_id, desk.now)
            if intent_id not in unsent or account is None:
                return None, send_by, None
            verdict, approval = unsent[intent_id]
            account.link = link_of(connection, account_id, heard)
            journal, rules = Journal(), desk.rules(connection)
            declared = states_of(begin_submission(connection), account_id)
            watch_orders(connection, account, rules, desk.now, journal)
            simulation.take_notice(account, desk.now, declared, rules)
            if reason := desk.refusal(connection, self.record, account, verdict, approval):
                desk.write(connection, account_id, journal)
                return None, send_by, reason
            orders = simulation.orders_for(verdict, approval.qty, desk.now, rules)
            try:
                orders = orders if verdict.reference_price is None else priced(orders, verdict.reference_price)
                request = request_of(orders)
            except UnsendableOrder as unsendable:
                return None, send_by, str(unsendable)
            sent = submitting(orders, desk.now)
            journal.orders, journal.order_events = sent.orders, sent.order_events
            self.written += Counter(desk.write(connection, account_id, journal).written)
            # The time to leave begins when everything that could wait has waited.
            send_by, answer_by = self.submission.deadlines()
            record_submission(connection, request, self.token, send_by, answer_by)
        return request, send_by, None

    def _end_legs(self, verdict: Verdict) -> str | None:
        """A broker sells no share that a protective leg keeps: end the legs first. The reason when they do not end."""
        intent, account_id = verdict.intent, self.record.account_id
        for look in range(LOOKS_AT_LEGS):
            with self.desk.database.transaction() as connection:
                legs = live_legs(connection, account_id, intent.strategy, intent.symbol)
            if not legs:
                return None
            for broker_order_id in legs if look == 0 else ():
                self.desk.broker.cancel(broker_order_id)
            take_records(self.desk.database, self.desk.broker, account_id, self.desk.clock.now())
            self.desk.sleep(LEGS_PAUSE_S if look else 0)
        return "its protective legs are not cancelled yet"


def submitting(orders: Sequence[Order], at: datetime) -> Journal:
    """The record of orders that are about to leave, at `at` (UTC)."""
    moves = [WorkingOrder.approved(one).move(OrderStatus.SUBMITTING, at, newest_session(at)) for one in orders]
    return Journal(orders=list(orders), order_events=moves)
