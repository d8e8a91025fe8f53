"""What a bar is, as a frame for research and as a record for the ledger. Fetching and storing belong elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

BAR_COLUMNS = (
    "symbol",
    "timeframe",
    "ts",
    "closes_at",
    "session_date",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "source",
)
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


def ensure_no_empty_session(
    frame: pd.DataFrame,
    symbols: Sequence[str],
    timeframe: Timeframe,
    finished: Sequence[date],
    first_sessions: Mapping[str, date | None],
    halted: Collection[tuple[str, date]] = (),
) -> None:
    """Refuse an answer that lacks a whole session: ValueError naming the first missing one and how many there are.

    `frame` has the columns symbol and session_date. Each symbol must have a bar in each of the `finished` sessions from
    its first session on; a symbol that is missing in `first_sessions` is refused, one whose first session is None must
    have them all. The (symbol, session) pairs in `halted` need none.
    """
    if unknown := [symbol for symbol in symbols if symbol not in first_sessions]:
        raise ValueError(f"{unknown[0]} is not in market.instruments: materialise market/instruments first.")
    present = set(zip(frame["symbol"], frame["session_date"], strict=True))
    missing = [
        (day, symbol)
        for day in finished
        for symbol in symbols
        if day >= (first_sessions[symbol] or day) and (symbol, day) not in present and (symbol, day) not in halted
    ]
    if missing:
        day, symbol = missing[0]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise ValueError(
            f"no {timeframe} bar of {symbol} for the finished session {day}{others}. The answer was not stored. "
            "Choose sessions that the source covers, or change universe or timeframes in trading.yaml."
        )
