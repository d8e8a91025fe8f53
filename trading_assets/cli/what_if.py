"""`trading whatif`: what other limits would have denied in recorded sessions, and what that would have been worth."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.table import Table

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.scenarios import Effect, Scenario

MOST_SHOWN = 20
DAY = click.DateTime(["%Y-%m-%d"])


@click.group("whatif", invoke_without_command=True)
@click.option("--from", "first", type=DAY, help="First session.")
@click.option("--to", "last", type=DAY, help="Last session.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="A limit to try.")
@click.pass_context
def what_if(context: click.Context, first: datetime | None, last: datetime | None, limits: tuple[str, ...]) -> None:
    """Review recorded sessions again under other limits; what comes out is stored as a scenario."""
    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.defs.execution.trading_desk import TradingDesk
    from trading_assets.domain.market.sessions import sessions_between
    from trading_assets.range_run import NoSessionsError
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings, read_override

    if context.invoked_subcommand is not None:
        return
    if first is None or last is None or not limits:
        raise click.UsageError("Give --from, --to and at least one --limit; `list` and `show` read what was stored.")
    settings, tried = load_trading_settings(), dict(map(read_override, limits))
    days = sessions_between(first.date(), last.date())
    if not days:
        raise NoSessionsError(f"There is no trading session from {first.date()} to {last.date()}.")
    with existing_database(load_environment()) as url:
        database = Database(url)
        desk = TradingDesk(database, settings, clock_of(settings, database).now())
        scenario_id = desk.store_what_if(days[0], days[-1], tried)
        _show(database, scenario_id, MOST_SHOWN)


@what_if.command("list")
def list_scenarios() -> None:
    """Every scenario that was stored, the newest last."""
    from rich.console import Console
    from rich.table import Table

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.scenarios import scenarios
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url, Database(url).transaction() as connection:
        found = scenarios(connection)
    if not found:
        click.echo("No scenario is stored.")
        return
    table = Table("Scenario", "Sessions", "Limits", "Denied", "Smaller", "Larger", "Worth, USD")
    for one in found:
        counts = (f"{one.denied_count:,}", f"{one.smaller_count:,}", f"{one.larger_count:,}")
        span = f"{one.first_session} to {one.last_session}"
        table.add_row(one.scenario_id[:12], span, _limits(one), *counts, f"{one.worth_usd:+,.2f}")
    Console(highlight=False).print(table)


@what_if.command("show")
@click.argument("scenario")
def show_scenario(scenario: str) -> None:
    """All that the scenario with this id, or the beginning of one, would have answered otherwise."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    with existing_database(load_environment()) as url:
        _show(Database(url), scenario)


def _show(database: Database, prefix: str, most: int | None = None) -> None:
    from rich.console import Console

    from trading_assets.adapters.postgres.scenarios import effects, scenario

    console = Console(highlight=False)
    with database.transaction() as connection:
        found = scenario(connection, prefix)
        differing = effects(connection, found.scenario_id)
    sessions = f"Sessions {found.first_session} to {found.last_session}"
    console.print(f"{sessions} with {_limits(found)}", markup=False, soft_wrap=True)
    if differing:
        console.print(_table(differing[:most]))
    if most is not None and len(differing) > most:
        console.print(f"The first {most} of {len(differing)}.")
    for line in _summary(found):
        console.print(line, markup=False, soft_wrap=True)


def _limits(scenario: Scenario) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(scenario.limits.items()))


def _table(differing: Iterable[Effect]) -> Table:
    from rich.table import Table

    table = Table("Decision, UTC", "Strategy", "Intent", "Recorded", "Then", "Why", "Effect, USD")
    for one in differing:
        table.add_row(
            f"{one.decision_at:%Y-%m-%d %H:%M}",
            one.strategy,
            f"{one.side} {one.symbol}",
            _shares(one.recorded_qty),
            _shares(one.approved_qty),
            ", ".join(one.reason_codes),
            "-" if one.effect_usd is None else f"{one.effect_usd:+,.2f}",
        )
    return table


def _summary(scenario: Scenario) -> list[str]:
    before, after = scenario.recorded_equity_usd, scenario.scenario_equity_usd
    return [
        f"Of {scenario.verdict_count:,} recorded verdicts {scenario.denied_count:,} would have been denials, "
        f"{scenario.smaller_count:,} smaller, and {scenario.larger_count:,} larger.",
        f"Equity at the end: {_usd(before)} as recorded, {_usd(after)} with these limits all along: "
        f"{scenario.worth_usd:+,.2f} USD.",
        f"No recorded verdict was touched. This is scenario {scenario.scenario_id[:12]}.",
    ]


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


def _shares(qty: Decimal) -> str:
    return f"{qty.normalize():f}"
