"""Every breaker that tripped is still tripped after kill -9, whatever the process was about to do; a name clears it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.breakers import clear_breaker, tripped_breakers
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.risk.breakers import Breaker, effective_state
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.simulation import account_snapshot

AT = datetime(2012, 6, 1, 20, tzinfo=UTC)
DAY = date(2012, 6, 1)
LATER = datetime(2012, 6, 4, 20, tzinfo=UTC)

# Trips every breaker at the close of its first session, and dies while all of them are about to be cleared.
DIES = """
import os, signal, sys
from datetime import datetime
from decimal import Decimal
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.breakers import clear_breaker
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.breakers import Breaker, Trip
from trading_assets.domain.simulation import equity_point, open_book, trip_breaker

database, at = Database(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
with database.transaction() as connection:
    opened = ledger.open_account(connection, "simulated", "0" * 8, at.date(), Decimal(100_000))
    account, journal = open_book(opened.account_id, Decimal(100_000), session(at.date()))
    account.session_date, account.as_of = at.date(), at
    journal.equity.append(equity_point(account))
    for breaker in Breaker:
        trip_breaker(account, Trip(breaker, {"value": "7", "limit": "5"}), at, journal)
    ledger.record(connection, journal)
with database.transaction() as connection:
    for breaker in Breaker:
        clear_breaker(connection, opened.account_id, breaker.value, "Ada", "all is well", at, at.date())
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def survivor(new_module_database: Callable[..., Database]) -> Database:
    database = new_module_database()
    killed = subprocess.run([sys.executable, "-c", DIES, database.url, AT.isoformat()], check=False)
    assert killed.returncode == -signal.SIGKILL
    return database


def only_account(database: Database) -> str:
    with database.transaction() as connection:
        (record,) = ledger.accounts(connection)
    return record.account_id


@pytest.mark.parametrize("breaker", Breaker)
def test_breaker_is_still_tripped_after_its_process_was_killed(survivor: Database, breaker: Breaker) -> None:
    account_id = only_account(survivor)
    with survivor.transaction() as connection:
        event = tripped_breakers(connection, account_id, LATER)[breaker]
        account = ledger.load_account(connection, account_id, LATER)
    assert (event.at, event.cause["value"], event.cause["limit"]) == (AT, "7", "5")
    assert account is not None
    account.tripped = {breaker.value: account.tripped[breaker]}
    state = effective_state(account_snapshot(account, LATER, {}, {}))
    assert state is (TradingState.ACTIVE if breaker is Breaker.DAILY_LOSS else TradingState.REDUCING)


@pytest.mark.parametrize("breaker", Breaker)
def test_breaker_is_cleared_by_a_name_and_by_nothing_else(survivor: Database, breaker: Breaker) -> None:
    account_id = only_account(survivor)
    with pytest.raises(ContractBroken), survivor.transaction() as connection:
        clear_breaker(connection, account_id, breaker.value, "", "all is well", LATER, DAY)
    with survivor.transaction() as connection:
        clear_breaker(connection, account_id, breaker.value, "Ada", "understood", LATER, DAY)
        assert breaker not in tripped_breakers(connection, account_id, LATER)
        connection.rollback()


def test_baseline_of_the_losses_survives_too(survivor: Database) -> None:
    with survivor.transaction() as connection:
        account = ledger.load_account(connection, only_account(survivor), LATER)
    assert account is not None
    assert (account.book.high_water_mark, account.start_equity_usd) == (Decimal(100_000), Decimal(100_000))
