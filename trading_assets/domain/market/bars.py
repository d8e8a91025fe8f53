"""What a bar is, as a frame for research and as a record for the ledger. Fetching and storing belong elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

BAR_COLUMNS = ("symbol", "timeframe", "ts", "closes_at", "session_date", "open", "high", "low", "close", "volume", "source")
"""Columns of a frame of bars. `ts` labels the START of the bar and `closes_at` its end, both tz-aware UTC;
`session_date` is the New York trading day (datetime.date); prices are raw USD, volume is shares, all float64."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One raw bar in the ledger's arithmetic. `ts` is the start, `closes_at` the end, both UTC."""

    symbol: str
    ts: datetime
    closes_at: datetime
    session_date: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
