"""Brings a database to the newest schema by the Alembic migrations of this folder."""

from __future__ import annotations

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Upgrade the database at `url` (postgresql://...) to the newest revision; a second call changes nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = "postgresql+psycopg://" + url.split("://", 1)[1]
    command.upgrade(config, "head")
