"""The running surroundings of the graph: PostgreSQL, Redis, and Dagster's own home and storage.

What DATABASE_URL and REDIS_URL name is used as it is; otherwise embedded servers run while anyone uses them.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from trading_assets.adapters.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError
from trading_assets.adapters.embedded.processes import claim_folder, write_private
from trading_assets.adapters.errors import AdapterError, OutOfSpace
from trading_assets.settings import (
    PROJECT_ROOT,
    Environment,
    SettingsError,
    publish_environment,
    temporary_environment,
)

DAGSTER_SCHEMA = "dagster"
REHEARSAL = "rehearsal.json"
EXECUTION_POOL = "execution"
# One write for a thousand materialisation events instead of a thousand.
EVENT_BATCH_SIZE = 1000
# A new database cluster takes 40 MB; the rest is room for one run to end instead of failing half-way.
LEAST_FREE_BYTES = 200 * 1024**2


class AlreadyRunningError(AdapterError):
    """Another process does the same in this state folder."""


@contextmanager
def running_services(environment: Environment) -> Iterator[Environment]:
    """The environment with the URLs of servers that answer. Embedded ones stop when their last user leaves the block.

    Without a Redis server to be found the block runs without one: PostgreSQL is the truth, Redis only makes it faster.
    """
    home = claim_folder(environment.home.resolve())
    _require_room(home)
    servers: list[EmbeddedPostgres | EmbeddedRedis] = []
    urls: dict[str, SecretStr] = {}
    with (home / ".users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if environment.database_url is None:
                servers.append(postgres := EmbeddedPostgres(home, programs=environment.pg_bin))
                urls["database_url"] = SecretStr(postgres.start())
            if environment.redis_url is None and (redis := _embedded_redis(environment)):
                servers.append(redis)
                urls["redis_url"] = SecretStr(redis.start())
            yield environment.model_copy(update={"home": home, **urls})
        finally:
            if _is_last_user(users):
                for server in servers:
                    server.stop()


@contextmanager
def sole_holder(home: Path, activity: str) -> Iterator[None]:
    """Only one process of this state folder at a time may be in the block. Raises AlreadyRunningError in the second."""
    with _lock_of(claim_folder(home.resolve()), activity).open("a") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"Another `trading {activity}` is at work in {home.resolve()}. "
                "Wait for it, stop it, or set TRADING_HOME to another folder."
            ) from error
        yield


@contextmanager
def rehearsing(home: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Everything that is started in the block works with these environment variables, and whoever joins it too.

    Only for the holder of `up`.
    """
    path = home.resolve() / REHEARSAL
    write_private(path, json.dumps(dict(variables)))
    try:
        with temporary_environment(variables):
            yield
    finally:
        path.unlink(missing_ok=True)


def join_rehearsal(home: Path) -> None:
    """Take over the environment variables of a rehearsal that runs in this state folder, if one does."""
    path = home.resolve() / REHEARSAL
    # The file of one that was killed means nothing.
    if path.exists() and _is_held(home.resolve(), "up"):
        publish_environment(json.loads(path.read_text(encoding="utf-8")))


def _lock_of(home: Path, activity: str) -> Path:
    return home / f".{activity.replace(' ', '-')}.lock"


def _is_held(home: Path, activity: str) -> bool:
    with _lock_of(home, activity).open("a") as guard:
        try:
            fcntl.flock(guard, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def existing_database(environment: Environment) -> Iterator[str]:
    """The URL of a database that is already there. Raises SettingsError instead of making an empty one."""
    if environment.database_url is None:
        if not (environment.home / "postgres" / "data").exists():
            raise SettingsError(
                f"There is no database in {environment.home.resolve()} yet: `make demo` or `make up` makes one. "
                "For a server of your own: export DATABASE_URL=postgresql://user:password@host:5432/name"
            )
        with running_services(environment) as running:
            yield running.required_database_url()
    else:
        yield environment.required_database_url()


def migrate_all(environment: Environment) -> None:
    """Bring our schema and Dagster's storage to their newest revisions and publish the variables Dagster reads."""
    import psycopg

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.schema import migrate

    url = environment.required_database_url()
    with Database(url).transaction() as connection:
        connection.execute(
            psycopg.sql.SQL("create schema if not exists {}").format(psycopg.sql.Identifier(DAGSTER_SCHEMA))
        )
    migrate(url)
    prepare_dagster_home(environment.home)
    publish_environment(dagster_variables(environment))
    _prepare_dagster_storage()


def prepare_dagster_home(home: Path) -> Path:
    """DAGSTER_HOME with the project's dagster.yaml in it."""
    folder = claim_folder(home.resolve() / "dagster")
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", folder / "dagster.yaml")
    return folder


def dagster_variables(environment: Environment) -> dict[str, str]:
    """The environment variables with which Dagster and everything it starts finds this folder's services."""
    variables = {
        "DATABASE_URL": environment.required_database_url(),
        "TRADING_HOME": str(environment.home.resolve()),
        "DAGSTER_HOME": str(environment.home.resolve() / "dagster"),
        "DAGSTER_PG_URL": dagster_storage_url(environment.required_database_url()),
        "DAGSTER_EVENT_BATCH_SIZE": str(EVENT_BATCH_SIZE),
    }
    if environment.redis_url:
        variables["REDIS_URL"] = environment.redis_url.get_secret_value()
    return variables


def dagster_storage_url(database_url: str) -> str:
    """The same database for Dagster: in a schema of its own, and through psycopg2, which dagster-postgres needs.

    Losing the last moments of Dagster's log in a crash is fine, so its commits do not wait for the disk.
    """
    parts = urlsplit(database_url)
    query = dict(parse_qsl(parts.query))
    options = f"-csearch_path={DAGSTER_SCHEMA} -csynchronous_commit=off"
    query["options"] = f"{query['options']} {options}" if "options" in query else options
    return urlunsplit(parts._replace(scheme="postgresql+psycopg2", query=urlencode(query, quote_via=quote)))


def _prepare_dagster_storage() -> None:
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        instance.upgrade()
        # A pool that only has the default limit is not enforced the first time it is used.
        instance.event_log_storage.set_concurrency_slots(EXECUTION_POOL, 1)


def _require_room(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE_BYTES:
        raise OutOfSpace(
            f"The disk of {home} has {free // 1024**2} MB left, and {LEAST_FREE_BYTES // 1024**2} MB are needed. "
            "Free some space, or set TRADING_HOME to a folder on another disk; what is stored stays as it is."
        )


def _embedded_redis(environment: Environment) -> EmbeddedRedis | None:
    if environment.redis_bin:
        return EmbeddedRedis(environment.home, environment.redis_bin)
    try:
        return EmbeddedRedis(environment.home)
    except EmbeddedServerError:
        return None


def _is_last_user(users: IO[str]) -> bool:
    """Trade the shared lock for the exclusive one, which nobody gets while another still shares it."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
