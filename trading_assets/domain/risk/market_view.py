"""What the bars known at a decision say about symbols: volumes, betas, correlations, falls, and their sectors.

Of a session only what had closed by the decision counts, with the knowledge of that time. A figure is computed when a
rule asks for it; one for which too little is known is None, and what that means is the rules' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.portfolio_risk import benchmark_returns, market_beta
from trading_assets.domain.risk.price_falls import Fall, PastPrices, binding_fall
from trading_assets.domain.risk.value_at_risk import Floats
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

RETURN_SESSIONS = 60
VOLUME_SESSIONS = 20
MIN_RETURNS = 30
"""Betas and correlations of fewer sessions are not known."""


@dataclass(frozen=True, slots=True, eq=False)
class SessionHistory:
    """Sessions x symbols, for the decisions in (after, until] (UTC): one row a session that traded, by its close.

    `columns`: by symbol. `returns`: on adjusted closes, since the symbol's own session before. `dollars`: raw price x
    volume. NaN: no bar.
    """

    after: datetime
    until: datetime
    columns: Mapping[str, int]
    closes_at: npt.NDArray[np.datetime64]
    returns: Floats
    dollars: Floats

    @classmethod
    def of_bars(cls, after: datetime, until: datetime, bars: pd.DataFrame, factors: pd.Series[float]) -> SessionHistory:
        """From bars of one timeframe as known at `until`, with their point-in-time factors.

        Only the sessions before `after` that a decision can look back on, and those that follow, are kept.
        """
        import pandas as pd

        rows = pd.DataFrame(
            {
                "symbol": bars["symbol"].to_numpy(dtype=object),
                "day": bars["session_date"].to_numpy(dtype=object),
                "ts": bars["ts"].to_numpy(),
                "price": bars["close"].to_numpy(dtype=np.float64) * factors.to_numpy(dtype=np.float64),
                "dollars": (bars["close"] * bars["volume"]).to_numpy(dtype=np.float64),
            }
        ).sort_values(["symbol", "ts"])
        days = rows.groupby(["symbol", "day"]).agg({"price": "last", "dollars": "sum"}).reset_index()
        days["change"] = days["price"] / days.groupby("symbol")["price"].shift(1) - 1
        changes, dollars = (days.pivot(index="day", columns="symbol", values=name) for name in ("change", "dollars"))
        closes_at = np.array([_moment(session(day).closes_at) for day in changes.index], dtype="datetime64[us]")
        begin = max(int(np.searchsorted(closes_at, _moment(after), side="right")) - RETURN_SESSIONS, 0)
        arrays = (np.ascontiguousarray(table.to_numpy(dtype=np.float64)[begin:]) for table in (changes, dollars))
        columns = {symbol: column for column, symbol in enumerate(changes.columns)}
        return cls(after, until, columns, closes_at[begin:], *arrays)


@dataclass(frozen=True, slots=True, eq=False)
class MarketHistory:
    """Everything that market views are made of; `parts` follow upon each other, each with the knowledge of its time.

    `prices` are those of every timeframe, given where shorts are allowed.
    """

    parts: Sequence[SessionHistory] = ()
    sectors: Sectors = field(default_factory=Sectors)
    prices: Sequence[PastPrices] = ()

    def view(self, at: datetime, session_date: date, volumes: Mapping[str, Decimal]) -> MarketView:
        """The view of a decision at `at` (UTC) on bars with these `volumes`."""
        part = next((part for part in self.parts if part.after < at <= part.until), None)
        prices = [one for one in self.prices if one.after < at <= one.until]
        return MarketView(at, session_date, volumes, part, self.sectors, prices)


class MarketView:
    """The market as one decision may know it."""

    def __init__(
        self,
        at: datetime,
        session_date: date,
        volumes: Mapping[str, Decimal],
        part: SessionHistory | None,
        sectors: Sectors,
        prices: Sequence[PastPrices] = (),
    ) -> None:
        self._at, self._session_date, self._volumes, self._sectors = at, session_date, volumes, sectors
        self._part, self._prices = part, prices
        self._end = 0 if part is None else int(np.searchsorted(part.closes_at, _moment(at), side="right"))
        self._columns: Mapping[str, int] = {} if part is None else part.columns
        self._benchmark: Floats | None = None
        self._correlated: dict[tuple[str, float], frozenset[str]] = {}

    def bar_volume(self, symbol: str) -> Decimal | None:
        """Shares traded in the bar that was decided on."""
        return self._volumes.get(symbol)

    def fall(self, symbol: str) -> Fall | None:
        """How far it fell in the sessions whose falls bind what is decided now; None where that is not known."""
        return binding_fall(self._prices, symbol, self._at, self._session_date) if self._prices else None

    def sector(self, symbol: str) -> str:
        return self._sectors.at(symbol, self._session_date, self._at)

    def average_volume_usd(self, symbol: str) -> float | None:
        """Mean USD value traded in a session, over the newest 20 or as many as there are.

        In dollars, because a split changes what a share is.
        """
        column = self._columns.get(symbol)
        if self._part is None or column is None:
            return None
        dollars = self._newest(self._part.dollars, VOLUME_SESSIONS)[:, column]
        known = dollars[np.isfinite(dollars)]
        return float(known.mean()) if len(known) else None

    def beta(self, symbol: str) -> float | None:
        """The slope on the equal-weighted mean of all symbols, over 60 sessions; None with fewer than 30 returns."""
        column = self._columns.get(symbol)
        if self._part is None or column is None:
            return None
        returns = self._newest(self._part.returns, RETURN_SESSIONS)
        if self._benchmark is None:
            self._benchmark = benchmark_returns(returns)
        beta = market_beta(returns[:, column], self._benchmark, MIN_RETURNS)
        return beta if np.isfinite(beta) else None

    def is_correlated(self, symbol: str, other: str, threshold: float) -> bool:
        """Whether their correlation over 60 sessions is beyond `threshold`, either way.

        Symbols that have fewer than 30 sessions in common count as correlated.
        """
        if self._part is None or symbol not in self._columns or other not in self._columns:
            return True
        found = self._correlated.get((symbol, threshold))
        if found is None:
            returns = self._newest(self._part.returns, RETURN_SESSIONS)
            found = self._correlated[symbol, threshold] = self._near(returns, symbol, threshold)
        return other in found

    def _near(self, returns: Floats, symbol: str, threshold: float) -> frozenset[str]:
        own = returns[:, [self._columns[symbol]]]
        both = np.isfinite(returns) & np.isfinite(own)
        counts = np.maximum(both.sum(axis=0), 1)
        ours, theirs = (np.where(both, values, 0.0) for values in (np.broadcast_to(own, returns.shape), returns))
        ours, theirs = (np.where(both, values - values.sum(axis=0) / counts, 0.0) for values in (ours, theirs))
        scale = np.sqrt((ours**2).sum(axis=0) * (theirs**2).sum(axis=0))
        correlation = np.divide((ours * theirs).sum(axis=0), scale, out=np.zeros(len(scale)), where=scale > 0)
        is_near = (both.sum(axis=0) < MIN_RETURNS) | (np.abs(correlation) > threshold)
        return frozenset(name for name, near in zip(self._columns, is_near.tolist(), strict=True) if near)

    def _newest(self, table: Floats, sessions: int) -> Floats:
        return table[max(self._end - sessions, 0) : self._end]


def market_timeframe(traded: Iterable[Timeframe]) -> Timeframe:
    """The bars that a history is made of, among those that are decided on: session bars where there are any."""
    return max(traded, key=lambda timeframe: timeframe is Timeframe.SESSION)


NO_HISTORY = MarketHistory()

NOTHING_KNOWN = NO_HISTORY.view(datetime.min.replace(tzinfo=UTC), date.min, {})
"""What a snapshot without a market has: every figure is missing."""


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
