"""`trading clock`: the time of a rehearsal (trading.yaml: `clock: replay`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database


@click.group()
def clock() -> None:
    """The time of a rehearsal."""


@clock.command("show")
def show() -> None:
    """The time the graph goes by now."""
    from trading_assets.adapters.clock import WallClock
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    if load_trading_settings().clock == "wall":
        click.echo(f"{WallClock().now().isoformat(timespec='seconds')} (wall clock)")
        return
    with existing_database(load_environment()) as url:
        click.echo(f"{graph_time(Database(url)).isoformat(timespec='seconds')} (rehearsal)")


def graph_time(database: Database) -> datetime:
    """The time the graph goes by, UTC: the wall's, or the rehearsal's."""
    from trading_assets.adapters.clock import ReplayClock, WallClock
    from trading_assets.settings import load_trading_settings

    return ReplayClock(database).now() if load_trading_settings().clock == "replay" else WallClock().now()


@clock.command("set")
@click.argument("at", type=click.DateTime(["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]))
def set_clock(at: datetime) -> None:
    """Set the rehearsal's time to AT, in UTC: 2022-05-02T15:30Z."""
    from trading_assets.adapters.clock import set_replay_clock
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import SettingsError, load_environment, load_trading_settings

    if load_trading_settings().clock == "wall":
        raise SettingsError("The graph goes by the wall clock. Set `clock: replay` in trading.yaml for a rehearsal.")
    with existing_database(load_environment()) as url:
        set_replay_clock(Database(url), at.replace(tzinfo=UTC))
