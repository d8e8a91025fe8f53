"""Orders, their states and the one table of legal moves between them.

The status is what the broker says of an order and moves only along the table; what executed is the ledger's business.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.market.order_prices import PRICE_STEP, order_price
from trading_assets.domain.values import ZERO, Side


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"


AUCTION_TIMES = frozenset({TimeInForce.OPG, TimeInForce.CLS})
"""Good for the opening, or the closing, auction of one session only."""


class OrderClass(StrEnum):
    """How orders of one group belong together: legs wait for their entry (bracket: several of them, oto: one), and of
    legs, as of the orders of an oco group, the one that executes cancels or reduces the others."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


class OrderStatus(StrEnum):
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    LAPSED = "LAPSED"
    SUBMITTING = "SUBMITTING"
    SUBMIT_UNKNOWN = "SUBMIT_UNKNOWN"
    NEVER_ARRIVED = "NEVER_ARRIVED"
    ACKED = "ACKED"
    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    HELD = "HELD"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    PARTIALLY_FILLED_AFTER_TERMINAL = "PARTIALLY_FILLED_AFTER_TERMINAL"


_S = OrderStatus

TERMINAL: frozenset[OrderStatus] = frozenset(
    {
        _S.DENIED,
        _S.LAPSED,
        _S.NEVER_ARRIVED,
        _S.FILLED,
        _S.CANCELED,
        _S.EXPIRED,
        _S.REPLACED,
        _S.REJECTED,
        _S.PARTIALLY_FILLED_AFTER_TERMINAL,
    }
)

BROKER_STATUSES: frozenset[OrderStatus] = frozenset(
    {
        _S.ACKED,
        _S.WORKING,
        _S.PARTIALLY_FILLED,
        _S.FILLED,
        _S.DONE_FOR_DAY,
        _S.PENDING_CANCEL,
        _S.PENDING_REPLACE,
        _S.HELD,
        _S.CANCELED,
        _S.EXPIRED,
        _S.REPLACED,
        _S.REJECTED,
    }
)
"""What a broker can say of an order it knows."""

EXECUTABLE: frozenset[OrderStatus] = frozenset(
    {_S.ACKED, _S.WORKING, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.PENDING_REPLACE}
)
"""Statuses in which the market may still execute an order: a cancel that is only requested can lose the race."""

_ENDS = {_S.FILLED, _S.CANCELED, _S.EXPIRED}
_PENDING = {_S.PENDING_CANCEL, _S.PENDING_REPLACE}

TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.DENIED}),
    _S.APPROVED: frozenset({_S.SUBMITTING, _S.LAPSED, _S.DENIED}),
    _S.SUBMITTING: frozenset({_S.ACKED, _S.REJECTED, _S.SUBMIT_UNKNOWN, _S.PARTIALLY_FILLED, _S.FILLED}),
    _S.SUBMIT_UNKNOWN: BROKER_STATUSES | {_S.NEVER_ARRIVED},
    _S.ACKED: BROKER_STATUSES - {_S.ACKED},
    _S.WORKING: BROKER_STATUSES - {_S.ACKED, _S.WORKING},
    _S.PARTIALLY_FILLED: frozenset(_ENDS | _PENDING | {_S.PARTIALLY_FILLED, _S.REPLACED, _S.HELD, _S.DONE_FOR_DAY}),
    _S.PENDING_CANCEL: frozenset(_ENDS | {_S.PARTIALLY_FILLED, _S.REJECTED, _S.WORKING, _S.HELD}),
    _S.PENDING_REPLACE: frozenset(_ENDS | {_S.PARTIALLY_FILLED, _S.REPLACED, _S.WORKING, _S.HELD}),
    _S.HELD: BROKER_STATUSES,
    _S.DONE_FOR_DAY: frozenset(_ENDS | {_S.WORKING, _S.PARTIALLY_FILLED, _S.HELD, _S.PENDING_CANCEL}),
    # An execution that arrives late is true all the same: it is booked, and the status says that it happened.
    **{end: frozenset({end, _S.FILLED, _S.PARTIALLY_FILLED_AFTER_TERMINAL}) for end in TERMINAL},
}
"""Every legal move. The database holds the same rows in execution.order_transitions and refuses any other move."""

