"""`trading events`: what happened to the data, as a list or as it happens."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trading_assets.adapters.ports import EventBus
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.events import Event
    from trading_assets.settings import Environment

NEWEST = 20
SHOWN_ITEMS = 5


@click.command()
@click.option("--from", "first", type=click.IntRange(min=1), help=f"First event; without it the newest {NEWEST}.")
@click.option("--follow", is_flag=True, help="Go on with each new event as it comes, until Ctrl-C.")
@click.option("--topic", "topics", multiple=True, help="Only this topic; may be given again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for other programs.")
def events(first: int | None, follow: bool, topics: tuple[str, ...], as_json: bool) -> None:
    """What ingestion and the checks have changed, oldest first: number, time (UTC), topic, sessions, facts."""
    from trading_assets.adapters.event_relay import follow_events, recorded_events
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    environment = load_environment()
    with existing_database(environment) as url:
        database = Database(url)
        after = first - 1 if first else _before_the_newest(database)
        found = follow_events(database, _bus(environment), after) if follow else recorded_events(database, after)
        try:
            for event in found:
                if not topics or event.topic in topics:
                    click.echo(
                        json.dumps(asdict(event), default=lambda value: value.isoformat()) if as_json else _line(event)
                    )
        except KeyboardInterrupt:
            return


def _bus(environment: Environment) -> EventBus:
    from trading_assets.adapters.redis import RedisEventBus
    from trading_assets.cli.database import running_urls

    return RedisEventBus(running_urls(environment).get("REDIS_URL"))


def _before_the_newest(database: Database) -> int:
    from trading_assets.adapters.postgres.events import newest_event_no

    with database.transaction() as connection:
        return max(newest_event_no(connection) - NEWEST, 0)


def _json(event: Event) -> str:
    return json.dumps(asdict(event), default=lambda value: value.isoformat())


def _line(event: Event) -> str:
    sessions = f"{event.first_session}..{event.last_session}" if event.first_session else "-"
    facts = " ".join(f"{name}={_shown(value)}" for name, value in event.facts.items() if value != [])
    at = event.occurred_at.astimezone(UTC)
    return f"{event.event_no:>6}  {at:%Y-%m-%d %H:%M:%S}  {event.topic:<24}  {sessions:<22}  {facts}"


def _shown(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    more = [f"and {len(value) - SHOWN_ITEMS} more"] if len(value) > SHOWN_ITEMS else []
    return ",".join([*map(str, value[:SHOWN_ITEMS]), *more])
