"""One PostgreSQL database: connections, bulk writes by COPY and one idempotent merge, bulk reads by Arrow.

What a table means belongs in the module of its schema beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, LiteralString, TypeAlias

import psycopg
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

from trading_assets.adapters.errors import LedgerConflict, OutOfSpace
from trading_assets.adapters.postgres.binary_copy import ArrayRows
from trading_assets.adapters.postgres.connections import ARROW_READS, CONNECT_TIMEOUT_S, TRANSACTIONS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# With more rows than this, reading the stored ones in one go is cheaper than looking each of them up.
LOOKED_UP_ROWS = 20_000

Rows: TypeAlias = Iterable[Sequence[Any]] | ArrayRows


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
    """Connections to `url` (postgresql://...), which the process keeps. Holds none itself: safe to keep and to share.

    With a `role` its transactions may do what that role may. Where the server has no such role, or does not let the
    user become it, they stay the user's own (`trading doctor` says so).
    """

    url: str = field(repr=False)
    role: str | None = None

    def acting_as(self, role: str) -> Database:
        """The same database in the hands of `role`."""
        return replace(self, role=role)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        """A connection whose work is committed at the end of the block, or rolled back by an exception."""
        try:
            with TRANSACTIONS.lend((self.url, self.role)) as connection:
                yield connection
        except psycopg.errors.DiskFull as error:
            raise OutOfSpace(
                f"The disk of the database is full ({error.diag.message_primary}). Free some space and run it again: "
                "the transaction was rolled back, and what was stored before is untouched."
            ) from error

    def arrow(self, query: LiteralString | sql.Composed, **parameters: Any) -> pa.Table:
        """The query's result as an Arrow table. Parameters are written `%(name)s`.

        Timestamps come back as UTC, numeric columns must be cast to float8 or text in the query.
        """
        with self.transaction() as connection:
            text = psycopg.ClientCursor(connection).mogrify(query, parameters or None)
        with ARROW_READS.lend(self.url) as arrow_connection, arrow_connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetch_arrow_table()

    def frame(self, query: LiteralString | sql.Composed, **parameters: Any) -> pd.DataFrame:
        """The query's result as a frame, fetched as Arrow: see `arrow`."""
        frame: pd.DataFrame = self.arrow(query, **parameters).to_pandas()
        return frame


@contextmanager
def session_lock(database: Database, space: int, name: str, patience_s: float) -> Iterator[psycopg.Connection | None]:
    """Hold the advisory lock `name` of `space` in the block, by a connection of its own, which the block may use.

    The block gets None, and no lock, when somebody else holds it for longer than `patience_s`.
    """
    with psycopg.connect(database.url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
        connection.execute("select set_config('lock_timeout', %s, false)", (f"{patience_s}s",))
        try:
            connection.execute("select pg_advisory_lock(%s, hashtext(%s))", (space, name))
        except psycopg.errors.LockNotAvailable:
            yield None
        else:
            yield connection


class _AheadWriter(QueuedLibpqWriter):
    """Sends what was written while the next blocks are made, and lets their maker be so many blocks ahead."""

    QUEUE_SIZE = 16


def copy_rows(connection: psycopg.Connection, target: sql.Composable, columns: Sequence[str], rows: Rows) -> int:
    """COPY `rows` into `target`; returns how many."""
    statement = sql.SQL("copy {} ({}) from stdin").format(target, _names(columns))
    if isinstance(rows, ArrayRows):
        statement += sql.SQL(" (format binary)")
        with connection.cursor() as cursor, cursor.copy(statement, writer=_AheadWriter(cursor)) as copy:
            for block in rows.binary():
                copy.write(block)
        return len(rows)
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for count, row in enumerate(rows, start=1):  # noqa: B007  the last value is the count
            copy.write_row(row)
    return count


def _unless_empty(rows: Rows) -> Rows | None:
    """The same rows; None where there are none, and a stage would be made for nothing."""
    if isinstance(rows, ArrayRows):
        return rows if len(rows) else None
    remaining = iter(rows)
    first = next(remaining, None)
    return None if first is None else chain([first], remaining)


@contextmanager
def staged(
    connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Rows
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


def merge(connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Rows) -> int:
    """Insert new rows and update changed ones; returns how many. Merging the same rows again writes none."""
    others = [name for name in columns if name not in table.key]
    if (some := _unless_empty(rows)) is None:
        return 0
    with staged(connection, table, columns, some) as stage:
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


def append_versions(connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Rows) -> int:
    """Insert rows whose key is new (version 1) or whose compared columns differ from the newest version (+ 1).

    `table.key` is the key without `version`. Returns how many versions were added.
    """
    [(count,)] = append_and_count(connection, table, columns, rows, by=())
    return int(count)


def append_and_count(
    connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Rows, by: Sequence[sql.Composable]
) -> list[tuple[Any, ...]]:
    """As `append_versions`; returns the values of the expressions `by` among what was added, each with a row count."""
    with staged(connection, table, columns, rows) as stage:
        statement = sql.SQL(
            "with added as (insert into {table} ({columns}, version) "
            "select {stage_columns}, coalesce(newest.version, 0) + 1 from {stage} as stage left join {newest} "
            "where newest.version is null or ({old}) is distinct from ({new}) returning *) "
            "select {summary} from added group by {groups}"
        ).format(
            table=table.identifier,
            columns=_names(columns),
            stage_columns=_names(columns, "stage"),
            stage=stage,
            newest=_newest_versions(connection, table, stage),
            old=_names(table.compared, "newest"),
            new=_names(table.compared, "stage"),
            summary=sql.SQL(", ").join([*by, sql.SQL("count(*)")]),
            groups=sql.SQL(", ").join(by) if by else sql.SQL("()"),
        )
        # The table can be a thousand times the stage: never read all of it, even where its statistics are out of date.
        with planner(connection, enable_seqscan="off", enable_mergejoin="off", work_mem="256MB"):
            return connection.execute(statement).fetchall()


def _newest_versions(connection: psycopg.Connection, table: Table, stage: sql.Identifier) -> sql.Composed:
    """What to join `stage` with to see the newest stored version of each of its keys, as `newest`."""
    bounds = sql.SQL(", ").join(sql.SQL("min({0}), max({0})").format(sql.Identifier(name)) for name in table.key)
    row = connection.execute(sql.SQL("select count(*), {} from {}").format(bounds, stage)).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers one row
    count, *limits = row
    if count <= LOOKED_UP_ROWS:
        return sql.SQL(
            "lateral (select * from {table} as stored where ({stored_key}) = ({stage_key}) "
            "order by stored.version desc limit 1) as newest on true"
        ).format(table=table.identifier, stored_key=_names(table.key, "stored"), stage_key=_names(table.key, "stage"))
    ranges = sql.SQL(" and ").join(
        sql.SQL("{} between {} and {}").format(sql.Identifier(name), sql.Literal(low), sql.Literal(high))
        for name, low, high in zip(table.key, limits[::2], limits[1::2], strict=True)
    )
    return sql.SQL(
        "(select distinct on ({key}) * from {table} where {ranges} order by {key}, version desc) as newest "
        "on ({newest_key}) = ({stage_key})"
    ).format(
        key=_names(table.key),
        table=table.identifier,
        ranges=ranges,
        newest_key=_names(table.key, "newest"),
        stage_key=_names(table.key, "stage"),
    )


@contextmanager
def planner(connection: psycopg.Connection, **settings: str) -> Iterator[None]:
    """Planner settings for the statements of the block."""
    for name, value in settings.items():
        connection.execute(sql.SQL("set local {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    yield
    for name in settings:
        connection.execute(sql.SQL("set local {} to default").format(sql.Identifier(name)))


def append_once(connection: psycopg.Connection, table: Table, columns: Sequence[str], rows: Rows) -> int:
    """Insert rows whose key is new; returns how many. A row whose key is recorded must equal the record.

    Raises LedgerConflict, naming the first row that differs, when `table.compared` columns disagree with the record.
    """
    if (some := _unless_empty(rows)) is None:
        return 0
    with staged(connection, table, columns, some) as stage:
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
