"""The crossings from research arrays to the ledger's numbers."""

from decimal import Decimal

import pytest

from trading_assets.domain.values import decimal_of, price_of


@pytest.mark.parametrize(
    ("number", "price"),
    [
        (27.95, "27.95"),
        (100.0, "100.0"),
        (0.000000001, "1E-9"),
        # As a vendor's 32-bit floats come.
        (27.950000762939453, "27.950000763"),
        (111.37727582994029, "111.377275830"),
        (1.0000000005, "1.000000000"),
        (1.0000000015, "1.000000002"),
    ],
)
def test_price_has_no_more_decimals_than_the_ledger_keeps(number: float, price: str) -> None:
    assert str(price_of(number)) == price


def test_price_that_is_short_enough_is_the_number_itself() -> None:
    assert price_of(123.456789) == decimal_of(123.456789) == Decimal("123.456789")
