"""`trading doctor`: what is configured, what answers, and what to do about the rest. Never prints a secret."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading_assets.domain.execution.broker_records import BrokerAccount
    from trading_assets.settings import Environment

COLOURS = {"ok": "green", "missing": "yellow", "failed": "red"}
ENOUGH_DISK_GB = 2
CALENDAR_NOTICE = timedelta(days=90)
CONNECT_TIMEOUT_S = 3
DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
MOST_SKEW = timedelta(milliseconds=500)
STREAM_IS_WELL = timedelta(seconds=60)


@dataclass(frozen=True)
class Finding:
    """One line: `missing` is optional or not made yet, `failed` needs a hand."""

    subject: str
    state: Literal["ok", "missing", "failed"]
    text: str


class _Missing(Exception):
    """Not there, and nothing is wrong with that."""


class _Failed(Exception):
    """Something that must work does not."""


@click.command()
def doctor() -> None:
    """Check configuration, servers, schema, calendar and disk. Exit code 1 if something failed."""
    findings = list(examine())
    for finding in findings:
        state = click.style(f"{finding.state:8}", fg=COLOURS[finding.state])
        click.echo(f"{state}{finding.subject:15}{finding.text}")
    if any(finding.state == "failed" for finding in findings):
        raise click.exceptions.Exit(1)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a person would repair them."""
    from trading_assets.settings import SettingsError, load_environment

    yield _find("configuration", _configuration)
    yield _find("calendar", _calendar)
    try:
        environment = load_environment()
    except SettingsError as error:
        yield Finding("environment", "failed", str(error))
        return
    for subject, check in (
        ("postgresql", _postgresql),
        ("schema", _schema),
        ("roles", _roles),
        ("redis", _redis),
        ("broker", _broker),
        ("stream", _stream),
        ("dagster", _dagster),
        ("mail", _mail),
        ("disk", _disk),
    ):
        yield _find(subject, lambda check=check: check(environment))


def _find(subject: str, check: Callable[[], str]) -> Finding:
    from trading_assets.adapters.errors import AdapterError
    from trading_assets.adapters.plugins import PluginError
    from trading_assets.settings import SettingsError

    try:
        return Finding(subject, "ok", check())
    except _Missing as missing:
        return Finding(subject, "missing", str(missing))
    except (_Failed, AdapterError, PluginError, SettingsError) as error:
        return Finding(subject, "failed", str(error))


def _configuration() -> str:
    from trading_assets.adapters.plugins import load_strategies
    from trading_assets.settings import load_trading_settings

    settings = load_trading_settings()
    load_strategies(settings)
    return f"source {settings.source}, {len(settings.universe)} symbols, strategies {', '.join(settings.strategies)}"


def _calendar() -> str:
    from trading_assets.domain.market import sessions

    if datetime.now(UTC).date() > sessions.LAST_DAY - CALENDAR_NOTICE:
        raise _Failed(
            f"the trading calendar ends on {sessions.LAST_DAY}: "
            "extend it with `python -m trading_assets.adapters.calendar_freeze`"
        )
    return f"known until {sessions.LAST_DAY}"


def _postgresql(environment: Environment) -> str:
    from trading_assets.adapters.embedded import EmbeddedPostgres
    from trading_assets.adapters.postgres.database import Database

    if environment.database_url:
        with Database(environment.required_database_url()).transaction() as connection:
            return f"DATABASE_URL answers, PostgreSQL {connection.info.server_version // 10_000}"
    postgres = EmbeddedPostgres(environment.home, programs=environment.pg_bin)
    if not postgres.exists():
        raise _Missing(f"no database in {postgres.home} yet: `make demo` or `make up` makes one")
    return f"embedded, {'running' if postgres.is_running() else 'stopped: `make up` starts it'}"


def _schema(environment: Environment) -> str:
    from trading_assets.adapters.postgres.schema import current_revision, newest_revision

    current, newest = current_revision(_running(environment)), newest_revision()
    if current != newest:
        raise _Failed(f"at revision {current or 'none'}, the newest is {newest}: run `trading migrate`")
    return f"newest revision, {newest}"


def _roles(environment: Environment) -> str:
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.roles import missing_roles

    with Database(_running(environment)).transaction() as connection:
        missing = missing_roles(connection)
    if missing:
        raise _Missing(
            f"the database's user cannot become {' or '.join(missing)}, so that every stage may write everything: "
            "an administrator of the server can run `call ops.grant_roles()` in the database"
        )
    return "strategies and the review write only what is theirs"


def _running(environment: Environment) -> str:
    """The URL of the database."""
    from trading_assets.adapters.embedded import EmbeddedPostgres

    if environment.database_url:
        return environment.required_database_url()
    postgres = EmbeddedPostgres(environment.home, programs=environment.pg_bin)
    if not postgres.is_running():
        raise _Missing("not looked at, because the database is not running")
    return postgres.url


