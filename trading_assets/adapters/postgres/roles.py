"""The roles of the database: what is written in the hands of which. What each may do, the migrations grant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    import psycopg

STRATEGY_ROLE, RISK_ROLE = "trading_strategy", "trading_risk"

_WANTED = [STRATEGY_ROLE, RISK_ROLE]

_ABLE: LiteralString = """
    select rolname from pg_roles where rolname = any(%(roles)s) and pg_has_role(
        session_user,
        oid,
        case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end
    )
"""
_BECOME: LiteralString = f"select set_config('role', rolname, %(is_local)s) from ({_ABLE}) as able"  # noqa: S608


def become(connection: psycopg.Connection, role: str, *, until_commit: bool = False) -> None:
    """What follows may be what `role` may. Where the user cannot become it, everything stays as it is."""
    connection.execute(_BECOME, {"roles": [role], "is_local": until_commit})


@contextmanager
def in_role(connection: psycopg.Connection, role: str) -> Iterator[None]:
    """As `become`, for the block."""
    become(connection, role, until_commit=True)
    yield
    # Not after an exception: the transaction is over then, and the role with it.
    connection.execute("set local role none")


def missing_roles(connection: psycopg.Connection) -> list[str]:
    """The roles that the user of the connection should become and cannot."""
    rows = connection.execute(_ABLE, {"roles": _WANTED})
    able = {name for (name,) in rows.fetchall()}
    return [role for role in _WANTED if role not in able]
