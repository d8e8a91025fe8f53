"""`trading status`: why trading is blocked now, in one line, and everything that restricts it."""

from __future__ import annotations

import click


@click.command()
def status() -> None:
    """Why trading is blocked now, if it is. Exit code 1 when no position can be opened."""
    from rich.console import Console
    from rich.table import Table

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.trading_status import trading_status
    from trading_assets.cli.clock import graph_time
    from trading_assets.domain.risk.status import headline
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings = load_trading_settings()
    with existing_database(load_environment()) as url:
        database = Database(url)
        now = graph_time(database)
        with database.transaction() as connection:
            found = trading_status(connection, settings, now)
    click.echo(headline(found.restrictions))
    table = Table(show_header=False)
    for name, text in found.facts.items():
        table.add_row(name, text)
    for one in found.restrictions:
        table.add_row(f"{one.subject} (blocks)" if one.is_blocking else one.subject, one.text)
    Console(highlight=False, markup=False).print(table)
    if any(one.is_blocking for one in found.restrictions):
        raise click.exceptions.Exit(1)
