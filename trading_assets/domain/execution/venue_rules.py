"""Why a venue refuses an order: its form, its hours, what the account holds and can pay. One function a reason.

These are the broker's rules. The account's own limits are the business of the risk review, which is stricter.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.execution.broker_records import OrderRequest
from trading_assets.domain.execution.order_matrix import Phase, Placement, placement
from trading_assets.domain.execution.orders import OrderClass, OrderType, TimeInForce, WorkingOrder
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.order_prices import order_price
from trading_assets.domain.values import ZERO, Side, plain

LONGEST_CLIENT_ID = 128
MARKET_BUY_MARGIN = Decimal("1.04")
"""The broker values a market buy above the last price when it asks for buying power."""
SHORT_SALE_MARGIN = Decimal("1.03")

_PRICES = {
    OrderType.MARKET: set[str](),
    OrderType.LIMIT: {"limit_price"},
    OrderType.STOP: {"stop_price"},
    OrderType.STOP_LIMIT: {"limit_price", "stop_price"},
    OrderType.TRAILING_STOP: set[str](),
}
_EXITS = {
    OrderClass.SIMPLE: [set[str]()],
    OrderClass.BRACKET: [{"take_profit_price", "stop_loss_price"}],
    OrderClass.OTO: [{"take_profit_price"}, {"stop_loss_price"}],
    OrderClass.OCO: [{"stop_loss_price"}],
}
_SELF_CROSS_EXEMPT = frozenset({OrderClass.BRACKET, OrderClass.OCO})


class RefusalKind(StrEnum):
    MALFORMED = "malformed"
    """The order makes no sense by itself."""
    UNPROCESSABLE = "unprocessable"
    """It makes sense, and the venue does not take it: now, in this state, for this instrument."""
    DUPLICATE = "duplicate"
    """The client id was used before."""
    FORBIDDEN = "forbidden"
    """The account may not, or cannot pay."""
    NOT_FOUND = "not_found"


class Refusal(ValueError):
    """The venue does not do what it was asked to; nothing has changed."""

    def __init__(self, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


def check_form(request: OrderRequest) -> None:
    """Raises Refusal for an order that could not be accepted at any time by any account."""
    if not 0 < len(request.client_order_id) <= LONGEST_CLIENT_ID:
        raise _malformed(f"client_order_id must have 1 to {LONGEST_CLIENT_ID} characters")
    if request.qty <= 0:
        raise _malformed("qty must be > 0")
    prices = _PRICES[request.order_type]
    if _given(request, "limit_price", "stop_price") != prices:
        wanted = " and ".join(sorted(prices)).replace("_", " ") or "no price"
        raise _malformed(f"{request.order_type} orders require only {wanted}")
    trails = len(_given(request, "trail_usd", "trail_pct"))
    if trails != (request.order_type is OrderType.TRAILING_STOP):
        raise _malformed("trailing_stop orders, and no other, require one of trail_price and trail_percent")
    exits = _given(request, "take_profit_price", "stop_loss_price")
    if exits not in _EXITS[request.order_class]:
        raise _malformed(f"{request.order_class} orders require other exits than {', '.join(sorted(exits)) or 'none'}")
    if request.stop_loss_limit_price is not None and request.stop_loss_price is None:
        raise _malformed("stop_loss.limit_price requires stop_loss.stop_price")
    _check_prices(request)


def _check_prices(request: OrderRequest) -> None:
    names = ("limit_price", "stop_price", "take_profit_price", "stop_loss_price", "stop_loss_limit_price")
    for name in names:
        price: Decimal | None = getattr(request, name)
        if price is not None and price <= 0:
            raise _malformed(f"{name} must be > 0")
        if price is not None and order_price(price) != price:
            raise Refusal(
                RefusalKind.UNPROCESSABLE,
                f"invalid {name} {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria",
            )
    profit = request.limit_price if request.order_class is OrderClass.OCO else request.take_profit_price
    loss = request.stop_loss_price
    # Exits lie on the far sides of a position: above and below a long one.
    closing = request.side if request.order_class is OrderClass.OCO else _opposite(request.side)
    if profit is not None and loss is not None and (profit - loss) * closing.sign >= 0:
        raise _malformed("take_profit.limit_price and stop_loss.stop_price are on the wrong sides of each other")


def check_hours(request: OrderRequest, phase: Phase) -> None:
    """Raises Refusal for an order that the matrix does not have in `phase`."""
    placed = placement(request.order_type, request.time_in_force, phase, request.is_extended_hours, request.order_class)
    if placed is Placement.REFUSED:
        hours = "extended hours " if request.is_extended_hours else ""
        raise Refusal(
            RefusalKind.UNPROCESSABLE,
            f"{hours}{request.order_class} {request.order_type} {request.time_in_force} order is not accepted "
            f"in this phase of the trading day ({phase})",
        )


def traded(request: OrderRequest, instrument: Instrument | None) -> Instrument:
    """`instrument`. Raises Refusal when it is unknown or not traded, or no part of a share of it is."""
    if instrument is None:
        raise Refusal(RefusalKind.UNPROCESSABLE, f'asset "{request.symbol}" not found')
    if not instrument.is_tradable:
        raise Refusal(RefusalKind.UNPROCESSABLE, f'asset "{request.symbol}" is not tradable')
    if request.qty % 1 and not (instrument.is_fractionable and request.time_in_force is TimeInForce.DAY):
        raise Refusal(
            RefusalKind.UNPROCESSABLE, f'asset "{request.symbol}" takes no fractional {request.time_in_force}'
        )
    return instrument


def check_self_cross(request: OrderRequest, working: Iterable[WorkingOrder]) -> None:
    """Raises Refusal for an order that could trade with one of the account's own, `working` ones of its symbol.

    Opposing orders that may execute at the market are always refused, opposing limits when their prices meet; groups
    and trailing stops are exempt.
    """
    if request.order_class in _SELF_CROSS_EXEMPT or request.order_type is OrderType.TRAILING_STOP:
        return
    for other in working:
        order = other.order
        is_exempt = order.order_class in _SELF_CROSS_EXEMPT or order.order_type is OrderType.TRAILING_STOP
        if not is_exempt and order.side is not request.side and _could_meet(request, other):
            raise _forbidden("potential wash trade detected. use complex orders")


def _could_meet(request: OrderRequest, other: WorkingOrder) -> bool:
    if request.order_type is not OrderType.LIMIT or other.order.order_type is not OrderType.LIMIT:
        return True
    if request.limit_price is None or other.limit_price is None:
        return True
    return (request.limit_price - other.limit_price) * request.side.sign >= 0


def check_holdings(
    request: OrderRequest, held: Decimal, committed: Decimal, instrument: Instrument, may_short: bool
) -> None:
    """Raises Refusal for more shares than are `held` (signed) and not `committed` to other closing orders.

    An order that closes may not go through zero: the rest would be another position.
    """
    if held * request.side.sign < 0:
        available = abs(held) - committed
        if request.qty > available:
            raise _forbidden(
                f"insufficient qty available for order (requested: {plain(request.qty)}, available: {plain(available)})"
            )
    elif request.side is Side.SELL and not (may_short and instrument.is_shortable and not request.qty % 1):
        raise _forbidden(f'account is not allowed to short "{request.symbol}"')


def opening_value(
    side: Side, qty: Decimal, held: Decimal, limit_price: Decimal | None, last_price: Decimal | None
) -> Decimal:
    """USD that an order takes from the buying power: nothing when it closes, and nothing where no price is known."""
    if held * side.sign < 0:
        return ZERO
    if side is Side.BUY:
        price = limit_price if limit_price is not None else (last_price or ZERO) * MARKET_BUY_MARGIN
        return qty * price
    return qty * max(limit_price or ZERO, (last_price or ZERO) * SHORT_SALE_MARGIN)


def check_buying_power(value: Decimal, buying_power: Decimal) -> None:
    """Raises Refusal for an order that costs more than there is."""
    if value > buying_power:
        raise _forbidden("insufficient buying power")


def _given(request: OrderRequest, *names: str) -> set[str]:
    return {name for name in names if getattr(request, name) is not None}


def _opposite(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _malformed(message: str) -> Refusal:
    return Refusal(RefusalKind.MALFORMED, message)


def _forbidden(message: str) -> Refusal:
    return Refusal(RefusalKind.FORBIDDEN, message)
