"""One PostgreSQL database: connections, bulk writes by COPY and one idempotent merge, bulk reads by Arrow.

What a table means belongs in the module of its schema beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql

from trading_assets.adapters.errors import LedgerConflict, OutOfSpace, Unreachable

if TYPE_CHECKING:
    import pandas as pd

CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True)
class Table:
    """A table as the merge sees it: `key` finds a row, `compared` are the columns whose change makes a difference."""

    name: str
    key: tuple[str, ...]
    compared: tuple[str, ...]

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(*self.name.split("."))


@dataclass(frozen=True)
class Database:
    """Connections to `url` (postgresql://...). Holds no connection itself, so it is safe to keep and to share."""

    url: str = field(repr=False)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A connection whose work is committed at the end of the block, or rolled back by an exception."""
        try:
            connection = psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S)
        except psycopg.OperationalError as error:
            raise Unreachable(
                f"PostgreSQL does not answer ({str(error).strip().splitlines()[-1]}). "
                "Start it with `make up`, or correct DATABASE_URL; `trading doctor` shows what is reachable."
            ) from error
        try:
            with connection:
                yield connection
        except psycopg.errors.DiskFull as error:
            raise OutOfSpace(
                f"The disk of the database is full ({error.diag.message_primary}). Free some space and run it again: "
                "the transaction was rolled back, and what was stored before is untouched."
            ) from error

    def frame(self, query: LiteralString | sql.Composed, **parameters: Any) -> pd.DataFrame:
        """The query's result as a frame, fetched as Arrow. Parameters are written `%(name)s`.

        Timestamps come back as UTC, numeric columns must be cast to float8 or text in the query.
        """
        import adbc_driver_postgresql.dbapi as adbc

        with self.transaction() as connection:
            text = psycopg.ClientCursor(connection).mogrify(query, parameters or None)
        with adbc.connect(self.url) as arrow_connection, arrow_connection.cursor() as cursor:
            cursor.execute(text)
            frame: pd.DataFrame = cursor.fetch_arrow_table().to_pandas()
            return frame


def copy_rows(
    connection: psycopg.Connection, target: sql.Composable, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """COPY `rows` into `target`; returns how many."""
    statement = sql.SQL("copy {} ({}) from stdin").format(target, _names(columns))
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for count, row in enumerate(rows, start=1):  # noqa: B007  the last value is the count
            copy.write_row(row)
    return count


@contextmanager
def staged(
    connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Iterator[sql.Identifier]:
    """A temporary table shaped like `columns` of `table`, filled by COPY and dropped at the end of the block."""
    stage = sql.Identifier("stage_" + table.name.replace(".", "_"))
    connection.execute(sql.SQL("drop table if exists pg_temp.{}").format(stage))
    connection.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            stage, _names(columns), table.identifier
        )
    )
    copy_rows(connection, stage, columns, rows)
    connection.execute(sql.SQL("analyze {}").format(stage))
    yield stage
    connection.execute(sql.SQL("drop table pg_temp.{}").format(stage))


def merge(connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Insert new rows and update changed ones; returns how many. Merging the same rows again writes none."""
    others = [name for name in columns if name not in table.key]
    with staged(connection, table, columns, rows) as stage:
        cursor = connection.execute(
            sql.SQL(
                "insert into {table} as old ({columns}) select {columns} from {stage} "
                "on conflict ({key}) do update set {assignments} where ({old}) is distinct from ({new})"
            ).format(
                table=table.identifier,
                columns=_names(columns),
                stage=stage,
                key=_names(table.key),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in others
                ),
                old=_names(table.compared, "old"),
                new=_names(table.compared, "excluded"),
            )
        )
        return cursor.rowcount


def append_versions(
    connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert rows whose key is new (version 1) or whose compared columns differ from the newest version (+ 1).

    `table.key` is the key without `version`. Returns how many versions were added.
    """
    with staged(connection, table, columns, rows) as stage:
        # The table can be a thousand times the stage: look each key up, even where its statistics are out of date.
        connection.execute("set local enable_seqscan = off")
        cursor = connection.execute(
            sql.SQL(
                "insert into {table} ({columns}, version) "
                "select {stage_columns}, coalesce(newest.version, 0) + 1 from {stage} as stage left join lateral ("
                "select * from {table} as stored where ({stored_key}) = ({stage_key}) "
                "order by stored.version desc limit 1) as newest on true "
                "where newest.version is null or ({old}) is distinct from ({new})"
            ).format(
                table=table.identifier,
                columns=_names(columns),
                stage_columns=_names(columns, "stage"),
                stage=stage,
                stored_key=_names(table.key, "stored"),
                stage_key=_names(table.key, "stage"),
                old=_names(table.compared, "newest"),
                new=_names(table.compared, "stage"),
            )
        )
        connection.execute("set local enable_seqscan to default")
        return cursor.rowcount


def append_once(
    connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert rows whose key is new; returns how many. A row whose key is recorded must equal the record.

    Raises LedgerConflict, naming the first row that differs, when `table.compared` columns disagree with the record.
    """
    with staged(connection, table, columns, rows) as stage:
        differing = connection.execute(
            sql.SQL(
                "select to_jsonb(recorded)::text, to_jsonb(stage)::text from {stage} as stage "
                "join {table} as recorded using ({key}) where ({old}) is distinct from ({new}) order by {key} limit 1"
            ).format(
                table=table.identifier,
                stage=stage,
                key=_names(table.key),
                old=_names(table.compared, "recorded"),
                new=_names(table.compared, "stage"),
            )
        ).fetchone()
        if differing:
            raise LedgerConflict(f"{table.name}: {_difference(table, *differing)}")
        cursor = connection.execute(
            sql.SQL(
                "insert into {table} ({columns}) select {columns} from {stage} on conflict ({key}) do nothing"
            ).format(table=table.identifier, columns=_names(columns), stage=stage, key=_names(table.key))
        )
        return cursor.rowcount


def _difference(table: Table, *rows: str) -> str:
    """Key and changed columns of a recorded and a computed row, both as JSON, to the last digit."""
    recorded, computed = (json.loads(row, parse_float=Decimal) for row in rows)
    key = ", ".join(f"{name} {recorded[name]}" for name in table.key)
    changes = ", ".join(
        f"{name} recorded {recorded[name]}, now computed {computed[name]}"
        for name in table.compared
        if recorded[name] != computed[name]
    )
    return f"{key}: {changes}"


def _names(names: Sequence[str], prefix: str | None = None) -> sql.Composed:
    qualified = (sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in names)
    return sql.SQL(", ").join(qualified)
