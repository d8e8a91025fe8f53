"""Sizes are whole, rounded down, never negative, and zero only with a reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.risk.sizing import (
    KELLY_TRADES,
    Sizing,
    SizingReason,
    average_true_range,
    fixed_fractional,
    fixed_risk,
    kelly,
    kelly_continuous,
    kelly_discrete,
    volatility_target,
)
from trading_assets.domain.strategy.allocation import equal_risk_contribution, inverse_volatility
from trading_assets.domain.strategy.targets import weight_of

D = Decimal

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


# What a position may lose, and how much it moves ---------------------------------------------------

WIN, LOSS = D("0.12"), D("-0.10")
"""Eleven of twenty won and won 1.2 times what was lost: Kelly's fraction is 0.175."""
TRADES = [WIN] * 11 + [LOSS] * 9
METHODS: dict[str, Callable[..., Sizing]] = {
    "fixed_risk": lambda equity, price, number, cap: fixed_risk(equity, D("0.01"), price, price - number, cap=cap),
    "atr": lambda equity, price, number, cap: average_true_range(equity, D("0.01"), price, number, D(2), cap),
    "volatility_target": lambda equity, price, number, cap: volatility_target(equity, D("0.1"), number, price, cap),
    "kelly": lambda equity, price, number, cap: kelly(equity, price, [*TRADES, number], cap=cap),
    "kelly_continuous": lambda equity, price, number, cap: kelly(
        equity, price, [*TRADES, number], is_continuous=True, cap=cap
    ),
    "kelly_of_few_trades": lambda equity, price, number, cap: kelly(equity, price, [number], cap=cap),
}


def test_fixed_risk_of_a_known_case_is_exact() -> None:
    assert fixed_risk(D(100_000), D("0.01"), D(50), D("47.5")).qty == 400
    assert fixed_risk(D(100_000), D("0.01"), D(50), D("52.5")).qty == 400
    # (100,000 x 1 % - 2 x 100,000 x 1 % x 10 %) / 2.5
    assert fixed_risk(D(100_000), D("0.01"), D(50), D("47.5"), commission=D("0.1")).qty == 320


def test_average_true_range_of_a_known_case_is_exact() -> None:
    assert average_true_range(D(100_000), D("0.01"), D(50), D("1.25"), D(2)).qty == 400
    assert average_true_range(D(100_000), D("0.01"), D(50), D("1.2501"), D(2)).qty == 399


def test_volatility_target_of_a_known_case_is_its_weight() -> None:
    assert volatility_target(D(100_000), D("0.10"), D("0.32"), D(1)).qty == 31_250
    calm = volatility_target(D(100_000), D("0.10"), D("0.05"), D(1))
    assert (calm.qty, calm.reason) == (100_000, SizingReason.CAPITAL_CAPPED)


def test_kelly_fractions_of_known_cases_are_exact() -> None:
    assert kelly_discrete(D("0.55"), D("1.2")) == D("0.175")
    assert kelly_continuous(D("0.08"), D("0.04")) == 1
    assert kelly_continuous(D("0.02"), D("0.04")) == D("0.5")
    assert kelly_discrete(D("0.4"), D(1)) < 0


def test_kelly_is_halved_and_capped() -> None:
    half = kelly(D(100_000), D(1), TRADES)
    assert (half.qty, half.inputs["fraction"], half.inputs["weight"]) == (8_750, "0.175", "0.0875")
    assert kelly(D(100_000), D(1), [D("0.2")] * 15 + [D("-0.1")] * 5).qty == 10_000
    assert kelly(D(100_000), D(1), [D("0.2")] * KELLY_TRADES).qty == 10_000


def test_kelly_before_twenty_trades_takes_two_percent() -> None:
    few = kelly(D(100_000), D(1), TRADES[: KELLY_TRADES - 1])
    assert (few.qty, few.reason) == (2_000, SizingReason.TOO_FEW_TRADES)
    assert kelly(D(100_000), D(1), []).qty == 2_000


@pytest.mark.parametrize("is_continuous", [False, True])
@pytest.mark.parametrize(("one", "at_twenty"), [(WIN, 10_000), (LOSS, 0)])
def test_bootstrap_ends_with_the_twentieth_trade_however_the_trades_went(
    one: Decimal, at_twenty: int, is_continuous: bool
) -> None:
    nineteen, twenty = (kelly(D(100_000), D(1), [one] * count, is_continuous=is_continuous) for count in (19, 20))
    assert (nineteen.qty, nineteen.inputs["weight"], nineteen.reason) == (2_000, "0.02", SizingReason.TOO_FEW_TRADES)
    assert (twenty.qty, twenty.reason is SizingReason.TOO_FEW_TRADES) == (at_twenty, False)


