"""The ledger's records and their fold into a book: positions, cash, realised and unrealised profit. All Decimal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.values import ZERO, Side


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `filled_at` is when it happened, `booked_at` when the account learnt of it, both UTC."""

    execution_id: str
    client_order_id: str
    account_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    filled_at: datetime
    booked_at: datetime
    session_date: date


class ActivityKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"
    FEE_SEC = "fee_sec"
    FEE_TAF = "fee_taf"
    SPLIT = "split"
    CASH_IN_LIEU = "cash_in_lieu"


@dataclass(frozen=True, slots=True)
class Activity:
    """A change of cash or shares that is no fill. `amount_usd` is signed: what the account receives is positive."""

    activity_id: str
    account_id: str
    kind: ActivityKind
    at: datetime
    settles_on: date
    session_date: date
    strategy: str | None = None
    symbol: str | None = None
    qty_delta: Decimal = ZERO
    amount_usd: Decimal = ZERO
    detail: Mapping[str, str] = field(default_factory=dict)
