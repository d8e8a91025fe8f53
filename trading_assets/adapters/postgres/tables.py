"""What any table can say about itself: its columns, its row count and its newest rows. Knows no table's meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import sql

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database

RANGE_COLUMN = "session_date"


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    is_nullable: bool
    comment: str | None


def columns_of(database: Database, table: str) -> list[Column]:
    """The columns of `table` ("schema.name") in order, with the comments of the schema. Raises NotFound."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select column_name, data_type, is_nullable = 'YES', "
            "col_description(format('%%I.%%I', table_schema, table_name)::regclass, ordinal_position) "
            "from information_schema.columns where table_schema || '.' || table_name = %s order by ordinal_position",
            (table,),
        ).fetchall()
    if not rows:
        raise NotFound(f"Table {table} does not exist; `trading migrate` brings the database to the newest schema.")
    return [Column(*row) for row in rows]


def count_rows(database: Database, table: str, first: date | None = None, last: date | None = None) -> int:
    """Rows of `table` whose session_date lies in first..last; all rows when `first` is None."""
    query = sql.SQL("select count(*) from {table}{range}").format(table=_identifier(table), range=_range(first))
    with database.transaction() as connection:
        row = connection.execute(query, _parameters(first, last)).fetchone()
    return int(row[0]) if row else 0


def count_rows_by_session(database: Database, table: str, first: date, last: date) -> dict[date, int]:
    """Rows of `table` of each session in first..last that has any."""
    query = sql.SQL("select {session}, count(*) from {table}{range} group by 1").format(
        session=sql.Identifier(RANGE_COLUMN), table=_identifier(table), range=_range(first)
    )
    with database.transaction() as connection:
        return dict(connection.execute(query, _parameters(first, last)).fetchall())


def preview_rows(
    database: Database, table: str, first: date | None = None, last: date | None = None, limit: int = 10
) -> list[tuple[str | None, ...]]:
    """Up to `limit` rows of the newest session in first..last, every value as text in the order of the columns."""
    columns = columns_of(database, table)
    has_range = any(column.name == RANGE_COLUMN for column in columns)
    query = sql.SQL("select {columns} from {table}{range}{order} limit {limit}").format(
        columns=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column.name)) for column in columns),
        table=_identifier(table),
        range=_range(first),
        order=sql.SQL(" order by {} desc").format(sql.Identifier(RANGE_COLUMN)) if has_range else sql.SQL(""),
        limit=sql.Literal(limit),
    )
    with database.transaction() as connection:
        return connection.execute(query, _parameters(first, last)).fetchall()


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _range(first: date | None) -> sql.Composable:
    if first is None:
        return sql.SQL("")
    return sql.SQL(" where {} between %(first)s and %(last)s").format(sql.Identifier(RANGE_COLUMN))


def _parameters(first: date | None, last: date | None) -> dict[str, Any] | None:
    return None if first is None else {"first": first, "last": last}
