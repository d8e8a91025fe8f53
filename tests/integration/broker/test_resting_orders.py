"""Orders that rest at a broker: ended by a state or by their time, or replaced by one with a better price, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from standins.broker_rehearsals import Rehearsal, simulated
from standins.rehearsed_account import DAY, SETTINGS, RehearsedAccount, rows

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_states import change_state
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope
from trading_assets.settings import overridden

D = Decimal
BELOW = {"strategies.buy_and_hold.entry": {"order_type": "limit", "limit_offset_bps": -300}}
STATES = "select limit_price, status from execution.order_states order by client_order_id"


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    with simulated() as rehearsed:
        yield rehearsed


def resting(database: Database, rehearsal: Rehearsal, **broker: Any) -> RehearsedAccount:
    """A limit order three percent below the close of 101 works at the broker."""
    more = {f"broker.{name}": value for name, value in broker.items()}
    account = RehearsedAccount(database, rehearsal, overridden(SETTINGS, BELOW | more))
    account.open()
    account.close("11:30", {"AAA": 0.2})
    account.desk().decide(DAY)
    assert account.desk().submit(DAY).refused == []
    account.desk().take_fills(DAY)
    assert rows(database, STATES) == [(D("97.97"), "WORKING")]
    return account


@pytest.mark.parametrize("command", [Command.HALT, Command.REDUCE, Command.FLATTEN])
def test_state_that_forbids_an_order_ends_it_at_the_broker(
    command: Command, database: Database, rehearsal: Rehearsal
) -> None:
    account = resting(database, rehearsal)
    with database.transaction() as connection:
        change_state(connection, Scope.ACCOUNT, EVERY_ACCOUNT, command, "Ada", "a test", account.clock.at)

    account.desk().take_fills(DAY)

    assert rows(database, STATES) == [(D("97.97"), "CANCELED")]
    assert rehearsal.broker.open_orders() == []


def test_order_that_rested_long_enough_is_cancelled_and_not_before(database: Database, rehearsal: Rehearsal) -> None:
    account = resting(database, rehearsal, cancel_after_s=600)
    account.at(account.clock.at + timedelta(minutes=9))
    account.desk().take_fills(DAY)
    assert rows(database, STATES) == [(D("97.97"), "WORKING")]

    account.at(account.clock.at + timedelta(minutes=1))
    account.desk().take_fills(DAY)

    assert rows(database, STATES) == [(D("97.97"), "CANCELED")]


def test_resting_order_gets_the_price_of_the_quote_and_is_replaced_once(
    database: Database, rehearsal: Rehearsal
) -> None:
    account = resting(database, rehearsal, reprice_after_s=60)
    account.at(account.clock.at + timedelta(minutes=1))

    account.desk().take_fills(DAY)
    account.desk().take_fills(DAY)

    assert rows(database, STATES) == [(D("97.97"), "REPLACED"), (D(101), "WORKING")]
    assert [one.limit_price for one in rehearsal.broker.open_orders()] == [D(101)]
    account.close("12:30", low=99)
    account.close("13:30", low=99)
    account.desk().take_fills(DAY)
    ((bought,),) = rows(database, "select sum(qty) from execution.fills")
    assert bought == rehearsal.broker.positions()[0].qty
    assert rows(database, "select count(distinct intent_id), count(*) from execution.orders") == [(1, 2)]


def test_price_stays_within_the_collar_of_the_decision(database: Database, rehearsal: Rehearsal) -> None:
    account = resting(database, rehearsal, reprice_after_s=60)
    rehearsal.trade(*account.bars("12:30", open=120, high=121, low=119, close=120))
    account.at(account.rehearsal.broker.clock().now + timedelta(seconds=5))

    account.desk().take_fills(DAY)

    # Five percent above the close of 101 that was decided on.
    assert rows(database, STATES)[-1] == (D("106.05"), "WORKING")


def test_replacement_can_add_no_share_and_no_other_symbol(database: Database, rehearsal: Rehearsal) -> None:
    resting(database, rehearsal)
    copied = (
        "insert into execution.orders (client_order_id, intent_id, attempt, account_id, strategy, strategy_version, "
        "symbol, side, qty, order_type, time_in_force, submitted_at, session_date, limit_price, replaces_order_id) "
        "select client_order_id || 'x', intent_id, 2, account_id, strategy, strategy_version, {}, side, {}, "
        "order_type, time_in_force, submitted_at, session_date, limit_price, client_order_id "
        "from execution.orders returning 1"
    )
    for symbol, qty in (("symbol", "qty + 1"), ("'BBB'", "qty")):
        with pytest.raises(psycopg.errors.CheckViolation):
            rows(database, copied.format(symbol, qty))
    assert rows(database, copied.format("symbol", "qty")) == [(1,)]
