"""Orders at a real broker, in the schema `execution`: who may send, what was sent and answered, whose an order is.

What an answer or a record means is the domain's business; when these are called belongs in order_submission.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import Transient
from trading_assets.adapters.postgres.database import session_lock
from trading_assets.adapters.postgres.ledger import ORDERS_BY_ID
from trading_assets.adapters.postgres.records import rows, select
from trading_assets.domain.execution.broker_records import Acknowledgement, OrderRequest, Replacement
from trading_assets.domain.execution.order_history import Incident
from trading_assets.domain.execution.orders import Order, OrderEvent, OrderStatus
from trading_assets.domain.market.sessions import newest_session

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database

WRITER_PATIENCE_S = 20
_WRITERS = 0x7AD2
"""The space of advisory locks of those who send an account's orders."""


class AnotherWriter(Transient):
    """Another process sends the orders of the account, and does not end."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that was written down to be sent, and what is known of it. Times are the wall's, UTC.

    `status` is that of its order, `answer` what came back, None while nothing did; `absent_at` is when the broker said
    in so many words that it has no such order, oldest first.
    """

    order: Order
    status: OrderStatus
    send_by: datetime
    answer_by: datetime
    answer: Acknowledgement | None
    absent_at: tuple[datetime, ...]


@contextmanager
def sole_writer(database: Database, account_id: str, run_id: str) -> Iterator[int]:
    """Send orders of the account in the block, and nobody else; yields the token that every submission carries.

    Who lost the connection that holds the lock has an older token than the next writer, and can write no submission.
    Raises AnotherWriter when somebody else sends for longer than WRITER_PATIENCE_S.
    """
    with session_lock(database, _WRITERS, account_id, WRITER_PATIENCE_S) as connection:
        if connection is None:
            raise AnotherWriter(
                f"Another run sends orders of account {account_id} since more than {WRITER_PATIENCE_S} s: "
                "look at the runs that are under way, and try again."
            )
        row = connection.execute(_BECOME_WRITER, (account_id, run_id)).fetchone()
        assert row is not None  # noqa: S101  an upsert answers its row
        yield int(row[0])


def record_submission(
    connection: psycopg.Connection,
    request: OrderRequest | Replacement,
    token: int,
    send_by: datetime,
    answer_by: datetime,
) -> None:
    """Write down what is about to be sent. Raises psycopg.errors.CheckViolation for a token that is not the newest."""
    connection.execute(
        "insert into execution.submissions (client_order_id, writer_token, request, send_by, answer_by) "
        "values (%s, %s, %s, %s, %s)",
        (request.client_order_id, token, Jsonb(_json(request)), send_by, answer_by),
    )


def record_answer(connection: psycopg.Connection, client_order_id: str, answer: Acknowledgement, at: datetime) -> None:
    """Write down what came back; the first answer stands."""
    connection.execute(
        "insert into execution.submission_answers "
        "(client_order_id, at, status, broker_order_id, code, message, http_status, answer) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        (
            client_order_id,
            at,
            answer.status,
            answer.order.broker_order_id if answer.order else None,
            answer.code,
            answer.message,
            answer.http_status,
            answer.answer,
        ),
    )


def record_lookup(
    connection: psycopg.Connection, client_order_id: str, at: datetime, outcome: str, detail: str = ""
) -> None:
    connection.execute(
        "insert into execution.order_lookups (client_order_id, at, outcome, detail) values (%s, %s, %s, %s) "
        "on conflict do nothing",
        (client_order_id, at, outcome, detail),
    )


def unresolved_submissions(connection: psycopg.Connection, account_id: str) -> list[Submission]:
    """Requests of which nobody knows yet what became of them, oldest first."""
    found = rows(connection, _UNRESOLVED, account_id=account_id)
    orders = orders_by_name(connection, [row["client_order_id"] for row in found])
    return [
        Submission(
            order=orders[row["client_order_id"]],
            status=OrderStatus(row["status"]),
            send_by=row["send_by"],
            answer_by=row["answer_by"],
            answer=None if row["answer_status"] is None else _answer(row),
            absent_at=tuple(row["absent_at"]),
        )
        for row in found
    ]


