"""The only way a rule reads a number: it is there and finite, or the rule cannot be answered.

What is done about a missing number (the intent is denied) belongs to the rules.
"""

from __future__ import annotations

from decimal import Decimal

from trading_assets.domain.values import ZERO


class InputMissingError(ValueError):
    """A rule needs a number that is absent, not finite, or outside what the quantity can be. The message names it."""


def finite(name: str, value: Decimal | None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN or infinite."""
    if value is None or not value.is_finite():
        raise InputMissingError(name)
    return value


def positive(name: str, value: Decimal | None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN, infinite, zero or negative."""
    if value is None or not value.is_finite() or value <= ZERO:
        raise InputMissingError(name)
    return value


def unsigned(name: str, value: Decimal | None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN, infinite or negative."""
    if value is None or not value.is_finite() or value < ZERO:
        raise InputMissingError(name)
    return value
