"""Where an account stands against each watched limit, worked out by hand, and what cannot be measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from trading_assets.domain.risk.watched_limits import WATCHED, Measurement, check_limits
from trading_assets.settings import RiskMonitorSettings, RiskSettings

D = Decimal
MEASURED = Measurement(
    account_id="simulated-0badcafe-2026-11-20",
    at=datetime(2026, 11, 20, 21, tzinfo=UTC),
    session_date=date(2026, 11, 20),
    equity_usd=D(90_000),
    start_equity_usd=D(96_000),
    high_water_mark_usd=D(100_000),
    gross_usd=D(45_000),
    net_usd=D(-9_000),
    largest_symbol="MSFT",
    largest_usd=D(-27_000),
    sectors={"Energy": D(18_000), "Technology": D(27_000)},
    beta=D("-0.3"),
    worst_fall="2008-10",
    worst_fall_usd=D(-4_500),
    beta_missing=None,
    var_95_usd=D(-1_800),
    tail_missing=None,
)
LIMITS = dict.fromkeys(WATCHED, D("0.5"))

BY_HAND = {
    "stop_all_drawdown": (D("0.1"), ""),
    "stop_new_daily_loss": (D("0.0625"), ""),
    "stop_all_daily_loss": (D("0.0625"), ""),
    "max_gross_exposure": (D("0.5"), ""),
    "max_net_exposure": (D("0.1"), ""),
    "max_beta_exposure": (D("0.3"), ""),
    "max_position": (D("0.3"), "MSFT"),
    "max_sector_exposure": (D("0.3"), "Technology"),
    "max_stress_loss": (D("0.05"), "2008-10"),
    "max_value_at_risk": (D("0.02"), ""),
}


def test_value_of_each_limit_is_the_one_by_hand() -> None:
    found = {check.limit_name: (check.value, check.detail) for check in check_limits(MEASURED, LIMITS)}
    assert found == BY_HAND


def test_limit_that_is_not_set_is_not_watched() -> None:
    assert [
        check.limit_name for check in check_limits(MEASURED, {"max_position": D(1), "max_value_at_risk": None})
    ] == ["max_position"]


def test_every_watched_limit_is_a_key_of_trading_yaml() -> None:
    assert set(WATCHED) <= {*RiskSettings().limits(), *RiskMonitorSettings.model_fields}


def test_gain_is_no_loss() -> None:
    richer = replace(MEASURED, equity_usd=D(101_000), var_95_usd=D(5))
    found = {check.limit_name: check.value for check in check_limits(richer, LIMITS)}
    assert found["stop_all_drawdown"] == found["stop_new_daily_loss"] == found["max_value_at_risk"] == 0


@pytest.mark.parametrize(
    ("changed", "names", "reason"),
    [
        ({"equity_usd": D(-5)}, {"max_gross_exposure", "max_position", "max_value_at_risk"}, "equity is -5.00 USD"),
        ({"start_equity_usd": D(0)}, {"stop_new_daily_loss", "stop_all_daily_loss"}, "the session began with 0.00 USD"),
        ({"high_water_mark_usd": D(0)}, {"stop_all_drawdown"}, "the high-water mark is 0.00 USD"),
        ({"var_95_usd": None, "tail_missing": "too few returns"}, {"max_value_at_risk"}, "too few returns"),
        (
            {"beta": None, "worst_fall_usd": None, "beta_missing": "too few returns"},
            {"max_beta_exposure", "max_stress_loss"},
            "too few returns",
        ),
    ],
)
def test_value_without_a_meaning_is_missing_with_its_reason(
    changed: dict[str, object], names: set[str], reason: str
) -> None:
    checks = check_limits(replace(MEASURED, **changed), LIMITS)
    missing = {check.limit_name: check.missing for check in checks if check.value is None}
    assert set(missing) & names == names
    assert {missing[name] for name in names} == {reason}
