"""Comparisons of the ledger with a broker's records, as they were recorded, and the lock that keeps submissions out.

What is compared and when belongs in adapters/reconciling.py; what is a break, in domain/execution/breaks.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import Transient
from trading_assets.adapters.postgres.database import session_lock
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.execution.breaks import Break, BreakKind

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database

PATIENCE_S = 60
"""How long a comparison waits for the one before it and for submissions that are being written down."""
_COMPARISONS = 0x7AD3
"""The space of advisory locks that comparisons have for themselves and submissions share, one an account."""


class Trigger(StrEnum):
    """Why an account was compared."""

    START = "start"
    STREAM = "stream"
    OPEN_ORDERS = "open_orders"
    INTERVAL = "interval"
    AFTER_CLOSE = "after_close"
    DEMAND = "demand"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison that has ended. `cut_at` is by the broker's clock, the other times by the graph's, all UTC.

    Counts are of what was compared, and of what was done before the breaks that are left; see the table's columns.
    `explained` are lines; `is_clean`: no break is left but what a person accepted.
    """

    account_id: str
    trigger: Trigger
    cut_at: datetime
    session_date: date
    asked_since: datetime
    began_at: datetime
    ended_at: datetime
    clock_skew_ms: int
    order_count: int
    record_count: int
    position_count: int
    booked_count: int
    followed_count: int
    adopted_count: int
    break_count: int
    explained: Sequence[str]
    ours_sha256: bytes
    theirs_sha256: bytes
    is_clean: bool


@dataclass(frozen=True, slots=True)
class OpenBreak:
    """A break of the newest comparison of an account that nobody has accepted. `cut_at` is that comparison's, UTC."""

    break_id: str
    kind: BreakKind
    subject: str
    symbol: str | None
    ours: str
    theirs: str
    remedy: str
    is_account_wide: bool
    cut_at: datetime

    @property
    def found(self) -> Break:
        return Break(self.kind, self.subject, self.symbol or "", self.ours, self.theirs)


# What the submit path asks ------------------------------------------------------------------------


def newest_agreement(connection: psycopg.Connection, account_id: str) -> datetime | None:
    """The cut of the account's newest comparison (UTC, the broker's clock), as far as it may trade by that.

    None before the first one, while a break that concerns the whole account is open, and while an incident without a
    symbol is. Breaks of single symbols are in `open_breaks`.
    """
    row = connection.execute(_AGREEMENT, {"account_id": account_id}).fetchone()
    return row[0] if row else None


def open_breaks(connection: psycopg.Connection, account_id: str) -> dict[str, int]:
    """How many breaks and incidents are open, by symbol; those without one are in `newest_agreement`."""
    return dict(connection.execute(_OPEN_BY_SYMBOL, {"account_id": account_id}).fetchall())


def is_reconciling(connection: psycopg.Connection, account_id: str) -> bool:
    """Whether the account is being compared. If not, no comparison begins before this transaction has ended."""
    row = connection.execute(
        "select pg_try_advisory_xact_lock_shared(%s, hashtext(%s))", (_COMPARISONS, account_id)
    ).fetchone()
    return row is None or not row[0]


@contextmanager
def comparing(database: Database, account_id: str) -> Iterator[None]:
    """Compare the account in the block: nobody else does, and no submission is written down meanwhile.

    Raises Transient when another comparison or submission goes on for longer than PATIENCE_S.
    """
    with session_lock(database, _COMPARISONS, account_id, PATIENCE_S) as connection:
        if connection is None:
            raise Transient(
                f"Account {account_id} is being compared, or sends orders, since more than {PATIENCE_S} s. "
                "Look at the runs that are under way, and try again."
            )
        yield


# The record ---------------------------------------------------------------------------------------


