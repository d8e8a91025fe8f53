"""What a strategy may know besides bars: reported figures in all their versions, and who is in the universe when.

Both are read point in time here, row for row with bars. Where they are stored belongs in the adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.fundamentals import Statement
from trading_assets.domain.market.universe import Membership

if TYPE_CHECKING:
    import pandas as pd

FIGURE_COLUMNS = ("symbol", "statement", "item", "months", "period_end", "version", "amount", "counts_from")
"""Columns of a frame of figures, one row a version: `period_end` is a datetime.date, `amount` float64 in the currency
of the report, `counts_from` (tz-aware UTC) the time from which a decision may use the version."""


@dataclass(frozen=True, slots=True, order=True)
class Figure:
    """A line of a statement that a strategy declares: `item` is the vendor's name, `months` the length of its period.

    For example `Figure(Statement.INCOME, "Net Income", 3)`.
    """

    statement: Statement
    item: str
    months: int


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """`figures`: FIGURE_COLUMNS, None for nobody's. `members`: None where every symbol belongs on every day."""

    figures: pd.DataFrame | None = None
    members: Sequence[Membership] | None = None


def known_amounts(figures: pd.DataFrame | None, figure: Figure, bars: pd.DataFrame) -> npt.NDArray[np.float64]:
    """For every bar the amount of the newest period that was known at its close, in the newest version known by then.

    `bars` has the columns symbol and closes_at. NaN where no report was known yet.
    """
    amounts = np.full(len(bars), np.nan)
    if figures is None or figures.empty:
        return amounts
    is_it = (figures["item"] == figure.item) & (figures["months"] == figure.months)
    is_it &= figures["statement"] == str(figure.statement)
    symbols = bars["symbol"].to_numpy(dtype=object)
    closes = bars["closes_at"].to_numpy(dtype="datetime64[us]")
    for symbol, versions in figures[is_it].sort_values(["counts_from", "period_end", "version"]).groupby("symbol"):
        rows = np.flatnonzero(symbols == symbol)
        times = versions["counts_from"].to_numpy(dtype="datetime64[us]")
        newest = np.searchsorted(times, closes[rows], side="right")
        amounts[rows] = np.concatenate([[np.nan], _amounts_in_turn(versions)])[newest]
    return amounts


def _amounts_in_turn(versions: pd.DataFrame) -> list[float]:
    """The amount that holds after each of one symbol's `versions`, which are in the order in which they count."""
    known: dict[date, tuple[int, float]] = {}
    amounts = []
    for period_end, version, amount in zip(
        versions["period_end"], versions["version"], versions["amount"], strict=True
    ):
        if period_end not in known or version > known[period_end][0]:
            known[period_end] = (version, amount)
        amounts.append(known[max(known)][1])
    return amounts


def membership(members: Sequence[Membership] | None, bars: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """For every bar (symbol, session_date) whether its symbol belongs to the universe in its session."""
    if members is None:
        return np.ones(len(bars), dtype=bool)
    symbols = bars["symbol"].to_numpy(dtype=object)
    days = bars["session_date"].to_numpy().astype("datetime64[D]")
    belongs = np.zeros(len(bars), dtype=bool)
    for one in members:
        is_covered = (symbols == one.symbol) & (days >= np.datetime64(one.valid_from))
        belongs |= is_covered if one.valid_to is None else is_covered & (days <= np.datetime64(one.valid_to))
    return belongs