SPLIT_DETAIL = "split "
ENTRY_DETAIL = "entry "
TRIGGER_DETAIL = "triggered"


class IllegalTransition(ValueError):
    """An order was told to make a move that the table does not have."""

    def __init__(self, client_order_id: str, old: OrderStatus, new: OrderStatus) -> None:
        legal = ", ".join(sorted(TRANSITIONS[old]))
        super().__init__(
            f"order {client_order_id}: {old} -> {new} is no legal move; from {old} an order may go to {legal}"
        )
        self.client_order_id, self.old, self.new = client_order_id, old, new


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt to execute one approved intent. `qty` is unsigned shares, prices are raw USD.

    `session_date` is the session of the decision; `submitted_at` is UTC. A leg names its entry in `parent_order_id`;
    its price may be `entry_offset_pct` percent above (negative: below) what the entry executed at. A trailing stop
    keeps `trail_usd`, or `trail_pct` percent, from the best price so far. One that takes another's place at a broker
    names it in `replaces_order_id`. Raises ValueError for an impossible order.
    """

    client_order_id: str
    intent_id: str
    attempt: int
    account_id: str
    strategy: str
    strategy_version: str
    symbol: str
    side: Side
    qty: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    submitted_at: datetime
    session_date: date
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    group_id: str | None = None
    parent_order_id: str | None = None
    entry_offset_pct: Decimal | None = None
    trail_usd: Decimal | None = None
    trail_pct: Decimal | None = None
    replaces_order_id: str | None = None

    def __post_init__(self) -> None:
        is_trailing = self.order_type is OrderType.TRAILING_STOP
        if (
            ((self.trail_usd is None) == (self.trail_pct is None))
            if is_trailing
            else (self.trail_usd or self.trail_pct)
        ):
            raise ValueError(f"order {self.client_order_id}: a trailing stop, and nothing else, has one distance")
        if self.time_in_force in AUCTION_TIMES and self.order_type not in {OrderType.MARKET, OrderType.LIMIT}:
            raise ValueError(
                f"order {self.client_order_id}: an auction takes market and limit orders, no {self.order_type}"
            )

    @property
    def is_leg(self) -> bool:
        """Whether it protects what its entry buys or sells short, and so never opens a position."""
        return self.parent_order_id is not None


@dataclass(frozen=True, slots=True)
class TrailMark:
    """The best price that a trailing stop has seen, raw USD, from `at` (UTC) on."""

    client_order_id: str
    at: datetime
    session_date: date
    mark_price: Decimal


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One move of one order. `event_no` counts from 1, `qty` is the order's quantity from here on, `at` is UTC."""

    client_order_id: str
    event_no: int
    status: OrderStatus
    qty: Decimal
    at: datetime
    session_date: date
    detail: str = ""


