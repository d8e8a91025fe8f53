"""How far a share fell below the close of the session before, which Rule 201 of Regulation SHO asks about a short sale.

Raw prices of regular hours, each known from the end of its bar on; a split between the two sessions is taken out. What
a fall means for an order is the business of RC-09b.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import previous_session, session, session_from
from trading_assets.domain.risk.value_at_risk import Floats
from trading_assets.domain.values import price_of

if TYPE_CHECKING:
    import pandas as pd

LOOK_BACK = timedelta(days=15)
"""The two sessions before any other lie within it."""
NOWHERE = slice(0, 0)


class Fall(NamedTuple):
    """The lowest price of a session so far, and the close of the session before; USD for a share as it is then."""

    lowest_usd: Decimal
    previous_close_usd: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class PastPrices:
    """Bars of one timeframe, for the decisions in (after, until] (UTC): `rows` are those of a symbol, by time.

    `own_shares`: what a share became at the open of a session, where that is more or less than one.
    """

    after: datetime
    until: datetime
    rows: Mapping[str, slice]
    days: npt.NDArray[np.datetime64]
    closes_at: npt.NDArray[np.datetime64]
    lows: Floats
    closes: Floats
    own_shares: Mapping[tuple[str, date], Decimal]

    @classmethod
    def of_bars(
        cls, after: datetime, until: datetime, bars: pd.DataFrame, actions: Sequence[CorporateAction]
    ) -> PastPrices:
        """From bars by symbol and ts, and actions, both as known at `until`."""
        days = bars["session_date"].to_numpy().astype("datetime64[D]")
        is_kept = days >= np.datetime64((after - LOOK_BACK).date())
        kept = bars[is_kept]
        own_shares: dict[tuple[str, date], Decimal] = defaultdict(lambda: Decimal(1))
        for action in actions:
            own_shares[action.symbol, session_from(action.ex_date)] *= action.own_shares
        return cls(
            after,
            until,
            {str(name): slice(rows[0], rows[-1] + 1) for name, rows in kept.groupby("symbol").indices.items()},
            days[is_kept],
            kept["closes_at"].to_numpy(dtype="datetime64[us]"),
            kept["low"].to_numpy(dtype=np.float64),
            kept["close"].to_numpy(dtype=np.float64),
            dict(own_shares),
        )

    def lowest(self, symbol: str, day: date, at: datetime) -> Decimal | None:
        """The lowest price of the bars of session `day` that had closed by `at` (UTC)."""
        rows = self._rows_of(symbol, day)
        lows = self.lows[rows][self.closes_at[rows] <= _moment(at)]
        return price_of(lows.min()) if lows.size else None

    def previous_close(self, symbol: str, day: date) -> Decimal | None:
        """What the bar that ended the session before `day` closed at, for a share as it is on that day."""
        before = previous_session(day)
        rows = self._rows_of(symbol, before)
        closes = self.closes[rows][self.closes_at[rows] == _moment(session(before).closes_at)]
        return price_of(closes[-1]) / self.own_shares.get((symbol, day), Decimal(1)) if closes.size else None

    def _rows_of(self, symbol: str, day: date) -> slice:
        own = self.rows.get(symbol, NOWHERE)
        first, last = np.searchsorted(self.days[own], np.array([day, day + timedelta(days=1)], dtype="datetime64[D]"))
        return slice(own.start + int(first), own.start + int(last))


def binding_fall(prices: Sequence[PastPrices], symbol: str, at: datetime, session_date: date) -> Fall | None:
    """The deepest fall that binds an order which is decided at `at` (UTC); None where one of them is not known.

    A fall binds for the rest of its session and all of the next. What is decided when a session ends works in the next
    one, in which nothing has fallen yet.
    """
    is_over = at >= session(session_date).closes_at
    days = [session_date] if is_over else [previous_session(session_date), session_date]
    falls = [_fall(prices, symbol, day, at) for day in days]
    known = [fall for fall in falls if fall is not None]
    if len(known) < len(falls):
        return None
    return min(known, key=lambda fall: fall.lowest_usd / fall.previous_close_usd)


def _fall(prices: Sequence[PastPrices], symbol: str, day: date, at: datetime) -> Fall | None:
    """By all timeframes together."""
    lows = [low for one in prices if (low := one.lowest(symbol, day, at)) is not None]
    closes = [close for one in prices if (close := one.previous_close(symbol, day)) is not None]
    return Fall(min(lows), max(closes)) if lows and closes else None


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
