"""Protective legs at a broker: sent with their entry, the broker's to work, and out of the way of what closes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from standins.broker_rehearsals import Rehearsal, simulated
from standins.rehearsed_account import DAY, SETTINGS, RehearsedAccount, rows

from trading_assets.adapters.postgres.database import Database
from trading_assets.settings import overridden

D = Decimal
STOP_AND_TARGET = {"strategies.buy_and_hold.exits": {"stop_loss": 0.05, "take_profit": 0.02}}
TRAILING = {"strategies.buy_and_hold.exits": {"trailing_stop": 0.05}}
STATES = "select order_type, status from execution.order_states order by 1"


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    with simulated() as rehearsed:
        yield rehearsed


def decided(database: Database, rehearsal: Rehearsal, exits: dict[str, object]) -> RehearsedAccount:
    account = RehearsedAccount(database, rehearsal, overridden(SETTINGS, exits))
    account.open()
    account.close("11:30", {"AAA": 0.2})
    account.desk().decide(DAY)
    return account


def test_entry_is_sent_with_its_legs_and_what_executes_cancels_the_other(
    database: Database, rehearsal: Rehearsal
) -> None:
    account = decided(database, rehearsal, STOP_AND_TARGET)
    sent = account.desk().submit(DAY)
    assert (sent.refused, sent.written["execution.orders"]) == ([], 3)
    assert rows(database, STATES) == [("limit", "HELD"), ("market", "ACKED"), ("stop", "HELD")]

    account.close("12:30")
    account.close("13:30", high=102)
    account.desk().take_fills(DAY)
    assert rows(database, STATES) == [("limit", "WORKING"), ("market", "FILLED"), ("stop", "WORKING")]
    # Decided at 101: 2 % above is 103.02.
    account.close("14:30", high=104)
    account.desk().take_fills(DAY)

    assert rows(database, STATES) == [("limit", "FILLED"), ("market", "FILLED"), ("stop", "CANCELED")]
    assert rows(database, "select side, price from execution.fills order by filled_at") == [
        ("buy", D(100)),
        ("sell", D("103.02")),
    ]
    assert rows(database, "select * from execution.held_now") == []


def test_order_that_closes_waits_until_its_legs_are_cancelled(database: Database, rehearsal: Rehearsal) -> None:
    account = decided(database, rehearsal, STOP_AND_TARGET)
    account.desk().submit(DAY)
    account.close("12:30")
    account.close("13:30", {"AAA": 0.0}, high=101)
    account.desk().decide(DAY)

    rehearsal.hold_cancels()
    waiting = account.desk().submit(DAY)
    assert "protective legs are not cancelled yet" in waiting.refused[0]
    rehearsal.confirm_cancels()
    closing = account.desk().submit(DAY)

    assert (closing.refused, closing.written["execution.orders"]) == ([], 1)
    account.close("14:30", high=101)
    account.close("15:30", high=101)
    account.desk().take_fills(DAY)
    assert rows(database, "select * from execution.held_now") == []
    assert rehearsal.broker.positions() == []


def test_leg_that_trails_is_refused_with_what_to_write_instead(database: Database, rehearsal: Rehearsal) -> None:
    account = decided(database, rehearsal, TRAILING)

    sent = account.desk().submit(DAY)

    assert "use stop_loss and take_profit in trading.yaml" in sent.refused[0]
    assert rows(database, "select count(*) from execution.orders") == [(0,)]
