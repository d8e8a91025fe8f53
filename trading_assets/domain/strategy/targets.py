"""From signals to target weights of the account's equity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

import numpy as np

from trading_assets.domain.market.universe import Membership, members_on
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


def combine(
    signals: pd.DataFrame, configured: Sequence[ConfiguredStrategy], members: Sequence[Membership]
) -> pd.DataFrame:
    """Target weights, columns TARGET_COLUMNS: capital weight x signal / size of the universe on the signal's day.

    `signals` has STORED_SIGNAL_COLUMNS. The divisor is the number of members and not of the symbols that happen to have
    a bar: a weight never depends on another symbol's data, and a missing symbol's share stays in cash instead of
    enlarging the others. So at any decision the absolute weights sum to at most the sum of the capital weights. A
    symbol that is no member has the weight zero: what is held of one that left is sold, and one that has not joined yet
    is not bought. Signals of strategies that are not configured, or of other versions, raise ValueError.
    """
    weights = {(one.name, one.version): one.capital_weight for one in configured}
    keys = list(zip(signals["strategy"], signals["strategy_version"], strict=True))
    if unknown := sorted(set(keys) - weights.keys()):
        raise ValueError(f"Signals of {' '.join(unknown[0])} belong to no configured strategy.")
    targets = signals[list(STORED_SIGNAL_COLUMNS)].copy()
    targets["capital_weight"] = np.array([weights[key] for key in keys], dtype=np.float64)
    of_day = {day: members_on(members, day) for day in set(targets["session_date"])}
    size = np.array([max(len(of_day[day]), 1) for day in targets["session_date"]], dtype=np.float64)
    targets["target_weight"] = targets["capital_weight"] * targets["signal"] / size
    places = zip(targets["symbol"], targets["session_date"], strict=True)
    is_member = np.array([symbol in of_day[day] for symbol, day in places], dtype=bool)
    targets.loc[~is_member, "target_weight"] = 0.0
    return targets
