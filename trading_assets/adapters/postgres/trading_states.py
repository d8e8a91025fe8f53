"""The trading states that persons declare (`risk.state_events`), and the lock that puts them before every submission.

What a state denies belongs to the domain.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import sql

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres.ledger import accounts
from trading_assets.adapters.postgres.notification import enqueue
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.notification.messages import trading_state_changed
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope, StateChange, scope_of

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings

PATIENCE_MS = 250
"""How long a state that stops orders waits for submissions under way before it ends them."""


def state_changes(connection: psycopg.Connection) -> list[StateChange]:
    """Every change there was, in order."""
    return select(connection, StateChange, _CHANGES)


def begin_submission(connection: psycopg.Connection) -> list[StateChange]:
    """Every change there was, and none more until this transaction ends.

    Call it before anything is submitted, and submit only what it allows: a state that is committed afterwards is
    younger than everything this transaction sends.
    """
    connection.execute("select pg_advisory_xact_lock_shared(%s, %s)", _SUBMISSIONS)
    return state_changes(connection)


def order_state(
    connection: psycopg.Connection,
    settings: TradingSettings,
    command: Command,
    by: str,
    why: str,
    at: datetime,
    *,
    account: str | None = None,
    strategy: str | None = None,
    symbol: str | None = None,
) -> StateChange:
    """A person orders `command` for one account, strategy or symbol, or for every account, at `at` (UTC).

    Raises NotFound for what there is not, and ContractBroken for two scopes, or without a name or a reason.
    """
    try:
        scope, subject = scope_of(account, strategy, symbol)
    except ValueError as error:
        raise ContractBroken(str(error)) from error
    known = {
        Scope.ACCOUNT: [EVERY_ACCOUNT, *(record.account_id for record in accounts(connection))],
        Scope.STRATEGY: list(settings.strategies),
        Scope.SYMBOL: list(settings.universe),
    }[scope]
    if subject not in known:
        raise NotFound(f"There is no {scope.value} {subject}. Known: {', '.join(known)}.")
    return change_state(connection, scope, subject, command, by, why, at)


def change_state(
    connection: psycopg.Connection, scope: Scope, subject: str, command: Command, by: str, why: str, at: datetime
) -> StateChange:
    """Record that a person put `subject` into a state at `at` (UTC). No submission that it forbids commits after it.

    It waits for the submissions under way; unless it resumes, those that hold on for longer than PATIENCE_MS are ended,
    and what they were about to submit is not. Raises ContractBroken without a name or a reason.
    """
    if not by.strip() or not why.strip():
        raise ContractBroken("A trading state is changed by a person with a reason: give --by and --why.")
    if command is Command.RESUME:
        connection.execute("select pg_advisory_xact_lock(%s, %s)", _SUBMISSIONS)
    else:
        _stop_submissions(connection)
    (change,) = select(
        connection,
        StateChange,
        _INSERT,
        scope=scope.value,
        subject=subject,
        state=command.state.value,
        is_flatten=command is Command.FLATTEN,
        at=at,
        set_by=by.strip(),
        why=why.strip(),
    )
    enqueue(connection, [trading_state_changed(change)])
    return change


def _stop_submissions(connection: psycopg.Connection) -> None:
    """Let no submission begin or commit until this transaction ends."""
    space, key = _SUBMISSIONS
    while True:
        holders = [name for (name,) in connection.execute(_HOLDERS, {"space": space, "key": key})]
        # No transaction block of the driver: as the first statement it would commit, and let go of the lock.
        connection.execute("savepoint patience")
        try:
            connection.execute(_PATIENCE)
            connection.execute("select pg_advisory_xact_lock(%s, %s)", _SUBMISSIONS)
        except psycopg.errors.LockNotAvailable:
            connection.execute("rollback to savepoint patience")
            # Whoever got the lock since is at work, and will let go of it.
            connection.execute(_END_SUBMISSIONS, {"space": space, "key": key, "holders": holders})
        else:
            connection.execute("set local lock_timeout to default")
            return


_SUBMISSIONS = (0x7AD1, 0x0022)
"""The advisory lock that submissions share and a change of state has for itself."""

_PATIENCE = sql.SQL("set local lock_timeout to {}").format(sql.Literal(f"{PATIENCE_MS}ms"))
_CHANGES: LiteralString = """
    select event_no, scope, subject, state, is_flatten, at, set_by, why from risk.state_events order by event_no
"""
_INSERT: LiteralString = """
    insert into risk.state_events (scope, subject, state, is_flatten, at, set_by, why)
    values (%(scope)s, %(subject)s, %(state)s, %(is_flatten)s, %(at)s, %(set_by)s, %(why)s)
    returning event_no, scope, subject, state, is_flatten, at, set_by, why
"""
_HOLDERS: LiteralString = """
    select virtualtransaction from pg_locks
    where locktype = 'advisory' and classid = %(space)s::oid and objid = %(key)s::oid
      and database = (select oid from pg_database where datname = current_database())
      and mode = 'ShareLock' and granted
"""
_END_SUBMISSIONS: LiteralString = """
    select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and classid = %(space)s::oid and objid = %(key)s::oid
      and database = (select oid from pg_database where datname = current_database())
      and mode = 'ShareLock' and granted and virtualtransaction = any(%(holders)s)
"""
