"""The environment of the process: the only reader of os.environ.

Secrets live here only, and are SecretStr: they are never printed, logged or shown in the Dagster UI.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from trading_assets.settings.section import Section, SettingsError

PROJECT_ROOT = Path(__file__).parents[2]
CONFIG_NAME = "trading.yaml"
OVERRIDES_VARIABLE = "TRADING_OVERRIDES"
"""The environment variable with the settings of one run: JSON, values by dotted key. A rehearsal sets it."""


class Environment(Section):
    """What comes from environment variables. `database_url` None means: the embedded server of `make up`."""

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    smtp_url: SecretStr | None = None
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    polygon_api_key: SecretStr | None = None
    home: Path = Path(".trading")
    pg_bin: Path | None = None
    redis_bin: Path | None = None

    def required_database_url(self) -> str:
        """The URL of the database, or SettingsError when nobody has set or started one."""
        if self.database_url is None:
            raise SettingsError(
                "DATABASE_URL is not set. `make up` starts a PostgreSQL of its own and sets it; "
                "for your own server: export DATABASE_URL=postgresql://user:password@host:5432/name"
            )
        return self.database_url.get_secret_value()


def load_environment() -> Environment:
    """The URLs of servers, the keys of vendors, and where programs and state are; an empty variable counts as unset.

    Raises SettingsError, which never shows a value: a URL carries a password.
    """
    return Environment(
        database_url=_url("DATABASE_URL", ("postgresql", "postgres")),
        redis_url=_url("REDIS_URL", ("redis", "rediss", "unix")),
        smtp_url=_url("SMTP_URL", ("smtp", "smtps")),
        alpaca_api_key=_secret("ALPACA_API_KEY"),
        alpaca_secret_key=_secret("ALPACA_SECRET_KEY"),
        polygon_api_key=_secret("POLYGON_API_KEY"),
        home=_path("TRADING_HOME") or Path(".trading"),
        pg_bin=_path("TRADING_PG_BIN"),
        redis_bin=_path("TRADING_REDIS_BIN"),
    )


def _url(name: str, schemes: tuple[str, ...]) -> SecretStr | None:
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    scheme, separator, rest = value.partition("://")
    if scheme not in schemes or not separator or not rest:
        raise SettingsError(f"{name} must start with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return SecretStr(f"{schemes[0] if scheme == 'postgres' else scheme}://{rest}")


def _secret(name: str) -> SecretStr | None:
    value = os.environ.get(name, "").strip()
    return SecretStr(value) if value else None


def _path(name: str) -> Path | None:
    value = os.environ.get(name, "").strip()
    return Path(value).expanduser() if value else None


def load_env_file(path: Path = Path(".env")) -> None:
    """Take over the variables of a .env file, as `dagster dev` does; what the shell has set stays as it is."""
    from dotenv import load_dotenv

    load_dotenv(path)


def publish_environment(variables: Mapping[str, str]) -> None:
    """Set environment variables for Dagster and dbt, which read them in this process and in the ones it starts."""
    os.environ.update(variables)


@contextmanager
def temporary_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the block, for a library that reads them in this process."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def config_path() -> Path:
    """Where trading.yaml is looked for: TRADING_CONFIG, else the folder one is in, else the project's own."""
    if configured := os.environ.get("TRADING_CONFIG"):
        return Path(configured).expanduser()
    here = Path(CONFIG_NAME)
    return here if here.is_file() else PROJECT_ROOT / CONFIG_NAME


def run_overrides() -> dict[str, Any]:
    """The settings that hold for this run instead of those in trading.yaml, by dotted key. Raises SettingsError."""
    text = os.environ.get(OVERRIDES_VARIABLE, "").strip()
    try:
        overrides = json.loads(text or "{}")
    except ValueError as error:
        raise SettingsError(f"{OVERRIDES_VARIABLE} is not JSON: unset it.") from error
    if not isinstance(overrides, dict):
        raise SettingsError(f"{OVERRIDES_VARIABLE} must be values by dotted key: unset it.")
    return overrides
