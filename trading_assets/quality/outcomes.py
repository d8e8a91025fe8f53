"""What judging a frame by a suite results in, whoever judges: evaluate.py at every tick, or Great Expectations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from trading_assets.quality.expectations import Expectation

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FIRST_OFFENDERS = 20

Plain = str | int | float | bool | None
Pair = tuple[date, str]


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation's answer.

    `offenders`: the first offending rows, as their key and the values that offend. `touched`: of a suite with gates,
    every (session_date, symbol) with an offending row; all of the frame when the expectation is about the frame or
    could not be evaluated; empty when the expectation passed. `error`: why it could not be evaluated.
    """

    expectation: Expectation
    passed: bool
    unexpected_count: int
    offenders: tuple[Mapping[str, Plain], ...]
    touched: frozenset[Pair]
    observed: str | None
    error: str | None

    @property
    def name(self) -> str:
        return self.expectation.name


def failing_blockers(frame: pd.DataFrame, outcomes: Sequence[ExpectationOutcome]) -> dict[Pair, list[str]]:
    """The failed blocking checks of every (session_date, symbol) in the frame; an empty list opens the gate."""
    failing: dict[Pair, list[str]] = {pair: [] for pair in pairs(frame)}
    for outcome in outcomes:
        if outcome.expectation.blocking and not outcome.passed:
            for pair in outcome.touched:
                failing[pair].append(outcome.name)
    return failing


def pairs(frame: pd.DataFrame, rows: np.ndarray | None = None) -> frozenset[Pair]:
    """Every (session_date, symbol) in the frame, or in some of its rows."""
    import numpy as np

    days, symbols = frame["session_date"].to_numpy(), frame["symbol"].to_numpy(dtype=object)
    if rows is not None:
        days, symbols = days[rows], symbols[rows]
    # Bars of a session stand together: looking at the changes only spares hashing the date of every bar.
    is_new = np.ones(len(days), dtype=bool)
    is_new[1:] = (days[1:] != days[:-1]) | (symbols[1:] != symbols[:-1])
    return frozenset(zip(days[is_new], symbols[is_new], strict=True))


def plain(value: Any) -> Plain:
    """A value as Dagster and JSON know it: numbers without their NumPy type, dates as text, None for NaN."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
