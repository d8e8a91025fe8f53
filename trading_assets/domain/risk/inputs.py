"""The only way a rule reads a number: it is there and finite, or the rule cannot be answered.

What is done about a missing number (the intent is denied) belongs to the rules.
"""

from __future__ import annotations

from decimal import Decimal

from trading_assets.domain.values import ZERO


class InputMissingError(ValueError):
    """A rule needs a number that is absent, not finite or out of range. The message is `field` or `field[key]`."""

    def __init__(self, field: str, key: object = None) -> None:
        super().__init__(field if key is None else f"{field}[{key}]")


def finite(value: Decimal | None, field: str, key: object = None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN or infinite."""
    if value is None or not value.is_finite():
        raise InputMissingError(field, key)
    return value


def positive(value: Decimal | None, field: str, key: object = None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN, infinite, zero or negative."""
    if value is None or not value.is_finite() or value <= ZERO:
        raise InputMissingError(field, key)
    return value


def unsigned(value: Decimal | None, field: str, key: object = None) -> Decimal:
    """`value`, or InputMissingError when it is None, NaN, infinite or negative."""
    if value is None or not value.is_finite() or value < ZERO:
        raise InputMissingError(field, key)
    return value
