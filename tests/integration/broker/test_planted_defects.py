"""Whatever keeps orders from being sent twice and fills from being lost is needed: without it a history is red.

The same histories are green in test_steps_of_submission.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from standins.account_truth import untruths
from standins.dying_desks import NEVER, Cut, MortalAccount, mortal_account
from standins.http_vendor import RESET
from standins.rehearsed_account import DAY

from trading_assets.adapters import broker_booking
from trading_assets.adapters.alpaca_broker import AlpacaBroker
from trading_assets.adapters.errors import LedgerConflict
from trading_assets.adapters.order_submission import OrderSubmission
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution import broker_desk
from trading_assets.domain.execution.broker_records import Acknowledgement, OrderRequest
from trading_assets.domain.execution.orders import OrderStatus
from trading_assets.domain.simulation import loop


@pytest.fixture
def account(prepared: dict[str, Database], new_database: Callable[..., Database]) -> Iterator[MortalAccount]:
    with mortal_account(new_database(like=prepared["decided"])) as account:
        yield account


def history(account: MortalAccount) -> list[str]:
    """Send, recover, let two bars trade, take the fills twice; returns what is not true then."""
    account.desk().submit(DAY)
    account.at(account.clock.at + timedelta(seconds=60))
    account.desk().submit(DAY)
    account.close("12:30")
    account.close("13:30")
    account.desk().take_fills(DAY)
    account.at(account.clock.at + timedelta(seconds=60))
    account.desk().take_fills(DAY)
    return untruths(account)


def test_history_is_true_without_a_defect(account: MortalAccount) -> None:
    account.alpaca.switchboard.switch_on(RESET, is_after=True)

    assert history(account) == []


def test_random_id_a_run(account: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "client_order_id", lambda *_, **__: f"ta1-{uuid4().hex[:26]}-0-1")

    assert any("is not the id of an intent" in line for line in history(account))


def test_no_lock_and_no_token(account: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer takes the order of a slow one for one that never arrived, and then it arrives."""

    @contextmanager
    def anybody(*_: Any) -> Iterator[int]:
        yield 0

    monkeypatch.setattr(broker_desk, "sole_writer", anybody)
    with account.database.transaction() as connection:
        connection.execute("drop trigger is_sent_by_the_writer on execution.submissions")

    account.run(("submit", Cut("ask submit", holds=True)), ("submit", NEVER), patience_s=150)

    assert any("is NEVER_ARRIVED, at the broker" in line for line in untruths(account))


def test_request_sent_again_after_an_unknown_answer(account: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    once = AlpacaBroker.submit

    def again(self: AlpacaBroker, request: OrderRequest) -> Acknowledgement:
        answer = once(self, request)
        return once(self, request) if answer.status is OrderStatus.SUBMIT_UNKNOWN else answer

    monkeypatch.setattr(AlpacaBroker, "submit", again)
    account.alpaca.switchboard.switch_on(RESET, is_after=True)

    assert any("was sent 2 times" in line for line in history(account))


def test_booking_without_asking_what_is_booked(account: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the ledger is a second line of defence: it refuses what would be counted twice."""
    asked = broker_booking.booked_before

    def forgotten(*arguments: Any) -> Any:
        return replace(asked(*arguments), fills={}, external_trades={}, sources=())

    monkeypatch.setattr(broker_booking, "booked_before", forgotten)

    with pytest.raises(LedgerConflict, match=r"execution\.fills"):
        history(account)


def test_orders_of_unknown_fate_are_not_looked_up(account: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderSubmission, "_look_up", lambda *_: None)
    account.alpaca.switchboard.switch_on(RESET)

    assert any("is SUBMIT_UNKNOWN, and the broker has no such order" in line for line in history(account))
