"""What a kind of indicator is, and the words that the tables of this package are written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Field = Literal["open", "high", "low", "close", "volume"]
Unit = Literal["price", "price_squared", "shares", "usd", "ratio"]

UNITS: dict[Unit, str] = {
    "price": "USD",
    "price_squared": "USD squared",
    "shares": "shares",
    "usd": "USD of turnover",
    "ratio": "ratio",
}
"""What a value is counted in, for people. `price`, `price_squared` and `shares` are in the raw units of the value's own
bar; `usd` and `ratio` do not depend on how shares are counted."""

LAG = "LAG"
"""The one function of a formula that TA-Lib does not have: the value of the bar before, NaN at the first."""

MINIMUM_PERIOD = 2
MAXIMUM_PERIOD = 10_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a kind takes: whole where `usual` is whole, else with at most four decimals."""

    name: str
    usual: int | float
    minimum: int | float
    maximum: int | float

    @property
    def is_whole(self) -> bool:
        return isinstance(self.usual, int)


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of indicator.

    `formula(ta, *inputs, *parameters)` gives its values. `inputs` are a symbol's forward-adjusted bars, arrays in time
    order, or the numbers of one bar; `ta(name, *arguments)` is TA-Lib's function of that name, or LAG. A formula calls
    the same functions in the same order whatever the data, and does nothing else but arithmetic element by element.
    `warm_up(*parameters)` is the number of leading bars of a symbol without a value. The parameters named in
    `ascending` must rise strictly in that order.
    """

    title: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[Field, ...]
    unit: Unit
    warm_up: Callable[..., int]
    formula: Callable[..., Any]
    reference: str
    ascending: tuple[str, ...] = ()


CLOSE: tuple[Field, ...] = ("close",)
RANGE: tuple[Field, ...] = ("high", "low")
RANGE_CLOSE: tuple[Field, ...] = ("high", "low", "close")
RANGE_CLOSE_VOLUME: tuple[Field, ...] = ("high", "low", "close", "volume")

FAST_SLOW = ("fast", "slow")

ACHELIS = 'Achelis, "Technical Analysis from A to Z", 2nd edition, 2000'
APPEL = 'Appel, "Technical Analysis: Power Tools for Active Investors", 2005'
BOLLINGER = 'Bollinger, "Bollinger on Bollinger Bands", 2001'
CHANDE = 'Chande and Kroll, "The New Technical Trader", 1994'
KAUFMAN = 'Kaufman, "Trading Systems and Methods", 5th edition, 2013'
MURPHY = 'Murphy, "Technical Analysis of the Financial Markets", 1999'
WILDER = 'Wilder, "New Concepts in Technical Trading Systems", 1978'


def bars(name: str, usual: int, minimum: int = MINIMUM_PERIOD) -> Parameter:
    """A parameter that counts bars."""
    return Parameter(name, usual, minimum, MAXIMUM_PERIOD)


def one_period(usual: int, minimum: int = MINIMUM_PERIOD) -> tuple[Parameter, ...]:
    return (bars("period", usual, minimum),)


def window_of_bars(period: int, *_: int | float) -> int:
    """The warm-up of what needs `period` bars."""
    return period - 1


def window_of_changes(period: int, *_: int | float) -> int:
    """The warm-up of what needs `period` changes from bar to bar, hence one bar more."""
    return period


def quotient(numerator: Any, denominator: Any) -> Any:
    """NaN where the denominator is zero: a width, a deviation or a turnover of nothing has no ratio."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(denominator, 0.0), np.nan, np.divide(numerator, denominator))
