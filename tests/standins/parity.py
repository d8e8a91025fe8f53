"""What the ways of living through the same sessions are compared by: signals, and the hash of a ledger."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pandas as pd

from trading_assets.adapters.backtests import Plan
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import BARS_DATASET
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.domain.backtest import MarketRecord
from trading_assets.domain.journal import Journal

KEY = ["strategy", "decision_at", "symbol"]
COLUMNS = [*KEY, "strategy_version", "session_date", "signal", "reason"]


def open_gates(database: Database, bars: pd.DataFrame, at: datetime) -> None:
    """The quality gate of every bar, as if all its checks had passed."""
    judged = {pair: [] for pair in zip(bars["session_date"], bars["symbol"], strict=True)}
    with database.transaction() as connection:
        hold_gates(connection)
        write_gates(connection, BARS_DATASET, judged, at)


def stored_signals(database: Database, first: date, last: date) -> list[list[Any]]:
    """Every signal of the sessions first..last with its reason, by strategy, time and symbol."""
    with database.transaction() as connection:
        rows = connection.execute(
            """
            select strategy, decision_at, symbol, strategy_version, session_date, signal, reason from strategy.signals
            where session_date between %s and %s order by strategy collate "C", decision_at, symbol collate "C"
            """,
            (first, last),
        ).fetchall()
    return [list(row) for row in rows]


def signals_of(record: MarketRecord, plan: Plan) -> list[list[Any]]:
    """The same of a backtest."""
    signals = pd.concat([record.signals(one) for one in plan.strategies], ignore_index=True)
    signals = signals.sort_values(KEY, ignore_index=True)[COLUMNS]
    signals["decision_at"] = signals["decision_at"].map(lambda at: at.to_pydatetime())
    rows: list[list[Any]] = signals.astype(object).to_numpy().tolist()
    return rows


def recorded_hash(database: Database, plan: Plan, journal: Journal) -> str:
    """The hash of the ledger that `journal` makes in `database`."""
    with database.transaction() as connection:
        fingerprint, cash = plan.settings.fingerprint(), plan.terms.opening_cash_usd
        account = ledger.open_account(connection, plan.settings.broker.kind, fingerprint, plan.first, cash)
        assert account.account_id == plan.terms.account_id
        ledger.record(connection, journal)
    return ledger_hash(database, plan.terms.account_id)
