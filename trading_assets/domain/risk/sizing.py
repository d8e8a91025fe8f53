"""From a share of equity to whole shares, rounded down. A size is never negative; zero comes with its reason.

Limits do not appear here: sizing says what is wanted, the review what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from trading_assets.domain.values import ZERO, plain


class SizingReason(StrEnum):
    SIZED = "SIZED"
    WEIGHT_ZERO = "WEIGHT_ZERO"
    BELOW_ONE_SHARE = "BELOW_ONE_SHARE"
    EQUITY_INVALID = "EQUITY_INVALID"
    WEIGHT_INVALID = "WEIGHT_INVALID"
    PRICE_INVALID = "PRICE_INVALID"

    @property
    def is_sized(self) -> bool:
        """True when the quantity, even zero, is what the inputs ask for; False when an input could not be used."""
        return self in (SizingReason.SIZED, SizingReason.WEIGHT_ZERO, SizingReason.BELOW_ONE_SHARE)


class Sizing(NamedTuple):
    """Whole shares, why so many, and what they were computed from (decimals as text)."""

    qty: Decimal
    reason: SizingReason
    inputs: Mapping[str, str]


def fixed_fractional(equity: Decimal | None, weight: Decimal | None, price: Decimal | None) -> Sizing:
    """n = floor(weight x equity / price) whole shares; `weight` is a fraction of equity in 0..1, money in USD.

    A weight of zero needs neither equity nor price. Any other missing, non-finite or out-of-range input gives zero.
    """
    inputs = {"equity": _text(equity), "weight": _text(weight), "price": _text(price)}
    if weight is None or not weight.is_finite() or not ZERO <= weight <= 1:
        return Sizing(ZERO, SizingReason.WEIGHT_INVALID, inputs)
    if not weight:
        return Sizing(ZERO, SizingReason.WEIGHT_ZERO, inputs)
    if equity is None or not equity.is_finite() or equity <= ZERO:
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if price is None or not price.is_finite() or price <= ZERO:
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    qty = weight * equity // price
    return Sizing(qty, SizingReason.SIZED if qty else SizingReason.BELOW_ONE_SHARE, inputs)


def _text(number: Decimal | None) -> str:
    return "missing" if number is None else plain(number)
