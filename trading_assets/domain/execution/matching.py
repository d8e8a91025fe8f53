"""What one bar does to all working orders of its symbol together, and the records of it.

The price of a single order is the fill model's business; here orders share the bar's volume, and those that belong
together start, reduce and cancel each other, because the market decides which of them executes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.execution.fill_model import (
    CONTINUOUS,
    IMMEDIATE,
    Auctions,
    Execution,
    FillModel,
    is_at_market,
    reaches_stop_in,
    rounded,
)
from trading_assets.domain.execution.ids import execution_id
from trading_assets.domain.execution.ledger import Fill, replay_key
from trading_assets.domain.execution.orders import (
    AUCTION_TIMES,
    ENTRY_DETAIL,
    TRIGGER_DETAIL,
    Order,
    OrderClass,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    TrailMark,
    WorkingOrder,
)
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.values import ZERO, Side, plain

FLAT: Mapping[str, Decimal] = {}
"""Positions before a bar when nothing is held."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    working: WorkingOrder
    reason: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """A stop was reached and shares remain: from now on a stop is a market order, a stop-limit a limit order."""

    working: WorkingOrder


@dataclass(frozen=True, slots=True)
class Reduction:
    """The other leg of a group executed in part: this leg may close no more than the rest."""

    working: WorkingOrder
    qty: Decimal


@dataclass(frozen=True, slots=True)
class Activation:
    """The entry executed: its leg works for `qty` shares in all, relative to the average `entry_price`."""

    working: WorkingOrder
    qty: Decimal
    entry_price: Decimal


@dataclass(frozen=True, slots=True)
class Trail:
    """The bar took a trailing stop's best price to `mark_price`, which counts from the next bar on."""

    working: WorkingOrder
    mark_price: Decimal


Outcome = Execution | Cancellation | Trigger | Reduction | Activation | Trail


class BarWork(NamedTuple):
    """What a bar made of the orders: fills in replay order, and the records of how the orders moved."""

    fills: list[Fill]
    events: list[OrderEvent]
    trail_marks: list[TrailMark]


def fills_of_bar(
    orders: Sequence[WorkingOrder],
    bar: Bar,
    model: FillModel,
    auctions: Auctions = CONTINUOUS,
    positions: Mapping[str, Decimal] = FLAT,
) -> list[Outcome]:
    """What happens to `orders` in `bar`; `positions` are the shares held before it by strategy. Nothing is changed.

    First the open, then the inside of the bar, where stops come before limits because the path is unknown, then the
    closing auction; ties by time of submission, legs before their entry, then id. All share the bar's volume limit.

    An entry that executes puts its legs to work: at once when it was at the open and there are as many shares for them
    to close, else from the next bar on, because what came before the execution is unknown. The order of a
    one-cancels-other group that executes first keeps the others from executing in this bar, and cancels or reduces
    them; a leg also cancels what is left of its entry.
    """
    session = _BarSession(orders, bar, model, auctions, positions)
    session.open()
    session.trade()
    session.close()
    return session.outcomes


