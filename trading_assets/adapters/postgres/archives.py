"""Schema `ops`: which months may leave the database, what was recorded about their files, and moving rows out and in.

Every removal and every restoring is decided by a function of the database. The files themselves belong in archive.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from trading_assets.adapters.errors import ContractBroken, Transient
from trading_assets.adapters.postgres.database import Database, copy_rows

MOVED_COLUMN = "archived_in"
"""Says where a row's content is, and so is no part of it."""
STAGE_NAME = "archived_rows"
STAGE = sql.Identifier("pg_temp", STAGE_NAME)
BATCH_ROWS = 20_000
BATCH_BODIES = 20
"""Rows that are read at once where each may hold megabytes."""


@dataclass(frozen=True, slots=True)
class ArchivableTable:
    """`emptied_column`: rows stay and lose only this column; None: whole rows leave. Months are those in UTC."""

    name: str
    time_column: str
    key: tuple[str, ...]
    emptied_column: str | None

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))

    @property
    def batch_rows(self) -> int:
        return BATCH_BODIES if self.emptied_column else BATCH_ROWS


@dataclass(frozen=True, slots=True)
class Column:
    """`type` as PostgreSQL writes it, such as timestamp with time zone."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class RowsFingerprint:
    """Of a set of rows: the same for the same values to the last bit, in any order."""

    row_count: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Archive:
    """A file that was read back and holds the rows it should. `path` is relative to the archive folder."""

    archive_id: int
    table: str
    month: date
    part: int
    path: str
    file_bytes: int
    file_sha256: bytes
    manifest_sha256: bytes
    rows: RowsFingerprint
    columns: tuple[Column, ...]
    verified_at: datetime
    state: str
    moved_at: datetime | None


def hold_archives(connection: psycopg.Connection) -> None:
    """Until the end of the transaction nobody else moves rows. Raises Transient when somebody is at it."""
    row = connection.execute("select pg_try_advisory_xact_lock(hashtext('ops.archives'))").fetchone()
    if row is None or not row[0]:
        raise Transient("Another run moves rows to or from the archive. Try again when it has ended.")


def archivable_tables(connection: psycopg.Connection) -> dict[str, ArchivableTable]:
    """The tables whose months may be archived, by name."""
    rows = connection.execute(
        "select table_name, time_column, key_columns, emptied_column from ops.archivable_tables order by table_name"
    ).fetchall()
    return {name: ArchivableTable(name, time, tuple(key), emptied) for name, time, key, emptied in rows}


def months_with_rows(connection: psycopg.Connection, table: ArchivableTable, before: date) -> list[date]:
    """First days of the months that begin before `before` and have rows that can be moved, oldest first."""
    query = sql.SQL(
        "select distinct date_trunc('month', {time} at time zone 'UTC')::date as month from {table} "
        "where {time} < %s {kept} order by month"
    ).format(
        time=sql.Identifier(table.time_column),
        table=table.identifier,
        kept=sql.SQL("and {} is not null").format(sql.Identifier(table.emptied_column))
        if table.emptied_column
        else sql.SQL(""),
    )
    until = datetime(before.year, before.month, before.day, tzinfo=UTC)
    return [month for (month,) in connection.execute(query, (until,))]


def hold_reason(connection: psycopg.Connection, table: str, month: date) -> str | None:
    """Why the month has to stay, None when it may leave."""
    return _one(connection, "select ops.archive_hold(%s, %s)", table, month)[0]  # type: ignore[no-any-return]


def columns_of(connection: psycopg.Connection, table: ArchivableTable) -> tuple[Column, ...]:
    """What a row consists of, in order."""
    rows = connection.execute(
        "select attname, format_type(atttypid, null) from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped and attname <> %s order by attnum",
        (table.name, MOVED_COLUMN),
    ).fetchall()
    return tuple(Column(*row) for row in rows)


def fingerprint_of_month(
    connection: psycopg.Connection, table: ArchivableTable, month: date, columns: Sequence[Column]
) -> RowsFingerprint:
    """Of the rows that are in the database and can be moved."""
    return RowsFingerprint(
        *_one(
            connection,
            "select row_count, rows_sha256 from ops.rows_sha256(%s::regclass, %s, ops.archive_condition(%s, %s))",
            table.name,
            [column.name for column in columns],
            table.name,
            month,
        )
    )


def key_range_of_month(connection: psycopg.Connection, table: ArchivableTable, month: date) -> dict[str, list[str]]:
    """Smallest and greatest value of each key column, as text."""
    ends = sql.SQL(", ").join(
        sql.SQL("array[min({0})::text, max({0})::text]").format(sql.Identifier(name)) for name in table.key
    )
    query = sql.SQL("select {ends} from {table} where {month}").format(
        ends=ends, table=table.identifier, month=_condition(connection, table, month)
    )
    row = connection.execute(query).fetchone()
    return dict(zip(table.key, row or (), strict=True))


def rows_of_month(
    connection: psycopg.Connection,
    table: ArchivableTable,
    month: date,
    columns: Sequence[Column],
    as_text: Sequence[str],
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows in the order of their key, some at a time; the columns in `as_text` as PostgreSQL writes them."""
    selected = sql.SQL(", ").join(
        sql.SQL("{}::text" if column.name in as_text else "{}").format(sql.Identifier(column.name))
        for column in columns
    )
    query = sql.SQL("select {selected} from {table} where {month} order by {key}").format(
        selected=selected,
        table=table.identifier,
        month=_condition(connection, table, month),
        key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
    )
    connection.execute("set local timezone = 'UTC'")
    with connection.cursor(name="archived_month") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(table.batch_rows):
            yield rows


