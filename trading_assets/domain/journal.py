"""Everything the time loop writes down, in the order it happened. Storing it belongs to the ledger's adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.execution.ledger import Activity, Fill
from trading_assets.domain.execution.orders import Order, OrderEvent, TrailMark
from trading_assets.domain.risk.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Approval:
    """Permission to send one order for one intent, used at most once and not after `expires_at` (UTC)."""

    intent_id: str
    qty: Decimal
    approved_at: datetime
    expires_at: datetime


class BreakerState(StrEnum):
    TRIPPED = "tripped"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class BreakerEvent:
    """A breaker tripped, or a named person or a declared time rule cleared it."""

    account_id: str
    breaker: str
    event_no: int
    state: BreakerState
    at: datetime
    session_date: date
    cause: Mapping[str, str] = field(default_factory=dict)
    cleared_by: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class PositionSnapshot:
    """One strategy's position in one symbol at the last bar close of a session so far. Realised is cumulative."""

    account_id: str
    session_date: date
    strategy: str
    symbol: str
    as_of: datetime
    qty: Decimal
    avg_cost_usd: Decimal
    mark_price: Decimal
    value_usd: Decimal
    realised_usd: Decimal
    unrealised_usd: Decimal


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The account at a bar close. Realised, dividends, fees (positive: paid) and flows are cumulative."""

    account_id: str
    at: datetime
    session_date: date
    cash_usd: Decimal
    receivable_usd: Decimal
    positions_usd: Decimal
    equity_usd: Decimal
    realised_usd: Decimal
    unrealised_usd: Decimal
    dividends_usd: Decimal
    fees_usd: Decimal
    flows_usd: Decimal
    high_water_mark_usd: Decimal


@dataclass(slots=True)
class Journal:
    verdicts: list[Verdict] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    order_events: list[OrderEvent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    breaker_events: list[BreakerEvent] = field(default_factory=list)
    positions: list[PositionSnapshot] = field(default_factory=list)
    equity: list[EquityPoint] = field(default_factory=list)
    trail_marks: list[TrailMark] = field(default_factory=list)
