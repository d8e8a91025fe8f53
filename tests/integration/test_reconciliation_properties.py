"""A comparison done twice is done once, in whatever order the broker answers, and whenever it is killed.

Sound histories stay without a break.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import MakeDatabase
from standins.broker_rehearsals import MONDAY, VenueRehearsal, new_york, simulated
from standins.compared_account import SYMBOLS, ComparedAccount
from standins.spoiled_broker import SpoiledBroker

from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.execution.broker_records import BrokerFill, OrderRequest
from trading_assets.domain.execution.orders import TERMINAL, OrderStatus
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.values import Side

D = Decimal
MINUTE = timedelta(minutes=1)
ACCOUNTS, MOMENTS = 15, 20
FACTS = (
    "select execution_id, client_order_id, qty, price, filled_at, booked_at from execution.fills order by 1",
    "select activity_id, kind, symbol, qty_delta, amount_usd, at, detail from execution.activities order by 1",
    "select client_order_id, event_no, status, at from execution.order_events order by 1, 2",
    "select broker_order_id, client_order_id from execution.broker_orders order by 1",
    "select incident_id, kind, subject, symbol from execution.incidents order by 1",
    "select message_id from notification.messages where event in ('break_found', 'incident_opened') order by 1",
    "select break_id, kind, ours, theirs from execution.open_breaks order by 1",
    "select distinct on (account_id) ours_sha256, theirs_sha256, is_clean from execution.reconciliations "
    "order by account_id, reconciliation_id desc",
)
"""What a comparison leaves behind, however often it ran."""


@pytest.fixture
def behind(new_database: MakeDatabase) -> Iterator[ComparedAccount]:
    """Much has happened at the broker that the ledger has not heard of, and cash differs for no known reason."""
    with simulated() as rehearsal:
        account = ComparedAccount(new_database(), rehearsal)
        account.open()
        account.at(new_york("12:10"))
        account.buy("AAA", 20)
        gone = account.buy("BBB", 5, limit=50)
        account.trade("12:30")
        account.buy("AAA", 10)
        rehearsal.broker.submit(OrderRequest("by-hand", "CCC-B", Side.BUY, D(3)))
        rehearsal.broker.submit(OrderRequest("ta1-lost", "BBB", Side.BUY, D(3)))
        account.trade("13:30")
        rehearsal.broker.cancel(account.at_broker(gone).broker_order_id)
        first, second, *_ = (
            one.execution_id for one in rehearsal.broker.activities_since(new_york("12:00")) if one.symbol == "AAA"
        )
        rehearsal.bust(first)
        rehearsal.correct(second, D(9), D(99))
        rehearsal.book("DIV", D("1.25"), "AAA")
        account.at(new_york("14:40"))
        with account.database.transaction() as connection:
            connection.execute(
                "insert into execution.activities "
                "(activity_id, account_id, kind, amount_usd, at, settles_on, session_date) "
                "select 'x', account_id, 'deposit', 5, at, settles_on, session_date from execution.activities"
            )
        yield account


def facts(account: ComparedAccount) -> list[Any]:
    return [account.rows(query) for query in FACTS]


def copy_of(account: ComparedAccount, new_database: MakeDatabase) -> ComparedAccount:
    return ComparedAccount(new_database(account.database), account.rehearsal)


def test_second_comparison_changes_nothing(behind: ComparedAccount) -> None:
    first = behind.compare()
    assert [one.kind for one in first.breaks] == ["CASH_DIFFERS"]
    assert (first.comparison.booked_count, first.comparison.adopted_count) == (8, 2)
    once = facts(behind)
    behind.clock.at = behind.rehearsal.venue.now
    assert list(behind.compare().new) == []
    assert facts(behind) == once


def test_order_of_the_answers_means_nothing(behind: ComparedAccount, new_database: MakeDatabase) -> None:
    other = copy_of(behind, new_database)
    behind.compare()
    for seed in range(3):
        mixed = mixing(random.Random(seed))
        broker = SpoiledBroker(other.rehearsal.broker, orders=mixed, records=mixed, held=mixed)
        shuffled = copy_of(other, new_database)
        shuffled.compare_with(broker)
        assert facts(shuffled) == facts(behind)


def mixing(chance: random.Random) -> Callable[[list[Any]], list[Any]]:
    """The same answers in another order, and each of them twice."""
    return lambda answers: chance.sample([*answers, *answers], 2 * len(answers))


def test_comparison_killed_after_any_commit_and_run_again_is_run_once(
    behind: ComparedAccount, new_database: MakeDatabase
) -> None:
    template = copy_of(behind, new_database)
    behind.compare()
    once, commits = facts(behind), 0
    while True:
        commits += 1
        account = copy_of(template, new_database)
        if not was_killed(account, commits):
            break
        account.clock.at = account.rehearsal.venue.now
        account.compare()
        assert facts(account) == once, f"killed after commit {commits}"
    assert commits > 8


def was_killed(account: ComparedAccount, commits: int) -> bool:
    """Compare in a process that is killed after so many transactions; whether it came so far."""
    child = os.fork()
    if not child:
        with counting(commits):
            account.compare()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@contextmanager
def counting(commits: int) -> Iterator[None]:
    begin, done = Database.transaction, 0

    @contextmanager
    def transaction(self: Database) -> Iterator[Any]:
        nonlocal done
        with begin(self) as connection:
            yield connection
        done += 1
        if done == commits:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.transaction = transaction  # type: ignore[method-assign]
    yield


# Chance -------------------------------------------------------------------------------------------


def test_sound_histories_have_no_break_at_any_moment(new_database: MakeDatabase) -> None:
    fills = undone = 0
    for seed in range(ACCOUNTS):
        with simulated() as rehearsal:
            account = ComparedAccount(new_database(), rehearsal)
            account.open()
            account.at(new_york("12:10"))
            chance = random.Random(seed)
            for _ in range(MOMENTS):
                happen(account, rehearsal, chance)
                found = account.compare()
                assert (list(found.breaks), found.comparison.is_clean) == ([], True), (seed, found.breaks)
                assert account.clock.naps == []
            fills += account.rows("select count(*) from execution.fills")[0][0]
            undone += account.rows("select count(*) from execution.activities where kind = 'bust'")[0][0]
    assert fills > 50
    assert undone > 5


def happen(account: ComparedAccount, rehearsal: VenueRehearsal, chance: random.Random) -> None:
    """One thing that happens to an account: orders, trading, a cancel, cash, a bust or correction, another's order."""
    venue, symbol = rehearsal.venue, chance.choice(SYMBOLS[:2])
    action = chance.choice(("order",) * 4 + ("trade",) * 5 + ("undo",) * 2 + ("cancel", "cash", "other"))
    if action == "order":
        held = int(venue.ledger.held(symbol))
        is_sale = held > 0 and chance.random() < 0.4
        limit = chance.choice((None, chance.randint(95, 105)))
        account.buy(
            symbol,
            chance.randint(1, held if is_sale else 80),
            limit,
            side=Side.SELL if is_sale else Side.BUY,
            gtc=chance.random() < 0.5,
        )
    elif action == "trade":
        at = venue.now
        values = [D(one) for one in (100, 100 + chance.randint(0, 4), 100 - chance.randint(0, 4), 101)]
        bars = [Bar(one, at, at + MINUTE, MONDAY, *values, D(chance.randint(0, 20_000))) for one in SYMBOLS]
        rehearsal.trade(*bars)
    elif action == "cancel":
        for order in venue.orders()[-2:]:
            if order.status in {OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED}:
                rehearsal.broker.cancel(order.broker_order_id)
    elif action == "cash":
        rehearsal.book("DIV", D(chance.randint(-500, 500)) / 100, symbol)
    elif action == "undo":
        undo(rehearsal, chance)
    else:
        rehearsal.broker.submit(OrderRequest(f"by-hand-{venue.now:%H%M%S}", symbol, Side.BUY, D(3)))
    account.at(venue.now + MINUTE)


def undo(rehearsal: VenueRehearsal, chance: random.Random) -> None:
    """Only the newest purchase while no sale waits, so that none loses the shares that it sells."""
    fills = [one for one in rehearsal.broker.activities_since(new_york("12:00")) if isinstance(one, BrokerFill)]
    is_selling = any(one.side is Side.SELL and one.status not in TERMINAL for one in rehearsal.venue.orders())
    if not fills or is_selling or fills[-1].kind != "fill" or fills[-1].side is not Side.BUY:
        return
    newest = fills[-1]
    assert newest.qty is not None
    assert newest.price is not None
    if chance.random() < 0.5:
        rehearsal.bust(newest.execution_id)
    else:
        rehearsal.correct(newest.execution_id, newest.qty, newest.price - 1)
