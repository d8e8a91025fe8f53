"""`trading halt`, `reduce`, `flatten` and `resume`: who may trade at all, decided by a person with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_assets.domain.risk.trading_states import Command

BY = click.option("--by", required=True, help="Who decides it.")
WHY = click.option("--why", required=True, help="The reason.")
ACCOUNT = click.option("--account", help="Only this account.")
STRATEGY = click.option("--strategy", help="Only this strategy.")
SYMBOL = click.option("--symbol", help="Only this symbol.")

Name = str | None


@click.command()
@BY
@WHY
@ACCOUNT
@STRATEGY
@SYMBOL
def halt(by: str, why: str, account: Name, strategy: Name, symbol: Name) -> None:
    """Send no order any more, of any account unless a scope is named."""
    from trading_assets.domain.risk.trading_states import Command

    _order(Command.HALT, by, why, account, strategy, symbol)


@click.command()
@BY
@WHY
@ACCOUNT
@STRATEGY
@SYMBOL
def reduce(by: str, why: str, account: Name, strategy: Name, symbol: Name) -> None:
    """Send only orders that reduce a position."""
    from trading_assets.domain.risk.trading_states import Command

    _order(Command.REDUCE, by, why, account, strategy, symbol)


@click.command()
@BY
@WHY
@ACCOUNT
@STRATEGY
@SYMBOL
def flatten(by: str, why: str, account: Name, strategy: Name, symbol: Name) -> None:
    """Close what is held, at every decision until it is gone, and send nothing else."""
    from trading_assets.domain.risk.trading_states import Command

    _order(Command.FLATTEN, by, why, account, strategy, symbol)


@click.command()
@BY
@WHY
@ACCOUNT
@STRATEGY
@SYMBOL
def resume(by: str, why: str, account: Name, strategy: Name, symbol: Name) -> None:
    """Trade again. What was halted with a scope is resumed with the same scope."""
    from trading_assets.domain.risk.trading_states import Command

    _order(Command.RESUME, by, why, account, strategy, symbol)


def _order(command: Command, by: str, why: str, account: Name, strategy: Name, symbol: Name) -> None:
    from trading_assets.adapters.kill_switch import switch_at_broker
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.trading_states import order_state, state_changes
    from trading_assets.cli.clock import graph_time
    from trading_assets.domain.risk.trading_states import in_force
    from trading_assets.domain.risk.verdicts import TradingState
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings, environment = load_trading_settings(), load_environment()
    with existing_database(environment) as url:
        database = Database(url)
        now = graph_time(database)
        with database.transaction() as connection:
            change = order_state(
                connection, settings, command, by, why, now, account=account, strategy=strategy, symbol=symbol
            )
            others = [one for one in in_force(state_changes(connection)) if one.event_no != change.event_no]
        click.echo(f"Trading of {change.of} is {change.in_words}.")
        if told := switch_at_broker(settings, environment, database, change):
            click.echo(told)
    for one in others:
        if one.state is not TradingState.ACTIVE:
            click.echo(f"Still in force: trading of {one.of} is {one.in_words}, by {one.set_by}: {one.why}")
