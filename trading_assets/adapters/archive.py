"""Moves old months of a table into Parquet files and back: written, read back, recorded, and only then removed.

Each step can be interrupted and run again. What may leave, and that nothing else does, is decided by the database
(postgres/archives.py); here is what the files look like and how they are proven whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from trading_assets.adapters.errors import ContractBroken, NotFound, OutOfSpace
from trading_assets.adapters.postgres import archives as storage
from trading_assets.adapters.postgres.archives import ArchivableTable, Archive, Column, RowsFingerprint
from trading_assets.adapters.postgres.database import Database

if TYPE_CHECKING:
    import pyarrow as pa

HASH_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class MonthReport:
    """What became of one month: `rows` moved into `path`, or the reason why the month was `held`."""

    table: str
    month: date
    rows: int = 0
    file_bytes: int = 0
    path: str = ""
    held: str = ""


def archive_old_data(
    database: Database, folder: Path, retention_days: Mapping[str, int | None], now: datetime
) -> list[MonthReport]:
    """Move every month that ended more than `retention_days` of its table before `now`; None keeps a table whole.

    Months that something still refers to stay, with the reason in their report. Raises AdapterError; what was moved
    until then stays moved, and what was not is moved by the next run.
    """
    reports = []
    with database.transaction() as connection:
        tables = storage.archivable_tables(connection)
    for name, days in sorted(retention_days.items()):
        if days is None:
            continue
        first_kept = (now - timedelta(days=days)).date().replace(day=1)
        with database.transaction() as connection:
            months = storage.months_with_rows(connection, tables[name], first_kept)
        reports += [_archive_month(database, folder, tables[name], month) for month in months]
    return reports


def restore_archive(database: Database, folder: Path, archive: Archive) -> int:
    """Put the rows of a file back as they were; returns how many were missing. Raises AdapterError."""
    verify_archive(folder, archive)
    with database.transaction() as connection:
        storage.hold_archives(connection)
        _stage(connection, folder, archive)
        return storage.restore_staged(connection, archive)


def verify_archive(folder: Path, archive: Archive) -> None:
    """Raises NotFound or ContractBroken, naming the file, unless file and manifest are what was recorded."""
    path = folder / archive.path
    for file, expected in ((manifest_path(path), archive.manifest_sha256), (path, archive.file_sha256)):
        if not file.is_file():
            raise NotFound(f"{file} is missing. Put it back from a copy, or set archive.folder to where it is.")
        found = _sha256(file)
        if found != expected:
            raise ContractBroken(
                f"{file} is damaged: its SHA-256 is {found.hex()}, recorded is {expected.hex()}. "
                "Nothing was read from it: put it back from a copy."
            )


def manifest_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _archive_month(database: Database, folder: Path, table: ArchivableTable, month: date) -> MonthReport:
    with database.transaction() as connection:
        # The rows that are counted are the rows that are written.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        storage.hold_archives(connection)
        if (reason := storage.hold_reason(connection, table.name, month)) is not None:
            return MonthReport(table.name, month, held=reason)
        archive = _recorded_month(connection, folder, table, month)
    with database.transaction() as connection:
        removed = storage.remove_archived(connection, archive)
    return MonthReport(table.name, month, removed, archive.file_bytes, archive.path)


def _recorded_month(connection: psycopg.Connection, folder: Path, table: ArchivableTable, month: date) -> Archive:
    """The archive of exactly the rows that the month has now: one of an earlier run, or a new one."""
    columns = storage.columns_of(connection, table)
    rows = storage.fingerprint_of_month(connection, table, month, columns)
    earlier = storage.recorded_archives(connection, table.name, month)
    for archive in earlier:
        if archive.rows == rows:
            verify_archive(folder, archive)
            return archive
    part = len(earlier) + 1
    path = f"{table.name}/{month:%Y-%m}{f'-{part}' if part > 1 else ''}.parquet"
    with _explained(folder / path):
        _write_rows(folder / path, storage.rows_of_month(connection, table, month, columns, _as_text(columns)), columns)
        manifest = {
            "table": table.name,
            "month": month.isoformat(),
            "part": part,
            "path": path,
            "file_bytes": (folder / path).stat().st_size,
            "file_sha256": _sha256(folder / path).hex(),
            "row_count": rows.row_count,
            "rows_sha256": rows.sha256.hex(),
            "columns": [{"name": column.name, "type": column.type} for column in columns],
            "key_range": storage.key_range_of_month(connection, table, month),
        }
        _prove(connection, folder / path, table, columns, rows)
        text = json.dumps(manifest, indent=2).encode() + b"\n"
        _write_whole(manifest_path(folder / path), lambda file: file.write_bytes(text))
    storage.record_archive(connection, manifest, hashlib.sha256(text).digest())
    return storage.recorded_archives(connection, table.name, month)[-1]


def _prove(
    connection: psycopg.Connection,
    path: Path,
    table: ArchivableTable,
    columns: Sequence[Column],
    expected: RowsFingerprint,
) -> None:
    """Read the file back. Raises ContractBroken unless it holds the expected rows."""
    found = storage.stage_rows(connection, table, columns, _rows_in(path))
    if found != expected:
        raise ContractBroken(
            f"{path} does not hold what was written: {found.row_count} rows with hash {found.sha256.hex()}, expected "
            f"{expected.row_count} rows with hash {expected.sha256.hex()}. Nothing was removed from {table.name}."
        )


def _stage(connection: psycopg.Connection, folder: Path, archive: Archive) -> None:
    table = storage.archivable_tables(connection)[archive.table]
    _prove(connection, folder / archive.path, table, archive.columns, archive.rows)


# Files -------------------------------------------------------------------------------------------


def _write_rows(path: Path, batches: Iterator[list[tuple[Any, ...]]], columns: Sequence[Column]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column.name, _arrow_type(column) or pa.string()) for column in columns])

    def write(file: Path) -> None:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for rows in batches:
                values = zip(*rows, strict=True)
                arrays = [pa.array(column, kind) for column, kind in zip(values, schema.types, strict=True)]
                writer.write_table(pa.table(arrays, schema))

    _write_whole(path, write)


def _rows_in(path: Path) -> Iterator[Sequence[Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            columns = [column.to_pylist() for column in file.read_row_group(group).columns]
            yield from zip(*columns, strict=True)


def _arrow_type(column: Column) -> pa.DataType | None:
    """The type that keeps every value of the column; None where only PostgreSQL's text does."""
    import pyarrow as pa

    return {
        "bigint": pa.int64(),
        "boolean": pa.bool_(),
        "bytea": pa.binary(),
        "date": pa.date32(),
        "double precision": pa.float64(),
        "integer": pa.int32(),
        "smallint": pa.int16(),
        "text": pa.string(),
        "timestamp with time zone": pa.timestamp("us", tz="UTC"),
    }.get(column.type)


def _as_text(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns if _arrow_type(column) is None]


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, and give it the name when it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    write(unfinished)
    _to_disk(unfinished)
    unfinished.replace(path)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpace(
                f"The disk of {path} is full. Nothing was removed; free some space and run it again."
            ) from error
        raise ContractBroken(
            f"{path} cannot be written ({error.strerror}). Nothing was removed; correct archive.folder in trading.yaml."
        ) from error
