"""One intent as the numbers that rules ask for by name, each read when it is first asked for, and at most once.

What a number means and where it comes from is said by its reading: a function in readings/ that has the number's name,
and its unit in the signature. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.readings import account, activity, law, market, order, symbol, timing
from trading_assets.domain.risk.rules.ruling import MILLION
from trading_assets.domain.risk.verdicts import AccountSnapshot, CheckResult, Intent

Number = int | float
Readings = Mapping[str, Callable[[Any], Number]]


def _by_name(*readings: Callable[[Any], Number]) -> Readings:
    return {reading.__name__: reading for reading in readings}


OF_ACCOUNT: Readings = _by_name(*account.READINGS, *law.OF_ACCOUNT, *symbol.OF_ACCOUNT, *timing.OF_ACCOUNT)
"""Readings of what all intents of a moment share."""

OF_ORDER: Readings = _by_name(
    *order.READINGS, *market.READINGS, *activity.OF_ORDER, *law.OF_ORDER, *symbol.OF_ORDER, *timing.OF_ORDER
)
"""Readings of what differs from intent to intent."""


class Standing(dict[str, Number]):
    """The numbers that all intents of a moment share: the account's and the limits. Reading raises InputMissingError.

    A limit is a reading too, under its own name: fractions in parts per million, times in seconds. `answers` are those
    of rules, by id, that are the same for all intents of the moment; None: each intent has its own.
    """

    def __init__(self, snapshot: AccountSnapshot, limits: RiskLimits) -> None:
        super().__init__()
        self.snapshot, self.limits = snapshot, limits
        self.answers: dict[str, CheckResult | None] = {}

    def __missing__(self, name: str) -> Number:
        reading = OF_ACCOUNT.get(name)
        number = self[name] = reading(self) if reading else limit_number(getattr(self.limits, name))
        return number


class Case(dict[str, Number]):
    """The numbers of one intent, with those of the account that were read before. Reading raises InputMissingError."""

    def __init__(self, intent: Intent, standing: Standing, projection: Projection) -> None:
        super().__init__(standing)
        self.intent, self.standing, self.projection = intent, standing, projection
        self.snapshot, self.limits = standing.snapshot, standing.limits

    def __missing__(self, name: str) -> Number:
        reading = OF_ORDER.get(name)
        number = self[name] = reading(self) if reading else self.standing[name]
        return number


def limit_number(limit: Any) -> Number:
    """A limit of RiskLimits as rules know it; its type says what it counts."""
    if isinstance(limit, Decimal):
        return int(limit * MILLION)
    number: Number = int(limit.total_seconds()) if isinstance(limit, timedelta) else limit
    return number
