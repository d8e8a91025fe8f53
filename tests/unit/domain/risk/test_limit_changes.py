"""Limits over time: which change counts when, which one loosens, and that a tightening is never undone by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.adapters.account_terms import limits_of
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.risk.limit_changes import (
    HIGHER_IS_TIGHTER,
    LOWER_IS_TIGHTER,
    LimitChange,
    is_loosening,
    schedule,
    values_at,
)
from trading_assets.domain.simulation import Rules
from trading_assets.settings import RiskSettings, TradingSettings

NOON = datetime(2012, 6, 1, 16, tzinfo=UTC)
SETTINGS = TradingSettings.model_validate(
    {"source": "sample", "universe": ["IBM"], "timeframes": ["1d"], "strategies": {}}
)
BASE = {"max_position": 0.15, "cash_buffer": 0.05}
NEITHER = {"rebalance_band"}


def change(number: int, value: Any, hours: float | None, name: str = "max_position") -> LimitChange:
    counts_from = None if hours is None else NOON + timedelta(hours=hours)
    begin = counts_from or NOON
    return LimitChange(number, name, value, begin, False, hours is None, "Ada", "test", NOON, None, None, counts_from)


@pytest.mark.parametrize(
    ("changes", "hours", "value"),
    [
        ([], 0, 0.15),
        ([change(1, 0.10, 0)], -0.001, 0.15),
        ([change(1, 0.10, 0)], 0, 0.10),
        ([change(1, 0.10, 0), change(2, 0.08, 2)], 1, 0.10),
        ([change(1, 0.10, 0), change(2, 0.08, 2)], 2, 0.08),
        # Scheduled for later, but decided before: the tightening that was set after it stays.
        ([change(1, 0.20, 5), change(2, 0.05, 1)], 6, 0.05),
        # Waiting for a second person.
        ([change(1, 0.10, 0), change(2, 0.20, None)], 9, 0.10),
        ([change(1, 0.10, 0, "cash_buffer")], 1, 0.15),
        ([change(1, None, 0)], 1, None),
    ],
)
def test_value_in_force_is_that_of_the_newest_change_that_counts(
    changes: list[LimitChange], hours: float, value: float | None
) -> None:
    assert values_at(BASE, reversed(changes), NOON + timedelta(hours=hours))["max_position"] == value


@pytest.mark.parametrize(
    ("name", "before", "after", "loosens"),
    [
        ("max_position", 0.15, 0.150001, True),
        ("max_position", 0.15, 0.15, False),
        ("max_position", 0.15, 0.149999, False),
        ("max_position", 0.15, None, True),
        ("max_sector_exposure", None, 0.9, False),
        ("max_sector_exposure", 0.9, None, True),
        ("cash_buffer", 0.05, 0.04, True),
        ("cash_buffer", 0.05, 0.06, False),
        ("stop_all_drawdown", 0.10, 0.11, True),
        ("stop_all_drawdown", 0.10, 0.09, False),
        ("allow_short", False, True, True),
        ("allow_short", True, False, False),
        ("approval_ttl_s", 120, 121, True),
        # Nobody knows which way these tighten, so that any change needs a second look.
        ("rebalance_band", 0.02, 0.01, True),
        ("rebalance_band", 0.02, 0.03, True),
        ("unheard_of", 1, 0, True),
    ],
)
def test_loosening_is_whatever_may_allow_more(name: str, before: Any, after: Any, loosens: bool) -> None:
    assert is_loosening(name, before, after) is loosens


def test_every_limit_says_which_way_it_tightens() -> None:
    unsaid = {name for name in RiskSettings().limits() if not name.startswith((*HIGHER_IS_TIGHTER, *LOWER_IS_TIGHTER))}
    assert unsaid == NEITHER


def test_rules_hold_the_limits_of_each_moment() -> None:
    base = SETTINGS.risk.limits()
    changes = [change(1, 0.09, 0), change(2, 0.08, 2), change(3, 0.07, None)]
    make = limits_of(SETTINGS)
    rules = Rules(make(base), FillModel(Decimal(5), Decimal(1)), changes=schedule(base, changes, make))
    held = [rules.limits_at(NOON + timedelta(hours=hours)).max_position for hours in (-1, 0, 1, 2, 999)]
    assert held == [Decimal(text) for text in ("0.1", "0.09", "0.09", "0.08", "0.08")]


def test_schedule_of_limits_that_do_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="stop_all_daily_loss"):
        schedule(SETTINGS.risk.limits(), [change(1, 0.01, 0, "stop_all_daily_loss")], limits_of(SETTINGS))
