"""Our record of an account at a broker, as the comparison with the broker's wants it: folded from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.postgres.booked_records import SEEN_BEFORE_DETAIL
from trading_assets.adapters.postgres.broker_orders import order_names
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.execution.account_positions import account_holdings, undone_executions
from trading_assets.domain.execution.adjustments import REVERSES_DETAIL
from trading_assets.domain.execution.bookings import EXECUTED_AT_DETAIL, EXECUTION_DETAIL, SOURCE_DETAIL
from trading_assets.domain.execution.broker_records import ActivityRecord, BrokerFill
from trading_assets.domain.execution.ledger import MARK_PRICE_DETAIL, Activity, ActivityKind, Fill, Record
from trading_assets.domain.execution.orders import OrderStatus
from trading_assets.domain.execution.reconciliation import BrokerView, LocalExecution, LocalOrder, LocalView
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import ZERO, Side

if TYPE_CHECKING:
    import psycopg

ANSWERED_WITHIN = timedelta(minutes=2)
"""How long after the last moment of an answer a request of unknown fate is still somebody's business, and no break."""
ACTION_WITHIN = timedelta(days=7)
"""How long after its ex-date a corporate action may wait to be booked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an account decides what is asked of the broker. `began_at`: its first record, UTC; `live`: the broker's
    id, None where it is not known, of each order of ours that is not over; `names`: our client id, None for another's,
    by the broker's id."""

    began_at: datetime
    live: Mapping[str, str | None]
    names: Mapping[str, str | None]


def standing_of(connection: psycopg.Connection, account_id: str) -> Standing | None:
    """How the account stands; None when nothing is booked in it."""
    row = connection.execute("select min(at) from execution.activities where account_id = %s", (account_id,)).fetchone()
    if row is None or row[0] is None:
        return None
    live: dict[str, str | None] = dict(connection.execute(_LIVE, (account_id,)).fetchall())
    return Standing(row[0], live, order_names(connection, account_id))


def read_ledger(
    connection: psycopg.Connection, account_id: str, broker: BrokerView, since: datetime, wall_now: datetime
) -> LocalView:
    """Our side of the comparison with `broker`, which was asked for records since `since` (UTC).

    Orders are those that the broker shows and all that are not over.
    """
    known = {"account_id": account_id}
    fills = select(connection, Fill, _FILLS, **known)
    activities = select(connection, Activity, _ACTIVITIES, **known)
    records: list[Record] = [*fills, *activities]
    asked = _ids(broker.records)
    names = order_names(connection, account_id)
    shown = {name for one in broker.orders if (name := names.get(one.broker_order_id))}
    shown |= {one.client_order_id for one in broker.orders}
    holdings = account_holdings(records)
    return LocalView(
        orders=select(connection, LocalOrder, _ORDERS, names=sorted(shown), **known),
        external_orders={broker_id for broker_id, name in names.items() if name is None},
        under_way={
            name for (name,) in connection.execute(_UNDER_WAY, {**known, "answered_after": wall_now - ANSWERED_WITHIN})
        },
        contained=contained_records(connection, account_id, broker.records),
        executions=tuple(_executions(records, asked, since)),
        activities=_activities(activities, asked, since),
        positions=holdings.positions,
        cash_usd=holdings.cash_usd,
    )


def contained_records(connection: psycopg.Connection, account_id: str, records: Iterable[ActivityRecord]) -> set[str]:
    """Ids of the records that the account's opening cash and positions contain: older ones, and those seen then."""
    row = connection.execute(_OPENING, {"account_id": account_id, "seen": SEEN_BEFORE_DETAIL}).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers one row
    began_at, seen = row
    return {*(seen or "").split(), *(_id(one) for one in records if _is_before(one, began_at))}


def order_statuses(connection: psycopg.Connection, account_id: str) -> dict[str, OrderStatus]:
    """Where each of our orders stands, by client id."""
    query = "select client_order_id, status from execution.order_states where account_id = %s"
    return {name: OrderStatus(status) for name, status in connection.execute(query, (account_id,))}


def pending_actions(connection: psycopg.Connection, account_id: str, at: datetime) -> set[str]:
    """Symbols with an action on shares whose ex-date has come lately, by `at` (UTC), and that is not booked yet."""
    today: date = at.astimezone(NEW_YORK).date()
    found = connection.execute(
        _PENDING_ACTIONS, {"account_id": account_id, "first": today - ACTION_WITHIN, "last": today}
    )
    return {symbol for (symbol,) in found}


