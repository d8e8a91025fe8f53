"""What a broker's records of one order amount to, however often and in whatever order they were heard.

The state is a function of the set of records, so nothing depends on their way here. What the market executed is counted
by the executions alone; the status only ever moves along the table of `orders`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.execution.broker_records import BrokerFill
from trading_assets.domain.execution.orders import TERMINAL, TRANSITIONS, IllegalTransition, OrderStatus
from trading_assets.domain.values import ZERO

_S = OrderStatus

_PROGRESS = {
    status: number
    for number, status in enumerate(
        (
            *(_S.PROPOSED, _S.APPROVED, _S.SUBMITTING, _S.SUBMIT_UNKNOWN, _S.ACKED, _S.HELD, _S.WORKING),
            *(_S.PARTIALLY_FILLED, _S.PENDING_REPLACE, _S.PENDING_CANCEL, _S.DONE_FOR_DAY, *sorted(TERMINAL)),
        )
    )
}
"""Which of two statuses of one moment came later."""

_BEHIND_A_FILL = frozenset({_S.SUBMITTING, _S.SUBMIT_UNKNOWN, _S.ACKED, _S.WORKING})
_NEVER_AT_MARKET = frozenset({_S.DENIED, _S.LAPSED, _S.NEVER_ARRIVED, _S.REJECTED})
BUST = "trade_bust"


class IncidentKind(StrEnum):
    """What no sound history has.

    `LATE_EXECUTION`: after the order had ended, or of one that never was at the market. `OVERFILLED`: more shares than
    ordered. `CONFLICTING_RECORDS`: two records with one id, or two corrections of one execution, that do not say the
    same. `UNDOES_THE_UNKNOWN`: a bust or correction of what we never booked. `UNKNOWN_ACTIVITY`: cash or shares moved
    for a reason that we have no word for. `RECORD_UNREADABLE`: what is missing in it cannot be booked. `ORDER_LOST`:
    the broker has an order with our name that we have no record of.
    """

    LATE_EXECUTION = "LATE_EXECUTION"
    OVERFILLED = "OVERFILLED"
    CONFLICTING_RECORDS = "CONFLICTING_RECORDS"
    UNDOES_THE_UNKNOWN = "UNDOES_THE_UNKNOWN"
    UNKNOWN_ACTIVITY = "UNKNOWN_ACTIVITY"
    RECORD_UNREADABLE = "RECORD_UNREADABLE"
    ORDER_LOST = "ORDER_LOST"


@dataclass(frozen=True, slots=True, order=True)
class Incident:
    """Something for a person to look at. `subject` is the execution's id, or the order's."""

    kind: IncidentKind
    subject: str


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The broker, or our own submission, said at `at` (UTC) that the order is in `status`."""

    status: OrderStatus
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderState:
    """`filled_qty` and `filled_usd` are without what was busted or corrected. `ended_as` is the terminal status that
    was reported first, which a later execution can make another one. `executions` are those that count."""

    status: OrderStatus
    filled_qty: Decimal
    filled_usd: Decimal
    ended_as: OrderStatus | None
    executions: frozenset[str]
    incidents: frozenset[Incident]

    def moves_from(self, old: OrderStatus) -> tuple[OrderStatus, ...]:
        """The legal moves that take a record that stands at `old` here; none when it is here already.

        A broker need not tell of every step: what the table does not join directly goes by way of ACKED or HELD.
        Raises IllegalTransition from an end that is not this one.
        """
        steps: list[OrderStatus] = []
        if self.status is _S.PARTIALLY_FILLED_AFTER_TERMINAL and self.ended_as is not None and old not in TERMINAL:
            steps += _route(old, self.ended_as)
        steps += _route(steps[-1] if steps else old, self.status)
        return tuple(steps)


