"""What is recorded of an account's orders at its broker, as the breakers that watch the broker want to read it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import LiteralString

import psycopg

from trading_assets.adapters.postgres.records import select
from trading_assets.domain.risk.execution_health import ExecutionRecord, Slippage, StatusChange


def read_execution_record(
    connection: psycopg.Connection, account_id: str, modelled_bps: Decimal, now: datetime
) -> ExecutionRecord:
    """The orders of the last day up to `now` (UTC) and all that are open.

    What is executed at a simulated broker has the modelled slippage by construction, and is left out.
    """
    known = {"account_id": account_id, "now": now, "modelled_bps": float(modelled_bps)}
    return ExecutionRecord(
        changes=select(connection, StatusChange, _CHANGES, **known),
        slippages=select(connection, Slippage, _SLIPPAGES, **known),
    )


_CHANGES: LiteralString = """
    select client_order_id, events.status, events.at
    from execution.order_events as events
    join execution.order_states as orders using (client_order_id)
    where orders.account_id = %(account_id)s and events.at <= %(now)s
      and (not orders.is_terminal or orders.status_at > %(now)s::timestamptz - interval '1 day')
    order by events.at, client_order_id, events.event_no
"""
_SLIPPAGES: LiteralString = """
    select max(fills.filled_at) as at, %(modelled_bps)s::float8 as modelled_bps,
           (case orders.side when 'buy' then 10000 else -10000 end
            * (sum(fills.qty * fills.price) / sum(fills.qty) / verdicts.reference_price - 1))::float8 as paid_bps
    from execution.fills
    join execution.orders using (client_order_id)
    join execution.accounts on accounts.account_id = orders.account_id
    join risk.verdicts on verdicts.intent_id = orders.intent_id
    where orders.account_id = %(account_id)s and accounts.broker <> 'simulated' and orders.order_type = 'market'
      and fills.booked_at <= %(now)s and fills.booked_at > %(now)s::timestamptz - interval '1 day'
    group by orders.client_order_id, orders.side, verdicts.reference_price
"""
