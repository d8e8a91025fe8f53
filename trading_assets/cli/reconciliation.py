"""`trading reconcile`, `breaks` and `incidents`: do ledger and broker agree, and what persons do where they do not."""

from __future__ import annotations

from decimal import Decimal

import click

BY = click.option("--by", required=True, help="Who decides it.")
WHY = click.option("--why", required=True, help="The reason.")


@click.command()
def reconcile() -> None:
    """Compare the ledger with the broker's records now."""
    from trading_assets.adapters.broker_opening import opened_account
    from trading_assets.adapters.brokers import build_broker
    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.reconciliations import Trigger
    from trading_assets.adapters.reconciling import Reconciler
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings, environment = load_trading_settings(), load_environment()
    with existing_database(environment) as url:
        database = Database(url)
        broker, clock = build_broker(settings, environment, database), clock_of(settings, database)
        account = opened_account(database, settings, broker, clock.now())
        compared = Reconciler(database, broker, account.account_id, clock).compare(Trigger.DEMAND)
    done = compared.comparison
    click.echo(
        f"Account {account.account_id} at {done.cut_at:%Y-%m-%d %H:%M:%S} UTC: {done.order_count} orders, "
        f"{done.record_count} records and {done.position_count} positions compared; {done.booked_count} booked, "
        f"{done.followed_count} moves followed, {done.adopted_count} orders adopted, {done.break_count} breaks."
    )
    for line in done.explained:
        click.echo(f"Explained: {line}")
    if not done.is_clean:
        raise click.ClickException("Ledger and broker differ: `trading breaks list` says in what.")


@click.group()
def breaks() -> None:
    """What ledger and broker do not agree on."""


@breaks.command("list")
def list_breaks() -> None:
    """Every open break of the newest comparison, with both values and what to do."""
    from trading_assets.adapters.postgres.reconciliations import listed_breaks
    from trading_assets.cli.accounts import current_account

    with current_account() as (_, connection, account_id):
        found = listed_breaks(connection, account_id)
    for one in found:
        where = "account" if one.is_account_wide else one.symbol
        click.echo(f"{one.break_id[:12]}  {where}: {one.kind} of {one.subject}")
        click.echo(f"  ours {one.ours or 'nothing'}, theirs {one.theirs or 'nothing'}; to do: {one.remedy}")
    if not found:
        click.echo(f"Account {account_id} has no open break.")


@breaks.command("adjust")
@click.argument("break_id")
@BY
@WHY
@click.option("--price", type=Decimal, help="What one share is worth in USD, where shares appeared or went.")
def adjust(break_id: str, by: str, why: str, price: Decimal | None) -> None:
    """Book what makes the ledger agree in the break BREAK_ID, or accept it where nothing is to be booked."""
    from trading_assets.adapters.postgres.adjustments import adjust_break
    from trading_assets.cli.accounts import current_account
    from trading_assets.cli.clock import graph_time

    with current_account() as (database, connection, account_id):
        done = adjust_break(connection, account_id, break_id, by, why, graph_time(database), price)
    if done.activity_ids:
        click.echo(f"Booked {len(done.activity_ids)} adjustments: `trading reconcile` says whether both agree now.")
    else:
        click.echo(f"Accepted: {done.found.kind} of {done.found.subject} is open no longer.")


@click.group()
def incidents() -> None:
    """What happened to an account at a broker that no sound history has."""


@incidents.command("list")
def list_incidents() -> None:
    """Every open incident, oldest first."""
    from trading_assets.adapters.postgres.incidents import open_incidents
    from trading_assets.cli.accounts import current_account

    with current_account() as (_, connection, account_id):
        found = open_incidents(connection, account_id)
    for one in found:
        where = one.symbol or "account"
        click.echo(f"{one.incident_id[:12]}  {one.at:%Y-%m-%d %H:%M} UTC  {where}: {one.kind} of {one.subject}")
    if not found:
        click.echo(f"Account {account_id} has no open incident.")


@incidents.command("close")
@click.argument("incident_id")
@BY
@WHY
def close(incident_id: str, by: str, why: str) -> None:
    """Close the incident INCIDENT_ID: somebody has looked, and trading there may go on."""
    from trading_assets.adapters.postgres.incidents import close_incident
    from trading_assets.cli.accounts import current_account
    from trading_assets.cli.clock import graph_time

    with current_account() as (database, connection, account_id):
        closed = close_incident(connection, account_id, incident_id, by, why, graph_time(database))
    click.echo(f"Closed: {closed.kind} of {closed.subject}.")
