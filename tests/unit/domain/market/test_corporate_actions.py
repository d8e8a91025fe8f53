"""Recovering splits and dividends from raw and adjusted closes."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.corporate_actions import USUAL_RATIOS, ActionKind, CorporateAction, derive_actions

EX_DATE = date(2020, 1, 2)


def closes(raw: list[float], adjusted: list[float]) -> pd.DataFrame:
    days = [EX_DATE + timedelta(days=number - 1) for number in range(len(raw))]
    return pd.DataFrame({"symbol": "X", "session_date": days, "close": raw, "adj_close": adjusted})


def split(ratio: str) -> CorporateAction:
    return CorporateAction("X", EX_DATE, ActionKind.SPLIT, split_ratio=Decimal(ratio))


def dividend(amount: str) -> CorporateAction:
    return CorporateAction("X", EX_DATE, ActionKind.CASH_DIVIDEND, amount_usd=Decimal(amount))


def test_equal_closes_have_no_action() -> None:
    assert derive_actions(closes([10, 11, 12], [10, 11, 12])) == []


def test_adjustment_by_later_actions_alone_has_no_action() -> None:
    assert derive_actions(closes([10, 11, 12], [2.5, 2.75, 3.0])) == []


@pytest.mark.parametrize(("ratio", "after"), [("2", 50.0), ("1.5", 66.6667), ("0.1", 1000.0)])
def test_split_is_snapped_to_the_usual_ratio(ratio: str, after: float) -> None:
    assert derive_actions(closes([100.0, after], [after, after])) == [split(ratio)]


def test_dividend_is_rounded_to_the_cent() -> None:
    assert derive_actions(closes([100.0, 99.5], [99.503, 99.5])) == [dividend("0.50")]


def test_split_and_dividend_on_one_day_are_both_found() -> None:
    assert derive_actions(closes([100.0, 49.5], [49.5, 49.5])) == [split("2"), dividend("1.00")]


def test_rounding_of_the_adjusted_close_is_no_dividend() -> None:
    assert derive_actions(closes([30.0, 30.0], [29.997, 30.0])) == []


def test_factor_that_nothing_explains_is_refused() -> None:
    with pytest.raises(ValueError, match=r"X 2020-01-02: the adjusted close rises .* factor 1\.130000"):
        derive_actions(closes([100.0, 100.0], [113.0, 100.0]))


def test_symbols_are_kept_apart() -> None:
    one, other = closes([100, 50], [50, 50]), closes([7, 7], [7, 7]).assign(symbol="Y")
    assert derive_actions(pd.concat([other, one])) == [split("2")]


@given(
    ratio=st.sampled_from(USUAL_RATIOS),
    cents=st.integers(1, 99),
    close=st.decimals(50, 500, places=2),
)
def test_split_with_a_small_dividend_is_recovered_exactly(ratio: Decimal, cents: int, close: Decimal) -> None:
    amount = Decimal(cents) / 100
    factor = (1 - amount / close) / ratio

    found = derive_actions(closes([float(close), 20.0], [float(close * factor), 20.0]))

    assert found[0].split_ratio == ratio
    assert [action.amount_usd for action in found[1:]] == [amount]
