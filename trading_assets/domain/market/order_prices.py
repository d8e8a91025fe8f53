"""The grid that prices of orders stand on. What the law says of it on a day is the business of tick_sizes."""

from __future__ import annotations

from decimal import Decimal

from trading_assets.domain.values import Side

PRICE_STEP = Decimal("0.0001")
CENT = Decimal("0.01")
_BPS = Decimal(10_000)


def order_price(price: Decimal) -> Decimal:
    """`price` on the grid of orders: cents from 1 USD on, else hundredths of a cent; half to even."""
    return price.quantize(CENT if price >= 1 else PRICE_STEP)


def limit_beyond(price: Decimal, side: Side, offset_bps: Decimal) -> Decimal:
    """A limit `offset_bps` worse than `price` for whoever trades on `side`: above it to buy, below it to sell."""
    return order_price(price * (1 + side.sign * offset_bps / _BPS))
