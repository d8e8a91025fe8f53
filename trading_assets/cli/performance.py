"""The table at the end of `trading demo`: how the account did, from the rows the graph has written."""

from __future__ import annotations

from typing import Any

import click

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
    """Print the figures of the account that traded last, as of its newest session."""
    from psycopg.rows import dict_row
    from rich.console import Console

    from trading_assets.adapters.postgres.database import Database

    with Database(database_url).transaction() as connection:
        row = connection.cursor(row_factory=dict_row).execute(QUERY).fetchone()
    if row is None:
        click.echo("Nothing was traded: analytics.performance has no row of the current account.")
        return
    console = Console(highlight=False)
    console.print(_table(row))
    if row["path"]:
        console.print(f"Report: {row['path']}", markup=False, soft_wrap=True)


def _table(row: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title=f"{row['account_id']}, {row['first_session']} to {row['session_date']}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("Equity", f"{row['equity_usd']:,.2f} USD"),
        ("Total return", _percent(row["total_return_pct"])),
        ("CAGR", _percent(row["cagr_pct"])),
        ("Volatility, annual", _percent(row["volatility_pct"])),
        ("Sharpe ratio", _ratio(row["sharpe"])),
        ("Sortino ratio", _ratio(row["sortino"])),
        ("Max drawdown", _percent(row["max_drawdown_pct"])),
        ("Fills", f"{row['fills']:,}"),
        ("Fees", f"{row['fees_usd']:,.2f} USD"),
    ):
        table.add_row(label, value)
    return table


def _percent(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:+.2f} %"


def _ratio(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:.2f}"
