"""`trading reparse`: read the vendors' stored answers again, and compare with the tables or mend them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_assets.adapters.reparse import Report

# The names of adapters/answer_readers.py, which is too much to load for a line of help.
VENDORS = ("alpaca", "polygon", "yahoo")
DATASETS = ("instruments", "corporate_actions", "calendar", "financials", "fundamentals", "bars/1d", "bars/1h")
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--vendor", type=click.Choice(VENDORS), help="Only the answers of this vendor.")
@click.option("--dataset", type=click.Choice(DATASETS), multiple=True, help="Only this dataset; may be given again.")
@click.option("--from", "first", type=DAY, help="Only answers received on this day (UTC) or later.")
@click.option("--to", "last", type=DAY, help="Only answers received on this day (UTC) or earlier.")
@click.option("--apply", is_flag=True, help="Store what differs, as new versions.")
def reparse(
    vendor: str | None, dataset: tuple[str, ...], first: datetime | None, last: datetime | None, apply: bool
) -> None:
    """Read stored answers of vendors again and compare with the tables; exit code 1 when something differs."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.reparse import Scope
    from trading_assets.adapters.reparse import reparse as read_again
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    since = first.replace(tzinfo=UTC) if first else None
    until = last.replace(tzinfo=UTC) + timedelta(days=1) if last else None
    with existing_database(load_environment()) as url:
        report = read_again(Database(url), Scope(vendor, dataset or DATASETS, since, until), apply=apply)
    _show(report)
    if report.differs and not apply:
        click.echo("Nothing was stored. With --apply it becomes a new version.", err=True)
        raise SystemExit(1)


def _show(report: Report) -> None:
    click.echo(f"{report.answers} answers were read again.")
    for each in report.tables.values():
        click.echo(
            f"{each.table}: {each.read} read, {each.added} of them not stored, {each.changed} stored otherwise; "
            f"{each.vanished} stored and not read any more; {each.others} from elsewhere left alone"
        )
        for example in each.examples:
            click.echo(f"  {example}")
    if report.unreadable:
        click.echo(f"{report.unreadable} questions were left out, because their answers cannot be read:", err=True)
        for complaint in report.complaints:
            click.echo(f"  {complaint}", err=True)
