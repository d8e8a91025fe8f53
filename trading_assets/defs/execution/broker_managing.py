"""What is done about orders that rest at a broker: ended where a state or their time says so, or given another price.

An order that gets another price is replaced by a new one under the same approval, by the steps of any other order.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from trading_assets.adapters.broker_link import hear
from trading_assets.adapters.order_submission import OrderSubmission
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.broker_orders import (
    broker_ids,
    record_submission,
    reference_price_of,
    sole_writer,
)
from trading_assets.adapters.postgres.reconciliations import is_reconciling
from trading_assets.adapters.postgres.trading_states import begin_submission, state_changes
from trading_assets.defs.execution.broker_sending import submitting
from trading_assets.domain import simulation
from trading_assets.domain.execution.broker_records import Replacement
from trading_assets.domain.execution.cancellations import cancelled_by
from trading_assets.domain.execution.orders import Order, WorkingOrder
from trading_assets.domain.execution.repricing import has_rested, repriced
from trading_assets.domain.risk.trading_states import StateChange, states_of

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.ledger import AccountRecord
    from trading_assets.defs.execution.broker_desk import BrokerDesk


class Managing:
    """One round over the live orders of an account at its broker."""

    def __init__(self, desk: BrokerDesk, record: AccountRecord) -> None:
        self.desk, self.record = desk, record

    def manage(self) -> bool:
        """End what has to end and replace what rests; returns whether the broker was asked for anything."""
        with self.desk.database.transaction() as connection:
            account = self._account(connection, state_changes(connection))
            names = broker_ids(connection, [] if account is None else list(account.working))
        if account is None:
            return False
        ended = {name: reason for name, reason in self._to_end(account).items() if name in names}
        for name, reason in ended.items():
            self.desk.broker.cancel(names[name])
            self.desk.tell(f"{name}: cancel asked for, {reason}")
        resting = [one for name, one in account.working.items() if name in names and name not in ended]
        return self._reprice(resting, names) or bool(ended)

    def _account(self, connection: psycopg.Connection, declared: list[StateChange]) -> simulation.Account | None:
        """The account as it is now, with what restricts it; None before its first bar close."""
        account_id, now = self.record.account_id, self.desk.now
        account = ledger.load_account(connection, account_id, now)
        if account is not None:
            simulation.take_notice(account, now, states_of(declared, account_id), self.desk.rules(connection))
        return account

    def _to_end(self, account: simulation.Account) -> dict[str, str]:
        """Why an order has to end, by client id."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), position in account.book.positions.items():
            held[symbol] += position.qty
        working = account.working.values()
        ended = {one.working.order.client_order_id: one.reason for one in cancelled_by(account.states, working, held)}
        if patience_s := self.desk.settings.broker.cancel_after_s:
            for one in working:
                if has_rested(one, self.desk.now, timedelta(seconds=patience_s)):
                    ended.setdefault(one.order.client_order_id, f"it rested for {patience_s} s")
        return ended

    def _reprice(self, resting: list[WorkingOrder], names: dict[str, str]) -> bool:
        patience_s = self.desk.settings.broker.reprice_after_s
        if patience_s is None:
            return False
        due = [one for one in resting if has_rested(one, self.desk.now, timedelta(seconds=patience_s))]
        if not due:
            return False
        desk, is_asked = self.desk, False
        with sole_writer(desk.database, self.record.account_id, desk.run_id) as token:
            submission = desk.submission(self.record)
            for one in due:
                written = self._write_down(one, submission, token)
                if written is not None:
                    order, send_by = written
                    change = Replacement(order.client_order_id, limit_price=order.limit_price)
                    post = partial(desk.broker.replace, names[one.order.client_order_id], change)
                    submission.send(order.client_order_id, send_by, post)
                    is_asked = True
            submission.settle()
        return is_asked

    def _write_down(
        self, resting: WorkingOrder, submission: OrderSubmission, token: int
    ) -> tuple[Order, datetime] | None:
        """The order with another price, written down, and until when its request may leave; None for none."""
        desk, symbol = replace(self.desk, now=self.desk.clock.now()), resting.order.symbol
        heard = hear(desk.broker, desk.clock, [symbol])
        if heard.refusal is not None or symbol not in heard.quotes:
            return None
        with desk.database.transaction() as connection:
            ledger.lock_ledger(connection)
            name, account_id = resting.order.client_order_id, self.record.account_id
            account = self._account(connection, begin_submission(connection))
            working = ledger.working_orders(connection, account_id, desk.now).get(name)
            reference = reference_price_of(connection, resting.order.intent_id)
            if is_reconciling(connection, account_id) or None in (account, working, reference):
                return None
            collar = desk.rules(connection).limits_at(desk.now).max_limit_distance
            order = repriced(working, heard.quotes[symbol], reference, collar, desk.now)
            if order is None or cancelled_by(account.states, [working], {}):
                return None
            ledger.record(connection, submitting([order], desk.now))
            send_by, answer_by = submission.deadlines()
            change = Replacement(order.client_order_id, limit_price=order.limit_price)
            record_submission(connection, change, token, send_by, answer_by)
        desk.tell(f"{order.client_order_id}: step 4, written down in the place of {name}")
        return order, send_by
