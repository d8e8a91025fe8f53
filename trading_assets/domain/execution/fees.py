"""Regulatory fees by effective date, summed a session and rounded up once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill


def fees_of_session(fills: Iterable[Fill]) -> list[tuple[ActivityKind, Decimal]]:
    """What one account's fills of one session cost, positive USD to the cent, one row a fee that is not zero."""
    raise NotImplementedError


def fee_activities(account_id: str, fills: Iterable[Fill], session: date, at: datetime) -> list[Activity]:
    """The session's fees as ledger records, booked at `at`, the session's close (UTC)."""
    raise NotImplementedError