def _migrated(environment: Environment) -> str:
    """The URL of the database, which has the newest schema."""
    from trading_assets.adapters.postgres.schema import current_revision, newest_revision

    url = _running(environment)
    if current_revision(url) != newest_revision():
        raise _Missing("not looked at, because the schema is not the newest")
    return url


def _redis(environment: Environment) -> str:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from trading_assets.adapters.embedded import EmbeddedRedis

    if environment.redis_url is None:
        is_running = EmbeddedRedis(environment.home, environment.redis_bin).is_running()
        return f"embedded, {'running' if is_running else 'stopped: `make up` starts it'}"
    client = redis.Redis.from_url(
        environment.redis_url.get_secret_value(), socket_timeout=CONNECT_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.ping()
    except redis.RedisError as error:
        raise _Failed(f"REDIS_URL does not answer ({type(error).__name__}): start the server or unset it") from error
    return "REDIS_URL answers"


def _broker(environment: Environment) -> str:
    from trading_assets.adapters.brokers import build_broker
    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.settings import load_trading_settings

    settings = load_trading_settings()
    if settings.broker.kind == "simulated":
        return "simulated: no order leaves this machine"
    database = Database(_migrated(environment))
    broker, clock = build_broker(settings, environment, database), clock_of(settings, database)
    account = broker.account()
    asked_at, said, answered_at = clock.now(), broker.clock().now, clock.now()
    skew = asked_at + (answered_at - asked_at) / 2 - said
    where = f"{broker.name} {settings.broker.environment}, account {account.account_number}"
    if not account.may_trade:
        raise _Failed(f"{where} may not trade: status {account.status}, {_blocks(account)}; see docs/guides/brokers.md")
    if abs(skew) > MOST_SKEW:
        raise _Failed(f"{where} answers, and our clock is {_ms(skew)} ahead of its own: set the time of this machine")
    return f"{where} answers, clocks {_ms(abs(skew))} apart"


def _blocks(account: BrokerAccount) -> str:
    flags = {
        "blocked": account.is_account_blocked,
        "trading blocked": account.is_trading_blocked,
        "suspended by its owner": account.is_suspended_by_user,
    }
    return ", ".join(word for word, is_on in flags.items() if is_on is not False) or "not blocked"


def _ms(time: timedelta) -> str:
    return f"{time / timedelta(milliseconds=1):.0f} ms"


def _stream(environment: Environment) -> str:
    from trading_assets.adapters.postgres.broker_accounts import broker_account_id
    from trading_assets.adapters.postgres.broker_hints import stream_heard_at
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.settings import load_trading_settings

    broker = load_trading_settings().broker
    if broker.kind == "simulated":
        return "the simulated broker has none"
    with Database(_migrated(environment)).transaction() as connection:
        heard_at = stream_heard_at(connection, broker_account_id(broker.venue, broker.account or ""))
    if heard_at is None:
        raise _Missing("nobody has listened to it yet: `make up` does, or `trading listen`")
    age = datetime.now(UTC) - heard_at
    if age > STREAM_IS_WELL:
        raise _Missing(f"not heard since {heard_at:%Y-%m-%d %H:%M:%S} UTC: `make up` listens, or `trading listen`")
    return f"well {age.total_seconds():.0f} s ago"


def _dagster(environment: Environment) -> str:
    folder = environment.home.resolve() / "dagster"
    if not (folder / "dagster.yaml").exists():
        raise _Missing(f"{folder} is not there yet: `make demo` or `make up` makes it")
    return str(folder)


def _mail(environment: Environment) -> str:
    from trading_assets.settings import load_trading_settings

    if load_trading_settings().notifications.email is None:
        raise _Missing("no e-mail is sent: set notifications.email in trading.yaml and SMTP_URL to have it")
    if environment.smtp_url is None:
        raise _Failed("trading.yaml asks for e-mail and SMTP_URL is not set: smtp://user:password@host:587")
    server = urlsplit(environment.smtp_url.get_secret_value())
    address = server.hostname or "", server.port or DEFAULT_PORTS[server.scheme]
    try:
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _Failed(f"{address[0]}:{address[1]} does not answer ({error}): correct SMTP_URL") from error
    return f"{address[0]}:{address[1]} answers"


def _disk(environment: Environment) -> str:
    folder = next(
        folder for folder in (environment.home.resolve(), *environment.home.resolve().parents) if folder.exists()
    )
    free_gb = shutil.disk_usage(folder).free / 1024**3
    if free_gb < ENOUGH_DISK_GB:
        raise _Failed(f"{free_gb:.1f} GB free at {folder}, at least {ENOUGH_DISK_GB} are needed: make room")
    return f"{free_gb:.0f} GB free at {folder}"
