"""The best bid and offer of a symbol at a moment, as its vendor tells it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Quote:
    """Prices in USD, sizes in shares; None on a side where nobody quotes. `quoted_at` is the vendor's time, UTC."""

    symbol: str
    quoted_at: datetime
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    response_id: int | None = None
