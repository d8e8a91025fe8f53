"""One intent as the numbers that rules ask for by name, each read when it is first asked for, and at most once.

What a number means and where it comes from is said by its reading: a function in readings/ that has the number's name,
and its unit in the signature. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.readings import account, activity, law, market, order, standing, symbol, timing
from trading_assets.domain.risk.readings.circumstances import circumstances
from trading_assets.domain.risk.rules.ruling import MILLION
from trading_assets.domain.risk.standings import Condition
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent

Number = int | float
Readings = dict[str, Callable[[Any], Number]]


def _by_name(*readings: Callable[[Any], Number]) -> Readings:
    return {reading.__name__: reading for reading in readings}


OF_ACCOUNT: Readings = _by_name(*account.READINGS, *law.OF_ACCOUNT, *symbol.OF_ACCOUNT, *timing.OF_ACCOUNT)
"""Readings of what all intents of a moment share."""

OF_STANDING: Readings = _by_name(*standing.READINGS)
"""Readings of the conditions of the symbol, which are all known at once, and the same for most symbols."""

OF_ORDER: Readings = OF_STANDING | _by_name(
    *order.READINGS, *market.READINGS, *activity.OF_ORDER, *law.OF_ORDER, *symbol.OF_ORDER, *timing.OF_ORDER
)
"""Readings of what differs from intent to intent."""


class Standing(dict[str, Number]):
    """The numbers that all intents of a moment share: the account's and the limits. Reading raises InputMissingError.

    A limit is a reading too, under its own name: fractions in parts per million, times in seconds.
    """

    def __init__(self, snapshot: AccountSnapshot, limits: RiskLimits) -> None:
        super().__init__(_limit_numbers(limits))
        self.snapshot, self.limits = snapshot, limits

    def __missing__(self, name: str) -> Number:
        number = self[name] = OF_ACCOUNT[name](self)
        return number


class Case(dict[str, Number]):
    """The numbers of one intent, with those of the account that were read before. Reading raises InputMissingError."""

    def __init__(self, intent: Intent, standing: Standing, projection: Projection) -> None:
        super().__init__(standing)
        self.intent, self.standing, self.projection = intent, standing, projection
        self.snapshot, self.limits = standing.snapshot, standing.limits

    def read_standing(self) -> None:
        """How the symbol stands at the moment: all numbers of OF_STANDING at once."""
        conditions = circumstances(self).standings.of(self.intent.symbol, self.snapshot.at)
        self.update(_standing_flags(conditions))

    def __missing__(self, name: str) -> Number:
        if name in OF_STANDING:
            self.read_standing()
            return self[name]
        reading = OF_ORDER.get(name)
        number = self[name] = reading(self) if reading else self.standing[name]
        return number


@lru_cache(maxsize=1024)
def _standing_flags(conditions: frozenset[Condition]) -> Mapping[str, Number]:
    return {name: reading(conditions) for name, reading in OF_STANDING.items()}


@lru_cache(maxsize=32)
def _limit_numbers(limits: RiskLimits) -> Mapping[str, Number]:
    """All limits that are set, as rules know them."""
    given = {one.name: getattr(limits, one.name) for one in fields(limits)}
    return {name: limit_number(limit) for name, limit in given.items() if limit is not None}


def limit_number(limit: Any) -> Number:
    """A limit of RiskLimits as rules know it; its type says what it counts."""
    if isinstance(limit, Decimal):
        return int(limit * MILLION)
    number: Number = int(limit.total_seconds()) if isinstance(limit, timedelta) else limit
    return number
