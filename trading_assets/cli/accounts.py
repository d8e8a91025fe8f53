"""`trading account` and `trading ledger`: what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database


@click.group()
def account() -> None:
    """The accounts of the ledger."""


@account.command("list")
def list_accounts() -> None:
    """Every account, the most recently opened last."""
    from rich.console import Console
    from rich.table import Table

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.ledger import accounts
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url, Database(url).transaction() as connection:
        records = accounts(connection)
    table = Table("account", "inception", "opening cash", "last session")
    # An id is there to be copied: on a narrow terminal it goes on in the next line, and is never cut.
    table.columns[0].overflow = "fold"
    for record in records:
        opening_cash = f"{record.opening_cash_usd:,.2f} USD"
        table.add_row(record.account_id, str(record.inception_session), opening_cash, str(record.session_date or "-"))
    Console().print(table)


@account.command("open")
@click.argument("session", type=click.DateTime(["%Y-%m-%d"]))
def open_new(session: datetime) -> None:
    """Open the account of today's configuration that begins with SESSION."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.ledger import open_account
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings = load_trading_settings()
    with existing_database(load_environment()) as url, Database(url).transaction() as connection:
        record = open_account(
            connection, settings.broker.kind, settings.fingerprint(), session.date(), settings.broker.opening_cash_usd
        )
    click.echo(record.account_id)


@contextmanager
def current_account() -> Iterator[tuple[Database, psycopg.Connection, str]]:
    """The database, a transaction in it, and the account that traded last. Raises NotFound before the first."""
    from trading_assets.adapters.errors import NotFound
    from trading_assets.adapters.postgres import ledger as store
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url, Database(url).transaction() as connection:
        account_id = store.current_account(connection)
        if account_id is None:
            raise NotFound("No account has traded yet: run `make demo` or `trading backfill` first.")
        yield Database(url), connection, account_id


@click.group()
def ledger() -> None:
    """The append-only record of verdicts, orders, fills and cash."""


@ledger.command("hash")
@click.option("--account", "account_id", help="This account.  [default: the one that traded last]")
def hash_ledger(account_id: str | None) -> None:
    """One hash over everything an account recorded: the same before and after a rerun that changed nothing."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.ledger_hash import ledger_hash
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url:
        click.echo(ledger_hash(Database(url), account_id))
