"""Which orders a broker takes, and when: one table of order type, time in force and phase of the trading day.

The risk review, the simulated broker and an adapter's tests all ask this table. Whether the account can afford an order
is another question, as are its price and quantity.

Source: Alpaca's contract of the trading API (time in force, extended hours), read in its strictest sense where it
leaves a choice: stops are day or gtc, and what is immediate needs the regular session.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache

from trading_assets.domain.execution.orders import OrderClass, OrderType, TimeInForce
from trading_assets.domain.market.sessions import NEW_YORK, is_session, session

EXTENDED_OPENING = time(4, 0)
EXTENDED_CLOSING = time(20, 0)
AUCTION_ORDERS_FROM = time(19, 0)
"""New York time from which on orders for the auctions of the next session are taken."""
OPENING_CUT_OFF = timedelta(minutes=2)
CLOSING_CUT_OFF = timedelta(minutes=10)


class Phase(StrEnum):
    """Parts of the trading day in New York time, each with its begin and without its end."""

    OVERNIGHT = "overnight"
    """20:00 to 04:00, and all of a day without trading."""
    PRE_MARKET = "pre_market"
    """04:00 to 09:28."""
    PRE_OPEN = "pre_open"
    """09:28 to 09:30: the opening auction takes no further orders."""
    REGULAR = "regular"
    """09:30 to ten minutes before the close."""
    PRE_CLOSE = "pre_close"
    """The last ten minutes: the closing auction takes no further orders."""
    AFTER_HOURS = "after_hours"
    """The close to 19:00."""
    EVENING = "evening"
    """19:00 to 20:00: as after hours, and orders for the next session's auctions are taken."""


class Placement(StrEnum):
    """What becomes of an order that is sent in a phase."""

    NOW = "now"
    """It may execute in this phase."""
    LATER = "later"
    """It is taken, and waits for its auction or for the next hours that it is good for."""
    REFUSED = "refused"


_N, _L, _R = Placement.NOW, Placement.LATER, Placement.REFUSED

_GOOD_FOR: Mapping[str, tuple[Placement, ...]] = {
    # over night, pre-market, pre-open, regular, pre-close, after hours, evening
    "regular hours": (_L, _L, _L, _N, _N, _L, _L),
    "extended hours": (_L, _N, _N, _N, _N, _N, _N),
    "opening": (_L, _L, _R, _R, _R, _R, _L),
    "closing": (_L, _L, _L, _L, _R, _R, _L),
    "at once": (_R, _R, _R, _N, _N, _R, _R),
    "nothing": (_R, _R, _R, _R, _R, _R, _R),
}
_HOURS_OF = {
    TimeInForce.DAY: "regular hours",
    TimeInForce.GTC: "regular hours",
    TimeInForce.OPG: "opening",
    TimeInForce.CLS: "closing",
    TimeInForce.IOC: "at once",
    TimeInForce.FOK: "at once",
}
RESTING_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_SIMPLE_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})


def _hours(order_type: OrderType, time_in_force: TimeInForce, is_extended_hours: bool) -> str:
    if is_extended_hours:
        return "extended hours" if order_type is OrderType.LIMIT and time_in_force in RESTING_TIMES else "nothing"
    if order_type not in _SIMPLE_TYPES and time_in_force not in RESTING_TIMES:
        return "nothing"
    return _HOURS_OF[time_in_force]


ORDER_MATRIX: Mapping[tuple[OrderType, TimeInForce, bool, Phase], Placement] = {
    (order_type, time_in_force, is_extended_hours, phase): placement
    for order_type in OrderType
    for time_in_force in TimeInForce
    for is_extended_hours in (False, True)
    for phase, placement in zip(Phase, _GOOD_FOR[_hours(order_type, time_in_force, is_extended_hours)], strict=True)
}
"""Every cell, by order type, time in force, whether the order asks for extended hours, and phase."""


def placement(
    order_type: OrderType,
    time_in_force: TimeInForce,
    phase: Phase,
    is_extended_hours: bool = False,
    order_class: OrderClass = OrderClass.SIMPLE,
) -> Placement:
    """What becomes of an order sent in `phase`. Groups rest in regular hours; an oco group is sent as its limit leg."""
    is_group = order_class is not OrderClass.SIMPLE
    if is_group and (is_extended_hours or time_in_force not in RESTING_TIMES):
        return Placement.REFUSED
    if order_class is OrderClass.OCO and order_type is not OrderType.LIMIT:
        return Placement.REFUSED
    return ORDER_MATRIX[order_type, time_in_force, is_extended_hours, phase]


def phase_at(at: datetime) -> Phase:
    """The phase of the moment `at` (tz-aware). Raises OutsideCalendarError."""
    day = at.astimezone(NEW_YORK).date()
    if not is_session(day):
        return Phase.OVERNIGHT
    phase = Phase.OVERNIGHT
    for begins_at, begun in _phases_of(day):
        if at < begins_at:
            break
        phase = begun
    return phase


@cache
def _phases_of(day: date) -> tuple[tuple[datetime, Phase], ...]:
    trading = session(day)
    return (
        (_at(day, EXTENDED_OPENING), Phase.PRE_MARKET),
        (trading.opens_at - OPENING_CUT_OFF, Phase.PRE_OPEN),
        (trading.opens_at, Phase.REGULAR),
        (trading.closes_at - CLOSING_CUT_OFF, Phase.PRE_CLOSE),
        (trading.closes_at, Phase.AFTER_HOURS),
        (_at(day, AUCTION_ORDERS_FROM), Phase.EVENING),
        (_at(day, EXTENDED_CLOSING), Phase.OVERNIGHT),
    )


def _at(day: date, wall_clock: time) -> datetime:
    return datetime.combine(day, wall_clock, NEW_YORK).astimezone(UTC)
