"""Adjusting raw prices for corporate actions, for a given day of knowledge. Adjusted prices are never stored.

Use adjusted prices for returns, indicators and correlation; raw prices for orders, fills, fees and limits.

The factor f of an action applies to every price before its ex-date: `old/new` for a split, `1/(1 + r)` for a stock
dividend of r, `1 - D / C` for a cash dividend D or a spin-off worth D per old share, after the raw close C of the
session before. Where nobody knows what a spin-off was worth, the opening of its ex-date says so: its factor then makes
the overnight return zero. Renames and delistings change no price.

Seen from a day T: `adj(t; T) = raw(t) x product of f with t < ex_date <= T`. With
`F(t) = 1 / product of f with ex_date <= t` this is `adj(t; T) = raw(t) x F(t) / F(T)`, and F(t) depends on nothing that
happens after t: `raw x F` is a series that a later action never changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Days: TypeAlias = np.ndarray[tuple[int], np.dtype[np.datetime64]]

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True, slots=True)
class _Step:
    """The factors of an action: multiply what lies before `ex_date`."""

    ex_date: date
    price: float
    volume: float


def price_factor(action: CorporateAction, previous_close: float) -> float:
    """What prices before the ex-date are multiplied with. `previous_close`: raw close of the session before, in USD.

    Raises ValueError for a dividend or spin-off that is not worth less than the previous close, or has no value.
    """
    if action.kind in {ActionKind.CASH_DIVIDEND, ActionKind.SPIN_OFF}:
        value = action.amount_usd if action.kind is ActionKind.CASH_DIVIDEND else action.value_usd
        if value is None or not 0 <= value < previous_close:
            raise ValueError(
                f"{action.symbol} {action.ex_date}: a {action.kind} of {value} USD a share after a close of "
                f"{previous_close} USD. Correct it at its source and materialise market/corporate_actions again."
            )
        return 1 - float(value) / previous_close
    return float(1 / action.own_shares)


def point_in_time_factors(bars: pd.DataFrame, actions: Sequence[CorporateAction]) -> pd.Series[float]:
    """F(t) for each bar, with the index of `bars`: `raw price x factor` is comparable over time within a symbol.

    `bars` has the columns symbol, session_date, closes_at and close (raw USD), in any order. The value at a bar depends
    on this and earlier bars only. An action before a symbol's first bar changes nothing.
    """
    import numpy as np
    import pandas as pd

    factors = np.ones(len(bars))
    own: dict[str, list[CorporateAction]] = defaultdict(list)
    for action in actions:
        own[action.symbol].append(action)
    days = _days(bars)
    for symbol, rows in bars.groupby("symbol").indices.items():
        if str(symbol) not in own:
            continue
        own_days, values = days[rows], np.ones(len(rows))
        for step in _steps(bars.iloc[rows], own_days, own[str(symbol)]):
            values[own_days >= np.datetime64(step.ex_date)] /= step.price
        factors[rows] = values
    return pd.Series(factors, index=bars.index, name="factor")


def adjusted_as_of(bars: pd.DataFrame, actions: Sequence[CorporateAction], as_of: date) -> pd.DataFrame:
    """The bars up to the session `as_of`, adjusted by the actions with an ex-date up to `as_of`: adj(t; as_of).

    Same columns as `bars` (BAR_COLUMNS), prices in USD of `as_of`, volume in shares of `as_of`. Levels of such a frame
    carry knowledge of `as_of`: compare them with nothing that was decided earlier.
    """
    import numpy as np

    adjusted = bars[bars["session_date"] <= as_of].copy()
    for symbol, group in adjusted.groupby("symbol"):
        days = _days(group)
        price, volume = np.ones(len(group)), np.ones(len(group))
        known = [action for action in actions if action.symbol == symbol and action.ex_date <= as_of]
        for step in _steps(group, days, known):
            before = days < np.datetime64(step.ex_date)
            price[before] *= step.price
            volume[before] *= step.volume
        adjusted.loc[group.index, PRICES] = group[PRICES].to_numpy() * price[:, None]
        adjusted.loc[group.index, "volume"] = group["volume"].to_numpy() * volume
    return adjusted


def unadjust_splits(bars: pd.DataFrame, actions: Sequence[CorporateAction], fetched_on: date) -> pd.DataFrame:
    """The raw bars behind bars that their vendor had adjusted for splits as of the day `fetched_on`.

    `bars` has the columns symbol, session_date, open, high, low, close and volume, in any order; the rest is kept. Each
    split with session_date < ex_date <= fetched_on multiplies prices by its ratio and divides volume by it. Dividends
    change nothing, and a later split has not reached the answer yet. Floats are not rounded.
    """
    import numpy as np

    raw = bars.copy()
    price, volume = np.ones(len(bars)), bars["volume"].to_numpy("float64").copy()
    for action in actions:
        if action.kind is ActionKind.SPLIT and action.ex_date <= fetched_on:
            before = ((bars["symbol"] == action.symbol) & (bars["session_date"] < action.ex_date)).to_numpy()
            price[before] *= float(action.own_shares)
            volume[before] /= float(action.own_shares)
    raw[PRICES] = bars[PRICES].to_numpy("float64") * price[:, None]
    raw["volume"] = volume
    return raw


def _steps(bars: pd.DataFrame, days: Days, actions: Sequence[CorporateAction]) -> list[_Step]:
    """The factors of one symbol's actions, by ex-date; those without an earlier bar have none. `days`: of the bars."""
    import numpy as np

    order = np.argsort(bars["closes_at"].to_numpy(dtype="datetime64[ns]"))
    days, opens, closes = days[order], bars["open"].to_numpy()[order], bars["close"].to_numpy()[order]
    by_day: dict[date, list[CorporateAction]] = defaultdict(list)
    for action in sorted(actions, key=lambda action: (action.ex_date, action.kind)):
        by_day[action.ex_date].append(action)
    steps = []
    for ex_date, due in by_day.items():
        bars_before = int(np.searchsorted(days, np.datetime64(ex_date), side="left"))
        if not bars_before:
            continue
        close = float(closes[bars_before - 1])
        unvalued = [action for action in due if action.kind is ActionKind.SPIN_OFF and action.value_usd is None]
        valued = [
            _Step(ex_date, price_factor(action, close), float(action.own_shares))
            for action in due
            if action not in unvalued
        ]
        steps += valued
        if unvalued and bars_before < len(opens):
            expected_open = close * prod(step.price for step in valued)
            steps.append(_Step(ex_date, min(1.0, float(opens[bars_before]) / expected_open), 1.0))
    return steps


def _days(bars: pd.DataFrame) -> Days:
    return bars["session_date"].to_numpy().astype("datetime64[D]")