@dataclass(slots=True)
class WorkingOrder:
    """An order on its way. `qty` counts executed shares as they were executed plus what is still to do, so a split
    changes `remaining` and never `filled_qty`; prices are those of the newest split; `is_triggered` is the stop's.
    `entry_price` is what the entry of a leg executed at, on average; `mark_price` the best price of a trailing stop."""

    order: Order
    status: OrderStatus
    event_no: int
    qty: Decimal
    filled_qty: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    is_triggered: bool = False
    trail_usd: Decimal | None = None
    entry_price: Decimal | None = None
    mark_price: Decimal | None = None

    @classmethod
    def approved(cls, order: Order) -> WorkingOrder:
        """Before its first event, which is the move to SUBMITTING."""
        working = cls(order, OrderStatus.APPROVED, 0, order.qty, ZERO, order.limit_price, order.stop_price)
        working.trail_usd = order.trail_usd
        return working

    @classmethod
    def from_events(
        cls, order: Order, events: Iterable[OrderEvent], filled_qty: Decimal, marks: Iterable[TrailMark] = ()
    ) -> WorkingOrder:
        """The order as its recorded events, in order of `event_no`, its booked fills and its trail marks left it.

        Raises IllegalTransition when the record contains a move that the table does not have.
        """
        working = cls.approved(order)
        later = deque(sorted(marks, key=lambda mark: mark.at))
        for event in events:
            was_held = working.status is OrderStatus.HELD
            working.move(event.status, event.at, event.session_date, event.qty, event.detail)
            if event.detail == TRIGGER_DETAIL:
                working.is_triggered = True
            elif event.detail.startswith(ENTRY_DETAIL):
                working.enter(Decimal(event.detail.removeprefix(ENTRY_DETAIL)))
            elif event.detail.startswith(SPLIT_DETAIL) and was_held:
                # Marks are prices of their time: those from before the split are prices of an old share.
                while later and later[0].at <= event.at:
                    working.trail(later.popleft().mark_price)
                working.divide_prices(Decimal(event.detail.removeprefix(SPLIT_DETAIL)))
        for mark in later:
            working.trail(mark.mark_price)
        working.filled_qty = filled_qty
        return working

    @property
    def remaining(self) -> Decimal:
        return self.qty - self.filled_qty

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    def move(
        self, status: OrderStatus, at: datetime, session: date, qty: Decimal | None = None, detail: str = ""
    ) -> OrderEvent:
        """Move to `status` and return the event to record. `qty` is the new quantity if it changes.

        Raises IllegalTransition, and leaves the order as it was, when the table has no such move.
        """
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(self.order.client_order_id, self.status, status)
        self.status = status
        self.event_no += 1
        if qty is not None:
            self.qty = qty
        return OrderEvent(self.order.client_order_id, self.event_no, status, self.qty, at, session, detail)

    def restate(self, at: datetime, session: date, detail: str, qty: Decimal | None = None) -> list[OrderEvent]:
        """Hold the order and put it back as it was, with `qty` if given: two events, because both are legal moves.

        An order that is held already stays so, by one event.
        """
        if self.status is OrderStatus.HELD:
            return [self.move(OrderStatus.HELD, at, session, qty, detail)]
        status = self.status
        return [
            self.move(OrderStatus.HELD, at, session, detail=detail),
            self.move(status, at, session, qty, detail),
        ]

    def resume(self, at: datetime, session: date, detail: str, qty: Decimal) -> list[OrderEvent]:
        """Put the order to work for `qty` shares in all: a held one again, a working one with its new quantity."""
        if self.status is not OrderStatus.HELD:
            return self.restate(at, session, detail, qty)
        status = OrderStatus.PARTIALLY_FILLED if self.filled_qty else OrderStatus.WORKING
        return [self.move(status, at, session, qty, detail)]

    def enter(self, price: Decimal) -> None:
        """The entry of this leg has executed at `price`, on average: what is relative to it becomes a price."""
        self.entry_price = price
        if self.order.order_type is OrderType.TRAILING_STOP:
            if self.mark_price is None:
                self.trail(price)
            return
        if self.order.entry_offset_pct is not None:
            level = order_price(price * (1 + self.order.entry_offset_pct / 100))
            if self.order.order_type is OrderType.LIMIT:
                self.limit_price = level
            else:
                self.stop_price = level

    def trail(self, price: Decimal) -> None:
        """Let a trailing stop see `price`: it follows a better one, up for a sell, down for a buy, and never back."""
        side = self.order.side
        if self.mark_price is None or (price - self.mark_price) * side.sign < 0:
            self.mark_price = price
        self.stop_price = (self.mark_price + side.sign * self._trail_distance(self.mark_price)).quantize(PRICE_STEP)

    def _trail_distance(self, mark: Decimal) -> Decimal:
        if self.trail_usd is not None:
            return self.trail_usd
        return mark * (self.order.trail_pct or ZERO) / 100

    def divide_prices(self, ratio: Decimal) -> None:
        """Prices of a new share, when `ratio` new shares stand for one old: to 4 decimals, half to even."""
        for name in ("limit_price", "stop_price", "trail_usd", "entry_price", "mark_price"):
            price: Decimal | None = getattr(self, name)
            if price is not None:
                setattr(self, name, (price / ratio).quantize(PRICE_STEP))


def expire_day_orders(orders: Sequence[WorkingOrder], closes_at: datetime, session: date) -> list[OrderEvent]:
    """Expire the live orders of this session that were submitted before its close; one decided there works tomorrow."""
    return [
        working.move(OrderStatus.EXPIRED, closes_at, session, detail="end of the session")
        for working in orders
        if working.order.time_in_force is not TimeInForce.GTC
        and working.order.submitted_at < closes_at
        and working.status in EXECUTABLE | {OrderStatus.DONE_FOR_DAY, OrderStatus.HELD}
    ]
