"""Fixtures every folder may use: one real PostgreSQL server for the session, one migrated database a test."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.schema import migrate
from trading_assets.domain.kernel.compiler import keep_in

# A busy machine is no fault of the code: no example has a time limit of its own.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# Whoever starts the tests in the background has them ignore Ctrl-C, and so would every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

IN_MEMORY, PLENTY = Path("/dev/shm"), 8 * 1024**3  # noqa: S108  one folder in it is ours, with a name of its own

MakeDatabase = Callable[..., Database]


def _with_name(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + "/" + name


def _administer(server_url: str, statement: str, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*(sql.Identifier(name) for name in names)))


def _leave(server_url: str, name: str) -> None:
    """A database that is copied has no users: the connections that this process keeps to it end."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))


@pytest.fixture(scope="session", autouse=True)
def kept_loop(pytestconfig: pytest.Config) -> None:
    """What was compiled for tests before is not compiled again."""
    keep_in(pytestconfig.rootpath / ".pytest_cache" / "compiled")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running server's maintenance database: TEST_DATABASE_URL, or an embedded server of our own."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    from trading_assets.adapters.embedded import EmbeddedPostgres

    with fastest_folder(tmp_path_factory) as folder:
        server = EmbeddedPostgres(folder, fast=True)
        yield server.start()
        server.stop()


@contextmanager
def fastest_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where there is plenty: half of what a test waits for is the copying of its database."""
    if IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free > PLENTY:
        with tempfile.TemporaryDirectory(dir=IN_MEMORY, prefix="trading-tests-") as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> Iterator[str]:
    with template_on(postgres_server) as name:
        yield name


@contextmanager
def template_on(server_url: str) -> Iterator[str]:
    """The name of a database with the newest schema and no rows."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    _administer(server_url, "create database {}", name)
    migrate(_with_name(server_url, name))
    yield name
    _administer(server_url, "drop database {} with (force)", name)


@contextmanager
def databases_on(server_url: str, template: str) -> Iterator[MakeDatabase]:
    """Makes databases that are copies of the template or of another database, and drops them at the end."""
    names: list[str] = []

    def make(like: Database | None = None) -> Database:
        names.append(f"test_{uuid.uuid4().hex[:12]}")
        copied = like.url.rsplit("/", 1)[1] if like else template
        if like:
            _leave(server_url, copied)
        _administer(server_url, "create database {} template {} strategy file_copy", names[-1], copied)
        return Database(_with_name(server_url, names[-1]))

    try:
        yield make
    finally:
        for name in names:
            _administer(server_url, "drop database {} with (force)", name)


@pytest.fixture
def new_database(postgres_server: str, migrated_template: str) -> Iterator[MakeDatabase]:
    """Makes databases of the test's own: with the newest schema and no rows, or a copy of another that nobody uses."""
    with databases_on(postgres_server, migrated_template) as make:
        yield make


@pytest.fixture(scope="module")
def new_module_database(postgres_server: str, migrated_template: str) -> Iterator[MakeDatabase]:
    """As new_database, for what the tests of a module prepare once and then only read or copy."""
    with databases_on(postgres_server, migrated_template) as make:
        yield make


@pytest.fixture
def database(new_database: MakeDatabase) -> Database:
    """A database of the test's own with the newest schema and no rows."""
    return new_database()
