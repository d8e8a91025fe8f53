"""An account from its record: the same, in everything it does next, as the one that lived through what is recorded.

What restricts its orders is no part of it: `take_notice` finds that before every decision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading_assets.domain.execution.account_activity import (
    LOOK_BACK,
    can_have_day_trades,
    day_trades_of,
    unsettled_sales,
)
from trading_assets.domain.execution.bookings import ORDER_DETAIL
from trading_assets.domain.execution.ledger import ActivityKind, Fill, Record, fold
from trading_assets.domain.execution.orders import Order, OrderEvent, TrailMark, WorkingOrder
from trading_assets.domain.journal import BreakerEvent, BreakerState, EquityPoint
from trading_assets.domain.risk.activity import SentOrder
from trading_assets.domain.simulation.account import Account


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of an account up to the bar close of `newest`, in any order.

    `start_equity_usd` is the equity of the end of the session before, `working` are the orders that are not over, by
    client id; `breaker_events` need only be the newest of each breaker. `stop_orders` are the ids of all stop orders
    there were, `sent_orders` those decided on in the session of `newest`. `marks` are prices by symbol, `held_after`
    the signed shares by symbol at the end of a session.
    """

    broker: str
    newest: EquityPoint
    start_equity_usd: Decimal
    records: Sequence[Record]
    working: Mapping[str, WorkingOrder]
    breaker_events: Sequence[BreakerEvent]
    stop_orders: Collection[str]
    sent_orders: Sequence[SentOrder]
    marks: Mapping[str, Decimal]
    held_after: Callable[[date], Mapping[str, Decimal]]


def restored(record: Recorded) -> Account:
    """The account as it stood after the bar close of `record.newest`."""
    newest, day = record.newest, record.newest.session_date
    book = fold(newest.account_id, record.records)
    book.settle(day)
    book.mark(record.marks)
    book.high_water_mark = newest.high_water_mark_usd
    breakers = {event.breaker: event for event in sorted(record.breaker_events, key=lambda event: event.event_no)}
    fills = [one for one in record.records if isinstance(one, Fill)]
    recent = [fill for fill in fills if day - LOOK_BACK <= fill.session_date < day]
    return Account(
        book=book,
        broker=record.broker,
        working=dict(record.working),
        tripped={name: event for name, event in breakers.items() if event.state is BreakerState.TRIPPED},
        breaker_events={name: event.event_no for name, event in breakers.items()},
        cleared_at={name: event.at for name, event in breakers.items() if event.state is BreakerState.CLEARED},
        stop_orders=set(record.stop_orders),
        session_fills=[fill for fill in fills if fill.session_date == day],
        session_orders=list(record.sent_orders),
        day_trades=_day_trades(recent, record.held_after),
        unsettled=unsettled_sales(recent, day),
        start_equity_usd=record.start_equity_usd,
        session_date=day,
        as_of=newest.at,
    )


def working_orders(
    orders: Iterable[Order],
    order_events: Iterable[OrderEvent],
    trail_marks: Iterable[TrailMark],
    records: Iterable[Record],
) -> dict[str, WorkingOrder]:
    """Those of `orders` that are not over, by client id; `order_events` in order of number, all else in any order."""
    events: dict[str, list[OrderEvent]] = defaultdict(list)
    for event in order_events:
        events[event.client_order_id].append(event)
    marks: dict[str, list[TrailMark]] = defaultdict(list)
    for mark in trail_marks:
        marks[mark.client_order_id].append(mark)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        if isinstance(record, Fill):
            filled[record.client_order_id] += record.qty
        elif record.kind is ActivityKind.BUST and ORDER_DETAIL in record.detail:
            filled[record.detail[ORDER_DETAIL]] -= abs(record.qty_delta)
    working = {
        name: WorkingOrder.from_events(order, events[name], filled[name], marks[name])
        for order in orders
        for name in [order.client_order_id]
    }
    return {name: one for name, one in working.items() if not one.is_terminal}


def _day_trades(fills: Sequence[Fill], held_after: Callable[[date], Mapping[str, Decimal]]) -> dict[date, int]:
    """The day trades by session, where there may have been any."""
    by_session: dict[date, list[Fill]] = defaultdict(list)
    for fill in fills:
        by_session[fill.session_date].append(fill)
    return {
        day: day_trades_of(traded, held_after(day)) for day, traded in by_session.items() if can_have_day_trades(traded)
    }
