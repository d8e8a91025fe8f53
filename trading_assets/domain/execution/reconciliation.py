"""Whether our ledger and a broker's records say the same of an account, and what to do where they do not.

A pure comparison of two views, each in any order and with repetitions: nothing is fetched, booked or invented here.
What the broker has recorded and we have not is taken as booked before positions and cash are compared, so that one
lost execution is one break and not three. What a break is and asks for is written in `breaks`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trading_assets.domain.execution.breaks import Break, BreakKind, Explained
from trading_assets.domain.execution.broker_records import (
    ActivityRecord,
    BrokerAccount,
    BrokerActivity,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
)
from trading_assets.domain.execution.ids import CLIENT_ORDER_PREFIX
from trading_assets.domain.execution.order_history import BUST
from trading_assets.domain.execution.orders import TERMINAL, OrderStatus
from trading_assets.domain.values import ZERO, Side, money, plain

CASH_TOLERANCE_USD = Decimal("0.01")
AVERAGE_PRICE_TOLERANCE = Decimal("0.0001")
"""One basis point."""

_LATE = frozenset({OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED_AFTER_TERMINAL})
"""Ends that a late execution gives an order, of which the broker still says what it ended as before."""


_K = BreakKind


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """An order of our record. `broker_order_id` is None as long as no answer was recorded."""

    client_order_id: str
    broker_order_id: str | None
    symbol: str
    side: Side
    qty: Decimal
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class LocalExecution:
    """An execution that our ledger counts: it is booked, and no bust or correction of it is."""

    execution_id: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class LocalPosition:
    """Signed shares over all strategies and the external book, and their average cost, raw USD."""

    qty: Decimal
    avg_cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class LocalView:
    """Our record of an account. `orders`, `executions` and `activities` (amounts by the broker's id) are those of the
    time that was asked for, and executions that a bust or correction of that time names; `positions` by symbol and
    `cash_usd` are folds of the whole ledger. `external_orders` are the broker's ids of others' orders that are in the
    record, `under_way` our orders whose request is being sent or looked up, `contained` the ids of records that the
    account's opening cash and positions contain."""

    orders: Collection[LocalOrder] = ()
    executions: Collection[LocalExecution] = ()
    activities: Mapping[str, Decimal] = field(default_factory=dict)
    positions: Mapping[str, LocalPosition] = field(default_factory=dict)
    cash_usd: Decimal = ZERO
    external_orders: Collection[str] = ()
    under_way: Collection[str] = ()
    contained: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class BrokerView:
    """The broker's record of the same account and time: `records` from before the first of `orders` on, legs among the
    orders. `pending_actions` are symbols with a corporate action whose
    ex-date has come and which not both sides have booked yet."""

    account: BrokerAccount
    orders: Collection[BrokerOrder] = ()
    records: Collection[ActivityRecord] = ()
    positions: Collection[BrokerPosition] = ()
    pending_actions: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Sorted, so that the same facts give the same result."""

    breaks: tuple[Break, ...]
    explained: tuple[Explained, ...]

    @property
    def is_clean(self) -> bool:
        return not self.breaks


def reconcile(local: LocalView, broker: BrokerView) -> Reconciliation:
    """Compare orders, executions, activities, positions and cash. Changes nothing."""
    comparison = _Comparison(local, broker)
    breaks = [*comparison.orders(), *comparison.executions(), *comparison.activities()]
    breaks += [*comparison.positions(), *comparison.cash()]
    return Reconciliation(tuple(sorted(set(breaks))), tuple(sorted(set(comparison.explained))))


class _Comparison:
    """What both views say, by id, and what is still to be booked; `orders` to `activities` come before the rest."""

    def __init__(self, local: LocalView, broker: BrokerView) -> None:
        self.local, self.broker = local, broker
        self.explained: list[Explained] = []
        self.unbooked_qty: dict[str, Decimal] = {}
        self.unbooked_usd = ZERO
        fills = {one.execution_id: one for one in _in_order(broker.records) if isinstance(one, BrokerFill)}
        self.bookings = {one.activity_id: one for one in _in_order(broker.records) if isinstance(one, BrokerActivity)}
        self.undone = {one.previous_execution_id: one for one in fills.values() if one.previous_execution_id}
        self.fills = {name: fill for name, fill in fills.items() if fill.kind != BUST and name not in self.undone}
        self.readable = {name: read for name, fill in self.fills.items() if (read := _readable(fill)) is not None}

    def orders(self) -> Iterator[Break]:
        ours = {order.client_order_id: order for order in self.local.orders}
        by_broker_id = {order.broker_order_id: order for order in self.local.orders if order.broker_order_id}
        theirs = {order.broker_order_id: order for order in sorted(self.broker.orders, key=_newest_last)}
        found: dict[str, set[str]] = {}
        for name, order in theirs.items():
            local = ours.get(order.client_order_id) or by_broker_id.get(name)
            if local is None and name not in self.local.external_orders:
                is_ours = order.client_order_id.startswith(CLIENT_ORDER_PREFIX)
                kind = _K.ORDER_LOST if is_ours else _K.ORDER_IS_EXTERNAL
                yield Break(kind, name, order.symbol, "", f"{order.client_order_id} {order.broker_status}")
            elif local is not None:
                found.setdefault(local.client_order_id, set()).add(name)
                yield from self._order(local, order)
            yield from self._filled(order)
        for name, twins in found.items():
            if len(twins) > 1:
                yield Break(_K.ORDER_SENT_TWICE, name, ours[name].symbol, "1", " ".join(sorted(twins)))
        for name, local in ours.items():
            if name in found or local.status in TERMINAL:
                continue
            if name in self.local.under_way:
                self.explained.append(Explained(name, "its request is under way", local.status, ""))
            else:
                yield Break(_K.ORDER_UNKNOWN_TO_BROKER, name, local.symbol, local.status, "")

    def _order(self, local: LocalOrder, order: BrokerOrder) -> Iterator[Break]:
        name, symbol = local.client_order_id, local.symbol
        mine, yours = (local.symbol, local.side, local.qty), (order.symbol, order.side, order.qty)
        if None in yours:
            yield Break(_K.RECORD_UNREADABLE, name, symbol, "", ", ".join(order.faults))
        elif mine != yours:
            yield Break(_K.ORDER_TERMS_DIFFER, name, symbol, _text(*mine), _text(*yours))
        if local.status is order.status or (local.status in _LATE and order.status in TERMINAL):
            return
        kind = _K.ORDER_ENDED_OTHERWISE if local.status in TERMINAL else _K.ORDER_IS_BEHIND
        yield Break(kind, name, symbol, local.status, order.status)

    def _filled(self, order: BrokerOrder) -> Iterator[Break]:
        recorded = sum(
            (fill.qty or ZERO for fill in self.fills.values() if fill.broker_order_id == order.broker_order_id), ZERO
        )
        if recorded != order.filled_qty:
            name = order.client_order_id
            yield Break(_K.FILLED_QTY_DIFFERS, name, order.symbol, _text(recorded), _text(order.filled_qty))

    def executions(self) -> Iterator[Break]:
        booked = {execution.execution_id: execution for execution in self.local.executions}
        for name, execution in booked.items():
            undoing, fill = self.undone.get(name), self.fills.get(name)
            if undoing is not None:
                self._count(execution.symbol, execution.side, -execution.qty, execution.price)
                kind = _K.BUST_NOT_BOOKED if undoing.kind == BUST else _K.CORRECTION_NOT_BOOKED
                yield Break(kind, undoing.execution_id, execution.symbol, name, undoing.kind)
            elif fill is None:
                yield Break(_K.EXECUTION_UNKNOWN_TO_BROKER, name, execution.symbol, _text(execution.qty), "")
            elif self.readable.get(name, execution) != execution:
                yield Break(
                    _K.EXECUTION_DIFFERS, name, execution.symbol, _terms(execution), _terms(self.readable[name])
                )
        for name, fill in self.fills.items():
            read = self.readable.get(name)
            if name in self.local.contained:
                continue
            if read is None:
                yield Break(_K.RECORD_UNREADABLE, name, fill.symbol, "", ", ".join(fill.faults))
            elif name not in booked:
                self._count(read.symbol, read.side, read.qty, read.price)
                if fill.previous_execution_id not in booked:
                    yield Break(_K.EXECUTION_NOT_BOOKED, name, fill.symbol, "", _terms(read))

    def _count(self, symbol: str, side: Side, qty: Decimal, price: Decimal) -> None:
        """What booking `qty` shares, negative: reversing them, will do to the position and to cash."""
        self.unbooked_qty[symbol] = self.unbooked_qty.get(symbol, ZERO) + side.sign * qty
        self.unbooked_usd -= side.sign * money(qty * price)

    def activities(self) -> Iterator[Break]:
        for name, activity in self.bookings.items():
            amount, symbol = activity.amount_usd, activity.symbol or ""
            if amount is None and activity.qty:
                amount = ZERO
            if name in self.local.contained:
                continue
            if amount is None:
                yield Break(_K.RECORD_UNREADABLE, name, symbol, "", ", ".join(activity.faults))
            elif name not in self.local.activities:
                self.unbooked_usd += amount
                if activity.qty and symbol:
                    self.unbooked_qty[symbol] = self.unbooked_qty.get(symbol, ZERO) + activity.qty
                yield Break(_K.ACTIVITY_NOT_BOOKED, name, symbol, "", f"{activity.kind} {_text(amount)}")
            elif self.local.activities[name] != amount:
                yield Break(_K.ACTIVITY_DIFFERS, name, symbol, _text(self.local.activities[name]), _text(amount))
        for name in self.local.activities.keys() - self.bookings.keys():
            yield Break(_K.ACTIVITY_UNKNOWN_TO_BROKER, name, "", _text(self.local.activities[name]), "")

    def positions(self) -> Iterator[Break]:
        theirs = {position.symbol: position for position in self.broker.positions}
        for symbol in self.local.positions.keys() | theirs.keys() | self.unbooked_qty.keys():
            ours, position = self.local.positions.get(symbol), theirs.get(symbol)
            if position is not None and position.qty is None:
                yield Break(_K.RECORD_UNREADABLE, symbol, symbol, "", ", ".join(position.faults))
                continue
            unbooked = self.unbooked_qty.get(symbol)
            qty = (ours.qty if ours else ZERO) + (unbooked or ZERO)
            held = position.qty if position is not None and position.qty is not None else ZERO
            if qty != held and symbol in self.broker.pending_actions:
                self.explained.append(Explained(symbol, "a corporate action is pending", _text(qty), _text(held)))
            elif qty != held:
                yield Break(_K.POSITION_DIFFERS, symbol, symbol, _text(qty), _text(held))
            elif ours and position and unbooked is None:
                yield from self._average(symbol, ours, position)

    def _average(self, symbol: str, ours: LocalPosition, position: BrokerPosition) -> Iterator[Break]:
        mine, yours = ours.avg_cost_usd, position.avg_entry_price
        if yours is None or not ours.qty or abs(mine - yours) <= AVERAGE_PRICE_TOLERANCE * abs(yours):
            return
        if symbol in self.broker.pending_actions:
            self.explained.append(Explained(symbol, "a corporate action is pending", _text(mine), _text(yours)))
        else:
            yield Break(_K.AVERAGE_PRICE_DIFFERS, symbol, symbol, _text(mine), _text(yours))

    def cash(self) -> Iterator[Break]:
        """Fees that we have booked and the broker charges at the end of the day are not yet gone from its cash."""
        account, ours = self.broker.account, self.local.cash_usd + self.unbooked_usd
        if account.cash_usd is None:
            yield Break(_K.RECORD_UNREADABLE, "cash", "", "", ", ".join(account.faults))
            return
        pending = (account.accrued_fees_usd or ZERO) + (account.pending_taf_fees_usd or ZERO)
        difference = account.cash_usd - ours
        if abs(difference) <= CASH_TOLERANCE_USD:
            return
        if pending and abs(difference - pending) <= CASH_TOLERANCE_USD:
            self.explained.append(Explained("cash", "fees are pending", _text(ours), _text(account.cash_usd)))
        else:
            yield Break(_K.CASH_DIFFERS, "cash", "", _text(ours), _text(account.cash_usd))


def _readable(fill: BrokerFill) -> LocalExecution | None:
    if fill.side is None or fill.qty is None or fill.price is None:
        return None
    return LocalExecution(fill.execution_id, fill.symbol, fill.side, fill.qty, fill.price)


def _in_order(records: Collection[ActivityRecord]) -> list[ActivityRecord]:
    """The records so that of two with one id the same one comes last, whichever was read first."""
    return sorted(records, key=lambda record: (record.activity_id, repr(record)))


def _newest_last(order: BrokerOrder) -> tuple[str, Decimal, str]:
    return "" if order.updated_at is None else order.updated_at.isoformat(), order.filled_qty, order.status


def _terms(execution: LocalExecution) -> str:
    return _text(execution.symbol, execution.side, execution.qty, execution.price)


def _text(*values: object) -> str:
    return " ".join(plain(value) if isinstance(value, Decimal) else str(value) for value in values)