def stage_rows(
    connection: psycopg.Connection, table: ArchivableTable, columns: Sequence[Column], rows: Iterable[Sequence[Any]]
) -> RowsFingerprint:
    """Put rows that were read from a file beside the table, until the end of the transaction."""
    names = [column.name for column in columns]
    connection.execute(sql.SQL("drop table if exists {}").format(STAGE))
    connection.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            sql.Identifier(STAGE_NAME), sql.SQL(", ").join(map(sql.Identifier, names)), table.identifier
        )
    )
    copy_rows(connection, STAGE, names, rows)
    return RowsFingerprint(
        *_one(
            connection,
            "select row_count, rows_sha256 from ops.rows_sha256(%s::regclass, %s)",
            STAGE.as_string(connection),
            names,
        )
    )


def record_archive(connection: psycopg.Connection, manifest: dict[str, Any], manifest_sha256: bytes) -> None:
    """Record a file that was read back; `manifest` as archive.py writes it beside the file."""
    connection.execute(
        "insert into ops.archives (table_name, month, part, path, file_bytes, file_sha256, manifest_sha256, row_count, "
        "rows_sha256, columns, key_range) values (%(table)s, %(month)s, %(part)s, %(path)s, %(file_bytes)s, "
        "decode(%(file_sha256)s, 'hex'), %(manifest_sha256)s, %(row_count)s, decode(%(rows_sha256)s, 'hex'), "
        "%(columns)s, %(key_range)s)",
        manifest
        | {
            "manifest_sha256": manifest_sha256,
            "columns": Jsonb(manifest["columns"]),
            "key_range": Jsonb(manifest["key_range"]),
        },
    )


def recorded_archives(
    connection: psycopg.Connection, table: str | None = None, month: date | None = None
) -> list[Archive]:
    """The archives, or those of one table or one month, in the order of table, month and part."""
    rows = connection.execute(
        "select archive_id, table_name, month, part, path, file_bytes, file_sha256, manifest_sha256, row_count, "
        "rows_sha256, columns, verified_at, state, moved_at from ops.archive_states "
        "where (%(table)s::text is null or table_name = %(table)s) and (%(month)s::date is null or month = %(month)s) "
        "order by table_name, month, part",
        {"table": table, "month": month},
    ).fetchall()
    return [_archive(*row) for row in rows]


def _archive(*facts: Any) -> Archive:
    columns = tuple(Column(column["name"], column["type"]) for column in facts[10])
    return Archive(*(*facts[:8], RowsFingerprint(*facts[8:10]), columns, *facts[11:]))


def remove_archived(connection: psycopg.Connection, archive: Archive) -> int:
    """Remove the rows that the archive holds; returns how many, 0 when they are gone already.

    Raises ContractBroken when the database refuses: the rows have changed, or something still refers to the month.
    """
    return _move(connection, "select ops.remove_archived(%s)", archive.archive_id)


def restore_staged(connection: psycopg.Connection, archive: Archive) -> int:
    """Put the rows of stage_rows back; returns how many were missing. Raises ContractBroken when they are others."""
    return _move(
        connection, "select ops.restore_archived(%s, %s::regclass)", archive.archive_id, STAGE.as_string(connection)
    )


def archive_totals(database: Database) -> list[tuple[str, str, int, int, int]]:
    """By table and state: files, rows and bytes."""
    with database.transaction() as connection:
        return connection.execute(
            "select table_name, state, count(*), sum(row_count)::bigint, sum(file_bytes)::bigint "
            "from ops.archive_states group by table_name, state order by table_name, state"
        ).fetchall()


def _move(connection: psycopg.Connection, query: LiteralString, *parameters: Any) -> int:
    try:
        return int(_one(connection, query, *parameters)[0])
    except psycopg.errors.IntegrityConstraintViolation as error:
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        raise ContractBroken(f"Archive: {error.diag.message_primary}{detail}.") from error
    except psycopg.errors.LockNotAvailable as error:
        raise Transient("Archive: somebody writes to the table and does not end. Try again later.") from error


def _condition(connection: psycopg.Connection, table: ArchivableTable, month: date) -> sql.SQL:
    return sql.SQL(_one(connection, "select ops.archive_condition(%s, %s)", table.name, month)[0])


def _one(connection: psycopg.Connection, query: LiteralString, *parameters: Any) -> tuple[Any, ...]:
    row = connection.execute(query, parameters).fetchone()
    if row is None:
        raise ContractBroken(f"The database gave no answer to: {query}.")
    return row
