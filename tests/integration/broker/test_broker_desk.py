"""An account at a broker: what is found in it is adopted, what is decided is sent once, what is filled is booked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from standins.broker_rehearsals import CASH, simulated
from standins.rehearsed_account import ACCOUNT_ID, DAY, RehearsedAccount, rows

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_states import change_state
from trading_assets.domain.execution.broker_records import OrderRequest
from trading_assets.domain.market.sessions import previous_session
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope
from trading_assets.domain.values import Side

D = Decimal
NOON = timedelta(hours=12)


@pytest.fixture
def account(database: Database) -> Iterator[RehearsedAccount]:
    with simulated() as rehearsal:
        yield RehearsedAccount(database, rehearsal)


@pytest.fixture
def decided(account: RehearsedAccount) -> RehearsedAccount:
    """One approval waits to be sent."""
    account.open()
    account.close("11:30", {"AAA": 0.2})
    account.desk().decide(DAY)
    assert rows(account.database, "select outcome, reason_codes from risk.verdicts") == [("approved", [])]
    return account


def sent_orders(account: RehearsedAccount) -> list[str]:
    return [one.client_order_id for one in account.rehearsal.broker.orders_since(account.clock.at - NOON)]


def test_order_is_decided_sent_once_filled_and_booked(decided: RehearsedAccount) -> None:
    account = decided
    sent = account.desk().submit(DAY)
    again = account.desk().submit(DAY)

    assert (sent.refused, sent.written["execution.orders"], sum(again.written.values())) == ([], 1, 0)
    (name,) = sent_orders(account)
    account.close("12:30")
    account.close("13:30")
    account.desk().take_fills(DAY)
    account.desk().take_fills(DAY)
    ((client_id, qty, price),) = rows(account.database, "select client_order_id, qty, price from execution.fills")
    (held,) = account.rehearsal.broker.positions()
    assert (client_id, qty, price) == (name, held.qty, D(100))
    # Booked after the bar's close: a snapshot is of a close, and the view of now.
    assert rows(account.database, "select symbol, qty from execution.positions") == []
    assert rows(account.database, "select symbol, qty from execution.held_now") == [("AAA", held.qty)]
    account.close("14:30")
    account.desk().take_fills(DAY)
    assert rows(account.database, "select symbol, qty from execution.positions") == [("AAA", held.qty)]
    assert rows(account.database, "select status from execution.order_states") == [("FILLED",)]
    assert [line.split(": ")[1][:6] for line in account.told] == ["step 4", "step 5", "step 6", "step 7"]


def test_account_is_worth_what_the_broker_says(decided: RehearsedAccount) -> None:
    account = decided
    account.desk().submit(DAY)
    account.close("12:30")
    account.close("13:30", close=102)
    account.rehearsal.book("FEE", D("-1.25"))
    account.rehearsal.book("DIV", D("7.50"), "AAA")
    account.desk().take_fills(DAY)
    account.close("14:30", close=101)
    account.desk().take_fills(DAY)

    ((equity, fees, dividends),) = rows(
        account.database,
        "select equity_usd, fees_usd, dividends_usd from execution.equity where account_id = %s "
        "order by at desc limit 1",
        ACCOUNT_ID,
    )
    assert (equity, fees, dividends) == (account.rehearsal.broker.account().equity_usd, D("1.25"), D("7.50"))


def test_decision_that_was_made_stays_when_the_tick_runs_again(decided: RehearsedAccount) -> None:
    account = decided
    account.desk().submit(DAY)

    again = account.desk().decide(DAY)

    assert (again.written.get("risk.verdicts", 0), len(sent_orders(account))) == (0, 1)
    assert rows(account.database, "select count(*) from risk.verdicts") == [(1,)]


def test_order_after_a_halt_is_not_sent(decided: RehearsedAccount) -> None:
    account = decided
    with account.database.transaction() as connection:
        change_state(connection, Scope.ACCOUNT, EVERY_ACCOUNT, Command.HALT, "Ada", "a test", account.clock.at)

    sent = account.desk().submit(DAY)

    assert "RC-01" in sent.refused[0]
    assert sent_orders(account) == []


def test_order_is_not_sent_while_the_broker_suspends_the_account(decided: RehearsedAccount) -> None:
    decided.rehearsal.broker.suspend_trade(True)

    sent = decided.desk().submit(DAY)

    assert "trade_suspended_by_user: True" in sent.refused[0]
    assert sent_orders(decided) == []


def test_approval_that_expired_is_not_sent(decided: RehearsedAccount) -> None:
    decided.at(decided.clock.at + timedelta(minutes=5))

    sent = decided.desk().submit(DAY)

    assert "RC-02" in sent.refused[0]
    assert sent_orders(decided) == []


@pytest.mark.parametrize("days_back", [1, 400])
def test_past_is_read_again_and_never_traded(decided: RehearsedAccount, days_back: int) -> None:
    first = DAY
    for _ in range(days_back):
        first = previous_session(first)

    decided.desk().replay(first, DAY)

    assert sent_orders(decided) == []
    assert rows(decided.database, "select count(*) from execution.orders") == [(0,)]


def test_position_of_somebody_else_is_counted_and_never_traded(account: RehearsedAccount) -> None:
    broker = account.rehearsal.broker
    broker.submit(OrderRequest("somebody-1", "BBB", Side.BUY, D(50)))
    account.rehearsal.trade(*account.bars("12:30"))
    account.at(account.rehearsal.broker.clock().now)
    account.open()
    before = broker.positions()
    broker.submit(OrderRequest("somebody-2", "BBB", Side.SELL, D(20)))
    account.close("13:30", {"AAA": 0.2, "BBB": 0.0})
    account.desk().decide(DAY)
    account.close("14:30", {"AAA": 0.2, "BBB": 0.0})
    account.desk().take_fills(DAY)

    held = rows(account.database, "select strategy, symbol, qty from execution.positions order by 1, 2")
    assert before[0].qty == D(50)
    assert ("external", "BBB", D(30)) in held
    assert not any("BBB" in name for (name,) in rows(account.database, "select symbol from risk.verdicts"))
    ((equity,),) = rows(account.database, "select equity_usd from execution.equity order by at desc limit 1")
    assert equity == broker.account().equity_usd


def test_account_opens_with_what_is_in_it(account: RehearsedAccount) -> None:
    account.open()
    account.open()

    assert rows(account.database, "select account_id, broker, opening_cash_usd from execution.accounts") == [
        (ACCOUNT_ID, "alpaca-paper", CASH)
    ]
    assert rows(account.database, "select kind, amount_usd from execution.activities") == [("deposit", CASH)]


def test_decision_without_targets_is_refused(account: RehearsedAccount) -> None:
    account.open()
    account.close("11:30")

    with pytest.raises(ContractBroken, match="strategy/targets holds nothing"):
        account.desk().decide(DAY)


def test_bust_takes_the_shares_back_and_is_booked_once(decided: RehearsedAccount) -> None:
    account = decided
    account.desk().submit(DAY)
    account.close("12:30")
    account.close("13:30")
    account.desk().take_fills(DAY)
    ((execution_id,),) = rows(account.database, "select execution_id from execution.fills")

    account.rehearsal.bust(execution_id)
    account.close("14:30")
    account.desk().take_fills(DAY)
    account.desk().take_fills(DAY)

    assert rows(account.database, "select kind from execution.activities where kind <> 'deposit'") == [("bust",)]
    account.close("15:30")
    account.desk().take_fills(DAY)
    assert rows(account.database, "select qty from execution.positions where session_date = %s", DAY) == [(D(0),)]
    assert rows(account.database, "select qty from execution.held_now") == []
    ((equity,),) = rows(account.database, "select equity_usd from execution.equity order by at desc limit 1")
    assert equity == account.rehearsal.broker.account().equity_usd == CASH
