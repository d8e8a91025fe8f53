"""A market in which no price moves, so that nothing stands in the way of a short sale, and one that fell every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache

import pandas as pd

from trading_assets.domain.market.sessions import bar_bounds, previous_session, session, sessions_between
from trading_assets.domain.risk.market_view import MarketHistory
from trading_assets.domain.risk.price_falls import PastPrices
from trading_assets.domain.values import Timeframe


@cache
def calm_prices(symbols: Sequence[str], first: date, last: date, low: float = 100.0) -> PastPrices:
    """Hours that close at 100 USD, for the decisions in the sessions first..last."""
    days = sessions_between(previous_session(previous_session(first)), last)
    hours = [(day, hour.closes_at) for day in days for hour in bar_bounds(day, Timeframe.HOUR)]
    rows = [(symbol, day, closes_at, low, 100.0) for symbol in sorted(symbols) for day, closes_at in hours]
    bars = pd.DataFrame(rows, columns=["symbol", "session_date", "closes_at", "low", "close"])
    return PastPrices.of_bars(session(first).opens_at, session(last).closes_at, bars, [])


def calm_market(symbols: Sequence[str], first: date, last: date, low: float = 100.0) -> MarketHistory:
    """No more of the market than short sales ask for."""
    return MarketHistory(prices=[calm_prices(tuple(symbols), first, last, low)])
