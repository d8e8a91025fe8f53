"""Orders, their states and the one table of legal moves between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.values import Side


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt to execute one approved intent. `qty` is unsigned shares, prices are raw USD.

    `session_date` is the session of the decision; `submitted_at` is UTC.
    """

    client_order_id: str
    intent_id: str
    attempt: int
    account_id: str
    strategy: str
    strategy_version: str
    symbol: str
    side: Side
    qty: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    submitted_at: datetime
    session_date: date
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
