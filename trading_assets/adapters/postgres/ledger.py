"""The ledger in PostgreSQL: accounts, orders, fills, and the state of an account folded from them.

One writer at a time: whoever loads an account to change it does so in a transaction that holds the ledger's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from trading_assets.adapters.account_terms import account_name
from trading_assets.adapters.errors import LedgerConflict
from trading_assets.adapters.postgres.database import Table, append_once, merge
from trading_assets.adapters.postgres.records import columns_of, row_of, select
from trading_assets.adapters.postgres.reviews import record_review
from trading_assets.adapters.postgres.roles import RISK_ROLE, in_role
from trading_assets.domain import simulation
from trading_assets.domain.execution.ledger import Activity, Fill, Record
from trading_assets.domain.execution.orders import STOPS, TERMINAL, Order, OrderEvent, TrailMark, WorkingOrder
from trading_assets.domain.journal import BreakerEvent, EquityPoint, Journal, PositionSnapshot
from trading_assets.domain.risk.activity import SentOrder
from trading_assets.domain.simulation import SIMULATED, Account, Recorded, restored
from trading_assets.settings import SettingsError


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account of the ledger. `advanced_to` is the last bar close it lived through, in session `session_date`."""

    account_id: str
    broker: str
    fingerprint: str
    inception_session: date
    opening_cash_usd: Decimal
    advanced_to: datetime | None
    session_date: date | None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """One session of an account as of bar close `at` (UTC). `pnl_usd` is the change of equity without deposits."""

    session_date: date
    at: datetime
    equity_usd: Decimal
    pnl_usd: Decimal
    fills: int
    denied: int


def lock_ledger(connection: psycopg.Connection) -> None:
    """Wait until no other transaction changes the ledger; held until this transaction ends."""
    connection.execute("select pg_advisory_xact_lock(hashtext('trading_assets.ledger'))")


def accounts(connection: psycopg.Connection, fingerprint: str | None = None) -> list[AccountRecord]:
    """Accounts of one configuration, or all, the most recently opened last."""
    query = """
        select account_id, broker, fingerprint, inception_session, opening_cash_usd,
               last.at as advanced_to, last.session_date
        from execution.accounts
        left join lateral (
            select at, session_date from execution.equity
            where equity.account_id = accounts.account_id order by at desc limit 1
        ) as last on true
        where %(fingerprint)s::text is null or fingerprint = %(fingerprint)s
        order by opened_at, account_id
    """
    return select(connection, AccountRecord, query, fingerprint=fingerprint)


def current_account(connection: psycopg.Connection) -> str | None:
    """The account that traded last; None before the first."""
    row = connection.execute("select account_id from ops.current_account").fetchone()
    return row[0] if row else None


def use_account(connection: psycopg.Connection, account_id: str) -> None:
    """Make this the account that reports and marts show: the one that traded last."""
    connection.execute(
        "insert into ops.current_account (account_id) values (%s) "
        "on conflict (is_only_row) do update set account_id = excluded.account_id",
        (account_id,),
    )


def open_account(
    connection: psycopg.Connection, broker: str, fingerprint: str, inception: date, opening_cash_usd: Decimal
) -> AccountRecord:
    """The account of this configuration that begins with session `inception`; opened when there is none yet.

    Raises SettingsError for a real broker: there the broker says what an account begins with (broker_accounts.py).
    """
    if broker != SIMULATED:
        raise SettingsError(
            f"An account at {broker} is not opened here: it begins with what the broker says is in it, when "
            "hourly_tick_job or reconcile_trades_job first runs."
        )
    account_id = account_name(broker, fingerprint, inception)
    connection.execute(
        "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
        "values (%s, %s, %s, %s, %s) on conflict do nothing",
        (account_id, broker, fingerprint, inception, opening_cash_usd),
    )
    return next(record for record in accounts(connection, fingerprint) if record.account_id == account_id)


# Reading ------------------------------------------------------------------------------------------


