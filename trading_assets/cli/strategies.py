"""`trading strategy`: which strategies there are, who may open positions, and who may trade on paper and live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import datetime

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.domain.strategy.states import StrategyStatus
    from trading_assets.domain.strategy.strategy import ConfiguredStrategy
    from trading_assets.settings import TradingSettings

BY = click.option("--by", required=True, help="Who decides it.")
WHY = click.option("--why", required=True, help="The reason.")
STAGE_WIDTH = len("research")


@click.group()
def strategy() -> None:
    """The strategies of the portfolio."""


@strategy.command("list")
def list_strategies() -> None:
    """Every configured strategy with its stage, version and status, and what else is on offer."""
    from trading_assets.adapters.plugins import find_strategies, source_sha256, usable_strategies
    from trading_assets.adapters.postgres.promotions import promotions_of
    from trading_assets.adapters.postgres.strategy_states import state_events
    from trading_assets.cli.clock import graph_time
    from trading_assets.domain.strategy.promotions import stage_of
    from trading_assets.domain.strategy.states import StrategyStatus, event_in_force, status_at
    from trading_assets.settings import load_trading_settings

    settings = load_trading_settings()
    catalogue = find_strategies(settings)
    configured, refused = usable_strategies(settings, catalogue)
    with _database() as database, database.transaction() as connection:
        now = graph_time(database)
        names = [one.name for one in configured]
        events, promotions = state_events(connection, names), promotions_of(connection, names)
    for one in configured:
        own = [event for event in events if event.strategy == one.name]
        status, event = status_at(own, now), event_in_force(own, now)
        promoted = [promotion for promotion in promotions if promotion.strategy == one.name]
        stage = stage_of(promoted, one.version, source_sha256(type(one.strategy)))
        line = f"{stage:<{STAGE_WIDTH}} {one.name} ({one.version}): {status.in_words}"
        if event and status is not StrategyStatus.ENABLED:
            until = f" until {event.until:%Y-%m-%d %H:%M} UTC" if event.until else ""
            line += f"{until}, since {event.at:%Y-%m-%d %H:%M} UTC, by {event.set_by}: {event.why}"
        click.echo(line)
    for error in refused:
        click.echo(f"Configured, not usable: {error}")
    if others := sorted(set(catalogue.offers) - set(settings.strategies)):
        click.echo(f"On offer, not configured: {', '.join(others)}")
    for broken in catalogue.broken:
        click.echo(f"Not usable: {broken.problem}")


@strategy.command("pause")
@click.argument("name")
@BY
@WHY
@click.option("--until", help="The end of the pause, in UTC: 2022-05-02T15:30Z.  [default: until it is enabled]")
def pause(name: str, by: str, why: str, until: str | None) -> None:
    """Give the strategy NAME no new positions from now on; it may reduce those that it has."""
    from trading_assets.domain.strategy.states import StrategyStatus, moment_in_utc, status_for

    try:
        end = moment_in_utc(until) if until else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    _change(name, status_for(StrategyStatus.PAUSED, end), by, why, end)


@strategy.command("enable")
@click.argument("name")
@BY
@WHY
def enable(name: str, by: str, why: str) -> None:
    """Let the strategy NAME open positions again; on paper or live its version must have passed `trading prove`."""
    from trading_assets.adapters.postgres.promotions import enable as enable_strategy
    from trading_assets.cli.clock import graph_time
    from trading_assets.settings import load_trading_settings

    settings = load_trading_settings()
    chosen = _configured(settings, name)
    with _database() as database, database.transaction() as connection:
        event, warning = enable_strategy(connection, chosen, settings.broker.venue, by, why, graph_time(database))
    click.echo(f"Strategy {name} is {event.state.in_words}.")
    if warning:
        click.echo(f"Warning: {warning}", err=True)


@strategy.command("promote")
@click.argument("name")
@click.option("--to", "stage", required=True, type=click.Choice(["paper", "live"]), help="The stage.")
@BY
@WHY
def promote_strategy(name: str, stage: str, by: str, why: str) -> None:
    """Let the strategy NAME, as it is configured and written now, trade on paper or live.

    Its version must have passed `trading prove` and have a stored backtest; live needs paper first.
    """
    from trading_assets.adapters.postgres.promotions import promote
    from trading_assets.domain.strategy.promotions import Stage
    from trading_assets.settings import load_trading_settings

    chosen = _configured(load_trading_settings(), name)
    with _database() as database, database.transaction() as connection:
        done = promote(connection, chosen, Stage(stage), by, why)
    click.echo(
        f"Strategy {name} ({done.strategy_version}, source {done.source_sha256[:12]}) is promoted to {done.stage}."
    )


def _change(name: str, status: StrategyStatus, by: str, why: str, until: datetime | None) -> None:
    from trading_assets.adapters.postgres.strategy_states import set_status
    from trading_assets.cli.clock import graph_time
    from trading_assets.settings import load_trading_settings

    if name not in (known := load_trading_settings().strategies):
        raise _unknown(name, known)
    with _database() as database, database.transaction() as connection:
        event = set_status(connection, name, status, by, why, graph_time(database), until)
    end = f" until {event.until:%Y-%m-%d %H:%M} UTC" if event.until else ""
    click.echo(f"Strategy {name} is {event.state.in_words}{end}.")


def _configured(settings: TradingSettings, name: str) -> ConfiguredStrategy:
    from trading_assets.adapters.plugins import load_strategies

    configured = {one.name: one for one in load_strategies(settings)}
    if name not in configured:
        raise _unknown(name, configured)
    return configured[name]


def _unknown(name: str, known: Iterable[str]) -> click.ClickException:
    return click.ClickException(f"trading.yaml configures no strategy {name!r}. Configured: {', '.join(known)}.")


@contextmanager
def _database() -> Iterator[Database]:
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url:
        yield Database(url)
