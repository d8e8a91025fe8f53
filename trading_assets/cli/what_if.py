"""`trading whatif`: what other limits would have denied in recorded sessions, and what that would have been worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.table import Table

    from trading_assets.domain.what_if import Difference, WhatIf

MOST_SHOWN = 20
DAY = click.DateTime(["%Y-%m-%d"])


@click.command("whatif")
@click.option("--from", "first", type=DAY, required=True, help="First session.")
@click.option("--to", "last", type=DAY, required=True, help="Last session.")
@click.option("--limit", "limits", multiple=True, required=True, metavar="NAME=VALUE", help="A limit to try.")
def what_if(first: datetime, last: datetime, limits: tuple[str, ...]) -> None:
    """Review recorded sessions again under other limits; nothing is stored."""
    from rich.console import Console

    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.defs.execution.trading_desk import TradingDesk
    from trading_assets.domain.market.sessions import sessions_between
    from trading_assets.range_run import NoSessionsError
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings, read_override

    console = Console(highlight=False)
    settings, tried = load_trading_settings(), dict(map(read_override, limits))
    days = sessions_between(first.date(), last.date())
    if not days:
        raise NoSessionsError(f"There is no trading session from {first.date()} to {last.date()}.")
    with existing_database(load_environment()) as url:
        database = Database(url)
        desk = TradingDesk(database, settings, clock_of(settings, database).now())
        with console.status(f"Living through {days[0]} to {days[-1]} twice"):
            outcome = desk.what_if(days[0], days[-1], tried)
    told = ", ".join(limits)
    console.print(f"Sessions {days[0]} to {days[-1]} with {told}", markup=False, soft_wrap=True)
    if outcome.differences:
        console.print(_table(outcome.differences))
    if len(outcome.differences) > MOST_SHOWN:
        console.print(f"The first {MOST_SHOWN} of {len(outcome.differences)}.")
    for line in _summary(outcome):
        console.print(line, markup=False, soft_wrap=True)


def _table(differences: Sequence[Difference]) -> Table:
    from rich.table import Table

    table = Table("Decision, UTC", "Strategy", "Intent", "Recorded", "Then", "Why")
    for one in differences[:MOST_SHOWN]:
        intent = one.recorded.intent
        table.add_row(
            f"{intent.decision_at:%Y-%m-%d %H:%M}",
            intent.strategy,
            f"{intent.side} {_shares(intent.qty)} {intent.symbol}",
            _shares(one.recorded.approved_qty),
            _shares(one.otherwise.approved_qty),
            ", ".join(one.otherwise.reason_codes or one.recorded.reason_codes),
        )
    return table


def _summary(outcome: WhatIf) -> list[str]:
    verdicts = len(outcome.recorded.verdicts)
    denied = sum(not one.otherwise.approved_qty for one in outcome.differences)
    less = sum(0 < one.otherwise.approved_qty < one.recorded.approved_qty for one in outcome.differences)
    more = len(outcome.differences) - denied - less
    lines = [
        f"Of {verdicts:,} recorded verdicts {denied:,} would have been denials, {less:,} smaller, and {more:,} larger."
    ]
    if outcome.recorded.equity:
        before = outcome.recorded.equity[-1].equity_usd
        lines.append(
            f"Equity at the end: {_usd(before)} as recorded, {_usd(before + outcome.worth_usd)} with these limits all "
            f"along: {outcome.worth_usd:+,.2f} USD."
        )
    return [*lines, "Nothing was stored."]


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


def _shares(qty: Decimal) -> str:
    return f"{qty.normalize():f}"
