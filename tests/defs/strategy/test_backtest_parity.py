"""A backtest in memory decides, trades and ends as the graph's backfill of the same sessions, to the last byte."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import dagster as dg
import pandas as pd
import pytest

from trading_assets.adapters.backtests import Plan, plan_backtest, run_journal
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import BARS_DATASET, store_bars
from trading_assets.adapters.postgres.market_record import read_market_record
from trading_assets.adapters.postgres.quality import hold_gates, write_gates
from trading_assets.adapters.postgres.strategy import signals_between, targets_between
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.execution.assets import trading_session
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.settings import PROJECT_ROOT, load_trading_settings

SETTINGS = load_trading_settings(PROJECT_ROOT / "trading.yaml")
# Sixty-two sessions, with dividends, after enough history for the averages.
HISTORY, FIRST, LAST = date(2010, 9, 1), date(2011, 6, 1), date(2011, 8, 26)
AFTERWARDS = datetime(2013, 6, 3, tzinfo=UTC)


class Afterwards:
    def now(self) -> datetime:
        return AFTERWARDS


@pytest.fixture
def stored(database: Database) -> Database:
    """Bars, corporate actions and open gates of the sessions and of the history before; those of MSFT close in July."""
    source = SampleSource()
    bars = source.bars(SETTINGS.universe, Timeframe.SESSION, HISTORY, LAST, AFTERWARDS)
    judged = {(day, symbol): [] for day, symbol in zip(bars["session_date"], bars["symbol"], strict=True)}
    judged |= {(day, "MSFT"): ["bars_have_no_gaps"] for day in sessions_between(date(2011, 7, 1), LAST)}
    with database.transaction() as connection:
        store_bars(connection, bars)
        store_actions(connection, source.corporate_actions(SETTINGS.universe, HISTORY, LAST), source.name)
        hold_gates(connection)
        write_gates(connection, BARS_DATASET, judged, AFTERWARDS)
    return database


def backfilled(database: Database) -> None:
    """The graph's strategy and trading assets over the sessions."""
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(
            [*strategy_assets(SETTINGS), trading_session],
            instance=instance,
            resources={"database": database, "settings": SETTINGS, "clock": Afterwards()},
            tags={"dagster/asset_partition_range_start": f"{FIRST}", "dagster/asset_partition_range_end": f"{LAST}"},
        )


def recorded_hash(database: Database, plan: Plan, journal: Journal) -> str:
    """The hash of the ledger that `journal` makes in `database`."""
    with database.transaction() as connection:
        fingerprint, cash = plan.settings.fingerprint(), plan.terms.opening_cash_usd
        account = ledger.open_account(connection, plan.settings.broker.kind, fingerprint, FIRST, cash)
        assert account.account_id == plan.terms.account_id
        ledger.record(connection, journal)
    return ledger_hash(database, plan.terms.account_id)


def row_counts(database: Database) -> list[int]:
    tables = ("strategy.indicators", "strategy.signals", "strategy.targets", "risk.verdicts", "execution.equity")
    with database.transaction() as connection:
        return [connection.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]


def test_backtest_gives_the_signals_targets_and_ledger_of_a_backfill(
    stored: Database, new_database: Callable[[], Database]
) -> None:
    record = read_market_record(stored, SETTINGS, FIRST, LAST, AFTERWARDS)
    plan = plan_backtest(SETTINGS, record, {})
    journal = run_journal(plan, record)
    assert not any(row_counts(stored)), "a backtest writes nothing of the recorded ledger"

    backfilled(stored)

    strategies = load_strategies(SETTINGS)
    assert len(sessions_between(FIRST, LAST)) >= 60
    stored_signals = signals_between(stored, strategies, SETTINGS.universe, FIRST, LAST)
    signals = pd.concat([record.signals(one) for one in strategies], ignore_index=True)
    key = ["strategy", "decision_at", "symbol"]
    signals = signals.sort_values(key, ignore_index=True)[list(stored_signals.columns)]
    assert signals.astype(object).to_numpy().tolist() == stored_signals.astype(object).to_numpy().tolist()
    versions = {one.name: one.version for one in strategies}
    assert record.targets(strategies) == targets_between(stored, versions, FIRST, LAST)
    assert len(journal.fills) >= 8
    assert {verdict.outcome.value for verdict in journal.verdicts} >= {"approved", "denied"}
    assert recorded_hash(new_database(), plan, journal) == ledger_hash(stored)