def load_account(connection: psycopg.Connection, account_id: str, as_of: datetime) -> Account | None:
    """The account as it stood after the bar close `as_of` (UTC), folded from the ledger; None before its first one."""
    known: dict[str, Any] = {"account_id": account_id, "as_of": as_of}
    points = select(connection, EquityPoint, _EQUITY, **known)
    if not points:
        return None
    newest = points[0]
    records = _records(connection, **known)
    stops = connection.execute(_STOP_ORDERS, {**known, "stops": list(STOPS)})
    return restored(
        Recorded(
            broker=_broker(connection, account_id),
            newest=newest,
            start_equity_usd=points[1].equity_usd if len(points) > 1 else newest.flows_usd,
            records=records,
            working=_working_orders(connection, records, **known),
            breaker_events=select(connection, BreakerEvent, NEWEST_BREAKER_EVENTS, **known),
            stop_orders={name for (name,) in stops},
            sent_orders=select(connection, SentOrder, _SENT_ORDERS, **known, day=newest.session_date),
            marks=dict(connection.execute(_MARKS, {**known, "session_date": newest.session_date}).fetchall()),
            held_after=lambda day: dict(connection.execute(_HELD, (account_id, day)).fetchall()),
        )
    )


def records_after(connection: psycopg.Connection, account_id: str, after: datetime, until: datetime) -> list[Record]:
    """What was booked after `after` and up to `until` (UTC)."""
    records = _records(connection, account_id, until)
    return [one for one in records if (one.booked_at if isinstance(one, Fill) else one.at) > after]


def working_orders(connection: psycopg.Connection, account_id: str, as_of: datetime) -> dict[str, WorkingOrder]:
    """The orders that were not over at `as_of` (UTC), by client id."""
    return _working_orders(connection, _records(connection, account_id, as_of), account_id, as_of)


def _records(connection: psycopg.Connection, account_id: str, as_of: datetime) -> list[Record]:
    known: dict[str, Any] = {"account_id": account_id, "as_of": as_of}
    return [*select(connection, Fill, _FILLS, **known), *select(connection, Activity, _ACTIVITIES, **known)]


def _working_orders(
    connection: psycopg.Connection, records: Sequence[Record], account_id: str, as_of: datetime
) -> dict[str, WorkingOrder]:
    live = {"account_id": account_id, "as_of": as_of, "terminal": list(TERMINAL)}
    events = select(connection, OrderEvent, _LIVE_ORDER_EVENTS, **live)
    ids = sorted({event.client_order_id for event in events})
    marks = select(connection, TrailMark, _TRAIL_MARKS, ids=ids, as_of=as_of)
    return simulation.working_orders(select(connection, Order, ORDERS_BY_ID, ids=ids), events, marks, records)


def _broker(connection: psycopg.Connection, account_id: str) -> str:
    row = connection.execute("select broker from execution.accounts where account_id = %s", (account_id,)).fetchone()
    assert row is not None  # noqa: S101  whoever has equity has an account
    return str(row[0])


def newest_unseen_close(connection: psycopg.Connection, account_id: str, now: datetime) -> datetime | None:
    """The newest checked bar close up to `now`, of a symbol with an open order, that is news to the account."""
    row = connection.execute(
        "select max(bars.closes_at) from execution.order_states as orders "
        "join market.bars using (symbol) "
        "join ops.quality_gates as gates on gates.dataset = 'market/bars' and gates.state = 'open' "
        "and gates.session_date = bars.session_date and gates.symbol = bars.symbol "
        "where orders.account_id = %(account_id)s and not orders.is_terminal "
        "and bars.closes_at <= %(now)s and bars.ts >= orders.submitted_at and bars.closes_at > "
        "(select max(at) from execution.equity where account_id = %(account_id)s)",
        {"account_id": account_id, "now": now},
    ).fetchone()
    return row[0] if row else None


def session_summaries(connection: psycopg.Connection, account_id: str, first: date, last: date) -> list[SessionSummary]:
    """How each session from `first` to `last` that the account has lived in stands, in order."""
    span = {"account_id": account_id, "first": first, "last": last}
    return select(connection, SessionSummary, _SESSION_SUMMARIES, **span)


