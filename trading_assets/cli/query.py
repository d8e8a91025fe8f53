"""`trading sql`: one question to the database, for those without a PostgreSQL client. Its transaction is read-only."""

from __future__ import annotations

from typing import Any

import click

MOST_ROWS = 200


@click.command()
@click.argument("query", required=False)
def sql(query: str | None) -> None:
    """Answer QUERY, or what comes in on standard input, as a table. Reads only."""
    import psycopg
    from rich.console import Console

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    query = query or click.get_text_stream("stdin").read()
    with existing_database(load_environment()) as url, Database(url).transaction() as connection:
        connection.read_only = True
        try:
            answer = connection.execute(query.encode())
        except psycopg.Error as error:
            raise click.ClickException(str(error).strip()) from error
        if answer.description is None:
            return
        rows = answer.fetchmany(MOST_ROWS + 1)
    Console(highlight=False).print(_table([column.name for column in answer.description], rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        click.echo(
            f"The first {MOST_ROWS} rows. For all of them, use psql with the address of `trading env`.", err=True
        )


def _table(names: list[str], rows: list[tuple[Any, ...]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    is_number = [all(_is_number(row[at]) for row in rows) for at in range(len(names))]
    for name, to_the_right in zip(names, is_number, strict=True):
        table.add_column(name, justify="right" if to_the_right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else _shown(value)) for value in row))
    return table


def _is_number(value: Any) -> bool:
    from decimal import Decimal

    return value is None or (isinstance(value, int | float | Decimal) and not isinstance(value, bool))


def _shown(value: Any) -> str:
    """Numbers without the zeros that a column's scale adds, times in UTC without those of their microseconds."""
    from datetime import UTC, datetime
    from decimal import Decimal

    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, datetime) and value.tzinfo:
        return f"{value.astimezone(UTC).replace(tzinfo=None)} UTC"
    return str(value)
