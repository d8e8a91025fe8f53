"""What trading.yaml means to the time loop."""

from __future__ import annotations

from decimal import Decimal

from trading_assets.adapters.account_terms import rules_of
from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.orders import OrderType
from trading_assets.settings import TradingSettings
from trading_assets.settings.strategies import EntrySettings


def settings(**exits: float) -> TradingSettings:
    strategy = {"capital_weight": 0.5, "exits": exits or None}
    return TradingSettings.model_validate(
        {"source": "sample", "universe": ["MSFT"], "timeframes": ["1d"], "strategies": {"sma_crossover": strategy}}
    )


def test_exits_of_a_strategy_are_decimals_as_written() -> None:
    rules = rules_of(settings(stop_loss=0.05, trailing_stop=0.07))
    assert rules.exits == {"sma_crossover": ExitPlan(Decimal("0.05"), None, Decimal("0.07"))}


def test_strategy_without_exits_has_no_plan() -> None:
    assert rules_of(settings()).exits == {}


def test_entries_of_a_strategy_are_a_plan_where_they_are_set() -> None:
    plain = settings()
    strategy = plain.strategies["sma_crossover"]
    entry = EntrySettings(order_type="limit", limit_offset_bps=12.5)
    patient = plain.model_copy(update={"strategies": {"sma_crossover": strategy.model_copy(update={"entry": entry})}})

    assert rules_of(plain).entries == {}
    assert rules_of(patient).entries == {"sma_crossover": EntryPlan(OrderType.LIMIT, Decimal("12.5"))}