# Writing ------------------------------------------------------------------------------------------


def record(connection: psycopg.Connection, journal: Journal) -> dict[str, int]:
    """Store what the journal holds; returns the number of new or changed rows by table.

    A fact that is recorded already must be the same: raises LedgerConflict otherwise, and nothing is stored.
    """
    with in_role(connection, RISK_ROLE):
        written = record_review(connection, journal)
    recorded: list[tuple[str, tuple[str, ...], type, Sequence[Any]]] = [
        ("risk.breaker_events", ("account_id", "breaker", "event_no"), BreakerEvent, journal.breaker_events),
        ("execution.orders", ("client_order_id",), Order, journal.orders),
        ("execution.order_events", ("client_order_id", "event_no"), OrderEvent, journal.order_events),
        ("execution.trail_marks", ("client_order_id", "at"), TrailMark, journal.trail_marks),
        ("execution.fills", ("execution_id",), Fill, journal.fills),
        ("execution.activities", ("activity_id",), Activity, journal.activities),
    ]
    for name, key, kind, facts in recorded:
        written[name] = append_once(connection, _table(name, key, kind), columns_of(kind), map(row_of, facts))
    positions_key = ("account_id", "session_date", "strategy", "symbol")
    derived: list[tuple[str, tuple[str, ...], type, Sequence[Any]]] = [
        ("execution.equity", ("account_id", "at"), EquityPoint, journal.equity),
        ("execution.positions", positions_key, PositionSnapshot, journal.positions),
    ]
    for name, key, kind, facts in derived:
        written[name] = merge(connection, _table(name, key, kind), columns_of(kind), map(row_of, facts))
    return written


def refuse_vanished(connection: psycopg.Connection, account_id: str, first: date, last: date, journal: Journal) -> None:
    """Raise LedgerConflict when the sessions first..last hold a recorded intent or fill that the journal lacks.

    A replay must find everything that was recorded: what it does not find again, it would silently contradict.
    """
    span = {"account_id": account_id, "first": first, "last": last}
    for table, key, computed in (
        ("risk.verdicts", "intent_id", {verdict.intent.intent_id for verdict in journal.verdicts}),
        ("execution.fills", "execution_id", {fill.execution_id for fill in journal.fills}),
    ):
        query = sql.SQL(
            "select {key} from {table} where account_id = %(account_id)s "
            "and session_date between %(first)s and %(last)s order by 1"
        ).format(key=sql.Identifier(key), table=sql.Identifier(*table.split(".")))
        for (recorded,) in connection.execute(query, span):
            if recorded not in computed:
                raise LedgerConflict(f"{table}: {key} {recorded} is recorded but was not computed again")


def _table(name: str, key: tuple[str, ...], kind: type) -> Table:
    return Table(name, key, tuple(column for column in columns_of(kind) if column not in key))


# Queries ------------------------------------------------------------------------------------------


