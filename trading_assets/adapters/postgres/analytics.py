"""The ledger as analytics reads it, and the rows of the schema `analytics` that are not dbt's.

Everything is about one account, up to and including one session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Fill, Record
from trading_assets.domain.performance.returns import Floats
from trading_assets.domain.performance.summary import Denials
from trading_assets.domain.values import Side

if TYPE_CHECKING:
    import pandas as pd

PERFORMANCE_COLUMNS = (
    "account_id",
    "session_date",
    "equity_usd",
    "return_pct",
    "total_return_pct",
    "drawdown_pct",
    "cagr_pct",
    "volatility_pct",
    "sharpe",
    "sortino",
    "max_drawdown_pct",
    "calmar",
    "exposure_pct",
)
PERFORMANCE = Table("analytics.performance", PERFORMANCE_COLUMNS[:2], PERFORMANCE_COLUMNS[2:])
REPORT_COLUMNS = ("account_id", "session_date", "path", "sha256")
REPORTS = Table("analytics.reports", REPORT_COLUMNS[:2], REPORT_COLUMNS[2:])


@dataclass(frozen=True, slots=True)
class ReportedAccount:
    """The account that traded last, with what a reader needs to find its configuration."""

    account_id: str
    broker: str
    fingerprint: str
    inception_session: date


def reported_account(connection: psycopg.Connection) -> ReportedAccount:
    """Raises NotFound before the first account traded."""
    row = connection.execute(
        "select account_id, broker, fingerprint, inception_session "
        "from execution.accounts join ops.current_account using (account_id)"
    ).fetchone()
    if row is None:
        raise NotFound("No account has traded yet: materialise execution/positions for a range of sessions first.")
    return ReportedAccount(*row)


def daily_equity(database: Database, account_id: str, until: date) -> pd.DataFrame:
    """One row a session up to `until`: session_date, equity_usd, the session's flow_usd, gross_usd of positions."""
    return database.frame(
        """
        with daily as (
            select distinct on (session_date) session_date, equity_usd, flows_usd, positions_usd
            from execution.equity
            where account_id = %(account)s and session_date <= %(until)s
            order by session_date, at desc
        ), gross as (
            select session_date, sum(abs(value_usd)) as gross_usd
            from execution.positions where account_id = %(account)s group by session_date
        )
        select session_date,
               equity_usd::float8,
               (flows_usd - lag(flows_usd, 1, 0::numeric) over (order by session_date))::float8 as flow_usd,
               coalesce(gross_usd, abs(positions_usd))::float8 as gross_usd
        from daily left join gross using (session_date)
        order by session_date
        """,
        account=account_id,
        until=until,
    )


def strategy_profit(database: Database, account_id: str, until: date) -> pd.DataFrame:
    """Cumulative profit (realised, unrealised, dividends; before fees) by session_date and strategy: profit_usd."""
    return database.frame(
        """
        select positions.session_date, positions.strategy,
               (sum(positions.realised_usd + positions.unrealised_usd) + coalesce((
                   select sum(amount_usd) from execution.activities
                   where activities.account_id = %(account)s and activities.strategy = positions.strategy
                     and activities.kind = 'dividend' and activities.session_date <= positions.session_date
               ), 0))::float8 as profit_usd
        from execution.positions
        where account_id = %(account)s and session_date <= %(until)s
        group by positions.session_date, positions.strategy
        order by positions.session_date, positions.strategy
        """,
        account=account_id,
        until=until,
    )


def total_return_relatives(database: Database, symbols: Sequence[str], first: date, until: date) -> pd.DataFrame:
    """What one dollar in each symbol became over each session: session_date, symbol, relative.

    From the last close of each session's newest bars; splits and distributions count on their ex-date. The first
    session of the range has no relative.
    """
    return database.frame(
        """
        with closes as (
            select distinct on (symbol, session_date) symbol, session_date, close
            from market.bars
            where symbol = any(%(symbols)s) and session_date between %(first)s and %(until)s
            order by symbol, session_date, closes_at desc, version desc
        )
        select session_date, symbol, relative from (
            select session_date, closes.symbol,
                   (close * coalesce(own_shares, 1) + coalesce(value_usd, 0))
                   / lag(close) over (partition by closes.symbol order by session_date) as relative
            from closes left join market.price_effects as effects
                on effects.symbol = closes.symbol and ex_date = session_date
        ) as priced
        where relative is not null
        order by session_date, symbol
        """,
        symbols=list(symbols),
        first=first,
        until=until,
    )


def buy_and_hold_returns(database: Database, symbols: Sequence[str], sessions: Sequence[date]) -> Floats:
    """Returns of the symbols bought in equal parts at the first session's close and held, one a session, no costs.

    A symbol that is listed later is bought at its own first close, from cash until then; dividends are reinvested.
    """
    relatives = total_return_relatives(database, symbols, sessions[0], sessions[-1])
    held = relatives.pivot_table(index="session_date", columns="symbol", values="relative")
    held = held.reindex(list(sessions)).fillna(1.0)
    worth = held.cumprod().mean(axis=1).to_numpy() if len(held.columns) else np.ones(len(sessions))
    return np.concatenate(([0.0], worth[1:] / worth[:-1] - 1))


def ledger_records(connection: psycopg.Connection, account_id: str, until: date) -> list[Record]:
    """All fills and activities of the sessions up to `until`."""
    fills = connection.execute(
        "select execution_id, client_order_id, account_id, strategy, symbol, side, qty, price, filled_at, booked_at, "
        "session_date from execution.fills where account_id = %s and session_date <= %s",
        (account_id, until),
    )
    records: list[Record] = [
        Fill(execution, order, account, strategy, symbol, Side(side), qty, price, filled_at, booked_at, session)
        for execution, order, account, strategy, symbol, side, qty, price, filled_at, booked_at, session in fills
    ]
    activities = connection.execute(
        "select activity_id, account_id, kind, at, settles_on, session_date, strategy, symbol, qty_delta, amount_usd "
        "from execution.activities where account_id = %s and session_date <= %s",
        (account_id, until),
    )
    records += [
        Activity(
            identity, account, ActivityKind(kind), at, settles_on, session, strategy, symbol, qty_delta, amount_usd
        )
        for identity, account, kind, at, settles_on, session, strategy, symbol, qty_delta, amount_usd in activities
    ]
    return records


def denials(connection: psycopg.Connection, account_id: str, until: date) -> list[Denials]:
    """Denied and reduced intents by strategy and first reason, the most frequent first."""
    rows = connection.execute(
        "select strategy, coalesce(reason_codes[1], ''), outcome, count(*) from risk.verdicts "
        "where account_id = %s and session_date <= %s and outcome <> 'approved' "
        "group by 1, 2, 3 order by count(*) desc, 1, 2, 3",
        (account_id, until),
    )
    return [Denials(*row) for row in rows]


def write_performance(connection: psycopg.Connection, rows: Iterable[Sequence[Any]]) -> int:
    """Rows in the order of PERFORMANCE_COLUMNS; returns how many were new or changed."""
    return merge(connection, PERFORMANCE, PERFORMANCE_COLUMNS, rows)


def write_report(connection: psycopg.Connection, account_id: str, session: date, path: str, sha256: str) -> int:
    return merge(connection, REPORTS, REPORT_COLUMNS, [(account_id, session, path, sha256)])
