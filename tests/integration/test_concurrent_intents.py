"""Fifty intents that fit one by one and not together: exactly as many pass as fit, however many ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.domain import simulation
from trading_assets.domain.execution.orders import WorkingOrder
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.strategy.targets import Target
from trading_assets.settings import TradingSettings

DAY = session(date(2012, 11, 26))
NOW = DAY.closes_at + timedelta(seconds=30)
SYMBOLS = [f"S{number:02}" for number in range(50)]
FITTING = 8
"""Each wants a tenth of the equity; 80 % may be invested."""
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": SYMBOLS,
        "timeframes": ["1d"],
        "strategies": {"buy_and_hold": {"capital_weight": 1.0}},
        "risk": {"max_position": 0.2, "max_order_notional": 0.2, "max_gross_exposure": 0.8, "rebalance_band": 0.0},
        "broker": {"volume_limit": 1},
    }
)
(STRATEGY,) = load_strategies(SETTINGS)
WEIGHT = 0.1


@pytest.fixture
def prepared(database: Database) -> Database:
    """Fifty sound bars of one session, and a target for each."""
    listed = [Instrument(symbol, symbol, "XNYS", is_tradable=True) for symbol in SYMBOLS]
    with database.transaction() as connection, connection.cursor() as cursor:
        store_instruments(connection, listed, "test")
        for symbol in SYMBOLS:
            cursor.execute(
                "insert into market.bars (symbol, timeframe, ts, closes_at, session_date, open, high, low, close, "
                "volume, source) values (%s, '1d', %s, %s, %s, 50, 50, 50, 50, 1e6, 'test')",
                (symbol, DAY.opens_at, DAY.closes_at, DAY.date),
            )
            cursor.execute(
                "insert into ops.quality_gates (dataset, session_date, symbol, state) "
                "values ('market/bars', %s, %s, 'open')",
                (DAY.date, symbol),
            )
            cursor.execute(
                "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, signal, "
                "capital_weight, target_weight) values (%s, %s, %s, %s, %s, 1, 1, %s)",
                (STRATEGY.name, STRATEGY.version, symbol, DAY.closes_at, DAY.date, WEIGHT),
            )
    return database


def at_once(count: int, work: Callable[[int], Any]) -> None:
    """`work` of 0, 1, 2 ... in `count` threads, which begin together."""
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))


def approved(database: Database) -> list[str]:
    with database.transaction() as connection:
        rows = connection.execute("select symbol, outcome from risk.verdicts order by symbol").fetchall()
    assert len(rows) == len(SYMBOLS)
    return [symbol for symbol, outcome in rows if outcome != "denied"]


def test_desks_that_decide_and_submit_at_once_do_what_one_would(prepared: Database) -> None:
    desk = TradingDesk(prepared, SETTINGS, NOW)
    at_once(4, lambda _: desk.decide(DAY.date))
    assert approved(prepared) == SYMBOLS[:FITTING]
    at_once(4, lambda _: desk.submit(DAY.date))
    with prepared.transaction() as connection:
        sent = connection.execute("select symbol from execution.orders order by symbol").fetchall()
    assert [symbol for (symbol,) in sent] == SYMBOLS[:FITTING]


@pytest.mark.parametrize("is_locked", [True, False])
def test_reviews_of_one_intent_each_fit_together_because_of_the_lock(prepared: Database, is_locked: bool) -> None:
    rules = rules_of(SETTINGS)
    with prepared.transaction() as connection:
        record = ledger.open_account(connection, "simulated", SETTINGS.fingerprint(), DAY.date, Decimal(100_000))
        account, journal = simulation.open_book(record.account_id, record.opening_cash_usd, DAY)
        account.as_of, account.session_date = DAY.closes_at, DAY.date
        journal.equity.append(simulation.equity_point(account))
        ledger.record(connection, journal)
    reviewed = threading.Barrier(len(SYMBOLS))

    def review_one(number: int) -> None:
        with prepared.transaction() as connection:
            if is_locked:
                ledger.lock_ledger(connection)
            journal = decided(connection, SYMBOLS[number])
            if not is_locked:
                reviewed.wait()
            ledger.record(connection, journal)

    def decided(connection: psycopg.Connection, symbol: str) -> Journal:
        account = ledger.load_account(connection, record.account_id, NOW)
        assert account is not None
        for verdict, approval in reviews.unsent_approvals(connection, record.account_id):
            order = simulation.market_order(verdict.intent, approval.qty, approval.approved_at)
            account.working[order.client_order_id] = WorkingOrder.approved(order)
        target = Target(STRATEGY.name, STRATEGY.version, symbol, DAY.closes_at, DAY.date, Decimal(str(WEIGHT)))
        prices = map(Decimal, (50, 50, 50, 50, 1_000_000))
        bar = Bar(symbol, DAY.opens_at, DAY.closes_at, DAY.date, *prices)
        standings = always_tradable(SYMBOLS)
        moment = simulation.Moment(DAY.closes_at, DAY, [bar], (), [target], {symbol: "open"}, standings=standings)
        journal = Journal()
        simulation.decide(account, moment, rules, {}, journal, approved_at=NOW)
        return journal

    at_once(len(SYMBOLS), review_one)

    assert len(approved(prepared)) == (FITTING if is_locked else len(SYMBOLS))
