"""`trading up`: Dagster's web page, its schedules and sensors, and the servers they need, until Ctrl-C."""

from __future__ import annotations

import click


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the web page listens on.")
def up(port: int, host: str) -> None:
    """Run the platform: web page, schedules, sensors, database. Ctrl-C stops everything."""
    from trading_assets.services import dagster_variables, migrate_all, running_services, sole_holder
    from trading_assets.settings import load_environment, publish_environment
    from trading_assets.supervisor import check_port, run_dagster

    environment = load_environment()
    check_port(host, port)
    with sole_holder(environment.home, "up"), running_services(environment) as running:
        migrate_all(running)
        publish_environment(dagster_variables(running))
        log = running.home / "logs" / "dagster.log"
        click.echo(f"Starting Dagster, its log is {log}")
        run_dagster(host, port, log, on_ready=lambda address: click.echo(f"Open {address} (Ctrl-C stops everything)"))
    click.echo("Stopped.")
