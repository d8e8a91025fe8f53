"""Fractions of whole numbers whose products are wider than a machine word, and weights in billionths."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.kernel.arithmetic import ceiling_of, floor_of, half_even
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import billionths, scaled
from trading_assets.domain.strategy.targets import weight_of

WIDE = st.integers(0, 2**62 - 1)


@numba.njit
def all_three(number: int, factor: int, divisor: int) -> tuple[int, int, int, int]:
    negative = half_even(-number, factor, divisor)
    return (
        floor_of(number, factor, divisor),
        ceiling_of(number, factor, divisor),
        half_even(number, factor, divisor),
        negative,
    )


@given(number=WIDE, share=st.fractions(0, 1), divisor=st.integers(1, 2**62 - 1))
def test_fraction_is_rounded_as_exact_arithmetic_rounds_it(number: int, share: Fraction, divisor: int) -> None:
    factor = int(share * divisor)
    exact = Fraction(number * factor, divisor)
    expected = exact.__floor__(), exact.__ceil__(), round(exact), -round(exact)
    assert all_three(number, factor, divisor) == expected


def test_half_goes_to_the_even_neighbour_of_either_sign() -> None:
    assert [all_three(number, 1, 2)[2:] for number in (1, 3, 5)] == [(0, 0), (2, -2), (2, -2)]


@given(st.lists(st.one_of(st.floats(-1, 1), st.integers(-(10**9), 10**9).map(lambda n: n / 10**9)), max_size=20))
def test_weights_in_billionths_are_those_of_the_targets(weights: list[float]) -> None:
    expected = [int(weight_of(weight) * 10**9) for weight in weights]
    assert billionths(np.array(weights, dtype=np.float64)).tolist() == expected


def test_what_has_too_many_decimals_or_is_no_weight_is_refused() -> None:
    assert scaled(Decimal("12.345678"), 10**6, "price") == 12_345_678
    with pytest.raises(NotRepresentableError, match=r"price 0\.0000001 is no whole number"):
        scaled(Decimal("0.0000001"), 10**6, "price")
    for weight in (np.nan, 1.5):
        with pytest.raises(NotRepresentableError):
            billionths(np.array([weight]))
