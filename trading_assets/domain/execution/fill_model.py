"""What the simulated market does with working orders in one bar that begins no earlier than the order was sent.

An execution at the open happens at the bar's start; any other is known at its end only. Prices are rounded to 4
decimals, half to even. Nothing is random: the same orders and bars give the same fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from trading_assets.domain.execution.ids import execution_id
from trading_assets.domain.execution.ledger import Fill, replay_key
from trading_assets.domain.execution.orders import (
    EXECUTABLE,
    PRICE_STEP,
    TRIGGER_DETAIL,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
)
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.values import Side

BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Execution:
    """Shares of `working` that the bar executes, `at` its start or its end (UTC)."""

    working: WorkingOrder
    qty: Decimal
    price: Decimal
    at: datetime


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


Outcome = Execution | Cancellation | Trigger | Reduction


@dataclass(frozen=True, slots=True)
class FillModel:
    """`slippage_bps` worsens market and stop prices; all our orders together get `volume_limit`, a share, of a bar."""

    slippage_bps: Decimal
    volume_limit: Decimal

    def available(self, bar: Bar) -> Decimal:
        """Whole shares of the bar that our orders may have; none when nothing traded (halt)."""
        return (bar.volume * self.volume_limit).to_integral_value(ROUND_FLOOR)

    def slipped(self, price: Decimal, side: Side) -> Decimal:
        return _rounded(price + side.sign * price * self.slippage_bps / BASIS_POINTS)

    def fill(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        """What the bar executes of one order when `available` shares are left for it. Nothing is changed."""
        if not is_at_market(working, bar):
            return None
        return self.fill_at_open(working, bar, available) or self.fill_inside(working, bar, available)

    def fill_at_open(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        price = self._price_at_open(working, bar.open)
        return None if price is None else _execution(working, available, price, bar.ts)

    def fill_inside(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        # The path after a trigger at the open is unknown, and what is immediate does not wait.
        if working.order.time_in_force in _IMMEDIATE or _reaches_stop(working, bar.open):
            return None
        price = self._price_inside(working, bar)
        return None if price is None else _execution(working, available, price, bar.closes_at)

    def _price_at_open(self, working: WorkingOrder, opened_at: Decimal) -> Decimal | None:
        side = working.order.side
        if _is_limit_now(working):
            return _rounded(opened_at) if _is_beyond(opened_at, _limit(working), side) else None
        if _is_market_now(working):
            return self.slipped(opened_at, side)
        return self._stopped(working, opened_at) if _reaches_stop(working, opened_at) else None

    def _price_inside(self, working: WorkingOrder, bar: Bar) -> Decimal | None:
        best = bar.low if working.order.side is Side.BUY else bar.high
        if _is_limit_now(working):
            return _rounded(_limit(working)) if _is_beyond(best, _limit(working), working.order.side) else None
        if working.stop_price is None or not _reaches_stop_in(working, bar):
            return None
        return self._stopped(working, working.stop_price)

    def _stopped(self, working: WorkingOrder, price: Decimal) -> Decimal | None:
        """The price of a stop triggered at `price`; None for a stop-limit whose limit does not allow it."""
        slipped = self.slipped(price, working.order.side)
        if working.order.order_type is OrderType.STOP or _is_within(slipped, _limit(working), working.order.side):
            return slipped
        return None


def is_at_market(working: WorkingOrder, bar: Bar) -> bool:
    """Whether the order waits for this bar: executable, of the bar's symbol, and sent no later than the bar began."""
    return (
        working.status in EXECUTABLE
        and working.order.symbol == bar.symbol
        and bar.ts >= working.order.submitted_at
        and working.remaining > 0
    )


def fills_of_bar(
    orders: Sequence[WorkingOrder], bar: Bar, model: FillModel, groups: Mapping[str, str] | None = None
) -> list[Outcome]:
    """What happens to `orders` in `bar`. Nothing is changed.

    First the open, then the inside of the bar, where stops come before limits because the path is unknown; ties by time
    of submission, then id. All share the bar's volume limit. `groups` maps client order ids to one-cancels-other
    groups: the leg that executes first keeps the others from executing in this bar, and cancels or reduces them.
    """
    waiting = sorted((working for working in orders if is_at_market(working, bar)), key=_by_time)
    session = _BarSession(waiting, model.available(bar), groups or {})
    for working in waiting:
        session.offer(working, model.fill_at_open(working, bar, session.left))
    for working in sorted(waiting, key=_stops_first):
        session.offer(working, model.fill_inside(working, bar, session.left))
    return session.outcomes + [end for working in waiting for end in session.leftover(working, bar)]


