"""`trading breaker`: which breakers are latched, and clearing one with a name and a reason."""

from __future__ import annotations

import click


@click.group()
def breaker() -> None:
    """The circuit breakers of the account that traded last."""


@breaker.command("list")
def list_breakers() -> None:
    """Every latched breaker, since when and why."""
    from trading_assets.adapters.postgres.breakers import tripped_breakers
    from trading_assets.cli.accounts import current_account
    from trading_assets.cli.clock import graph_time

    with current_account() as (database, connection, account_id):
        tripped = tripped_breakers(connection, account_id, graph_time(database))
    for event in tripped.values():
        cause = ", ".join(f"{name} {value}" for name, value in sorted(event.cause.items()))
        click.echo(
            f"{event.breaker}: tripped at {event.at:%Y-%m-%d %H:%M} UTC in session {event.session_date} ({cause})"
        )
    if not tripped:
        click.echo(f"No breaker of account {account_id} is tripped.")


@breaker.command("clear")
@click.argument("name")
@click.option("--by", required=True, help="Who clears it.")
@click.option("--why", required=True, help="Why trading may go on.")
def clear(name: str, by: str, why: str) -> None:
    """Clear the latched breaker NAME; who and why are recorded."""
    from trading_assets.adapters.postgres.breakers import clear_breaker
    from trading_assets.cli.accounts import current_account
    from trading_assets.cli.clock import graph_time
    from trading_assets.domain.market.sessions import newest_session

    with current_account() as (database, connection, account_id):
        now = graph_time(database)
        clear_breaker(connection, account_id, name, by, why, now, newest_session(now))
    click.echo(f"Breaker {name} of account {account_id} is cleared.")