def _ids(records: Iterable[ActivityRecord]) -> set[str]:
    ids = set()
    for one in records:
        ids.add(_id(one))
        if isinstance(one, BrokerFill) and one.previous_execution_id:
            ids.add(one.previous_execution_id)
    return ids


def _id(record: ActivityRecord) -> str:
    return record.execution_id if isinstance(record, BrokerFill) else record.activity_id


def _is_before(record: ActivityRecord, began_at: datetime) -> bool:
    if isinstance(record, BrokerFill):
        return record.previous_execution_id is None and record.at is not None and record.at < began_at
    return record.on is not None and record.on < began_at.astimezone(NEW_YORK).date()


def _executions(records: list[Record], asked: set[str], since: datetime) -> Iterator[LocalExecution]:
    undone = undone_executions(records)
    for one in records:
        execution = _execution(one)
        if execution is None or execution.execution_id in undone:
            continue
        if _executed_at(one) > since or execution.execution_id in asked:
            yield execution


def _executed_at(record: Record) -> datetime:
    if isinstance(record, Fill):
        return record.filled_at
    return datetime.fromisoformat(record.detail[EXECUTED_AT_DETAIL])


def _execution(record: Record) -> LocalExecution | None:
    if isinstance(record, Fill):
        return LocalExecution(record.execution_id, record.symbol, record.side, record.qty, record.price)
    if record.kind is not ActivityKind.EXTERNAL_TRADE or EXECUTION_DETAIL not in record.detail:
        return None
    side = Side.BUY if record.qty_delta > 0 else Side.SELL
    price = Decimal(record.detail[MARK_PRICE_DETAIL])
    return LocalExecution(record.detail[EXECUTION_DETAIL], record.symbol or "", side, abs(record.qty_delta), price)


def _activities(activities: list[Activity], asked: set[str], since: datetime) -> dict[str, Decimal]:
    """Amounts by the broker's id, the parts of one record summed; what a person took back is left out."""
    reversed_ids = {one.detail[REVERSES_DETAIL] for one in activities if REVERSES_DETAIL in one.detail}
    amounts: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in activities:
        source = one.detail.get(SOURCE_DETAIL)
        if source is None or EXECUTION_DETAIL in one.detail or source in reversed_ids:
            continue
        if one.at > since or source in asked:
            amounts[source] += one.amount_usd
    return dict(amounts)


_OPENING: LiteralString = """
    select min(at), string_agg(detail ->> %(seen)s, ' ') from execution.activities where account_id = %(account_id)s
"""
_LIVE: LiteralString = """
    select states.client_order_id, names.broker_order_id
    from execution.order_states as states
    left join execution.broker_orders as names using (client_order_id)
    where states.account_id = %s and not states.is_terminal
"""
_ORDERS: LiteralString = """
    select states.client_order_id, names.broker_order_id, states.symbol, states.side, states.working_qty as qty,
           states.status
    from execution.order_states as states
    left join execution.broker_orders as names using (client_order_id)
    where states.account_id = %(account_id)s
      and (not states.is_terminal or states.client_order_id = any(%(names)s))
    order by states.client_order_id
"""
_UNDER_WAY: LiteralString = """
    select states.client_order_id
    from execution.order_states as states
    join execution.submissions on submissions.client_order_id = coalesce(states.parent_order_id, states.client_order_id)
    where states.account_id = %(account_id)s and states.status in ('SUBMITTING', 'SUBMIT_UNKNOWN')
      and submissions.answer_by > %(answered_after)s
"""
_FILLS: LiteralString = """
    select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at,
           session_date
    from execution.fills where account_id = %(account_id)s
"""
_ACTIVITIES: LiteralString = """
    select activity_id, account_id, kind, at, settles_on, session_date, strategy, symbol, qty_delta, amount_usd, detail
    from execution.activities where account_id = %(account_id)s
"""
_PENDING_ACTIONS: LiteralString = """
    select distinct actions.symbol from market.corporate_actions as actions
    where actions.ex_date between %(first)s and %(last)s and actions.kind <> 'cash_dividend'
      and not exists (
          select from execution.activities
          where activities.account_id = %(account_id)s and activities.symbol = actions.symbol
            and activities.qty_delta <> 0 and activities.kind not in ('external_trade', 'bust')
            and activities.session_date >= actions.ex_date
      )
"""
