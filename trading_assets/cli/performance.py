"""The table at the end of `trading demo`: how the account did, from the rows the graph has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.domain.performance.returns import Floats

NOT_ENOUGH_DATA = "-"
QUERY = """
    select performance.*,
           (select count(*) from execution.fills where fills.account_id = performance.account_id) as fills,
           (select coalesce(-sum(amount_usd), 0) from execution.activities
             where activities.account_id = performance.account_id and kind in ('fee_sec', 'fee_taf')) as fees_usd,
           (select min(first.session_date) from analytics.performance as first
             where first.account_id = performance.account_id) as first_session,
           report.path
    from analytics.performance
    left join analytics.reports as report using (account_id, session_date)
    where account_id = (select account_id from ops.current_account)
    order by session_date desc
    limit 1
"""


def show_performance(database_url: str) -> None:
    """Print the figures of the account that traded last, as of its newest session, beside buying and holding."""
    from psycopg.rows import dict_row
    from rich.console import Console

    from trading_assets.adapters.postgres.database import Database

    database = Database(database_url)
    with database.transaction() as connection:
        row = connection.cursor(row_factory=dict_row).execute(QUERY).fetchone()
    if row is None:
        click.echo("Nothing was traded: analytics.performance has no row of the current account.")
        return
    console = Console(highlight=False)
    heading = f"Account {row['account_id']}, sessions {row['first_session']} to {row['session_date']}"
    console.print(heading, markup=False, soft_wrap=True)
    console.print(_table(row, _buy_and_hold(database, row)))
    if row["path"]:
        console.print(f"Report: {row['path']}", markup=False, soft_wrap=True)


def _buy_and_hold(database: Database, row: dict[str, Any]) -> Floats:
    """Returns of the universe bought in equal parts in the first session and held, one a session."""
    from trading_assets.defs.analytics.assets import report_data
    from trading_assets.settings import load_trading_settings

    return report_data(database, load_trading_settings().universe, row["session_date"]).benchmark_returns


def _table(row: dict[str, Any], held: Floats) -> Any:
    from rich.table import Table

    from trading_assets.domain.performance import metrics

    table = Table("", "Account", "Buy and hold")
    for column in table.columns[1:]:
        column.justify = "right"
    percentages = (
        ("Total return", "total_return_pct", metrics.total_return),
        ("CAGR", "cagr_pct", metrics.cagr),
        ("Volatility, annual", "volatility_pct", metrics.volatility),
        ("Max drawdown", "max_drawdown_pct", metrics.max_drawdown),
    )
    for label, column, of in percentages:
        value = of(held)
        table.add_row(label, _percent(row[column]), _percent(None if value is None else 100 * value))
    for label, column, ratio in (
        ("Sharpe ratio", "sharpe", metrics.sharpe),
        ("Sortino ratio", "sortino", metrics.sortino),
    ):
        table.add_row(label, _ratio(row[column]), _ratio(ratio(held)))
    table.add_row("Equity", f"{row['equity_usd']:,.2f} USD")
    table.add_row("Fills", f"{row['fills']:,}")
    table.add_row("Fees", f"{row['fees_usd']:,.2f} USD")
    return table


def _percent(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:+.2f} %"


def _ratio(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:.2f}"
