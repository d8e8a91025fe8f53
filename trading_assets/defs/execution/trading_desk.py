"""Runs the account: loads it from the ledger, calls the time loop of `domain.simulation`, stores what it wrote down.

Each function is one transaction that holds the ledger's lock. Which of them a run calls belongs to the asset.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.errors import ContractBroken, LedgerConflict, NotFound
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.limits import limit_changes
from trading_assets.adapters.postgres.scenarios import store_scenario
from trading_assets.adapters.postgres.trading_states import begin_submission
from trading_assets.defs.execution.controls import watch_orders, with_breaker_events
from trading_assets.defs.execution.desk import Desk, Outcomes
from trading_assets.domain import simulation
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import (
    next_session,
    previous_session,
    session,
)
from trading_assets.domain.risk.trading_states import states_of
from trading_assets.domain.risk.verdicts import Verdict
from trading_assets.domain.what_if import WhatIf, what_if
from trading_assets.settings import SettingsError, overridden

if TYPE_CHECKING:
    import psycopg


class _Life(NamedTuple):
    """An account before some sessions, and what it lives through in them."""

    account: simulation.Account
    journal: Journal
    moments: Sequence[simulation.Moment]
    rules: simulation.Rules
    recorded: Mapping[str, Verdict]
    sent: Collection[str]


@dataclass(frozen=True, slots=True)
class TradingDesk(Desk):
    """One configuration's account at the simulated broker, as of `now` (UTC)."""

    rereads_the_past = False

    def replay(self, first: date, last: date) -> Outcomes:
        """Walk every bar close of the sessions first..last with all phases, from the account as it stood before.

        What is recorded already must come out the same: raises LedgerConflict otherwise, and nothing is stored.
        """
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            record = self._account_for(connection, first)
            account, journal, *life = self._life(connection, record, first, last)
            simulation.walk(account, *life, journal)
            ledger.refuse_vanished(connection, record.account_id, first, last, journal)
            return self._store(connection, account, journal)

    def what_if(self, first: date, last: date, limits: Mapping[str, Any]) -> WhatIf:
        """The recorded sessions first..last, and the same under other `limits` (values by name), in memory.

        Raises NotFound when no account of this configuration has lived through them, SettingsError for values that are
        no limits, and LedgerConflict when the record does not come out again.
        """
        settings = overridden(self.settings, {f"risk.{name}": value for name, value in limits.items()})
        with self.database.transaction() as connection:
            connection.read_only = True
            changes = limit_changes(connection, self.settings.broker.kind)
            try:
                other = rules_of(settings, [one for one in changes if one.name not in limits])
            except ValueError as error:
                raise SettingsError(f"These limits do not fit together: {error}.") from error
            record = self._lived_through(connection, first, last)
            account, _, moments, rules, recorded, sent = self._life(connection, record, first, last, other)
            outcome = what_if(account, moments, rules, other, recorded, sent)
            ledger.refuse_vanished(connection, record.account_id, first, last, outcome.recorded)
            return outcome

    def store_what_if(self, first: date, last: date, limits: Mapping[str, Any]) -> str:
        """The same, stored as a scenario beside the record; returns its id."""
        outcome = self.what_if(first, last, limits)
        with self.database.transaction() as connection:
            return store_scenario(connection, first, last, limits, outcome)

    def take_fills(self, day: date) -> Outcomes:
        """Bring the account up to the newest closed bar: fills, marks, bookings of the session's end."""
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            account, journal, _ = self._caught_up(connection, day)
            watch_orders(connection, account, self.rules(connection), self.now, journal)
            return self._store(connection, account, journal)

    def decide(self, day: date) -> Outcomes:
        """Bring the account up to date and decide once, at the newest closed bar of session `day`.

        Before the first bar that a strategy decides on has closed in that session there is nothing to decide.
        """
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            account, journal, newest = self._caught_up(connection, day)
            if decision := self.decision(account, self.rules(connection), newest, day):
                # A second run of the same decision must not see the orders that the first one led to.
                account.working = {
                    name: one for name, one in account.working.items() if one.order.submitted_at < decision.at
                }
                account.session_orders = [order for order in account.session_orders if order.at < decision.at]
                self.review(connection, account, decision, journal)
            return self._store(connection, account, journal)

    def submit(self, day: date) -> Outcomes:
        """Send every approval that is neither used nor expired, after a second look in the same transaction."""
        with self.database.transaction() as connection:
            ledger.lock_ledger(connection)
            record = self._current(connection, day)
            account = ledger.load_account(connection, record.account_id, self.now)
            if account is None:
                raise NotFound(f"Account {record.account_id} has not lived through a bar close yet.")
            journal, rules = Journal(), self.rules(connection)
            declared = states_of(begin_submission(connection), record.account_id)
            watch_orders(connection, account, rules, self.now, journal)
            simulation.take_notice(account, self.now, declared, rules)
            refused = []
            for verdict, approval in reviews.unsent_approvals(connection, record.account_id):
                intent = verdict.intent
                if reason := self.refusal(connection, record, account, verdict, approval):
                    refused.append(f"{intent.side} {intent.symbol} {intent.intent_id}: {reason}")
                    continue
                decided_in = session(intent.session_date)
                simulation.submit(account, [(verdict, approval)], intent.decision_at, decided_in, rules, journal)
            return self._store(connection, account, journal, refused)

    def _store(
        self,
        connection: psycopg.Connection,
        account: simulation.Account,
        journal: Journal,
        refused: Sequence[str] = (),
    ) -> Outcomes:
        """Store the journal, and how the account stands after it."""
        if not journal.positions or journal.positions[-1].as_of != account.as_of:
            journal.positions.extend(simulation.position_snapshots(account))
        return self.write(connection, account.book.account_id, journal, refused)

    # The account ------------------------------------------------------------------------------------

    def _life(
        self,
        connection: psycopg.Connection,
        record: ledger.AccountRecord,
        first: date,
        last: date,
        other: simulation.Rules | None = None,
    ) -> _Life:
        account, journal = self._account_before(connection, record, first)
        moments = self.moments(connection, record.account_id, first, last, other)
        return _Life(
            account,
            journal,
            with_breaker_events(connection, record.account_id, moments),
            self.rules(connection),
            reviews.recorded_verdicts(connection, record.account_id, first, last),
            reviews.sent_intents(connection, record.account_id, first, last),
        )

    def _lived_through(self, connection: psycopg.Connection, first: date, last: date) -> ledger.AccountRecord:
        for record in reversed(ledger.accounts(connection, self.settings.fingerprint())):
            if record.inception_session <= first and _has_closed(record, last):
                return record
        raise NotFound(
            f"No account of this configuration has lived through sessions {first} to {last}: "
            f"run `trading backfill --from {first} --to {last}` first."
        )

    def _account_for(self, connection: psycopg.Connection, first: date) -> ledger.AccountRecord:
        """The account that can live through session `first` next, or did before; a new one when none begins earlier."""
        fingerprint = self.settings.fingerprint()
        earlier = [one for one in ledger.accounts(connection, fingerprint) if one.inception_session <= first]
        for record in sorted(earlier, key=lambda one: one.inception_session == first, reverse=True):
            if record.inception_session == first or _has_closed(record, previous_session(first)):
                return record
        if earlier:
            raise LedgerConflict(_gap(earlier[-1], first))
        broker = self.settings.broker
        return ledger.open_account(connection, broker.kind, fingerprint, first, broker.opening_cash_usd)

    def _current(self, connection: psycopg.Connection, day: date) -> ledger.AccountRecord:
        """The account that trades in session `day`: the most recently opened one, or a new one that begins with it."""
        fingerprint = self.settings.fingerprint()
        earlier = [one for one in ledger.accounts(connection, fingerprint) if one.inception_session <= day]
        if not earlier:
            broker = self.settings.broker
            return ledger.open_account(connection, broker.kind, fingerprint, day, broker.opening_cash_usd)
        return earlier[-1]

    def _account_before(
        self, connection: psycopg.Connection, record: ledger.AccountRecord, first: date
    ) -> tuple[simulation.Account, Journal]:
        if record.inception_session == first:
            return simulation.open_book(record.account_id, record.opening_cash_usd, session(first), record.broker)
        account = ledger.load_account(connection, record.account_id, session(previous_session(first)).closes_at)
        if account is None:
            raise LedgerConflict(_gap(record, first))
        return account, Journal()

    def _caught_up(
        self, connection: psycopg.Connection, day: date
    ) -> tuple[simulation.Account, Journal, simulation.Moment | None]:
        """The account after the newest closed bar, what happened on the way, and that moment if `day` has one."""
        record = self._current(connection, day)
        account = ledger.load_account(connection, record.account_id, self.now)
        if account is None or account.session_date is None:
            account, journal = self._account_before(connection, record, record.inception_session)
            first = record.inception_session
        else:
            journal, first = Journal(), account.session_date
        moments = self.moments(connection, record.account_id, first, day)
        if moments and not moments[-1].bars and not moments[-1].targets:
            raise ContractBroken(
                f"Session {day} is over, but the bar that closes it is not stored: "
                f"run hourly_tick_job for session {day} first."
            )
        newest, rules = None, self.rules(connection)
        for moment in moments:
            if account.as_of is None or moment.at > account.as_of:
                simulation.advance(account, moment, rules, journal)
            newest = moment
        return account, journal, newest if newest and newest.session.date == day else None


def _has_closed(record: ledger.AccountRecord, day: date) -> bool:
    """Whether the account has lived through the close of session `day`."""
    return record.advanced_to is not None and record.advanced_to >= session(day).closes_at


def _gap(record: ledger.AccountRecord, first: date) -> str:
    reached = record.session_date or previous_session(record.inception_session)
    missing = next_session(reached) if record.session_date is None or _has_closed(record, reached) else reached
    return (
        f"Account {record.account_id} has reached session {reached}, so session {first} cannot come next. Run "
        f"`trading backfill --from {missing} --to {previous_session(first)}` first, or begin a new account with "
        f"`trading account open {first}`."
    )
