"""Runs an account at a real broker: what is decided here is sent once, and what the broker recorded is booked.

The phases are those of the simulated account (trading_desk.py), over the same functions; sending and finding out what
became of an order belong in adapters/order_submission.py, booking in adapters/broker_booking.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from trading_assets.adapters.broker_booking import take_records
from trading_assets.adapters.broker_link import hear, link_of
from trading_assets.adapters.broker_opening import opened_account
from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.order_submission import OrderSubmission, Tell, silent
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.broker_orders import (
    AnotherWriter,
    sole_writer,
    unresolved_submissions,
)
from trading_assets.adapters.postgres.reconciliations import Trigger, newest_agreement
from trading_assets.adapters.reconciling import Reconciler
from trading_assets.defs.execution.broker_managing import Managing
from trading_assets.defs.execution.broker_sending import Sending
from trading_assets.defs.execution.controls import watch_orders, with_breaker_events
from trading_assets.defs.execution.desk import Desk, Outcomes
from trading_assets.domain import simulation
from trading_assets.domain.execution.ledger import fold, replay_key
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import session

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.ports import Broker, Clock

BEFORE_ANY = datetime.min.replace(tzinfo=UTC)


class _Lived(NamedTuple):
    """The account at `desk.now`, what it lived through on the way, and the newest moment of the session, if any."""

    account: simulation.Account
    journal: Journal
    newest: simulation.Moment | None


@dataclass(frozen=True, slots=True)
class BrokerDesk(Desk):
    """One account at `broker`. `clock` is the graph's, `wall` the one that deadlines are kept by.

    `tell` gets a line for each step of an order. Every method asks the broker: raises AdapterError when it does not
    answer.
    """

    rereads_the_past = True

    broker: Broker
    clock: Clock
    run_id: str
    tell: Tell = silent
    wall: Clock = field(default_factory=WallClock)
    sleep: Callable[[float], None] = time.sleep

    def replay(self, first: date, last: date) -> Outcomes:
        """Read the broker's records of the sessions first..last again, and book what is missing. Nothing is decided or
        sent, whatever the range: an order belongs to the moment in which it was wanted."""
        record = self._opened()
        begin = max(session(first).opens_at, session(record.inception_session).opens_at)
        if session(last).closes_at < begin:
            return Outcomes(record.account_id, Counter())
        taken = take_records(self.database, self.broker, record.account_id, self.now, begin)
        return Outcomes(record.account_id, Counter(taken.written))

    def take_fills(self, day: date) -> Outcomes:
        """Book what the broker recorded, settle what is of unknown fate, see to what rests, and live up to now."""
        record = self._opened()
        with self.database.transaction() as connection:
            is_unresolved = bool(unresolved_submissions(connection, record.account_id))
        if is_unresolved:
            # Whoever sends meanwhile settles what is left when it ends.
            with suppress(AnotherWriter), sole_writer(self.database, record.account_id, self.run_id):
                self.submission(record).settle(())
        written = Counter(take_records(self.database, self.broker, record.account_id, self.now).written)
        if Managing(self, record).manage():
            written += Counter(take_records(self.database, self.broker, record.account_id, self.clock.now()).written)
        marks = self._marks_of_others()
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            lived = self._lived(connection, record, day, marks)
            watch_orders(connection, lived.account, self.rules(connection), self.now, lived.journal)
            outcomes = self.write(connection, record.account_id, lived.journal)
        return replace(outcomes, written=written + Counter(outcomes.written))

    def decide(self, day: date) -> Outcomes:
        """Decide once, at the newest closed bar of session `day`; a moment that was decided on stays as it was."""
        record = self._opened()
        self.agree(record)
        return replace(self, now=self.clock.now())._decide(record, day)

    def _decide(self, record: ledger.AccountRecord, day: date) -> Outcomes:
        written = Counter(take_records(self.database, self.broker, record.account_id, self.now).written)
        heard, marks = hear(self.broker, self.clock, self.settings.universe), self._marks_of_others()
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            account, journal, newest = self._lived(connection, record, day, marks)
            account.link = link_of(connection, record.account_id, heard)
            decision = self.decision(account, self.rules(connection), newest, day)
            if decision and not reviews.was_decided(connection, record.account_id, decision.at):
                self.review(connection, account, decision, journal)
            outcomes = self.write(connection, record.account_id, journal)
        return replace(outcomes, written=written + Counter(outcomes.written))

    def submit(self, day: date) -> Outcomes:  # noqa: ARG002  the phase of a session
        """Send every approval that is neither used nor expired, and nobody else meanwhile. See broker_sending.py."""
        record = self._opened()
        with sole_writer(self.database, record.account_id, self.run_id) as token:
            sending = Sending(self, record, token)
            sending.send_all()
        return Outcomes(record.account_id, sending.written, sending.refused)

    # The account ------------------------------------------------------------------------------------

    def agree(self, record: ledger.AccountRecord) -> None:
        """Compare our record with the broker's, unless it was lately: what was not compared, the review denies."""
        now = self.clock.now()
        with self.database.transaction() as connection:
            agreed_at = newest_agreement(connection, record.account_id)
            allowed_s = self.rules(connection).limits_at(now).max_reconciliation_age_s
        if agreed_at is None or now - agreed_at > timedelta(seconds=allowed_s) / 2:
            account_id, trigger = record.account_id, Trigger.DEMAND if agreed_at else Trigger.START
            Reconciler(self.database, self.broker, account_id, self.clock, self.wall, self.sleep).compare(trigger)

    def submission(self, record: ledger.AccountRecord) -> OrderSubmission:
        """What sends this account's orders and finds out what became of them."""
        return OrderSubmission(
            self.database, self.broker, record.account_id, self.clock, self.wall, self.sleep, self.tell
        )

    def _opened(self) -> ledger.AccountRecord:
        return opened_account(self.database, self.settings, self.broker, self.now)

    def _lived(
        self, connection: psycopg.Connection, record: ledger.AccountRecord, day: date, marks: Mapping[str, Decimal]
    ) -> _Lived:
        """Live through the bar closes since the last one; then count what was booked after the newest of them."""
        account, since = self._account_before(connection, record)
        news = ledger.records_after(connection, record.account_id, since, self.now)
        dealings, journal, rules = simulation.RecordedDealings(news), Journal(), self.rules(connection)
        moments = self.moments(connection, record.account_id, record.session_date or record.inception_session, day)
        due = [one for one in moments if one.at > since or (account.as_of is None and one.at == since)]
        account.book.mark(marks)
        for moment in with_breaker_events(connection, record.account_id, due):
            simulation.advance(account, moment, rules, journal, dealings)
        if due and not due[-1].closes_session:
            journal.positions.extend(simulation.position_snapshots(account))
        dealings.count_rest(account)
        account.working = ledger.working_orders(connection, record.account_id, self.now)
        newest = moments[-1] if moments and moments[-1].session.date == day else None
        return _Lived(account, journal, newest)

    def _account_before(
        self, connection: psycopg.Connection, record: ledger.AccountRecord
    ) -> tuple[simulation.Account, datetime]:
        """The account at the last bar close that it lived through, else as it was opened; and when that was."""
        if record.advanced_to is not None:
            account = ledger.load_account(connection, record.account_id, record.advanced_to)
            assert account is not None  # noqa: S101  it has lived through that bar close
            return account, record.advanced_to
        records = ledger.records_after(connection, record.account_id, BEFORE_ANY, self.now)
        opened_at = min(map(replay_key, records))[0]
        book = fold(record.account_id, [one for one in records if replay_key(one)[0] == opened_at])
        book.high_water_mark = book.equity
        return simulation.Account(book=book, broker=record.broker), opened_at

    def _marks_of_others(self) -> dict[str, Decimal]:
        """Prices of what is held and not in the universe, whose bars nobody collects, by the broker's own word."""
        known = set(self.settings.universe)
        return {
            one.symbol: one.current_price
            for one in self.broker.positions()
            if one.symbol not in known and one.current_price is not None
        }
