"""From signals to target weights of the account's equity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

import numpy as np

from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.values import decimal_of

if TYPE_CHECKING:
    import pandas as pd

WEIGHT_STEP = Decimal("0.000000001")

STORED_SIGNAL_COLUMNS = ("strategy", "strategy_version", "symbol", "decision_at", "session_date", "signal")
TARGET_COLUMNS = (*STORED_SIGNAL_COLUMNS, "capital_weight", "target_weight")
"""Columns of a frame of targets: `decision_at` is the close of the bar, tz-aware UTC; weights are shares of equity."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a strategy wants to hold of a symbol, decided at a bar's close: a share of the account's equity."""

    strategy: str
    strategy_version: str
    symbol: str
    decision_at: datetime
    session_date: date
    target_weight: Decimal


def weight_of(number: float) -> Decimal:
    """The one crossing of weights into the ledger: 9 places, towards zero so that rounding never adds exposure."""
    return decimal_of(number).quantize(WEIGHT_STEP, ROUND_DOWN)


def combine(signals: pd.DataFrame, configured: Sequence[ConfiguredStrategy], universe: Sequence[str]) -> pd.DataFrame:
    """Target weights, columns TARGET_COLUMNS, one row a signal: capital weight x signal / size of the universe.

    `signals` has STORED_SIGNAL_COLUMNS. The divisor is the universe of the settings and not the number of symbols that
    happen to have a bar: a weight never depends on another symbol's data, and a missing symbol's share stays in cash
    instead of enlarging the others. So at any decision the absolute weights sum to at most the sum of the capital
    weights. Signals of strategies that are not configured, or of other versions, raise ValueError.
    """
    weights = {(one.name, one.version): one.capital_weight for one in configured}
    keys = list(zip(signals["strategy"], signals["strategy_version"], strict=True))
    if unknown := sorted(set(keys) - weights.keys()):
        raise ValueError(f"Signals of {' '.join(unknown[0])} belong to no configured strategy.")
    targets = signals[list(STORED_SIGNAL_COLUMNS)].copy()
    targets["capital_weight"] = np.array([weights[key] for key in keys], dtype=np.float64)
    targets["target_weight"] = targets["capital_weight"] * targets["signal"] / max(len(set(universe)), 1)
    return targets
