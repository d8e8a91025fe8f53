"""From signals to target weights of the account's equity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Target:
    """What a strategy wants to hold of a symbol, decided at a bar's close: a share of the account's equity."""

    strategy: str
    strategy_version: str
    symbol: str
    decision_at: datetime
    session_date: date
    target_weight: Decimal
