"""`trading limit`: limits other than those of trading.yaml, from a time on, each set by a person with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import psycopg

    from trading_assets.domain.risk.limit_changes import LimitChange
    from trading_assets.settings import TradingSettings

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M"])


@click.group()
def limit() -> None:
    """The limits of the risk review, and who changed them when."""


@limit.command("list")
def list_limits() -> None:
    """Every limit in force, what trading.yaml says, and all changes."""
    from rich.console import Console
    from rich.table import Table

    from trading_assets.adapters.postgres.limits import limit_changes, limits_in_force

    with _desk() as (connection, settings, now):
        changes = limit_changes(connection, settings.broker.kind)
        in_force = limits_in_force(connection, settings, now)
    console = Console(highlight=False)
    table = Table("limit", "in force", "trading.yaml")
    for name, value in settings.risk.limits().items():
        table.add_row(name, _text(in_force[name]), _text(value))
    console.print(table)
    for change in changes:
        console.print(f"{change.limit_no}. {_told(change)}", markup=False, soft_wrap=True)


@limit.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--by", required=True, help="Who sets it.")
@click.option("--why", required=True, help="Why.")
@click.option("--from", "begin", type=MOMENT, help="Count from this time on, UTC.  [default: now]")
def set_(name: str, value: str, by: str, why: str, begin: datetime | None) -> None:
    """Set the limit NAME to VALUE, written as in trading.yaml; null is no limit."""
    from trading_assets.adapters.postgres.limits import set_limit
    from trading_assets.settings import read_override

    _, read = read_override(f"{name}={value}")
    with _desk() as (connection, settings, now):
        effective_from = begin.replace(tzinfo=UTC) if begin else None
        change = set_limit(connection, settings, name, read, by, why, now, effective_from)
    click.echo(_told(change))


@limit.command("confirm")
@click.argument("name")
@click.option("--by", required=True, help="Who confirms it: another person than the one who set it.")
def confirm(name: str, by: str) -> None:
    """Let the newest change of NAME count, which waits for a second person."""
    from trading_assets.adapters.postgres.limits import confirm_limit

    with _desk() as (connection, settings, now):
        change = confirm_limit(connection, settings.broker.kind, name, by, now)
    click.echo(_told(change))


@contextmanager
def _desk() -> Iterator[tuple[psycopg.Connection, TradingSettings, datetime]]:
    """A transaction, the settings and the time of the graph."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.cli.clock import graph_time
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings = load_trading_settings()
    with existing_database(load_environment()) as url:
        now = graph_time(Database(url))
        with Database(url).transaction() as connection:
            yield connection, settings, now


def _told(change: LimitChange) -> str:
    told = f"{change.name} is {_text(change.value)}, set by {change.set_by}: {change.why}."
    if change.confirmed_by:
        told += f" Confirmed by {change.confirmed_by}."
    if change.counts_from is None:
        return f"{told} It loosens the limit and waits for another person: `trading limit confirm {change.name} --by`."
    return f"{told} It counts from {change.counts_from.astimezone(UTC):%Y-%m-%d %H:%M} UTC."


def _text(value: Any) -> str:
    return "not limited" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
