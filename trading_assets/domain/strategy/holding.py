"""From events on bars to positions held over bars, with a finite memory.

What counts as an entry or an exit is a strategy's own matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


class Holding(NamedTuple):
    """Row for row: whether a position is held, and how many bars ago its newest entry was (meaningless if not held)."""

    is_held: Flags
    bars: Counts


def hold(is_entry: Flags, is_exit: Flags, max_hold: int, bar_numbers: Counts) -> Holding:
    """A position from each entry to the next exit, at most `max_hold` bars from its newest entry, that bar included.

    A bar on which both happen is an exit. `bar_numbers` are 0, 1, 2 ... within each symbol, row for row: nothing is
    held across symbols. A row depends on itself and on the `max_hold - 1` bars before it.
    """
    row = np.arange(len(is_entry))
    entry, exit_ = _newest_row(is_entry), _newest_row(is_exit)
    bars = row - entry
    is_held = (entry >= row - bar_numbers) & (entry > exit_) & (bars < max_hold)
    return Holding(is_held, bars)


def previous(values: npt.NDArray[np.float64], bar_numbers: Counts) -> npt.NDArray[np.float64]:
    """Each value of the same symbol's bar before, NaN on its first bar."""
    return np.where(bar_numbers > 0, np.roll(values, 1), np.nan)


def _newest_row(is_event: Flags) -> Counts:
    """For every row the newest row up to it on which the event happened, -1 for none."""
    return np.maximum.accumulate(np.where(is_event, np.arange(len(is_event)), -1))
