"""Compares an account's ledger with its broker's records: asks, books what needs no person, and records what is left.

What is a difference belongs in domain/execution/reconciliation.py, when to compare in defs/execution/reconciliation.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from trading_assets.adapters.broker_booking import is_external, keep_records, subject_of
from trading_assets.adapters.broker_view import Scope, read_broker
from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.local_view import (
    contained_records,
    pending_actions,
    read_ledger,
    standing_of,
)
from trading_assets.adapters.postgres.notification import enqueue
from trading_assets.adapters.postgres.reconciliations import (
    Comparison,
    Trigger,
    accepted_breaks,
    comparing,
    known_breaks,
    newest_comparison,
    record_comparison,
)
from trading_assets.domain.execution.breaks import Break
from trading_assets.domain.execution.broker_records import BrokerOrder
from trading_assets.domain.execution.reconciliation import BrokerView, LocalView, Reconciliation, reconcile
from trading_assets.domain.market.sessions import newest_session
from trading_assets.domain.notification.messages import break_found

if TYPE_CHECKING:
    from trading_assets.adapters.ports import Broker, Clock
    from trading_assets.adapters.postgres.database import Database

LOOK_BACK = timedelta(days=1)
"""Orders submitted up to so long before the newest clean comparison are compared again."""
LOOK_AGAIN_S = 5.0
"""A broker's lists may lag behind each other by so much: what differs is looked at twice."""
LOOK_FURTHER = timedelta(days=14)
"""How much further back the second look asks for records: what we booked late is an old one there."""
AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and the breaks that are left, those that persons accepted included; `new` are told to somebody."""

    comparison: Comparison
    breaks: Sequence[Break]
    new: Sequence[Break]


@dataclass(frozen=True, slots=True)
class _Look:
    """Both sides as they were seen once, after what needs no person was done; `done` counts that."""

    ours: LocalView
    theirs: BrokerView
    result: Reconciliation
    done: Counter[str]


@dataclass(frozen=True)
class Reconciler:
    """The comparisons of one account. `clock` is the graph's, `wall` the one that requests have their deadlines by."""

    database: Database
    broker: Broker
    account_id: str
    clock: Clock
    wall: Clock = field(default_factory=WallClock)
    sleep: Callable[[float], None] = time.sleep

    def compare(self, trigger: Trigger) -> Compared:
        """Bring our record up to the broker's, and compare what both say; no order is sent meanwhile.

        Raises AdapterError when the broker does not answer: then no comparison is recorded. Raises NotFound for an
        account that was not opened.
        """
        with comparing(self.database, self.account_id):
            began_at = self.clock.now()
            cut_at = self.broker.clock().now
            skew = began_at + (self.clock.now() - began_at) / 2 - cut_at
            scope, accepted = self._scope()
            look = self._look(scope, cut_at)
            if _open(look.result, accepted):
                self.sleep(LOOK_AGAIN_S)
                scope, accepted = self._scope(LOOK_FURTHER)
                again = self._look(scope, cut_at)
                look = replace(again, done=look.done + again.done)
            is_clean = not _open(look.result, accepted)
            comparison = Comparison(
                account_id=self.account_id,
                trigger=trigger,
                cut_at=cut_at,
                session_date=newest_session(cut_at),
                asked_since=scope.orders_after,
                began_at=began_at,
                ended_at=self.clock.now(),
                clock_skew_ms=round(skew / timedelta(milliseconds=1)),
                order_count=len(look.theirs.orders),
                record_count=len(look.theirs.records),
                position_count=len(look.theirs.positions),
                booked_count=look.done["booked"],
                followed_count=look.done["followed"],
                adopted_count=look.done["adopted"],
                break_count=len(look.result.breaks),
                explained=[f"{one.subject}: {one.cause} ({one.ours}, {one.theirs})" for one in look.result.explained],
                ours_sha256=_hash_of_ours(look.ours),
                theirs_sha256=_hash_of_theirs(look.theirs),
                is_clean=is_clean,
            )
            return self._record(comparison, look.result.breaks, accepted)

    def _scope(self, further: timedelta = AT_ONCE) -> tuple[Scope, set[str]]:
        """What to ask for, and the breaks that persons accepted."""
        with self.database.transaction() as connection:
            standing = standing_of(connection, self.account_id)
            clean = newest_comparison(connection, self.account_id, is_clean=True)
            accepted = accepted_breaks(connection, self.account_id)
        if standing is None:
            raise NotFound(f"Account {self.account_id} was not opened yet: run hourly_tick_job first.")
        since = standing.began_at if clean is None else max(standing.began_at, clean.cut_at - LOOK_BACK)
        return Scope(standing.began_at, since, since - further, standing.live), accepted

    def _look(self, scope: Scope, cut_at: datetime) -> _Look:
        with self.database.transaction() as connection:
            pending = pending_actions(connection, self.account_id, cut_at)
        theirs = read_broker(self.broker, scope, pending)
        done = self._keep(theirs)
        with self.database.transaction() as connection:
            ours = read_ledger(connection, self.account_id, theirs, scope.orders_after, self.wall.now())
        return _Look(ours, theirs, reconcile(ours, theirs), done)

    def _keep(self, theirs: BrokerView) -> Counter[str]:
        """Book what the broker recorded, name its orders, and move ours to where it shows them."""
        with self.database.transaction() as connection:
            contained = contained_records(connection, self.account_id, theirs.records)
            standing = standing_of(connection, self.account_id)
        named = {} if standing is None else standing.names
        orders = [one if one.broker_order_id in named else self._with_legs(one) for one in theirs.orders]
        records = [one for one in theirs.records if subject_of(one) not in contained]
        taken = keep_records(self.database, self.account_id, self.clock.now(), orders, records)
        booked = taken.written["execution.fills"] + taken.written["execution.activities"]
        return Counter(booked=booked, followed=taken.written["execution.order_events"], adopted=taken.adopted)

    def _with_legs(self, order: BrokerOrder) -> BrokerOrder:
        """An order that may be ours with its legs, which the broker's lists show apart."""
        return order if is_external(order) else self.broker.order(order.broker_order_id)

    def _record(self, comparison: Comparison, breaks: Sequence[Break], accepted: set[str]) -> Compared:
        with self.database.transaction() as connection:
            known = known_breaks(connection, self.account_id) | accepted
            record_comparison(connection, comparison, breaks)
            new = [one for one in breaks if one.adjustment_id not in known]
            enqueue(connection, [break_found(self.account_id, one, comparison.cut_at) for one in new])
        return Compared(comparison, breaks, new)


def _open(result: Reconciliation, accepted: set[str]) -> list[Break]:
    return [one for one in result.breaks if one.adjustment_id not in accepted]


def _hash_of_ours(view: LocalView) -> bytes:
    return _hash(view.orders, view.executions, view.activities.items(), view.positions.items(), [view.cash_usd])


def _hash_of_theirs(view: BrokerView) -> bytes:
    orders = [(one.broker_order_id, one.status, one.qty, one.filled_qty) for one in view.orders]
    positions = [(one.symbol, one.qty, one.avg_entry_price) for one in view.positions]
    return _hash(orders, view.records, positions, [view.account.cash_usd])


def _hash(*facts: Iterable[object]) -> bytes:
    return sha256("\x1e".join("\x1f".join(sorted(set(map(repr, one)))) for one in facts).encode()).digest()
