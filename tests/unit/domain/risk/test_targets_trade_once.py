"""Targets of every sizing method, applied to what is held and what is working: the same decision trades once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.risk.intents import intents_from_targets
from trading_assets.domain.risk.verdicts import Intent
from trading_assets.domain.strategy.portfolio import construct
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.strategy.targets import Target, weight_of
from trading_assets.domain.values import Side

SYMBOLS = ["AAA", "BBB", "CCC"]
PRICES = dict.fromkeys(SYMBOLS, Decimal(50))
RETURNS = np.random.default_rng(5).normal(0, 0.01, (60, 3)) * [1, 2, 3]
AT = datetime(2012, 6, 1, 20, tzinfo=UTC)


def targets(sizing: Sizing, signals: list[float]) -> list[Target]:
    weights = construct(
        PortfolioRule(sizing),
        0.6,
        np.array(signals),
        ["one"] * 3,
        RETURNS,
        universe_size=3,
        periods_a_year=252,
    )
    return [
        Target("alpha", "1+00000000", symbol, AT, date(2012, 6, 1), weight_of(weight))
        for symbol, weight in zip(SYMBOLS, weights.target, strict=True)
    ]


def summed(intents: list[Intent], side: Side) -> dict[tuple[str, str], Decimal]:
    qty: dict[tuple[str, str], Decimal] = {}
    for intent in intents:
        if intent.side is side:
            key = (intent.strategy, intent.symbol)
            qty[key] = qty.get(key, Decimal(0)) + intent.qty
    return qty


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(Sizing)),
    st.lists(st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0]), min_size=3, max_size=3),
    st.lists(st.integers(-900, 900), min_size=3, max_size=3),
    st.floats(0, 1),
)
def test_second_run_trades_nothing_whether_the_orders_work_or_are_filled(
    snapshot: Callable[..., Any],
    limits: Callable[..., Any],
    sizing: Sizing,
    signals: list[float],
    held: list[int],
    filled: float,
) -> None:
    wanted = targets(sizing, signals)
    before = snapshot(reference_prices=PRICES, positions=dict(zip(SYMBOLS, held, strict=True)))
    first = intents_from_targets(wanted, before, limits(), "simulated")
    buys, sells = summed(first, Side.BUY), summed(first, Side.SELL)
    done = {key: int(qty * Decimal(filled)) for key, qty in buys.items()}
    sold = {key: int(qty * Decimal(filled)) for key, qty in sells.items()}
    position = {
        key: qty + done.get(key, 0) - sold.get(key, 0)
        for key, qty in {**dict.fromkeys(buys | sells, Decimal(0)), **before.strategy_positions}.items()
    }
    after = replace(
        before,
        strategy_positions=position,
        strategy_working_buys={key: qty - done[key] for key, qty in buys.items()},
        strategy_working_sells={key: qty - sold[key] for key, qty in sells.items()},
    )
    assert intents_from_targets(wanted, after, limits(), "simulated") == []


@pytest.mark.parametrize("sizing", sorted(Sizing))
def test_first_run_from_flat_buys_the_whole_weight(sizing: Sizing, snapshot: Any, limits: Any) -> None:
    wanted = targets(sizing, [1.0, 1.0, 1.0])
    bought = summed(intents_from_targets(wanted, snapshot(reference_prices=PRICES), limits(), "simulated"), Side.BUY)
    expected = {("alpha", one.symbol): one.target_weight * 100_000 // 50 for one in wanted}
    assert bought == {key: qty for key, qty in expected.items() if qty}
    assert bought
