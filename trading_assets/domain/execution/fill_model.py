"""What the simulated market does with working orders in one bar. It trades on bars that begin after the order was sent.

Executions at the open happen at the bar's start, all others are known at its end only. Prices are rounded to 4 decimals.
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
    TRIGGER_DETAIL,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
)
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.values import ZERO, Side

PRICE_STEP = Decimal("0.0001")
WHOLE = Decimal(1)
BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Execution:
    """Shares of `working` that the bar executes. `is_at_open` tells a fill at the bar's start from one inside it."""

    working: WorkingOrder
    qty: Decimal
    price: Decimal
    at: datetime
    is_at_open: bool


@dataclass(frozen=True, slots=True)
class Cancellation:
    working: WorkingOrder
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """A stop-limit's stop was reached and its limit did not execute: from now on it rests as a limit order."""

    working: WorkingOrder
    at: datetime


@dataclass(frozen=True, slots=True)
class Reduction:
    """The other leg of a group executed in part: this leg may close no more than the rest."""

    working: WorkingOrder
    at: datetime
    qty: Decimal


Outcome = Execution | Cancellation | Trigger | Reduction


@dataclass(frozen=True, slots=True)
class FillModel:
    """`slippage_bps` worsens market and stop prices; all orders together get `volume_limit` (a share) of a bar's volume."""

    slippage_bps: Decimal
    volume_limit: Decimal

    def available(self, bar: Bar) -> Decimal:
        """Whole shares of the bar that our orders may have; none when nothing traded (halt)."""
        return (bar.volume * self.volume_limit).to_integral_value(ROUND_FLOOR)

    def slipped(self, price: Decimal, side: Side) -> Decimal:
        return _rounded(price + side.sign * price * self.slippage_bps / BASIS_POINTS)

    def fill(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        """What the bar executes of one order when `available` shares are left for it. Nothing is changed."""
        if not is_eligible(working, bar) or available <= 0:
            return None
        return self.fill_at_open(working, bar, available) or self.fill_inside(working, bar, available)

    def fill_at_open(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        price = self._price_at_open(working, bar.open)
        return None if price is None else _execution(working, available, price, bar.ts, is_at_open=True)

    def fill_inside(self, working: WorkingOrder, bar: Bar, available: Decimal) -> Execution | None:
        if working.order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK) or is_triggered_at(working, bar.open):
            return None
        price = self._price_inside(working, bar)
        return None if price is None else _execution(working, available, price, bar.closes_at, is_at_open=False)

    def _price_at_open(self, working: WorkingOrder, opened_at: Decimal) -> Decimal | None:
        side, order_type = working.order.side, working.order.order_type
        if order_type is OrderType.MARKET:
            return self.slipped(opened_at, side)
        if is_limit_now(working):
            return _rounded(opened_at) if _is_beyond(opened_at, _limit(working), side) else None
        if not is_triggered_at(working, opened_at):
            return None
        price = self.slipped(opened_at, side)
        return price if order_type is OrderType.STOP or _is_within(price, _limit(working), side) else None

    def _price_inside(self, working: WorkingOrder, bar: Bar) -> Decimal | None:
        side, order_type = working.order.side, working.order.order_type
        if order_type is OrderType.MARKET:
            return None
        best = bar.low if side is Side.BUY else bar.high
        if is_limit_now(working):
            return _rounded(_limit(working)) if _is_beyond(best, _limit(working), side) else None
        if not is_triggered_in(working, bar):
            return None
        price = self.slipped(_stop(working), side)
        return price if order_type is OrderType.STOP or _is_within(price, _limit(working), side) else None


def is_eligible(working: WorkingOrder, bar: Bar) -> bool:
    """Whether the order is at the market when the bar starts, and the bar is one that traded."""
    return (
        working.status in EXECUTABLE
        and working.order.symbol == bar.symbol
        and bar.ts >= working.order.submitted_at
        and bar.volume > 0
        and working.remaining > 0
    )


def is_limit_now(working: WorkingOrder) -> bool:
    return working.order.order_type is OrderType.LIMIT or (
        working.order.order_type is OrderType.STOP_LIMIT and working.is_triggered
    )


def is_triggered_at(working: WorkingOrder, price: Decimal) -> bool:
    """Whether an untriggered stop is reached by `price`: a touch is enough."""
    if working.stop_price is None or working.is_triggered:
        return False
    return price >= working.stop_price if working.order.side is Side.BUY else price <= working.stop_price


def is_triggered_in(working: WorkingOrder, bar: Bar) -> bool:
    return is_triggered_at(working, bar.high if working.order.side is Side.BUY else bar.low)


def fills_of_bar(
    orders: Sequence[WorkingOrder], bar: Bar, model: FillModel, groups: Mapping[str, str] | None = None
) -> list[Outcome]:
    """What happens to `orders` in `bar`, in order of happening. Nothing is changed.

    First the open, then the inside of the bar, where stops come before limits because the path is unknown; ties by time of
    submission and id. All share the bar's volume limit. `groups` maps client order ids to one-cancels-other groups: the
    first leg that executes keeps the others from executing in this bar, and cancels or reduces them.
    """
    raise NotImplementedError


def work_bar(
    orders: Sequence[WorkingOrder], bar: Bar, model: FillModel, groups: Mapping[str, str] | None = None
) -> tuple[list[Fill], list[OrderEvent]]:
    """Move `orders` (in place) by what `bar` does to them; returns the fills in replay order and the events to record.

    Fills are booked at the end of the bar, and are not yet applied to any book.
    """
    raise NotImplementedError


def _execution(
    working: WorkingOrder, available: Decimal, price: Decimal, at: datetime, *, is_at_open: bool
) -> Execution | None:
    if working.order.time_in_force is TimeInForce.FOK and available < working.remaining:
        return None
    return Execution(working, min(working.remaining, available), price, at, is_at_open)


def _limit(working: WorkingOrder) -> Decimal:
    if working.limit_price is None:
        raise ValueError(
            f"order {working.order.client_order_id} is a {working.order.order_type} order without a limit price"
        )
    return working.limit_price


def _stop(working: WorkingOrder) -> Decimal:
    if working.stop_price is None:
        raise ValueError(
            f"order {working.order.client_order_id} is a {working.order.order_type} order without a stop price"
        )
    return working.stop_price


def _is_beyond(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Strictly better than the limit: a touch proves no execution."""
    return price < limit if side is Side.BUY else price > limit


def _is_within(price: Decimal, limit: Decimal, side: Side) -> bool:
    return price <= limit if side is Side.BUY else price >= limit


def _rounded(price: Decimal) -> Decimal:
    return price.quantize(PRICE_STEP, ROUND_HALF_EVEN)
