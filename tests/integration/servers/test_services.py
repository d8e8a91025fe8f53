"""The surroundings of the graph: who starts servers, who stops them, and where Dagster keeps its storage."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pydantic import SecretStr

from trading_assets import services
from trading_assets.adapters.embedded import EmbeddedPostgres, EmbeddedRedis, EmbeddedServerError
from trading_assets.services import AlreadyRunningError, dagster_storage_url, running_services, sole_holder
from trading_assets.settings import Environment, SettingsError


def test_embedded_servers_run_while_the_last_of_two_users_is_there(tmp_path: Path) -> None:
    environment = Environment(home=tmp_path)
    with running_services(environment) as outer:
        with running_services(environment) as inner:
            assert inner.required_database_url() == outer.required_database_url()
        assert EmbeddedPostgres(tmp_path).is_running()
        assert EmbeddedRedis(tmp_path).is_running()
    assert not EmbeddedPostgres(tmp_path).is_running()
    assert not EmbeddedRedis(tmp_path).is_running()


def test_servers_stop_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running_services(Environment(home=tmp_path)):
        raise ZeroDivisionError
    assert not EmbeddedPostgres(tmp_path).is_running()


def test_named_servers_are_used_and_none_is_started(tmp_path: Path) -> None:
    environment = Environment(
        database_url=SecretStr("postgresql://me@elsewhere/db"), redis_url=SecretStr("redis://elsewhere"), home=tmp_path
    )
    with running_services(environment) as running:
        assert running == environment
    assert not (tmp_path / "postgres").exists()


def test_missing_redis_program_leaves_the_platform_without_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_installed(*_: object) -> EmbeddedRedis:
        raise EmbeddedServerError("none installed")

    monkeypatch.setattr(services, "EmbeddedRedis", none_installed)
    environment = Environment(database_url=SecretStr("postgresql://me@elsewhere/db"), home=tmp_path)
    with running_services(environment) as running:
        assert running.redis_url is None


def test_second_holder_of_a_folder_is_refused_until_the_first_leaves(tmp_path: Path) -> None:
    with (
        sole_holder(tmp_path, "up"),
        pytest.raises(AlreadyRunningError, match="Another `trading up`"),
        sole_holder(tmp_path, "up"),
    ):
        pass
    with sole_holder(tmp_path, "up"):
        pass


def test_database_that_was_never_made_is_missed(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match="There is no database"),
        services.existing_database(Environment(home=tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:p%40ss@host:5432/db?sslmode=require", "postgresql://me@host/db?options=-cstatement_timeout%3D5s"],
)
def test_storage_url_keeps_the_users_options_and_names_driver_and_schema(url: str) -> None:
    given, made = urlsplit(url), urlsplit(dagster_storage_url(url))
    assert made.scheme == "postgresql+psycopg2"
    assert (made.netloc, made.path) == (given.netloc, given.path)
    options = parse_qs(made.query)["options"][0]
    assert "-csearch_path=dagster" in options
    for name, values in parse_qs(given.query).items():
        assert values[0] in parse_qs(made.query)[name][0]


def test_storage_url_reaches_the_schema_of_dagster(postgres_server: str) -> None:
    with psycopg.connect(dagster_storage_url(postgres_server).replace("+psycopg2", "")) as connection:
        row = connection.execute("show search_path").fetchone()
    assert row == ("dagster",)
