"""Indicators carried forward one bar at a time, with the very bytes of `indicators.compute` over the whole history.

TA-Lib's handles know what an endless average or a running sum has come to, and take one small step a bar. They live in
one process: each process opens them on a history, at the price of computing it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import isfinite
from operator import is_, itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.indicator_kinds import KINDS
from trading_assets.domain.strategy.indicator_kinds.kind import LAG, Field
from trading_assets.domain.strategy.indicators import (
    Batch,
    Floats,
    Indicator,
    adjusted_units,
    checked_inputs,
    evaluate,
    lagged,
    symbol_slices,
    unit_of,
)

if TYPE_CHECKING:
    import pandas as pd

Step = Callable[[Mapping[Field, float]], Any]
"""From the adjusted numbers of the next bar to an indicator's value there."""


class BarByBar:
    """The `indicators` of one symbol, carried forward from a history by one bar after the other.

    `bars` and `factors` as in indicators.compute, of one symbol; without rows for a symbol that begins. Raises
    ValueError.
    """

    def __init__(self, bars: pd.DataFrame, factors: npt.ArrayLike, indicators: Sequence[Indicator]) -> None:
        raw, factor = checked_inputs(bars, factors, indicators)
        if sum(1 for _ in symbol_slices(bars)) > 1:
            raise ValueError("BarByBar goes on with one symbol: give each symbol an object of its own.")
        self._indicators = tuple(indicators)
        self._units = [indicator.unit for indicator in indicators]
        self._field_units = {field: unit_of(field) for field in raw}
        self._all_units = {*self._units, *self._field_units.values()}
        self._history = {field: column * adjusted_units(unit_of(field), factor) for field, column in raw.items()}
        self._missing = max((indicator.warm_up + 1 for indicator in indicators), default=0) - len(bars)
        self._steps: list[Step] = []
        if self._missing <= 0:
            self._open()

    def append(self, bar: Mapping[Field, float], factor: float) -> list[float]:
        """The value of each indicator, in their order, at the bar after all before it; NaN while it warms up.

        `bar`: raw USD and shares. Raises ValueError, before anything is carried forward, for a number that is not
        finite: no indicator could go on from it.
        """
        worth = {unit: adjusted_units(unit, factor) for unit in self._all_units}
        adjusted = {field: bar[field] * worth[unit] for field, unit in self._field_units.items()}
        if not all(map(isfinite, adjusted.values())):
            raise ValueError(f"Indicators cannot go on from {dict(bar)}, factor {factor}: not every number is finite.")
        values = self._lengthen(adjusted) if self._missing > 0 else [step(adjusted) for step in self._steps]
        return [value / worth[unit] for value, unit in zip(values, self._units, strict=True)]

    def _lengthen(self, bar: Mapping[Field, float]) -> list[float]:
        self._history = {field: np.append(values, bar[field]) for field, values in self._history.items()}
        self._missing -= 1
        if self._missing == 0:
            return self._open()
        ta = Batch()
        return [float(evaluate(ta, indicator, self._history)[-1]) for indicator in self._indicators]

    def _open(self) -> list[float]:
        """Leave the history behind; every indicator's value at its end."""
        opened = [_open(indicator, self._history) for indicator in self._indicators]
        self._steps, self._history = [step for step, _ in opened], {}
        return [value for _, value in opened]


def _open(indicator: Indicator, history: dict[Field, Floats]) -> tuple[Step, float]:
    """How the indicator goes on after a history that is longer than its warm-up, and its value at the end of it."""
    opening = _Opening()
    values = evaluate(opening, indicator, history)
    return _step(indicator, history, opening.calls, values), float(values[-1])


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a formula: its arrays, what it gave for them, and the step of the handle that goes on from there."""

    arrays: tuple[Floats, ...]
    result: Any
    update: Callable[..., Any]


class _Opening:
    """The functions of a formula over the arrays of a history; each call leaves a handle at its end."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []

    def __call__(self, function: str, *arguments: Any) -> Any:
        from talib import stream

        handle_of = _Lag if function == LAG else getattr(stream, function)
        handle, result = handle_of.open_and_fill(*arguments)
        arrays = tuple(one for one in arguments if isinstance(one, np.ndarray))
        self.calls.append(_Call(arrays, result, handle.update))
        return result


class _Lag:
    """`indicators.lagged`, one bar at a time."""

    def __init__(self, last: float) -> None:
        self._last = last

    @classmethod
    def open_and_fill(cls, values: Floats) -> tuple[_Lag, Floats]:
        return cls(float(values[-1])), lagged(values)

    def update(self, value: float) -> float:
        before, self._last = self._last, value
        return before


def _step(indicator: Indicator, history: Mapping[Field, Floats], calls: Sequence[_Call], values: Floats) -> Step:
    """How the indicator goes on after the `history`, over which its formula made the `calls` and gave the `values`."""
    kind = KINDS[indicator.kind]
    first, fields = calls[0], tuple(history[field] for field in kind.inputs)
    # Nearly every formula hands on what one function says of the bars: then its handle alone costs half of the way
    # through the formula.
    if len(calls) == 1 and len(first.arrays) == len(fields) and all(map(is_, first.arrays, fields)):
        results = first.result if isinstance(first.result, tuple) else (first.result,)
        for position, result in enumerate(results):
            if result is values:
                return _handle_step(first.update, kind.inputs, position if len(results) > 1 else None)
    turns = cycle([(call.update, len(call.arrays)) for call in calls])

    def ta(_: str, *arguments: Any) -> Any:
        update, count = next(turns)
        return update(*arguments[:count])

    return lambda bar: float(kind.formula(ta, *[bar[field] for field in kind.inputs], *indicator.parameters))


def _handle_step(update: Callable[..., Any], inputs: tuple[Field, ...], position: int | None) -> Step:
    """The step of one handle on the bar's `inputs`; of several results the one at `position`."""
    read, only = itemgetter(*inputs), inputs[0]
    step: Step = (lambda bar: update(bar[only])) if len(inputs) == 1 else (lambda bar: update(*read(bar)))
    return step if position is None else (lambda bar: step(bar)[position])