@dataclass(slots=True)
class OrderHistory:
    """All records of one order of `qty` shares. Splits are the business of the local record: `qty` is the newest."""

    client_order_id: str
    qty: Decimal
    _reports: set[StatusReport] = field(default_factory=set)
    _executions: dict[str, BrokerFill] = field(default_factory=dict)
    _conflicts: set[str] = field(default_factory=set)

    def add(self, record: StatusReport | BrokerFill) -> None:
        """Count a record; one that was counted before changes nothing."""
        if isinstance(record, StatusReport):
            self._reports.add(record)
            return
        known = self._executions.setdefault(record.execution_id, record)
        if known is not record and _content(known) != _content(record):
            self._conflicts.add(record.execution_id)
            self._executions[record.execution_id] = min(known, record, key=_content)

    def extend(self, records: Iterable[StatusReport | BrokerFill]) -> None:
        for record in records:
            self.add(record)

    def state(self) -> OrderState:
        """What the records amount to."""
        counted, conflicts = self._counted()
        # A bust takes shares back, but not what was reported: any first execution moves the status.
        first = [one for one in self._executions.values() if one.previous_execution_id is None]
        newest, end = self._newest(), self._end()
        late = [] if end is None else [one for one in first if _is_late(one, end)]
        incidents = {Incident(IncidentKind.LATE_EXECUTION, one.execution_id) for one in late}
        incidents |= {Incident(IncidentKind.CONFLICTING_RECORDS, name) for name in self._conflicts | conflicts}
        if _shares(counted) > self.qty:
            incidents.add(Incident(IncidentKind.OVERFILLED, self.client_order_id))
        return OrderState(
            status=self._status(newest, end, _shares(counted), bool(first), bool(late)),
            filled_qty=_shares(counted),
            filled_usd=sum(((one.qty or ZERO) * (one.price or ZERO) for one in counted), ZERO),
            ended_as=None if end is None else end.status,
            executions=frozenset(one.execution_id for one in counted),
            incidents=frozenset(incidents),
        )

    def _status(
        self, newest: OrderStatus, end: StatusReport | None, filled_qty: Decimal, has_executed: bool, has_late: bool
    ) -> OrderStatus:
        """FILLED is the broker's word: after a bust the same order may go on executing."""
        if end is None:
            return _S.PARTIALLY_FILLED if has_executed and newest in _BEHIND_A_FILL else newest
        if not has_late:
            return end.status
        return _S.FILLED if filled_qty >= self.qty else _S.PARTIALLY_FILLED_AFTER_TERMINAL

    def _newest(self) -> OrderStatus:
        return max(self._reports, key=_order_of_reports).status if self._reports else _S.SUBMITTING

    def _end(self) -> StatusReport | None:
        ends = [report for report in self._reports if report.status in TERMINAL]
        return min(ends, key=_order_of_reports) if ends else None

    def _counted(self) -> tuple[list[BrokerFill], set[str]]:
        """Executions that neither a bust nor a correction undid, and those that were undone in two ways."""
        undone: dict[str, BrokerFill] = {}
        conflicts: set[str] = set()
        for record in self._executions.values():
            previous = record.previous_execution_id
            if previous is None:
                continue
            other = undone.setdefault(previous, record)
            if other is not record:
                conflicts.add(previous)
                undone[previous] = max(other, record, key=_content)
        standing = [
            record
            for name, record in self._executions.items()
            if record.kind != BUST
            and name not in undone
            and undone.get(record.previous_execution_id or "", record) is record
        ]
        return standing, conflicts


def _route(old: OrderStatus, new: OrderStatus) -> list[OrderStatus]:
    if old is new:
        return []
    for steps in ([new], [_S.ACKED, new], [_S.HELD, new]):
        if all(after in TRANSITIONS[before] for before, after in zip([old, *steps], steps, strict=False)):
            return steps
    raise IllegalTransition("of these records", old, new)


def _order_of_reports(report: StatusReport) -> tuple[datetime, int]:
    return report.at, _PROGRESS[report.status]


def _is_late(execution: BrokerFill, end: StatusReport) -> bool:
    if end.status in _NEVER_AT_MARKET:
        return True
    return end.status is not _S.FILLED and execution.at is not None and execution.at > end.at


def _content(record: BrokerFill) -> tuple[str, str, str, str, str, str]:
    """What two records of one execution must agree in, as something that can be put in order."""
    return (
        str(record.at),
        record.kind,
        record.previous_execution_id or "",
        str(record.side),
        "" if record.qty is None else str(record.qty.normalize()),
        "" if record.price is None else str(record.price.normalize()),
    )


def _shares(executions: Iterable[BrokerFill]) -> Decimal:
    return sum((one.qty or ZERO for one in executions), ZERO)