def name_orders(
    connection: psycopg.Connection,
    account_id: str,
    names: Mapping[str, str | None],
    symbol: str,
    seen_at: datetime,
) -> None:
    """Remember whose the broker's orders are: our client id by the broker's id, None for another's."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into execution.broker_orders (account_id, broker_order_id, client_order_id, symbol, seen_at) "
            "values (%s, %s, %s, %s, %s) on conflict do nothing",
            [(account_id, broker_id, name, symbol, seen_at) for broker_id, name in names.items()],
        )


def order_names(connection: psycopg.Connection, account_id: str) -> dict[str, str | None]:
    """Our client id by the broker's id, of every order of the account that was ever seen; None for another's."""
    found = connection.execute(
        "select broker_order_id, client_order_id from execution.broker_orders where account_id = %s", (account_id,)
    )
    return dict(found.fetchall())


def orders_by_name(connection: psycopg.Connection, names: Sequence[str]) -> dict[str, Order]:
    """Our orders by client id."""
    return {order.client_order_id: order for order in select(connection, Order, ORDERS_BY_ID, ids=list(names))}


def family_of(connection: psycopg.Connection, client_order_id: str) -> list[Order]:
    """An order and its legs, in the order in which they were made."""
    names = connection.execute(_FAMILY, (client_order_id, client_order_id)).fetchall()
    found = orders_by_name(connection, [name for (name,) in names])
    return [found[name] for (name,) in names]


def broker_ids(connection: psycopg.Connection, names: Sequence[str]) -> dict[str, str]:
    """What the broker calls these orders of ours, by client id; one that it has not answered for is left out."""
    query = "select client_order_id, broker_order_id from execution.broker_orders where client_order_id = any(%s)"
    return dict(connection.execute(query, (list(names),)).fetchall())


def reference_price_of(connection: psycopg.Connection, intent_id: str) -> Decimal | None:
    """The price that an intent was decided at, raw USD."""
    row = connection.execute("select reference_price from risk.verdicts where intent_id = %s", (intent_id,)).fetchone()
    return row[0] if row else None


def has_live_orders(connection: psycopg.Connection, account_id: str) -> bool:
    """Whether some order of the account is not over."""
    query = "select from execution.order_states where account_id = %s and not is_terminal limit 1"
    return connection.execute(query, (account_id,)).fetchone() is not None


def live_legs(connection: psycopg.Connection, account_id: str, strategy: str, symbol: str) -> list[str]:
    """The broker's ids of protective legs of a position that are not over."""
    return [name for (name,) in connection.execute(_LIVE_LEGS, (account_id, strategy, symbol))]


def events_of(connection: psycopg.Connection, names: Iterable[str]) -> dict[str, list[OrderEvent]]:
    """What happened to orders, by client id and in order."""
    events: dict[str, list[OrderEvent]] = {}
    for event in select(connection, OrderEvent, _EVENTS, names=list(names)):
        events.setdefault(event.client_order_id, []).append(event)
    return events


def open_incidents_for(
    connection: psycopg.Connection,
    account_id: str,
    incidents: Iterable[Incident],
    symbols: Mapping[str, str],
    at: datetime,
) -> list[Incident]:
    """Record incidents of the account; returns those that are new. `symbols` says by subject where they happened."""
    new = []
    for one in sorted(incidents):
        incident_id = sha256("\x1f".join((account_id, one.kind, one.subject)).encode()).hexdigest()
        day: date = newest_session(at)
        added = connection.execute(
            "insert into execution.incidents (incident_id, account_id, kind, subject, symbol, at, session_date) "
            "values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            (incident_id, account_id, one.kind, one.subject, symbols.get(one.subject), at, day),
        )
        if added.rowcount:
            new.append(one)
    return new


def saw(connection: psycopg.Connection, account_id: str, watcher: str, at: datetime) -> None:
    """A watcher of the account gave a sign of life at `at` (UTC)."""
    connection.execute(
        "insert into execution.watchers (account_id, watcher, seen_at) values (%s, %s, %s) "
        "on conflict (account_id, watcher) do update set seen_at = greatest(watchers.seen_at, excluded.seen_at)",
        (account_id, watcher, at),
    )


def seen_at(connection: psycopg.Connection, account_id: str, watcher: str) -> datetime | None:
    """When a watcher last gave a sign of life."""
    row = connection.execute(
        "select seen_at from execution.watchers where account_id = %s and watcher = %s", (account_id, watcher)
    ).fetchone()
    return row[0] if row else None


def _json(request: OrderRequest | Replacement) -> dict[str, Any]:
    values = {one.name: getattr(request, one.name) for one in fields(request)}
    return {
        name: str(value) if isinstance(value, Decimal) else value for name, value in values.items() if value is not None
    }


def _answer(row: Mapping[str, Any]) -> Acknowledgement:
    return Acknowledgement(
        OrderStatus(row["answer_status"]),
        code=row["code"],
        message=row["message"],
        http_status=row["http_status"],
        answer=row["answer"],
    )


_BECOME_WRITER: LiteralString = """
    insert into execution.writers (account_id, token, run_id) values (%s, nextval('execution.writer_tokens'), %s)
    on conflict (account_id) do update
        set token = excluded.token, run_id = excluded.run_id, taken_at = clock_timestamp()
    returning token
"""
_UNRESOLVED: LiteralString = """
    select states.client_order_id, states.status, submissions.send_by, submissions.answer_by,
           answers.status as answer_status, answers.code, answers.message, answers.http_status, answers.answer,
           array(select at from execution.order_lookups as lookups
                 where lookups.client_order_id = states.client_order_id and outcome = 'not_found'
                 order by at) as absent_at
    from execution.order_states as states
    join execution.submissions using (client_order_id)
    left join execution.submission_answers as answers using (client_order_id)
    where states.account_id = %(account_id)s and states.status in ('SUBMITTING', 'SUBMIT_UNKNOWN')
    order by submissions.recorded_at, states.client_order_id
"""
_FAMILY: LiteralString = """
    select client_order_id from execution.orders where client_order_id = %s or parent_order_id = %s
    order by parent_order_id is not null, client_order_id
"""
_LIVE_LEGS: LiteralString = """
    select names.broker_order_id
    from execution.order_states as states
    join execution.broker_orders as names using (client_order_id)
    where states.account_id = %s and states.strategy = %s and states.symbol = %s
      and states.parent_order_id is not null and not states.is_terminal
    order by states.client_order_id
"""
_EVENTS: LiteralString = """
    select client_order_id, event_no, status, qty, at, session_date, detail from execution.order_events
    where client_order_id = any(%(names)s) order by client_order_id, event_no
"""
