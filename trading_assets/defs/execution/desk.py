"""What every desk does alike: the rules of the configuration, the moments of a range, the second look at an approval.

A desk runs one account. How it comes by its fills is the business of trading_desk.py and broker_desk.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.announcements import summaries_of, told_of
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.limits import limit_changes
from trading_assets.adapters.postgres.market import BARS_DATASET
from trading_assets.adapters.postgres.market_record import read_market_history
from trading_assets.adapters.postgres.notification import enqueue
from trading_assets.adapters.postgres.promotions import order_refusal
from trading_assets.adapters.postgres.quality import read_gates
from trading_assets.adapters.postgres.recorded_tape import read_tape
from trading_assets.adapters.postgres.standings import read_standings
from trading_assets.adapters.postgres.strategy import targets_between
from trading_assets.adapters.postgres.strategy_states import state_events
from trading_assets.adapters.postgres.trading_states import state_changes
from trading_assets.defs.execution.controls import with_states
from trading_assets.domain import simulation
from trading_assets.domain.execution.account_activity import sent_order
from trading_assets.domain.execution.orders import WorkingOrder
from trading_assets.domain.journal import Approval, Journal
from trading_assets.domain.market.sessions import latest_closed_bar, session
from trading_assets.domain.risk.intents import OPENING
from trading_assets.domain.risk.market_view import NO_HISTORY
from trading_assets.domain.risk.review import recheck
from trading_assets.domain.risk.trading_states import states_of
from trading_assets.domain.risk.verdicts import CheckResult, Verdict
from trading_assets.domain.strategy.states import StrategyStatus, obeying, status_at
from trading_assets.domain.tape import NothingStoredError, regime_sessions

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.settings import TradingSettings


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What one call did: the account, rows written by table, and what the submitting transaction refused."""

    account_id: str
    written: Mapping[str, int]
    refused: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Desk(ABC):
    """One configuration's account, as of `now` (UTC): its phases, and what every desk needs for them."""

    database: Database
    settings: TradingSettings
    now: datetime

    rereads_the_past: ClassVar[bool]
    """Whether fills of a session that is over are somebody else's records, which can be read again by themselves."""

    @abstractmethod
    def replay(self, first: date, last: date) -> Outcomes:
        """Bring the record of the sessions first..last up to what happened in them; nothing is sent."""

    @abstractmethod
    def take_fills(self, day: date) -> Outcomes:
        """Bring the account up to the newest closed bar: fills, marks, bookings of the session's end."""

    @abstractmethod
    def decide(self, day: date) -> Outcomes:
        """Bring the account up to date and decide once, at the newest closed bar of session `day`."""

    @abstractmethod
    def submit(self, day: date) -> Outcomes:
        """Send every approval that is neither used nor expired, after a second look."""

    def rules(self, connection: psycopg.Connection) -> simulation.Rules:
        return rules_of(self.settings, limit_changes(connection, self.settings.broker.kind))

    def newest_decision(self) -> datetime:
        """The newest bar close at which a strategy decides: by the hour, by the day, or whichever of both is later."""
        timeframes = {strategy.timeframe for strategy in self.settings.strategies.values()}
        return max(latest_closed_bar(self.now, one).closes_at for one in timeframes or self.settings.timeframes)

    def newest_close(self) -> datetime:
        """The newest close of any bar that is collected."""
        return max(latest_closed_bar(self.now, one).closes_at for one in self.settings.timeframes)

    def decision(
        self, account: simulation.Account, rules: simulation.Rules, newest: simulation.Moment | None, day: date
    ) -> simulation.Moment | None:
        """The moment to decide at, which is `newest` of session `day`; None before a strategy's first bar has closed.

        What a person or a breaker has closed does not wait for a strategy. Raises ContractBroken when the targets of
        the newest closed bar are not stored.
        """
        if newest and newest.at == self.newest_close() and simulation.is_closing(account, newest, rules):
            return newest
        expected = self.newest_decision()
        if expected < session(day).opens_at:
            return None
        if newest is None or newest.at != expected or not newest.targets:
            raise ContractBroken(
                f"strategy/targets holds nothing for the newest closed bar, {expected:%Y-%m-%d %H:%M} UTC: "
                f"materialise market/bars to strategy/targets for session {day} first."
            )
        return newest

    def review(
        self,
        connection: psycopg.Connection,
        account: simulation.Account,
        newest: simulation.Moment,
        journal: Journal,
    ) -> None:
        """Decide once, at the moment `newest`, and write the verdicts and approvals into the journal."""
        self.count_unsent(connection, account, newest)
        # What was declared since the bar closed tightens the verdicts too; what is wanted stays that of the bar.
        account_id, day = account.book.account_id, newest.session.date
        declared = states_of(state_changes(connection), account_id)
        newest = replace(newest, states=newest.states.tightened_by(declared))
        recorded = reviews.recorded_verdicts(connection, account_id, day, day)
        simulation.decide(account, newest, self.rules(connection), recorded, journal, approved_at=self.now)

    def count_unsent(
        self, connection: psycopg.Connection, account: simulation.Account, newest: simulation.Moment
    ) -> None:
        """Approvals of earlier moments on their way to the broker count as working orders."""
        rules = self.rules(connection)
        for verdict, approval in reviews.unsent_approvals(connection, account.book.account_id):
            if verdict.intent.decision_at < newest.at and approval.expires_at > self.now:
                order = simulation.orders_for(verdict, approval.qty, approval.approved_at, rules)[0]
                account.working[order.client_order_id] = WorkingOrder.approved(order)
                if verdict.intent.session_date == account.session_date:
                    account.session_orders.append(sent_order(order, verdict.reference_price))

    def refusal(
        self,
        connection: psycopg.Connection,
        record: ledger.AccountRecord,
        account: simulation.Account,
        verdict: Verdict,
        approval: Approval,
    ) -> str | None:
        """Why an approved order may not be sent now; None when it may. Its gate is held until the transaction ends."""
        intent, rules = verdict.intent, self.rules(connection)
        limits = rules.limits_at(self.now)
        if reason := order_refusal(connection, record.broker, load_strategies(self.settings), intent):
            return reason
        status = status_at(state_events(connection, [intent.strategy]), self.now)
        if intent.purpose in OPENING and status is not StrategyStatus.ENABLED:
            return f"strategy {intent.strategy} is {status.in_words}"
        gates = read_gates(connection, BARS_DATASET, [intent.session_date], [intent.symbol], for_share=True)
        snapshot = simulation.account_snapshot(
            account,
            self.now,
            reference_prices={} if verdict.reference_price is None else {intent.symbol: verdict.reference_price},
            gates={symbol: state for (_, symbol), state in gates.items()},
            known=simulation.circumstances(
                account,
                rules,
                read_standings(connection, self.settings),
                self.now,
                reference_at=intent.decision_at,
                # A replay sends at the decision: once a bar has closed, it would have filled there, or not.
                newest_close=self.newest_close(),
                # The record says until when it may be used, whatever the limit has become since.
                approved_at=approval.expires_at - limits.approval_ttl,
            ),
        )
        failed = [check for check in recheck(intent, approval.qty, snapshot, limits) if not check.is_passed]
        return "; ".join(map(_told, failed)) or None

    def write(
        self, connection: psycopg.Connection, account_id: str, journal: Journal, refused: Sequence[str] = ()
    ) -> Outcomes:
        """Store the journal and tell about it, in the transaction of `connection`."""
        written = ledger.record(connection, journal)
        ledger.use_account(connection, account_id)
        enqueue(connection, told_of(account_id, journal))
        enqueue(connection, summaries_of(connection, account_id, journal))
        return Outcomes(account_id, written, refused)

    def moments(
        self,
        connection: psycopg.Connection,
        account_id: str,
        first: date,
        last: date,
        other: simulation.Rules | None = None,
    ) -> list[simulation.Moment]:
        """Every bar close of the sessions first..last up to now, with what trades, takes effect and is wanted there.

        The market is known as far as the account's limits ask for it, or those of `other` rules.
        """
        versions = {one.name: one.version for one in load_strategies(self.settings)}
        targets = obeying(
            targets_between(self.database, versions, first, last), state_events(connection, sorted(versions))
        )
        rules, universe = self.rules(connection), self.settings.universe
        standings = read_standings(connection, self.settings)
        earlier = regime_sessions(rules.breakers)
        read = read_tape(self.database, connection, universe, first, last, self.now, standings, earlier)
        history, asking = NO_HISTORY, [rules, other or rules]
        if any(one.reads_market for one in asking):
            with_shorts = any(one.allows_shorts for one in asking)
            history = read_market_history(self.database, self.settings, first, last, self.now, with_shorts)
        try:
            moments = read.moments(targets, first, last, self.now, rules.breakers, history)
        except NothingStoredError as error:
            raise ContractBroken(str(error)) from error
        return with_states(moments, state_changes(connection), account_id)


def _told(check: CheckResult) -> str:
    inputs = ", ".join(f"{name} {value}" for name, value in check.inputs.items())
    return f"{check.rule_id} {check.reason_code} ({inputs})"
