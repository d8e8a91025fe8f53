"""Brings our record of an account up to what its broker has recorded: fills, bookings, and how orders stand.

What a record becomes is domain/execution/bookings, what an order's records amount to domain/execution/order_history.
Whether both sides then agree is the business of the reconciliation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.announcements import incidents_told, told_of
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres import broker_orders, ledger
from trading_assets.adapters.postgres.booked_records import booked_before, executions_of
from trading_assets.adapters.postgres.local_view import order_statuses
from trading_assets.adapters.postgres.notification import enqueue
from trading_assets.domain.execution.bookings import Bookings, book
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerFill, BrokerOrder
from trading_assets.domain.execution.ids import CLIENT_ORDER_PREFIX
from trading_assets.domain.execution.order_history import Incident, IncidentKind, OrderHistory, StatusReport
from trading_assets.domain.execution.orders import TERMINAL, IllegalTransition, OrderEvent, OrderStatus
from trading_assets.domain.execution.requests import names_of_legs
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import newest_session

if TYPE_CHECKING:
    from types import TracebackType

    import psycopg

    from trading_assets.adapters.ports import Broker
    from trading_assets.adapters.postgres.database import Database

LOOK_BACK = timedelta(days=1)
"""Records can appear later than what they record: those of a day are asked for again, and booked once."""

_S = OrderStatus


@dataclass(frozen=True, slots=True)
class Taken:
    """What was new: rows written by table, the incidents that were opened, and how many orders of others there are."""

    written: dict[str, int] = field(default_factory=dict)
    incidents: Sequence[Incident] = ()
    adopted: int = 0


class Follower:
    """Moves our orders to what the broker shows, in one transaction that holds the ledger's lock: use it as a context.

    Events carry `now` (UTC) or the broker's own earlier time.
    """

    def __init__(self, database: Database, account_id: str, now: datetime) -> None:
        self.account_id, self.now = account_id, now
        self.journal, self.incidents = Journal(), set[Incident]()
        self.symbols: dict[str, str] = {}
        self.written: dict[str, int] = {}
        self.opened: list[Incident] = []
        self._transaction = database.transaction()

    def __enter__(self) -> Follower:
        self.connection = self._transaction.__enter__()
        ledger.lock_ledger(self.connection)
        self.names = broker_orders.order_names(self.connection, self.account_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._store()
            except BaseException as failure:
                self._transaction.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._transaction.__exit__(kind, error, trace)

    def name(self, client_order_id: str, shown: BrokerOrder) -> None:
        """Remember what the broker calls an order of ours, and the legs that it shows."""
        family = broker_orders.family_of(self.connection, client_order_id)
        names = names_of_legs(family, shown)
        self.names.update(names)
        broker_orders.name_orders(self.connection, self.account_id, names, shown.symbol, self.now)

    def name_external(self, shown: BrokerOrder) -> None:
        """Remember an order that somebody else gave to the account; one with our name was lost, and is an incident."""
        if shown.client_order_id.startswith(CLIENT_ORDER_PREFIX):
            self.incidents.add(Incident(IncidentKind.ORDER_LOST, shown.client_order_id))
            self.symbols[shown.client_order_id] = shown.symbol
        unnamed = {shown.broker_order_id: None}
        self.names.update(unnamed)
        broker_orders.name_orders(self.connection, self.account_id, unnamed, shown.symbol, self.now)

    def move_submitted(self, client_order_id: str, status: OrderStatus, detail: str) -> None:
        """Move an order whose request was sent, and its legs, to what is known of the request.

        One that has moved on meanwhile, because its executions were heard of first, stays where it is.
        """
        for order in broker_orders.family_of(self.connection, client_order_id):
            events = self._events(order.client_order_id)
            if events[-1].status not in {_S.SUBMITTING, _S.SUBMIT_UNKNOWN} or events[-1].status is status:
                continue
            steps = [status, _S.HELD] if order.is_leg and status is _S.ACKED else [status]
            self._move(events[-1], steps, self.now, detail)

    def follow(self, shown: BrokerOrder, executions: Iterable[BrokerFill] = ()) -> None:
        """Move an order of ours to where the broker shows it, by what it shows and all `executions` of it."""
        name = self.names.get(shown.broker_order_id)
        if name is None or not (events := self._events(name)):
            return
        last = events[-1]
        history = OrderHistory(name, shown.qty or last.qty)
        history.extend(StatusReport(event.status, event.at) for event in events if event.status in TERMINAL)
        history.extend(executions)
        history.add(StatusReport(shown.status, shown.updated_at or self.now))
        state = history.state()
        self.incidents |= state.incidents
        self.symbols |= {incident.subject: shown.symbol for incident in state.incidents}
        try:
            steps = state.moves_from(last.status)
        except IllegalTransition:
            self.incidents.add(Incident(IncidentKind.CONFLICTING_RECORDS, name))
            self.symbols[name] = shown.symbol
            return
        at = max(last.at, min(shown.updated_at or self.now, self.now))
        self._move(last, steps, at, "" if shown.is_status_known else f"the broker says {shown.broker_status}")

    def book(self, made: Bookings, records: Iterable[ActivityRecord]) -> None:
        """Write down what records became."""
        self.journal.fills.extend(made.fills)
        self.journal.activities.extend(made.activities)
        self.incidents |= made.incidents
        self.symbols |= {subject_of(record): record.symbol for record in records if record.symbol}

    def _events(self, name: str) -> list[OrderEvent]:
        """All events of an order, those of this transaction included."""
        recorded = broker_orders.events_of(self.connection, [name]).get(name, [])
        return recorded + [event for event in self.journal.order_events if event.client_order_id == name]

    def _move(self, last: OrderEvent, steps: Iterable[OrderStatus], at: datetime, detail: str) -> None:
        for number, status in enumerate(steps, start=last.event_no + 1):
            day = newest_session(at)
            event = OrderEvent(last.client_order_id, number, status, last.qty, at, day, detail[:200])
            self.journal.order_events.append(event)

    def _store(self) -> None:
        self.written = ledger.record(self.connection, self.journal)
        self.opened = broker_orders.open_incidents_for(
            self.connection, self.account_id, self.incidents, self.symbols, self.now
        )
        enqueue(self.connection, told_of(self.account_id, self.journal))
        enqueue(self.connection, incidents_told(self.account_id, self.opened, self.symbols, self.now))


def take_records(
    database: Database, broker: Broker, account_id: str, now: datetime, since: datetime | None = None
) -> Taken:
    """Book what the broker has recorded of the account since we last asked, else `since` (UTC), and follow its orders.

    Raises AdapterError when the broker does not answer; then nothing is booked.
    """
    with database.transaction() as connection:
        begin = since or _watermark(connection, account_id)
        live = _live_orders(connection, account_id)
    records = broker.activities_since(begin)
    with database.transaction() as connection:
        sources = booked_before(connection, account_id, {}, records).sources
    executed = {
        one.broker_order_id for one in records if isinstance(one, BrokerFill) and one.execution_id not in sources
    }
    return keep_records(database, account_id, now, _shown(broker, {*executed, *live}), records)


def keep_records(
    database: Database,
    account_id: str,
    now: datetime,
    orders: Collection[BrokerOrder],
    records: Collection[ActivityRecord],
) -> Taken:
    """Book `records`, remember whose `orders` are, and move ours to where they are shown, in one transaction.

    An order of ours whose name at the broker is not known yet has to be shown with its legs.
    """
    with Follower(database, account_id, now) as follower:
        # Ours first: an order that is shown with its legs says whose those are.
        adopted = sum(_name(follower, order) for order in sorted(orders, key=is_external))
        before = booked_before(follower.connection, account_id, follower.names, records)
        follower.book(book(before, records, now), records)
        _follow(follower, orders, [one for one in records if subject_of(one) not in before.sources])
    return Taken(follower.written, follower.opened, adopted)


def is_external(order: BrokerOrder) -> bool:
    """Whether the name says that somebody else gave the order to the account."""
    return not order.client_order_id.startswith(CLIENT_ORDER_PREFIX)


def subject_of(record: ActivityRecord) -> str:
    """The id by which a record is booked, once."""
    return record.execution_id if isinstance(record, BrokerFill) else record.activity_id


def _name(follower: Follower, order: BrokerOrder) -> bool:
    """Remember whose an order is; whether it is news that it is another's, or one whose write was lost."""
    if order.broker_order_id in follower.names:
        return False
    if broker_orders.orders_by_name(follower.connection, [order.client_order_id]):
        follower.name(order.client_order_id, order)
        return False
    follower.name_external(order)
    return True