class _BarSession:
    """What is left of a bar for our orders, and what happened so far. `_views` are the orders as they stand inside the
    bar, where that differs from how they entered it; outcomes name the orders themselves."""

    def __init__(
        self,
        orders: Sequence[WorkingOrder],
        bar: Bar,
        model: FillModel,
        auctions: Auctions,
        positions: Mapping[str, Decimal],
    ) -> None:
        self.bar, self.model, self.auctions, self.positions = bar, model, auctions, positions
        self.left = model.available(bar)
        self.outcomes: list[Outcome] = []
        self._orders = {working.order.client_order_id: working for working in orders}
        self._views = {
            name: _as_opened(working, bar) for name, working in self._orders.items() if is_at_market(working, bar)
        }
        self._executed: dict[str, Execution] = {}
        self._closed: set[str] = set()

    def open(self) -> None:
        for view in sorted(self._views.values(), key=_by_time):
            self._offer(view, self.model.fill_at_open(view, self.bar, self.left, self.auctions))
        for execution in list(self._executed.values()):
            legs = self._activated(execution)
            if legs and legs[0].remaining <= self._closable(legs[0].order):
                self._views.update({leg.order.client_order_id: leg for leg in legs})

    def trade(self) -> None:
        before = set(self._executed)
        for view in sorted(self._views.values(), key=_stops_first):
            self._offer(view, self.model.fill_inside(view, self.bar, self.left, self.auctions))
        for name, execution in list(self._executed.items()):
            if name not in before:
                self._activated(execution)

    def close(self) -> None:
        """What the end of the bar means for shares that were not executed."""
        for name, view in sorted(self._views.items(), key=lambda item: _by_time(item[1])):
            execution = self._executed.get(name)
            if name not in self._closed and (execution is None or execution.qty < view.remaining):
                self._leave(name, view)

    def _offer(self, view: WorkingOrder, execution: Execution | None) -> None:
        name = view.order.client_order_id
        if execution is None or name in self._executed or name in self._closed:
            return
        self.outcomes.append(replace(execution, working=self._orders[name]))
        self._executed[name] = execution
        self.left -= execution.qty
        if view.order.is_leg or view.order.order_class is OrderClass.OCO:
            self._close_siblings(execution)
        self._close_entry(view)

    def _close_siblings(self, execution: Execution) -> None:
        executed = execution.working
        for name, sibling in self._orders.items():
            if sibling.is_terminal or name in self._closed or not _are_siblings(sibling, executed):
                continue
            view = self._views.get(name, sibling)
            self._closed.add(name)
            rest = view.remaining - execution.qty
            if rest <= 0 or execution.qty == executed.remaining:
                reason = f"{executed.order.client_order_id} executed"
                self.outcomes.append(Cancellation(sibling, reason))
            else:
                self.outcomes.append(Reduction(sibling, sibling.filled_qty + rest))

    def _close_entry(self, leg: WorkingOrder) -> None:
        """Whoever stops out, or takes a profit, does not go on entering."""
        entry = self._orders.get(leg.order.parent_order_id or "")
        if entry is None or entry.is_terminal or entry.order.client_order_id in self._closed:
            return
        execution = self._executed.get(entry.order.client_order_id)
        if execution is None or execution.qty < entry.remaining:
            self._closed.add(entry.order.client_order_id)
            self.outcomes.append(Cancellation(entry, f"{leg.order.client_order_id} executed"))

    def _activated(self, execution: Execution) -> list[WorkingOrder]:
        """The legs of an entry that executed, as they stand from then on."""
        entry, legs = execution.working.order.client_order_id, []
        for name, leg in self._orders.items():
            if leg.order.parent_order_id != entry or leg.is_terminal or name in self._closed:
                continue
            view = replace(self._views.get(name, leg))
            before = view.remaining if view.entry_price is not None else ZERO
            price = execution.price
            if view.entry_price is not None and before > 0:
                price = rounded((view.entry_price * before + price * execution.qty) / (before + execution.qty))
            view.qty = view.filled_qty + before + execution.qty
            view.status = OrderStatus.WORKING
            view.enter(price)
            self.outcomes.append(Activation(leg, view.qty, price))
            legs.append(view)
        return legs

    def _closable(self, leg: Order) -> Decimal:
        """Shares of the leg's position, as it stands now, that no other order is about to close."""
        held = self.positions.get(leg.strategy, ZERO)
        others: dict[str, Decimal] = {}
        for name, working in self._orders.items():
            order = working.order
            executed = self._executed[name].qty if name in self._executed else ZERO
            if order.strategy != leg.strategy:
                continue
            held += order.side.sign * executed
            is_waiting_leg = order.is_leg and name not in self._views
            is_same_group = order.is_leg and order.group_id == leg.group_id
            if order.side is leg.side and not (working.is_terminal or is_waiting_leg or is_same_group):
                group = str(order.group_id) if order.is_leg else name
                others[group] = max(others.get(group, ZERO), self._views.get(name, working).remaining - executed)
        return -leg.side.sign * held - sum(others.values(), ZERO)

    def _leave(self, name: str, view: WorkingOrder) -> None:
        working, time_in_force = self._orders[name], view.order.time_in_force
        if time_in_force in IMMEDIATE:
            self.outcomes.append(Cancellation(working, f"{time_in_force}: not executable at once"))
        elif _has_ended(time_in_force, self.auctions):
            self.outcomes.append(Cancellation(working, f"{time_in_force}: not executed in the auction"))
        elif self.bar.volume > 0 and reaches_stop_in(view, self.bar):
            self.outcomes.append(Trigger(working))
            self._close_entry(view)
        elif self.bar.volume > 0 and view.order.order_type is OrderType.TRAILING_STOP and not view.is_triggered:
            after = replace(view)
            after.trail(self.bar.high if view.order.side is Side.SELL else self.bar.low)
            if after.mark_price is not None and after.mark_price != working.mark_price:
                self.outcomes.append(Trail(working, after.mark_price))


