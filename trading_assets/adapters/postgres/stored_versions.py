"""What any table of versions can say: where each newest version came from, and what a transaction has added."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg import sql

from trading_assets.adapters.postgres.database import Database, Table

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class NewVersions:
    """Rows whose key was new, rows that are a later version, and the first of the latter in words."""

    added: int
    changed: int
    examples: list[str]


def has_rows(connection: psycopg.Connection, table: Table) -> bool:
    return connection.execute(sql.SQL("select from {} limit 1").format(table.identifier)).fetchone() is not None


def newest_responses(connection: psycopg.Connection, table: Table) -> dict[tuple[Any, ...], int | None]:
    """By key, the vendor response that the newest version came from; None when it came from none."""
    key = _names(table.key)
    rows = connection.execute(
        sql.SQL("select distinct on ({key}) {key}, response_id from {table} order by {key}, version desc").format(
            key=key, table=table.identifier
        )
    )
    return {tuple(values): response_id for *values, response_id in rows}


def newest_bar_responses(database: Database, timeframe: str, first: date, last: date) -> pd.DataFrame:
    """Of the newest version of every bar of the sessions first..last: symbol, timeframe, ts, response_id (or NaN)."""
    return database.frame(
        "select distinct on (symbol, timeframe, ts) symbol, timeframe, ts, response_id from market.bars "
        "where timeframe = %(timeframe)s and session_date between %(first)s and %(last)s "
        "order by symbol, timeframe, ts, version desc",
        timeframe=timeframe,
        first=first,
        last=last,
    )


def versions_added(connection: psycopg.Connection, table: Table) -> NewVersions:
    """What the transaction of `connection` has inserted so far."""
    mine = sql.SQL("xmin = pg_current_xact_id()::xid")
    counts = connection.execute(
        sql.SQL(
            "select count(*) filter (where version = 1 or exists (select from {table} as first "
            "where ({first}) = ({new}) and first.version = 1 and first.{mine})), count(*) "
            "from {table} as new where {mine}"
        ).format(table=table.identifier, mine=mine, first=_names(table.key, "first"), new=_names(table.key, "new"))
    ).fetchone()
    added, total = counts or (0, 0)
    changes = connection.execute(
        sql.SQL(
            "select to_jsonb(old)::text, to_jsonb(new)::text from {table} as new join {table} as old "
            "on ({old_key}) = ({new_key}) and old.version = new.version - 1 "
            "where new.{mine} and not old.{mine} order by {new_key} limit {limit}"
        ).format(
            table=table.identifier,
            mine=mine,
            old_key=_names(table.key, "old"),
            new_key=_names(table.key, "new"),
            limit=sql.Literal(MOST_EXAMPLES),
        )
    )
    return NewVersions(added, total - added, [_change(table, json.loads(old), json.loads(new)) for old, new in changes])


def _change(table: Table, old: dict[str, Any], new: dict[str, Any]) -> str:
    key = " ".join(str(new[name]) for name in table.key)
    changes = ", ".join(f"{name} {old[name]} -> {new[name]}" for name in table.compared if old[name] != new[name])
    return f"{key}: {changes}"


def _names(names: tuple[str, ...], prefix: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in names)
