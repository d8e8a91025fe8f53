"""`trading archive`: move old months into files, look at them, verify them and bring them back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.archives import Archive
    from trading_assets.adapters.postgres.database import Database

TABLE = click.option("--table", help="Only this table, such as market.vendor_responses.")
MONTH = click.option("--month", type=click.DateTime(["%Y-%m"]), help="Only this month.")


@click.group()
def archive() -> None:
    """Old months of big tables, in verified Parquet files instead of the database."""


@archive.command("run")
def run() -> None:
    """Move every month that is older than trading.yaml says (archive.*_days)."""
    from trading_assets.adapters.archive import archive_old_data
    from trading_assets.settings import load_trading_settings

    retention = load_trading_settings().archive.retention_days()
    with _archive() as (database, folder):
        reports = archive_old_data(database, folder, retention, datetime.now(UTC))
    for report in reports:
        outcome = f"stays: {report.held}" if report.held else f"{report.rows} rows moved to {folder / report.path}"
        click.echo(f"{report.table} {report.month:%Y-%m} {outcome}")
    if not reports:
        click.echo("No month is old enough.")


@archive.command("list")
@TABLE
@MONTH
def list_archives(table: str | None, month: datetime | None) -> None:
    """Every file, how many rows it holds and where these are now."""
    with _archive() as (database, _):
        found = _recorded(database, table, month)
    for each in found:
        since = each.moved_at or each.verified_at
        click.echo(
            f"{each.path}: {each.rows.row_count} rows, {each.file_bytes:,} bytes, {each.state} since {since:%Y-%m-%d}"
        )


@archive.command("verify")
@TABLE
@MONTH
def verify(table: str | None, month: datetime | None) -> None:
    """Compare every file and manifest with the hash that was recorded; exit code 1 when one differs."""
    from trading_assets.adapters.archive import verify_archive
    from trading_assets.adapters.errors import AdapterError

    failures = 0
    with _archive() as (database, folder):
        found = _recorded(database, table, month)
    for each in found:
        try:
            verify_archive(folder, each)
        except AdapterError as error:
            failures += 1
            click.echo(str(error), err=True)
    click.echo(f"{len(found) - failures} of {len(found)} files are what was recorded.")
    if failures:
        raise SystemExit(1)


@archive.command("restore")
@TABLE
@MONTH
def restore(table: str | None, month: datetime | None) -> None:
    """Put the rows of files back as they were. The files stay."""
    from trading_assets.adapters.archive import restore_archive

    if table is None and month is None:
        raise click.UsageError("Say what to restore: --table, --month or both.")
    with _archive() as (database, folder):
        for each in _recorded(database, table, month):
            click.echo(f"{each.path}: {restore_archive(database, folder, each)} rows restored")


@contextmanager
def _archive() -> Iterator[tuple[Database, Path]]:
    """The database and the archive folder."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    environment = load_environment()
    folder = load_trading_settings().archive.folder or environment.home / "archive"
    with existing_database(environment) as url:
        yield Database(url), folder


def _recorded(database: Database, table: str | None, month: datetime | None) -> list[Archive]:
    from trading_assets.adapters.errors import NotFound
    from trading_assets.adapters.postgres.archives import recorded_archives

    with database.transaction() as connection:
        found = recorded_archives(connection, table, month.date() if month else None)
    if not found:
        raise NotFound("Nothing of that is archived. `trading archive list` shows what is.")
    return found
