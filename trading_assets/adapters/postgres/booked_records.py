"""What of a broker's records the ledger has booked already, as the booking of new ones wants to know it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.postgres.broker_orders import orders_by_name
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.execution.bookings import SOURCE_DETAIL, Booked
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerFill
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill

if TYPE_CHECKING:
    import psycopg

SEEN_BEFORE_DETAIL = "broker_activity_ids"
"""Of the first deposit: the records that the opening cash and positions contain, separated by spaces."""


def booked_before(
    connection: psycopg.Connection,
    account_id: str,
    names: Mapping[str, str | None],
    records: Iterable[ActivityRecord],
) -> Booked:
    """What the ledger knows of these records, whose orders have `names` by the broker's id."""
    heard = list(records)
    fills_heard = [one for one in heard if isinstance(one, BrokerFill)]
    named = {one.broker_order_id: name for one in fills_heard if (name := names.get(one.broker_order_id))}
    orders = orders_by_name(connection, sorted(set(named.values())))
    ids = {one.execution_id for one in fills_heard} | {one.activity_id for one in heard}
    ids |= {one.previous_execution_id for one in fills_heard if one.previous_execution_id}
    known = {"account_id": account_id, "ids": sorted(ids), "source": SOURCE_DETAIL, "seen": SEEN_BEFORE_DETAIL}
    fills = select(connection, Fill, _FILLS, **known)
    activities = select(connection, Activity, _ACTIVITIES, **known)
    undone = {one.detail.get("execution_id") for one in activities if one.kind is ActivityKind.BUST}
    return Booked(
        account_id=account_id,
        orders={broker_id: orders[name] for broker_id, name in named.items()},
        fills={fill.execution_id: fill for fill in fills if fill.execution_id not in undone},
        external_trades={
            one.activity_id: one
            for one in activities
            if one.kind is ActivityKind.EXTERNAL_TRADE and one.activity_id not in undone
        },
        sources={source for (source,) in connection.execute(_SOURCES, known)},
        holdings={(strategy, symbol): qty for strategy, symbol, qty in connection.execute(_HELD, known)},
        marks=dict(connection.execute(_MARKS, known).fetchall()),
    )


def executions_of(connection: psycopg.Connection, client_order_id: str, broker_order_id: str) -> list[BrokerFill]:
    """The booked executions of an order, as the broker recorded them; those that were undone count no more."""
    return [
        BrokerFill(
            activity_id=fill.execution_id,
            execution_id=fill.execution_id,
            broker_order_id=broker_order_id,
            symbol=fill.symbol,
            side=fill.side,
            qty=fill.qty,
            price=fill.price,
            at=fill.filled_at,
        )
        for fill in select(connection, Fill, _STANDING, client_order_id=client_order_id)
    ]


_FILLS: LiteralString = """
    select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at,
           session_date
    from execution.fills where account_id = %(account_id)s and execution_id = any(%(ids)s)
"""
_STANDING: LiteralString = """
    select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at,
           session_date
    from execution.fills
    where client_order_id = %(client_order_id)s
      and not exists (
          select from execution.activities
          where activities.account_id = fills.account_id and kind = 'bust'
            and detail ->> 'execution_id' = fills.execution_id
      )
"""
_ACTIVITIES: LiteralString = """
    select activity_id, account_id, kind, at, settles_on, session_date, strategy, symbol, qty_delta, amount_usd, detail
    from execution.activities
    where account_id = %(account_id)s
      and (activity_id = any(%(ids)s) or (kind = 'bust' and detail ->> 'execution_id' = any(%(ids)s)))
"""
_SOURCES: LiteralString = """
    select execution_id from execution.fills where account_id = %(account_id)s and execution_id = any(%(ids)s)
    union
    select detail ->> %(source)s from execution.activities
    where account_id = %(account_id)s and detail ->> %(source)s = any(%(ids)s)
    union
    select unnest(string_to_array(detail ->> %(seen)s, ' ')) from execution.activities
    where account_id = %(account_id)s and kind = 'deposit' and detail ? %(seen)s
"""
_HELD: LiteralString = """
    select strategy, symbol, sum(qty) from (
        select strategy, symbol, case side when 'buy' then qty else -qty end as qty
        from execution.fills where account_id = %(account_id)s
        union all
        select strategy, symbol, qty_delta from execution.activities
        where account_id = %(account_id)s and qty_delta <> 0
    ) as movements
    group by strategy, symbol having sum(qty) <> 0
"""
_MARKS: LiteralString = """
    select distinct on (symbol) symbol, mark_price from execution.positions
    where account_id = %(account_id)s order by symbol, as_of desc
"""