class _BarSession:
    """What is left of a bar for our orders, and what happened so far."""

    def __init__(self, waiting: Sequence[WorkingOrder], available: Decimal, groups: Mapping[str, str]) -> None:
        self.waiting, self.left, self.groups = waiting, available, groups
        self.outcomes: list[Outcome] = []
        self.executed: dict[str, Decimal] = {}
        self.closed: set[str] = set()

    def offer(self, working: WorkingOrder, execution: Execution | None) -> None:
        name = working.order.client_order_id
        if execution is None or name in self.executed or name in self.closed:
            return
        self.outcomes.append(execution)
        self.executed[name] = execution.qty
        self.left -= execution.qty
        if name in self.groups:
            self._close_siblings(execution, self.groups[name])

    def _close_siblings(self, execution: Execution, group: str) -> None:
        executed = execution.working
        for sibling in self.waiting:
            name = sibling.order.client_order_id
            if sibling is executed or self.groups.get(name) != group:
                continue
            self.closed.add(name)
            rest = sibling.remaining - execution.qty
            if rest <= 0 or execution.qty == executed.remaining:
                reason = f"{executed.order.client_order_id} executed"
                self.outcomes.append(Cancellation(sibling, reason))
            else:
                self.outcomes.append(Reduction(sibling, sibling.filled_qty + rest))

    def leftover(self, working: WorkingOrder, bar: Bar) -> list[Outcome]:
        """What the end of the bar means for shares that were not executed."""
        name = working.order.client_order_id
        if name in self.closed or self.executed.get(name) == working.remaining:
            return []
        if working.order.time_in_force in _IMMEDIATE:
            return [Cancellation(working, f"{working.order.time_in_force}: not executable at once")]
        return [Trigger(working)] if bar.volume > 0 and _reaches_stop_in(working, bar) else []


def work_bar(
    orders: Sequence[WorkingOrder], bar: Bar, model: FillModel, groups: Mapping[str, str] | None = None
) -> tuple[list[Fill], list[OrderEvent]]:
    """Move `orders` (in place) by what `bar` does to them; returns the fills in replay order and the events to record.

    Fills are booked at the end of the bar, and are not yet applied to any book.
    """
    fills: list[Fill] = []
    events: list[OrderEvent] = []
    for outcome in fills_of_bar(orders, bar, model, groups):
        if isinstance(outcome, Execution):
            fills.append(_fill_of(outcome, bar))
        events.extend(_events_of(outcome, bar))
    return sorted(fills, key=replay_key), events


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


def _events_of(outcome: Outcome, bar: Bar) -> list[OrderEvent]:
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


_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def _by_time(working: WorkingOrder) -> tuple[datetime, str]:
    return working.order.submitted_at, working.order.client_order_id


def _stops_first(working: WorkingOrder) -> tuple[bool, datetime, str]:
    return working.stop_price is None or working.is_triggered, *_by_time(working)


def _is_limit_now(working: WorkingOrder) -> bool:
    order_type = working.order.order_type
    return order_type is OrderType.LIMIT or (order_type is OrderType.STOP_LIMIT and working.is_triggered)


def _is_market_now(working: WorkingOrder) -> bool:
    order_type = working.order.order_type
    return order_type is OrderType.MARKET or (order_type is OrderType.STOP and working.is_triggered)


def _reaches_stop(working: WorkingOrder, price: Decimal) -> bool:
    """Whether `price` triggers a stop that still waits; a touch is enough."""
    if working.stop_price is None or working.is_triggered:
        return False
    return price >= working.stop_price if working.order.side is Side.BUY else price <= working.stop_price


def _reaches_stop_in(working: WorkingOrder, bar: Bar) -> bool:
    return _reaches_stop(working, bar.high if working.order.side is Side.BUY else bar.low)


def _execution(working: WorkingOrder, available: Decimal, price: Decimal, at: datetime) -> Execution | None:
    if available <= 0 or (working.order.time_in_force is TimeInForce.FOK and available < working.remaining):
        return None
    return Execution(working, min(working.remaining, available), price, at)


def _limit(working: WorkingOrder) -> Decimal:
    if working.limit_price is None:
        order = working.order
        raise ValueError(f"order {order.client_order_id} is a {order.order_type} order without a limit price")
    return working.limit_price


def _is_beyond(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Strictly better than the limit: a touch proves no execution."""
    return price < limit if side is Side.BUY else price > limit


def _is_within(price: Decimal, limit: Decimal, side: Side) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(PRICE_STEP, ROUND_HALF_EVEN)