# The newest point, and the last one of the session before it.
_EQUITY: LiteralString = """
    with points as (
        select distinct on (session_date)
               account_id, at, session_date, cash_usd, receivable_usd, positions_usd, equity_usd, realised_usd,
               unrealised_usd, dividends_usd, fees_usd, flows_usd, high_water_mark_usd
        from execution.equity
        where account_id = %(account_id)s and at <= %(as_of)s
        order by session_date desc, at desc
    )
    select * from points order by at desc limit 2
"""
_FILLS: LiteralString = """
    select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at,
           session_date
    from execution.fills where account_id = %(account_id)s and booked_at <= %(as_of)s
"""
_ACTIVITIES: LiteralString = """
    select activity_id, account_id, kind, at, settles_on, session_date, strategy, symbol, qty_delta, amount_usd, detail
    from execution.activities where account_id = %(account_id)s and at <= %(as_of)s
"""
# The newest close of every symbol, as far back as an order may have been decided on it; for what is held, the mark that
# the account itself recorded. Where a close is known by the hour and by the day, the account traded on the hours.
_MARKS: LiteralString = """
    with closes as (
        select distinct on (symbol) symbol, close::numeric as price from market.bars
        where closes_at <= %(as_of)s and session_date between %(session_date)s::date - 14 and %(session_date)s
          and (version = 1 or known_at <= %(as_of)s)
        order by symbol, closes_at desc, timeframe = '1h' desc, version desc
    ),
    recorded as (
        select distinct symbol, mark_price as price from execution.positions
        where account_id = %(account_id)s and session_date = %(session_date)s and as_of <= %(as_of)s
    )
    select symbol, coalesce(recorded.price, closes.price) from closes full join recorded using (symbol)
"""
NEWEST_BREAKER_EVENTS: LiteralString = """
    select distinct on (breaker) account_id, breaker, event_no, state, at, session_date, cause, cleared_by, why
    from risk.breaker_events where account_id = %(account_id)s and at <= %(as_of)s
    order by breaker, event_no desc
"""
_LIVE_ORDER_EVENTS: LiteralString = """
    with newest as (
        select distinct on (client_order_id) client_order_id, e.event_no, e.status
        from execution.order_events as e join execution.orders as o using (client_order_id)
        where o.account_id = %(account_id)s and e.at <= %(as_of)s
        order by client_order_id, e.event_no desc
    )
    select client_order_id, e.event_no, e.status, e.qty, e.at, e.session_date, e.detail
    from execution.order_events as e join newest using (client_order_id)
    where e.event_no <= newest.event_no and newest.status <> all(%(terminal)s)
    order by client_order_id, e.event_no
"""
ORDERS_BY_ID: LiteralString = """
    select client_order_id, intent_id, attempt, account_id, strategy, strategy_version, symbol, side, qty, order_type,
           time_in_force, submitted_at, session_date, limit_price, stop_price, order_class, group_id, parent_order_id,
           entry_offset_pct, trail_usd, trail_pct, replaces_order_id
    from execution.orders where client_order_id = any(%(ids)s) order by submitted_at, client_order_id
"""
_STOP_ORDERS: LiteralString = """
    select client_order_id from execution.orders
    where account_id = %(account_id)s and submitted_at <= %(as_of)s and order_type = any(%(stops)s)
"""
# The orders decided on in a session; legs are none.
_SENT_ORDERS: LiteralString = """
    select orders.intent_id, orders.strategy, orders.symbol, orders.side, orders.qty,
           orders.qty * verdicts.reference_price as value_usd, orders.submitted_at as at
    from execution.orders
    join risk.verdicts using (intent_id)
    where orders.account_id = %(account_id)s and orders.session_date = %(day)s and orders.submitted_at <= %(as_of)s
      and orders.parent_order_id is null
"""
_HELD: LiteralString = """
    select symbol, sum(qty) from execution.positions where account_id = %s and session_date = %s group by symbol
"""
_TRAIL_MARKS: LiteralString = """
    select client_order_id, at, session_date, mark_price from execution.trail_marks
    where client_order_id = any(%(ids)s) and at <= %(as_of)s
"""
_SESSION_SUMMARIES: LiteralString = """
    with closes as (
        select distinct on (session_date) session_date, at, equity_usd, equity_usd - flows_usd as earned_usd
        from execution.equity where account_id = %(account_id)s and session_date <= %(last)s
        order by session_date, at desc
    ),
    changes as (
        select *, earned_usd - lag(earned_usd, 1, 0) over (order by session_date) as pnl_usd from closes
    )
    select session_date, at, equity_usd, pnl_usd,
           (select count(*) from execution.fills as f
             where f.account_id = %(account_id)s and f.session_date = changes.session_date) as fills,
           (select count(*) from risk.verdicts as v
             where v.account_id = %(account_id)s and v.session_date = changes.session_date
               and v.outcome = 'denied') as denied
    from changes where session_date >= %(first)s order by session_date
"""
