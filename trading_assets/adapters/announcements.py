"""What a person is told of a journal: denials, tripped breakers, fills, and how each session ended.

The texts are in domain/notification, the delivery in the outbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres import ledger
from trading_assets.domain.execution.order_history import Incident
from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal
from trading_assets.domain.market.sessions import session
from trading_assets.domain.notification import messages
from trading_assets.domain.risk.breakers import BreakerAction
from trading_assets.domain.risk.verdicts import Outcome, TradingState

if TYPE_CHECKING:
    import psycopg


def told_of(account_id: str, journal: Journal) -> list[messages.Message]:
    """What a person is told of a journal."""
    told = [messages.order_denied(verdict) for verdict in journal.verdicts if verdict.outcome is Outcome.DENIED]
    told += [
        messages.breaker_tripped(account_id, event.breaker, event.event_no, _state_after(event), event.cause, event.at)
        for event in journal.breaker_events
        if event.state is BreakerState.TRIPPED
    ]
    fills = defaultdict(list)
    for fill in journal.fills:
        fills[fill.session_date].append(fill)
    return told + [messages.orders_filled(account_id, day, filled) for day, filled in fills.items()]


def incidents_told(
    account_id: str, incidents: Iterable[Incident], symbols: Mapping[str, str], at: datetime
) -> list[messages.Message]:
    """What a person is told of incidents that were opened at `at` (UTC)."""
    return [
        messages.incident_opened(account_id, one.kind, one.subject, symbols.get(one.subject), at) for one in incidents
    ]


def _state_after(event: BreakerEvent) -> TradingState:
    """What a tripped breaker leads to; one that is not configured reduces."""
    return BreakerAction(event.cause.get("action", BreakerAction.REDUCE)).state


def summaries_of(connection: psycopg.Connection, account_id: str, journal: Journal) -> list[messages.Message]:
    """The daily summaries of the sessions that ended in a journal, read from the ledger it is part of."""
    ended = [point.session_date for point in journal.equity if point.at == session(point.session_date).closes_at]
    if not ended:
        return []
    return [
        messages.daily_summary(account_id, s.session_date, s.equity_usd, s.pnl_usd, s.fills, s.denied, s.at)
        for s in ledger.session_summaries(connection, account_id, min(ended), max(ended))
    ]
