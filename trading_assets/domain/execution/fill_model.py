"""What the simulated market does with working orders in one bar that begins no earlier than the order was sent.

An execution at the open happens at the bar's start; any other is known at its end only. Prices are rounded to 4
decimals, half to even. Nothing is random: the same orders and bars give the same fills. What
a bar does to many orders together is the business of `matching`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from trading_assets.domain.execution.orders import (
    EXECUTABLE,
    OrderType,
    TimeInForce,
    WorkingOrder,
)
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.order_prices import PRICE_STEP
from trading_assets.domain.values import Side

BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Auctions:
    """Which auctions of its session a bar holds, and their official prints, raw USD, where they are known.

    Without a print the opening auction is the bar's open and the closing auction its close.
    """

    has_opening: bool = False
    has_closing: bool = False
    opening_print: Decimal | None = None
    closing_print: Decimal | None = None


CONTINUOUS = Auctions()
"""Continuous trading only: auction orders wait."""


@dataclass(frozen=True, slots=True)
class Execution:
    """Shares of `working` that the bar executes, `at` its start or its end (UTC)."""

    working: WorkingOrder
    qty: Decimal
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class FillModel:
    """`slippage_bps` worsens market and stop prices; all our orders together get `volume_limit`, a share, of a bar."""

    slippage_bps: Decimal
    volume_limit: Decimal

    def available(self, bar: Bar) -> Decimal:
        """Whole shares of the bar that our orders may have; none when nothing traded (halt)."""
        return (bar.volume * self.volume_limit).to_integral_value(ROUND_FLOOR)

    def slipped(self, price: Decimal, side: Side) -> Decimal:
        return rounded(price + side.sign * price * self.slippage_bps / BASIS_POINTS)

    def fill(
        self, working: WorkingOrder, bar: Bar, available: Decimal, auctions: Auctions = CONTINUOUS
    ) -> Execution | None:
        """What the bar executes of one order when `available` shares are left for it. Nothing is changed."""
        if not is_at_market(working, bar):
            return None
        at_open = self.fill_at_open(working, bar, available, auctions)
        return at_open or self.fill_inside(working, bar, available, auctions)

    def fill_at_open(self, working: WorkingOrder, bar: Bar, available: Decimal, auctions: Auctions) -> Execution | None:
        time_in_force = working.order.time_in_force
        if time_in_force is TimeInForce.CLS or (time_in_force is TimeInForce.OPG and not auctions.has_opening):
            return None
        if time_in_force is TimeInForce.OPG:
            price = _price_in_auction(working, bar.open if auctions.opening_print is None else auctions.opening_print)
        else:
            price = self._price_at_open(working, bar.open)
        return None if price is None else _execution(working, available, price, bar.ts)

    def fill_inside(self, working: WorkingOrder, bar: Bar, available: Decimal, auctions: Auctions) -> Execution | None:
        """Executions after the open; those of the closing auction are the last of them."""
        time_in_force = working.order.time_in_force
        if time_in_force is TimeInForce.CLS:
            if not auctions.has_closing:
                return None
            print_ = bar.close if auctions.closing_print is None else auctions.closing_print
            price = _price_in_auction(working, print_)
        elif time_in_force in _ONLY_AT_OPEN or _reaches_stop(working, bar.open):
            # The path after a trigger at the open is unknown, and what is immediate does not wait.
            return None
        else:
            price = self._price_inside(working, bar)
        return None if price is None else _execution(working, available, price, bar.closes_at)

    def _price_at_open(self, working: WorkingOrder, opened_at: Decimal) -> Decimal | None:
        side = working.order.side
        if _is_limit_now(working):
            return rounded(opened_at) if _is_beyond(opened_at, _limit(working), side) else None
        if _is_market_now(working):
            return self.slipped(opened_at, side)
        return self._stopped(working, opened_at) if _reaches_stop(working, opened_at) else None

    def _price_inside(self, working: WorkingOrder, bar: Bar) -> Decimal | None:
        best = bar.low if working.order.side is Side.BUY else bar.high
        if _is_limit_now(working):
            return rounded(_limit(working)) if _is_beyond(best, _limit(working), working.order.side) else None
        if working.stop_price is None or not reaches_stop_in(working, bar):
            return None
        return self._stopped(working, working.stop_price)

    def _stopped(self, working: WorkingOrder, price: Decimal) -> Decimal | None:
        """The price of a stop triggered at `price`; None for a stop-limit whose limit does not allow it."""
        slipped = self.slipped(price, working.order.side)
        if working.order.order_type in _STOPS_AT_MARKET or _is_within(slipped, _limit(working), working.order.side):
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


IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_ONLY_AT_OPEN = IMMEDIATE | {TimeInForce.OPG}
_STOPS_AT_MARKET = frozenset({OrderType.STOP, OrderType.TRAILING_STOP})


def _price_in_auction(working: WorkingOrder, official: Decimal) -> Decimal | None:
    """The one price of an auction, without slippage; a limit that equals it proves no execution."""
    if _is_limit_now(working) and not _is_beyond(official, _limit(working), working.order.side):
        return None
    return rounded(official)


def _is_limit_now(working: WorkingOrder) -> bool:
    order_type = working.order.order_type
    return order_type is OrderType.LIMIT or (order_type is OrderType.STOP_LIMIT and working.is_triggered)


def _is_market_now(working: WorkingOrder) -> bool:
    order_type = working.order.order_type
    return order_type is OrderType.MARKET or (order_type in _STOPS_AT_MARKET and working.is_triggered)


def _reaches_stop(working: WorkingOrder, price: Decimal) -> bool:
    """Whether `price` triggers a stop that still waits; a touch is enough."""
    if working.stop_price is None or working.is_triggered:
        return False
    return price >= working.stop_price if working.order.side is Side.BUY else price <= working.stop_price


def reaches_stop_in(working: WorkingOrder, bar: Bar) -> bool:
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


def rounded(price: Decimal) -> Decimal:
    return price.quantize(PRICE_STEP, ROUND_HALF_EVEN)
