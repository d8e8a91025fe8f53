"""Sizes are whole, rounded down, never negative, and zero only with a reason."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.sizing import SizingReason, fixed_fractional

EQUITY = st.decimals("0.01", 10_000_000, places=2)
WEIGHT = st.decimals(0, 1, places=6)
PRICE = st.decimals("0.01", 100_000, places=4)


@pytest.mark.parametrize(
    ("equity", "weight", "price", "qty", "reason"),
    [
        ("100000", "0.05", "50", 100, SizingReason.SIZED),
        ("100000", "0.05", "50.01", 99, SizingReason.SIZED),
        ("99999.99", "0.05", "50", 99, SizingReason.SIZED),
        ("100000", "1", "100000", 1, SizingReason.SIZED),
        ("100000", "1", "100000.01", 0, SizingReason.BELOW_ONE_SHARE),
        ("100000", "0", "50", 0, SizingReason.WEIGHT_ZERO),
        ("NaN", "0", "NaN", 0, SizingReason.WEIGHT_ZERO),
        ("100000", "-0.01", "50", 0, SizingReason.WEIGHT_INVALID),
        ("100000", "1.01", "50", 0, SizingReason.WEIGHT_INVALID),
        ("100000", "NaN", "50", 0, SizingReason.WEIGHT_INVALID),
        ("100000", None, "50", 0, SizingReason.WEIGHT_INVALID),
        ("0", "0.05", "50", 0, SizingReason.EQUITY_INVALID),
        ("-1", "0.05", "50", 0, SizingReason.EQUITY_INVALID),
        ("Infinity", "0.05", "50", 0, SizingReason.EQUITY_INVALID),
        (None, "0.05", "50", 0, SizingReason.EQUITY_INVALID),
        ("100000", "0.05", "0", 0, SizingReason.PRICE_INVALID),
        ("100000", "0.05", "-50", 0, SizingReason.PRICE_INVALID),
        ("100000", "0.05", "NaN", 0, SizingReason.PRICE_INVALID),
        ("100000", "0.05", None, 0, SizingReason.PRICE_INVALID),
    ],
)
def test_fixed_fractional_of_a_known_case_is_exact(
    equity: str | None, weight: str | None, price: str | None, qty: int, reason: SizingReason
) -> None:
    numbers = [None if text is None else Decimal(text) for text in (equity, weight, price)]
    sizing = fixed_fractional(*numbers)
    assert (sizing.qty, sizing.reason) == (qty, reason)
    assert sizing.inputs == {
        name: text or "missing" for name, text in (("equity", equity), ("weight", weight), ("price", price))
    }
    assert reason.is_sized != reason.value.endswith("INVALID")


@given(equity=EQUITY, weight=WEIGHT, price=PRICE)
def test_fixed_fractional_of_any_case_is_the_largest_affordable_number_of_whole_shares(
    equity: Decimal, weight: Decimal, price: Decimal
) -> None:
    qty, reason, _ = fixed_fractional(equity, weight, price)
    assert qty >= 0
    assert qty % 1 == 0
    assert qty * price <= weight * equity < (qty + 1) * price
    assert (qty > 0) == (reason is SizingReason.SIZED)


@given(equity=EQUITY, more=EQUITY, weight=WEIGHT, price=PRICE)
def test_fixed_fractional_with_more_equity_is_never_smaller(
    equity: Decimal, more: Decimal, weight: Decimal, price: Decimal
) -> None:
    assert fixed_fractional(equity + more, weight, price).qty >= fixed_fractional(equity, weight, price).qty
