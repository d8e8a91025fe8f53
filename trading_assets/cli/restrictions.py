"""`trading restrict`: symbols that nobody may trade, or of which nothing new is opened, by a person with a reason."""

from __future__ import annotations

import click


@click.command()
@click.argument("symbol", required=False)
@click.option("--watch", "is_watch", is_flag=True, help="Put it on the watch list: it may still be closed.")
@click.option("--lift", "is_lift", is_flag=True, help="Take it off both lists.")
@click.option("--by", help="Who decides it.")
@click.option("--why", help="Why.")
def restrict(symbol: str | None, is_watch: bool, is_lift: bool, by: str | None, why: str | None) -> None:
    """Put SYMBOL on the restricted list; without SYMBOL, show the lists and every change of them."""
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.restrictions import restrict as change_list
    from trading_assets.adapters.postgres.restrictions import restrictions
    from trading_assets.cli.clock import graph_time
    from trading_assets.domain.risk.standings import RestrictionKind
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    if is_watch and is_lift:
        raise click.UsageError("Give --watch or --lift, not both.")
    with existing_database(load_environment()) as url:
        database = Database(url)
        now = graph_time(database)
        with database.transaction() as connection:
            if symbol is None:
                changes = restrictions(connection)
                risk = load_trading_settings().risk
                for name, symbols in (("restricted", risk.restricted), ("watch", risk.watch)):
                    if symbols:
                        click.echo(f"trading.yaml, risk.{name}: {', '.join(symbols)}")
                for one in changes:
                    click.echo(f"{one.at:%Y-%m-%d %H:%M} UTC  {one.symbol} {one.kind} by {one.set_by}: {one.why}")
                if not changes:
                    click.echo("Nobody has put a symbol on a list.")
                return
            kind = RestrictionKind.RESTRICTED
            if is_lift:
                kind = RestrictionKind.FREE
            elif is_watch:
                kind = RestrictionKind.WATCHED
            done = change_list(connection, symbol, kind, by or "", why or "", now)
    click.echo(f"{done.symbol} is {done.kind} from {done.at:%Y-%m-%d %H:%M} UTC on.")
