"""`trading migrate` and `trading env`: the database itself, and how other programs reach it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import click

if TYPE_CHECKING:
    from trading_assets.settings import Environment

SECRET = "***"  # noqa: S105  what is shown in place of one


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema, ours and Dagster's."""
    from trading_assets.services import migrate_all, running_services
    from trading_assets.settings import load_environment

    with running_services(load_environment()) as running:
        migrate_all(running)
    click.echo("The database has the newest schema.")


@click.command()
@click.option("--show-secrets", is_flag=True, help="Print the passwords too.")
def env(show_secrets: bool) -> None:
    """Print the running servers' addresses as `export` lines for a shell."""
    from trading_assets.settings import load_environment

    for name, url in running_urls(load_environment()).items():
        shown = url if show_secrets else without_password(url)
        click.echo(f"export {name}={shlex.quote(shown)}")
    if not show_secrets:
        click.echo("# Passwords are hidden; with them: trading env --show-secrets", err=True)


def without_password(url: str) -> str:
    """The URL with *** for its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{SECRET}@{host}"))


def running_urls(environment: Environment) -> dict[str, str]:
    """DATABASE_URL and, where there is one, REDIS_URL. Raises EmbeddedServerError when no database runs."""
    from trading_assets.adapters.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError

    urls = {}
    if environment.database_url:
        urls["DATABASE_URL"] = environment.database_url.get_secret_value()
    elif (postgres := EmbeddedPostgres(environment.home, programs=environment.pg_bin)).is_running():
        urls["DATABASE_URL"] = postgres.url
    else:
        raise EmbeddedServerError(f"No database runs in {environment.home.resolve()}. Start it with `make up`.")
    if environment.redis_url:
        urls["REDIS_URL"] = environment.redis_url.get_secret_value()
    elif (redis := EmbeddedRedis(environment.home, environment.redis_bin)).is_running():
        urls["REDIS_URL"] = redis.url
    return urls