def record_comparison(connection: psycopg.Connection, comparison: Comparison, breaks: Sequence[Break]) -> int:
    """Store a comparison that has ended, with the breaks that are left; returns its number."""
    names = ", ".join(_COLUMNS)
    values = ", ".join(f"%({name})s" for name in _COLUMNS)
    facts = {name: getattr(comparison, name) for name in _COLUMNS} | {"explained": Jsonb(list(comparison.explained))}
    row = connection.execute(
        f"insert into execution.reconciliations ({names}) values ({values}) returning reconciliation_id",  # noqa: S608
        facts,
    ).fetchone()
    assert row is not None  # noqa: S101  an insert answers its row
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT_BREAK,
            [
                {
                    "reconciliation_id": row[0],
                    "break_id": one.adjustment_id,
                    "kind": one.kind,
                    "subject": one.subject,
                    "symbol": one.symbol or None,
                    "ours": one.ours,
                    "theirs": one.theirs,
                    "remedy": one.remedy,
                    "is_account_wide": one.is_account_wide,
                }
                for one in breaks
            ],
        )
    return int(row[0])


def newest_comparison(connection: psycopg.Connection, account_id: str, *, is_clean: bool = False) -> Comparison | None:
    """The newest comparison of the account, or the newest clean one; None when there was none."""
    found = select(connection, Comparison, _NEWEST, account_id=account_id, any_is_wanted=not is_clean)
    return found[0] if found else None


def listed_breaks(connection: psycopg.Connection, account_id: str) -> list[OpenBreak]:
    """The open breaks of the account, those that concern all of it first."""
    return select(connection, OpenBreak, _LISTED, account_id=account_id)


def known_breaks(connection: psycopg.Connection, account_id: str) -> set[str]:
    """Ids of the breaks of the account's newest comparison, accepted ones too: what nobody has to be told again."""
    return {break_id for (break_id,) in connection.execute(_KNOWN, (account_id,))}


def accepted_breaks(connection: psycopg.Connection, account_id: str) -> set[str]:
    """Ids of the breaks that persons accepted as they are."""
    query = "select break_id from execution.adjustments where account_id = %s and activity_ids = '{}'"
    return {break_id for (break_id,) in connection.execute(query, (account_id,))}


_COLUMNS = tuple(one.name for one in fields(Comparison))
_AGREEMENT: LiteralString = """
    select cut_at from execution.newest_reconciliations as newest
    where account_id = %(account_id)s
      and not exists (
          select from execution.open_breaks as breaks where breaks.account_id = %(account_id)s and is_account_wide)
      and not exists (
          select from execution.open_incidents as incidents
          where incidents.account_id = %(account_id)s and incidents.symbol is null)
"""
_OPEN_BY_SYMBOL: LiteralString = """
    select symbol, count(*)::integer from (
        select symbol from execution.open_breaks where account_id = %(account_id)s
        union all
        select symbol from execution.open_incidents where account_id = %(account_id)s
    ) as everything
    where symbol is not null
    group by symbol
"""
_INSERT_BREAK: LiteralString = """
    insert into execution.breaks
        (reconciliation_id, break_id, kind, subject, symbol, ours, theirs, remedy, is_account_wide)
    values (%(reconciliation_id)s, %(break_id)s, %(kind)s, %(subject)s, %(symbol)s, %(ours)s, %(theirs)s, %(remedy)s,
            %(is_account_wide)s)
"""
_NEWEST: LiteralString = """
    select account_id, trigger, cut_at, session_date, asked_since, began_at, ended_at, clock_skew_ms, order_count,
           record_count, position_count, booked_count, followed_count, adopted_count, break_count, explained,
           ours_sha256, theirs_sha256, is_clean
    from execution.reconciliations
    where account_id = %(account_id)s and (is_clean or %(any_is_wanted)s)
    order by reconciliation_id desc limit 1
"""
_LISTED: LiteralString = """
    select break_id, kind, subject, symbol, ours, theirs, remedy, is_account_wide, cut_at
    from execution.open_breaks where account_id = %(account_id)s
    order by is_account_wide desc, symbol, kind, subject
"""
_KNOWN: LiteralString = """
    select break_id from execution.newest_reconciliations join execution.breaks using (reconciliation_id)
    where account_id = %s
"""
