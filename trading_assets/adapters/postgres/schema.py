"""Brings a database to the newest schema by the Alembic migrations of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Upgrade the database at `url` (postgresql://...) to the newest revision; a second call changes nothing."""
    from alembic import command

    config = _config()
    config.attributes["url"] = "postgresql+psycopg://" + url.split("://", 1)[1]
    command.upgrade(config, "head")


def newest_revision() -> str | None:
    """The revision the program expects."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def current_revision(url: str) -> str | None:
    """The revision of the database at `url`, None when it was never migrated."""
    with Database(url).transaction() as connection:
        found = connection.execute("select to_regclass('public.schema_version')").fetchone()
        if found is None or found[0] is None:
            return None
        row = connection.execute("select version_num from public.schema_version").fetchone()
        return str(row[0]) if row else None


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
