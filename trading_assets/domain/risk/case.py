"""One intent as the numbers that rules ask for by name, each read when it is first asked for, and at most once.

What a number means and where it comes from is said by its reading: a function in readings/ that has the number's name,
and its unit in the signature. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_type_hints

from trading_assets.domain.risk.exposure import Projection
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.readings import account, activity, law, market, order, symbol, timing
from trading_assets.domain.risk.rules.ruling import FLAG, MILLION, NUMBER, PPM, Unit
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent

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

    A limit is a reading too, under its own name: fractions in parts per million, times in seconds.
    """

    def __init__(self, snapshot: AccountSnapshot, limits: RiskLimits) -> None:
        super().__init__()
        self.snapshot, self.limits = snapshot, limits
        self.texts = _Texts(self)

    def __missing__(self, name: str) -> Number:
        reading = OF_ACCOUNT.get(name)
        number = self[name] = reading(self) if reading else limit_number(getattr(self.limits, name))[0]
        return number

    def text(self, name: str) -> str:
        unit = UNITS.get(name) or limit_number(getattr(self.limits, name))[1]
        return unit.text(self[name])


class Case(dict[str, Number]):
    """The numbers of one intent. Reading raises InputMissingError. `texts`: each of them as people read it."""

    def __init__(self, intent: Intent, standing: Standing, projection: Projection) -> None:
        super().__init__()
        self.intent, self.standing, self.projection = intent, standing, projection
        self.snapshot, self.limits = standing.snapshot, standing.limits
        self.texts = _Texts(self)

    def __missing__(self, name: str) -> Number:
        reading = OF_ORDER.get(name)
        number = self[name] = reading(self) if reading else self.standing[name]
        return number

    def text(self, name: str) -> str:
        return UNITS[name].text(self[name]) if name in OF_ORDER else self.standing.texts[name]


class _Texts(dict[str, str]):
    def __init__(self, numbers: Standing | Case) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, name: str) -> str:
        text = self[name] = self._numbers.text(name)
        return text


def limit_number(limit: Any) -> tuple[Number, Unit]:
    """A limit of RiskLimits as rules know it; its type says what it counts."""
    if isinstance(limit, bool):
        return limit, FLAG
    if isinstance(limit, Decimal):
        return int(limit * MILLION), PPM
    return (int(limit.total_seconds()) if isinstance(limit, timedelta) else limit), NUMBER


def _unit(reading: Callable[[Any], Number]) -> Unit:
    hint = get_type_hints(reading, localns={"Case": Case, "Standing": Standing}, include_extras=True)["return"]
    unit: Unit = hint.__metadata__[0]
    return unit


UNITS: Mapping[str, Unit] = {name: _unit(reading) for name, reading in {**OF_ACCOUNT, **OF_ORDER}.items()}
"""The unit of every reading that is not a limit."""
