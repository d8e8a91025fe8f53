"""What an account has sent, day traded and not yet settled, from its record. What it means is the domain's business."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.postgres.records import select
from trading_assets.domain.execution.account_activity import (
    LOOK_BACK,
    can_have_day_trades,
    day_trades_of,
    unsettled_sales,
)
from trading_assets.domain.execution.ledger import Fill
from trading_assets.domain.risk.activity import SentOrder

if TYPE_CHECKING:
    import psycopg


def session_orders(connection: psycopg.Connection, account_id: str, day: date, as_of: datetime) -> list[SentOrder]:
    """The orders decided on in session `day` up to `as_of` (UTC), in the order in which they were; legs are none."""
    return select(connection, SentOrder, _SESSION_ORDERS, account_id=account_id, day=day, as_of=as_of)


def past_day_trades(
    connection: psycopg.Connection, account_id: str, fills: Iterable[Fill], day: date
) -> dict[date, int]:
    """The day trades of the sessions shortly before `day`, where there may have been any. `fills` are in order."""
    by_session: dict[date, list[Fill]] = {}
    for fill in _recent(fills, day):
        by_session.setdefault(fill.session_date, []).append(fill)
    return {
        past: day_trades_of(traded, dict(connection.execute(_HELD, (account_id, past)).fetchall()))
        for past, traded in by_session.items()
        if can_have_day_trades(traded)
    }


def past_unsettled_sales(fills: Iterable[Fill], day: date) -> list[Fill]:
    """The sales of sessions before `day` whose money is not settled in it."""
    return unsettled_sales(_recent(fills, day), day)


def _recent(fills: Iterable[Fill], day: date) -> list[Fill]:
    return [fill for fill in fills if day - LOOK_BACK <= fill.session_date < day]


_SESSION_ORDERS: LiteralString = """
    select orders.intent_id, orders.strategy, orders.symbol, orders.side, orders.qty,
           orders.qty * verdicts.reference_price as value_usd, orders.submitted_at as at
    from execution.orders
    join risk.verdicts using (intent_id)
    where orders.account_id = %(account_id)s and orders.session_date = %(day)s and orders.submitted_at <= %(as_of)s
      and orders.parent_order_id is null
    order by orders.submitted_at, orders.side collate "C" desc, orders.strategy collate "C", orders.symbol collate "C",
             verdicts.leg, orders.intent_id collate "C"
"""

_HELD = """
    select symbol, sum(qty) from execution.positions where account_id = %s and session_date = %s group by symbol
"""
