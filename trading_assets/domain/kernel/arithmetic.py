"""Exact fractions of whole numbers, where a product may have more than 63 bits."""

from __future__ import annotations

from trading_assets.domain.kernel.compiler import apart, compiled

SURE_ROOM = 2.0**62
"""A product that is less in floating point is less than 2^63."""


@compiled
def divided(number: int, factor: int, divisor: int) -> tuple[int, int]:
    """Quotient and remainder of number x factor / divisor, none negative, number and divisor below 2^62.

    The quotient must fit in 63 bits.
    """
    if float(number) * factor < SURE_ROOM:
        product = number * factor
        return product // divisor, product % divisor
    whole, rest = number // divisor, number % divisor
    if float(rest) * factor < SURE_ROOM:
        product = rest * factor
        return whole * factor + product // divisor, product % divisor
    return _schooled(whole, rest, factor, divisor)


@apart
def _schooled(whole: int, rest: int, factor: int, divisor: int) -> tuple[int, int]:
    """The same by school multiplication, bit by bit of the factor, where no product fits."""
    quotient, remainder = 0, 0
    for bit in range(62, -1, -1):
        quotient, remainder = 2 * quotient, 2 * remainder
        if remainder >= divisor:
            quotient, remainder = quotient + 1, remainder - divisor
        if (factor >> bit) & 1:
            quotient, remainder = quotient + whole, remainder + rest
            if remainder >= divisor:
                quotient, remainder = quotient + 1, remainder - divisor
    return quotient, remainder


@compiled
def half_even(number: int, factor: int, divisor: int) -> int:
    """number x factor / divisor to the nearest whole number, half to even; `number` may be negative."""
    quotient, remainder = divided(abs(number), factor, divisor)
    if remainder > divisor - remainder or (remainder == divisor - remainder and quotient % 2 == 1):
        quotient += 1
    return -quotient if number < 0 else quotient


@compiled
def floor_of(number: int, factor: int, divisor: int) -> int:
    return divided(number, factor, divisor)[0]


@compiled
def ceiling_of(number: int, factor: int, divisor: int) -> int:
    quotient, remainder = divided(number, factor, divisor)
    return quotient + 1 if remainder else quotient