def work_bar(
    orders: Sequence[WorkingOrder],
    bar: Bar,
    model: FillModel,
    auctions: Auctions = CONTINUOUS,
    positions: Mapping[str, Decimal] = FLAT,
) -> BarWork:
    """Move `orders` (in place) by what `bar` does to them; returns what to record.

    Fills are booked at the end of the bar, and are not yet applied to any book.
    """
    work = BarWork([], [], [])
    for outcome in fills_of_bar(orders, bar, model, auctions, positions):
        if isinstance(outcome, Execution):
            work.fills.append(_fill_of(outcome, bar))
        if isinstance(outcome, Trail):
            outcome.working.trail(outcome.mark_price)
            name = outcome.working.order.client_order_id
            work.trail_marks.append(TrailMark(name, bar.closes_at, bar.session_date, outcome.mark_price))
        else:
            work.events.extend(_events_of(outcome, bar))
    work.fills.sort(key=replay_key)
    return work


def _fill_of(execution: Execution, bar: Bar) -> Fill:
    order = execution.working.order
    return Fill(
        execution_id=execution_id(order.client_order_id, bar.ts, 0),
        client_order_id=order.client_order_id,
        account_id=order.account_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        qty=execution.qty,
        price=execution.price,
        filled_at=execution.at,
        booked_at=bar.closes_at,
        session_date=bar.session_date,
    )


def _events_of(outcome: Execution | Cancellation | Trigger | Reduction | Activation, bar: Bar) -> list[OrderEvent]:
    # Whatever the moment inside the bar: the account learns of it at the bar's end.
    working, at, session = outcome.working, bar.closes_at, bar.session_date
    match outcome:
        case Execution():
            working.filled_qty += outcome.qty
            status = OrderStatus.PARTIALLY_FILLED if working.remaining else OrderStatus.FILLED
            return [working.move(status, at, session)]
        case Cancellation():
            return [working.move(OrderStatus.CANCELED, at, session, detail=outcome.reason)]
        case Trigger():
            working.is_triggered = True
            return working.restate(at, session, TRIGGER_DETAIL)
        case Reduction():
            return working.restate(at, session, "the other leg executed in part", outcome.qty)
        case Activation():
            working.enter(outcome.entry_price)
            return working.resume(at, session, f"{ENTRY_DETAIL}{plain(outcome.entry_price)}", outcome.qty)


def _as_opened(working: WorkingOrder, bar: Bar) -> WorkingOrder:
    """The order as it meets the bar: a trailing stop that has seen no price yet begins at the open."""
    if working.order.order_type is not OrderType.TRAILING_STOP or working.mark_price is not None:
        return working
    opened = replace(working)
    opened.trail(bar.open)
    return opened


def _are_siblings(one: WorkingOrder, other: WorkingOrder) -> bool:
    """Whether two orders are of one group in which the first that executes cancels or reduces the rest."""
    return (
        one.order.group_id is not None
        and one.order.group_id == other.order.group_id
        and one.order.client_order_id != other.order.client_order_id
        and one.order.parent_order_id == other.order.parent_order_id
    )


def _has_ended(time_in_force: TimeInForce, auctions: Auctions) -> bool:
    """Whether the auction that the order was for is over."""
    if time_in_force is TimeInForce.OPG:
        return auctions.has_opening
    return time_in_force is TimeInForce.CLS and auctions.has_closing


def _by_time(working: WorkingOrder) -> tuple[datetime, bool, str]:
    return working.order.submitted_at, not working.order.is_leg, working.order.client_order_id


def _stops_first(working: WorkingOrder) -> tuple[bool, bool, datetime, bool, str]:
    is_auction = working.order.time_in_force in AUCTION_TIMES
    return is_auction, working.stop_price is None or working.is_triggered, *_by_time(working)
