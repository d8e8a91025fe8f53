"""`trading up`: Dagster's web page, its schedules and sensors, and the servers they need, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_assets.settings import Environment
    from trading_assets.supervisor import Companion

LOCAL_ALPACA = "local-alpaca"


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the web page listens on.")
@click.option(
    "--broker", type=click.Choice([LOCAL_ALPACA]), help="Rehearse on an Alpaca of this machine, for this run."
)
@click.option("--broker-port", type=int, help="Port of the local Alpaca. By default any that is free.")
def up(port: int, host: str, broker: str | None, broker_port: int | None) -> None:
    """Run the platform: web page, schedules, sensors, database. Ctrl-C stops everything."""
    from trading_assets.services import dagster_variables, migrate_all, running_services, sole_holder
    from trading_assets.settings import config_path, load_environment, load_trading_settings, publish_environment
    from trading_assets.supervisor import check_port, run_dagster

    environment = load_environment()
    check_port(host, port)
    if broker_port is not None:
        check_port(host, broker_port)
    load_trading_settings()
    with sole_holder(environment.home, "up"), running_services(environment) as running:
        migrate_all(running)
        # Dagster works in the project's folder, where another trading.yaml may lie.
        publish_environment({**dagster_variables(running), "TRADING_CONFIG": str(config_path().resolve())})
        with _companions(running, broker, broker_port) as companions:
            log = running.home / "logs" / "dagster.log"
            click.echo(f"Starting Dagster, its log is {log}")
            run_dagster(host, port, log, _show_address, companions, click.echo)
    click.echo("Stopped.")


def _show_address(address: str) -> None:
    click.echo(f"Open {address} (Ctrl-C stops everything)")


@contextmanager
def _companions(running: Environment, broker: str | None, broker_port: int | None) -> Iterator[list[Companion]]:
    """What runs beside Dagster: the local Alpaca of a rehearsal, and whoever listens to a real broker's stream."""
    from trading_assets.settings import load_trading_settings

    if broker is not None:
        with _rehearsal(running, broker_port) as local_alpaca:
            yield [local_alpaca, _listener(running)]
    elif load_trading_settings().broker.kind == "simulated":
        yield []
    else:
        yield [_listener(running)]


@contextmanager
def _rehearsal(running: Environment, broker_port: int | None) -> Iterator[Companion]:
    """A rehearsal on a local Alpaca, told to whoever works in the state folder meanwhile."""
    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.local_alpaca.beginning import prepare
    from trading_assets.services import rehearsing
    from trading_assets.settings import load_trading_settings
    from trading_assets.supervisor import Companion

    settings = load_trading_settings()
    now = clock_of(settings, Database(running.required_database_url())).now()
    prepared = prepare(running.home, settings, now, broker_port)
    goes_on = "goes on" if prepared.is_continued else f"begins with {settings.broker.opening_cash_usd} USD"
    moves = "`trading clock set` moves its clock" if settings.clock == "replay" else "its clock is the wall's"
    click.echo(f"Rehearsing on a local Alpaca at {prepared.url}: no order leaves this machine, no key is used.")
    click.echo(f"Account {prepared.account_number} {goes_on}. Its market is the stored bars; {moves}.")
    if settings.clock == "wall" and settings.source == "sample":
        click.echo("The bundled history has no bars of today: write `clock: replay` in trading.yaml to trade its past.")
    arguments = ["trading_assets.local_alpaca", "--journal", str(prepared.journal), "--port", str(prepared.port)]
    with rehearsing(running.home, prepared.variables()):
        yield Companion("The local Alpaca", arguments, running.home / "logs" / "local-alpaca.log")


def _listener(running: Environment) -> Companion:
    from trading_assets.supervisor import Companion

    return Companion("The listener", ["trading_assets.cli", "listen"], running.home / "logs" / "listener.log")
