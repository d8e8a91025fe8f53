"""Time-weighted returns, their growth and their drawdowns. Arrays are float64, one element a session, in time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def time_weighted_returns(equity_usd: Floats, flows_usd: Floats) -> Floats:
    """r_t = (E_t - E_(t-1) - F_t) / (E_(t-1) + F_t), with the flow F_t at the start of its session.

    `flows_usd` is per session; the opening deposit is the first session's flow, so E_0 = 0. A session that begins with
    nothing returns 0.
    """
    before: Floats = np.concatenate((np.zeros(1), equity_usd[:-1])) + flows_usd
    returns = np.zeros(len(before), dtype=np.float64)
    np.divide(equity_usd - before, before, out=returns, where=before > 0)
    return returns


def growth(returns: Floats) -> Floats:
    """Value of one dollar after each session."""
    return np.cumprod(1 + returns, dtype=np.float64)


def drawdowns(returns: Floats) -> Floats:
    """Growth against its highest value so far, the start included, minus 1: zero or negative, as a ratio."""
    index = growth(returns)
    return index / np.maximum(np.maximum.accumulate(index), 1.0) - 1


@dataclass(frozen=True, slots=True)
class Drawdown:
    """From the peak's session to the first session back at the peak; `recovered` is None while it lasts.

    `started` is the last session at the peak, or the first session for a loss from the start. `depth` is a negative
    ratio, `sessions` counts from the first losing session to the recovery or to the end.
    """

    started: date
    trough: date
    recovered: date | None
    depth: float
    sessions: int


def drawdown_table(session_dates: Sequence[date], returns: Floats) -> list[Drawdown]:
    """All drawdowns, the deepest first; equal depths in time order."""
    depth = drawdowns(returns)
    below = np.concatenate(([False], depth < 0, [False]))
    firsts = np.flatnonzero(~below[:-1] & below[1:]).tolist()
    ends = np.flatnonzero(below[:-1] & ~below[1:]).tolist()
    table = []
    for first, end in zip(firsts, ends, strict=True):
        trough = first + int(np.argmin(depth[first:end]))
        is_over = end < len(depth)
        table.append(
            Drawdown(
                started=session_dates[max(first - 1, 0)],
                trough=session_dates[trough],
                recovered=session_dates[end] if is_over else None,
                depth=float(depth[trough]),
                sessions=end - first + is_over,
            )
        )
    return sorted(table, key=lambda drawdown: drawdown.depth)