@pytest.mark.parametrize("is_continuous", [False, True])
@pytest.mark.parametrize("trades", [[LOSS] * 20, [WIN] * 5 + [LOSS] * 15, [D(0)] * 20])
def test_kelly_without_an_edge_is_zero(trades: list[Decimal], is_continuous: bool) -> None:
    size = kelly(D(100_000), D(1), trades, is_continuous=is_continuous)
    assert (size.qty, size.reason) == (0, SizingReason.NO_EDGE)


def test_kelly_does_not_depend_on_the_order_of_the_trades() -> None:
    trades = [D(number) / 997 for number in range(-20, 31)]
    for is_continuous in (False, True):
        one, other = (kelly(D(10**9), D(1), order, is_continuous=is_continuous) for order in (trades, trades[::-1]))
        assert one == other


def test_shares_of_a_portfolio_become_shares_of_stock() -> None:
    for shares in (inverse_volatility(np.array([0.1, 0.2])), equal_risk_contribution(np.diag([0.01, 0.04]))):
        sizes = [fixed_fractional(D(90_000), weight_of(float(share)), D(10)).qty for share in shares]
        # Weights are cut to nine places, towards zero: two thirds of the equity are not quite reached.
        assert sizes == [5_999, 2_999]


INVALID = [None, D("NaN"), D("Infinity"), D(0), D(-1)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("invalid", INVALID)
def test_any_size_of_an_account_or_a_price_that_is_none_is_zero_with_a_reason(
    method: str, invalid: Decimal | None
) -> None:
    no_equity = METHODS[method](invalid, D(50), D(1), D(1))
    assert (no_equity.qty, no_equity.reason) == (0, SizingReason.EQUITY_INVALID)
    if method != "fixed_risk":
        no_price = METHODS[method](D(1000), invalid, D(1), D(1))
        assert (no_price.qty, no_price.reason) == (0, SizingReason.PRICE_INVALID)
    assert not no_equity.reason.is_sized


@pytest.mark.parametrize("invalid", INVALID)
def test_size_of_a_number_that_is_none_is_zero_with_a_reason(invalid: Decimal | None) -> None:
    account: dict[str, Any] = {"equity": D(1000), "price": D(50)}
    for size, expected in (
        (average_true_range(**account, risk=D("0.01"), atr=invalid, multiple=D(2)), SizingReason.ATR_INVALID),
        (average_true_range(**account, risk=invalid, atr=D(1), multiple=D(2)), SizingReason.RISK_INVALID),
        (fixed_risk(**account, risk=invalid, stop=D(45)), SizingReason.RISK_INVALID),
        (volatility_target(**account, target=invalid, volatility=D("0.2")), SizingReason.VOLATILITY_INVALID),
        (volatility_target(**account, target=D("0.1"), volatility=invalid), SizingReason.VOLATILITY_INVALID),
    ):
        assert size[:2] == (0, expected)


@pytest.mark.parametrize("stop", [None, D("NaN"), D(50), D(-1)])
def test_fixed_risk_without_a_stop_is_zero_with_a_reason(stop: Decimal | None) -> None:
    assert fixed_risk(D(1000), D("0.01"), D(50), stop)[:2] == (0, SizingReason.STOP_INVALID)


@pytest.mark.parametrize("trades", [None, [D("NaN")], [D("Infinity")] * 20])
def test_kelly_of_trades_that_are_no_numbers_is_zero_with_a_reason(trades: list[Decimal] | None) -> None:
    assert kelly(D(1000), D(50), trades)[:2] == (0, SizingReason.TRADES_INVALID)


@pytest.mark.parametrize("method", METHODS)
@given(
    equity=EQUITY,
    more=EQUITY,
    price=PRICE,
    number=st.decimals("0.0001", "0.9", places=4),
    cap=st.decimals(0, 1, places=3),
)
def test_any_size_is_whole_within_the_capital_and_monotone_in_equity(
    method: str, equity: Decimal, more: Decimal, price: Decimal, number: Decimal, cap: Decimal
) -> None:
    size = METHODS[method](equity, price, number * price if method in {"fixed_risk", "atr"} else number, cap)
    richer = METHODS[method](equity + more, price, number * price if method in {"fixed_risk", "atr"} else number, cap)
    assert size.qty >= 0
    assert size.qty % 1 == 0
    assert size.qty * price <= cap * equity
    assert richer.qty >= size.qty
    assert size.qty or size.reason in {SizingReason.BELOW_ONE_SHARE, SizingReason.WEIGHT_ZERO}


@given(equity=EQUITY, price=PRICE, atr=st.decimals("0.0001", 1000, places=4))
def test_average_true_range_is_the_largest_size_that_the_risk_pays_for(
    equity: Decimal, price: Decimal, atr: Decimal
) -> None:
    qty = average_true_range(equity, D("0.01"), price, atr, D(2)).qty
    assert qty * 2 * atr <= D("0.01") * equity
    assert (qty + 1) * 2 * atr > D("0.01") * equity or (qty + 1) * price > equity
