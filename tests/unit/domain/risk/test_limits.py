"""Limits come from the settings unchanged, and a limit that could not bind is refused by name."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.settings import RiskSettings


def test_limits_of_the_default_settings_are_exact_decimals() -> None:
    assert RiskLimits.of(RiskSettings().limits()) == RiskLimits(
        max_order_qty=10_000,
        max_order_notional=Decimal("0.1"),
        max_position=Decimal("0.1"),
        max_gross_exposure=Decimal("0.8"),
        cash_buffer=Decimal("0.05"),
        stop_new_daily_loss=Decimal("0.02"),
        stop_all_daily_loss=Decimal("0.05"),
        stop_all_drawdown=Decimal("0.1"),
        rebalance_band=Decimal("0.02"),
        approval_ttl=timedelta(seconds=120),
        allow_short=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_order_qty", 0),
        ("max_order_notional", 0),
        ("max_order_notional", "1.01"),
        ("max_position", "NaN"),
        ("max_position", "1.01"),
        ("max_position", "0.1000001"),
        ("max_gross_exposure", "Infinity"),
        ("max_gross_exposure", -1),
        ("cash_buffer", 1),
        ("cash_buffer", "-0.01"),
        ("stop_new_daily_loss", 0),
        ("stop_all_daily_loss", "0.01"),
        ("stop_all_daily_loss", 1),
        ("stop_all_drawdown", 0),
        ("rebalance_band", 1),
        ("approval_ttl", timedelta(0)),
    ],
)
def test_limit_outside_its_range_is_refused_by_name(name: str, value: Any, limits: Any) -> None:
    with pytest.raises(ValueError, match=f"risk limit {name} is "):
        limits(**{name: value})


def test_limit_that_the_settings_do_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="max_leverage"):
        RiskLimits.of({**RiskSettings().limits(), "max_leverage": 2})