def _follow(follower: Follower, orders: Iterable[BrokerOrder], news: Iterable[ActivityRecord]) -> None:
    """Move those of our orders that are elsewhere than the broker shows, or have new executions."""
    executed: dict[str, list[BrokerFill]] = {}
    for one in news:
        if isinstance(one, BrokerFill):
            executed.setdefault(one.broker_order_id, []).append(one)
    statuses = order_statuses(follower.connection, follower.account_id)
    for order in orders:
        name, heard = follower.names.get(order.broker_order_id), executed.get(order.broker_order_id, [])
        if name is None or (statuses.get(name) is order.status and not heard):
            continue
        follower.follow(order, [*executions_of(follower.connection, name, order.broker_order_id), *heard])


def _shown(broker: Broker, broker_order_ids: Collection[str]) -> list[BrokerOrder]:
    """The orders as the broker shows them; one that it does not show is the reconciliation's business."""
    found = []
    for broker_order_id in sorted(broker_order_ids):
        try:
            found.append(broker.order(broker_order_id))
        except NotFound:
            continue
    return found


def _watermark(connection: psycopg.Connection, account_id: str) -> datetime:
    row = connection.execute(_WATERMARK, {"account_id": account_id, "look_back": LOOK_BACK}).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers one row
    begin: datetime = row[0]
    return begin


def _live_orders(connection: psycopg.Connection, account_id: str) -> list[str]:
    """The broker's ids of our orders that are not over."""
    return [name for (name,) in connection.execute(_LIVE, (account_id,))]


_WATERMARK: LiteralString = """
    select greatest(
        (select min(at) from execution.activities where account_id = %(account_id)s),
        (select max(newest) from (
            select max(filled_at) as newest from execution.fills where account_id = %(account_id)s
            union all
            select max(at) from execution.activities where account_id = %(account_id)s
        ) as booked) - %(look_back)s::interval
    )
"""
_LIVE: LiteralString = """
    select names.broker_order_id
    from execution.order_states as states
    join execution.broker_orders as names using (client_order_id)
    where states.account_id = %s and not states.is_terminal
"""
