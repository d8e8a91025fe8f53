"""A process that is killed at each of the nine steps, or loses its database or its broker there; and two at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from standins.account_truth import untruths
from standins.broker_rehearsals import MemoryStore, Unlimited, broker_of
from standins.dying_desks import NEVER, Cut, MortalAccount, mortal_account
from standins.http_vendor import RESET, SILENCE, Reply
from standins.rehearsed_account import ACCOUNT_ID, DAY, rows

from trading_assets.adapters.alpaca_broker import GATEWAY_NAME, ONCE, check_answer
from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.postgres import broker_orders
from trading_assets.adapters.postgres.broker_accounts import broker_account
from trading_assets.adapters.postgres.broker_orders import sole_writer
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.vendor_gateway import VendorGateway
from trading_assets.defs.execution.broker_sending import Sending

FILLED, NEVER_ARRIVED = "FILLED", "NEVER_ARRIVED"
BOTH = {FILLED: 2}
ONE = {FILLED: 1, NEVER_ARRIVED: 1}


@pytest.fixture
def wants(prepared: dict[str, Database], new_database: Callable[..., Database]) -> Iterator[MortalAccount]:
    with mortal_account(new_database(like=prepared["wants"])) as account:
        yield account


@pytest.fixture
def decided(prepared: dict[str, Database], new_database: Callable[..., Database]) -> Iterator[MortalAccount]:
    with mortal_account(new_database(like=prepared["decided"])) as account:
        yield account


def test_step_1_killed_before_the_intent_is_committed(wants: MortalAccount) -> None:
    (end,) = wants.run(("decide", Cut("before commit", nth=2)))
    assert (end.cut, rows(wants.database, "select count(*) from risk.verdicts")) == ("before commit", [(0,)])

    wants.desk().decide(DAY)
    wants.recover()

    assert (untruths(wants), wants.statuses()) == ([], BOTH)


def test_step_2_killed_when_the_approval_is_committed(wants: MortalAccount) -> None:
    (end,) = wants.run(("decide", Cut("after commit", nth=2)))
    assert (end.cut, rows(wants.database, "select count(*) from risk.approvals")) == ("after commit", [(2,)])

    wants.desk().decide(DAY)
    wants.recover()

    assert (untruths(wants), wants.statuses()) == ([], BOTH)


def test_step_3_killed_as_the_sole_writer(decided: MortalAccount) -> None:
    (end,) = decided.run(("submit", Cut("ask clock")))
    assert end.cut == "ask clock"
    assert rows(decided.database, "select token > 0 from execution.writers") == [(True,)]

    decided.recover()

    assert (untruths(decided), decided.statuses()) == ([], BOTH)


STEPS = {
    "4, before it is committed": (Cut("ask submit"), 0, 1, ONE),
    "4, written down": (Cut("told step 4"), 0, 1, ONE),
    "5, answered": (Cut("answered submit"), 1, 1, BOTH),
    "5, told": (Cut("told step 5"), 1, 1, BOTH),
    "6, recorded": (Cut("told step 6"), 1, 1, BOTH),
    "7, classified": (Cut("told step 7"), 1, 1, BOTH),
    "4, of the second order": (Cut("told step 4", nth=2), 1, 2, ONE),
    "7, of the second order": (Cut("told step 7", nth=2), 2, 2, BOTH),
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_4_to_7_killed(step: str, decided: MortalAccount) -> None:
    cut, sent, written, outcome = STEPS[step]
    (end,) = decided.run(("submit", cut))
    assert end.cut is not None
    assert end.cut.startswith(cut.at)
    assert len(decided.alpaca.posts()) == sent
    assert rows(decided.database, "select count(*) from execution.submissions") == [(written,)]

    decided.recover()

    assert (untruths(decided), decided.statuses()) == ([], outcome)


@pytest.mark.parametrize(("is_after", "outcome"), [(True, BOTH), (False, ONE)], ids=["accepted", "never arrived"])
def test_step_8_killed_while_the_order_is_looked_up(
    is_after: bool, outcome: dict[str, int], decided: MortalAccount
) -> None:
    decided.alpaca.switchboard.switch_on(RESET, is_after=is_after)
    (end,) = decided.run(("submit", Cut("told step 8")))
    assert end.cut is not None
    assert end.cut.startswith("told step 8")

    decided.recover()

    assert (untruths(decided), decided.statuses()) == ([], outcome)


@pytest.mark.parametrize("at", ["before commit", "after commit"])
def test_step_9_killed_around_the_commit_that_books_and_tells(at: str, decided: MortalAccount) -> None:
    decided.desk().submit(DAY)
    decided.close("12:30")
    decided.close("13:30")
    (end,) = decided.run(("take_fills", Cut(at)))
    assert (end.cut, rows(decided.database, "select count(*) from execution.fills")) == (
        at,
        [(2 * (at == "after commit"),)],
    )

    decided.desk().take_fills(DAY)

    assert (untruths(decided), decided.statuses()) == ([], BOTH)


# The wire -----------------------------------------------------------------------------------------


def cut_off(account: MortalAccount, reply: Reply) -> None:
    for method in ("GET", "POST", "DELETE"):
        account.alpaca.switchboard.switch_on(reply, method=method, path="/", times=1_000)


def hasty(account: MortalAccount) -> MortalAccount:
    """The account, with a broker that waits for no answer longer than a test can."""
    broker = broker_of(account.alpaca)
    policy = replace(ONCE, read_timeout_s=0.3, total_timeout_s=1.0)
    broker.gateway = VendorGateway(GATEWAY_NAME, Unlimited(), MemoryStore(), policy, check_answer)
    account.rehearsal.broker = broker
    return account


@pytest.mark.parametrize("reply", [RESET, SILENCE], ids=["reset", "timeout"])
def test_broker_that_is_cut_off_gets_each_order_once_when_it_is_back(reply: Reply, decided: MortalAccount) -> None:
    account = hasty(decided)
    cut_off(account, reply)
    for phase in ("submit", "take_fills"):
        with pytest.raises(AdapterError):
            getattr(account.desk(), phase)(DAY)
    assert rows(account.database, "select count(*) from execution.submissions") == [(0,)]

    account.alpaca.switchboard.faults.clear()
    account.recover()

    assert (untruths(account), account.statuses()) == ([], BOTH)


@pytest.mark.parametrize("reply", [RESET, SILENCE], ids=["reset", "timeout"])
def test_broker_that_is_cut_off_after_it_took_an_order_is_asked_when_it_is_back(
    reply: Reply, decided: MortalAccount
) -> None:
    account = hasty(decided)
    account.alpaca.switchboard.switch_on(reply, is_after=True)
    account.alpaca.switchboard.switch_on(reply, method="GET", path="/v2/orders", times=1_000)
    account.desk().submit(DAY)
    assert account.statuses()["SUBMIT_UNKNOWN"] == 1
    assert rows(account.database, "select distinct outcome from execution.order_lookups") == [("unclear",)]

    account.alpaca.switchboard.faults.clear()
    account.recover()

    assert (untruths(account), account.statuses()) == ([], BOTH)


# The database -------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["ask submit", "answered submit"])
def test_database_whose_connections_end_around_the_request_changes_nothing(
    point: str, decided: MortalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every connection to the database ends while a process is about to send, or waits for the answer."""
    monkeypatch.setattr(broker_orders, "WRITER_PATIENCE_S", 60)

    (end,) = decided.run(("submit", Cut(point, holds=True)), meanwhile=lambda: end_connections(decided.database))

    assert (end.cut, end.failure) == (point, None)
    decided.recover()
    assert (untruths(decided), decided.statuses()) == ([], BOTH)


def end_connections(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


# Two at once --------------------------------------------------------------------------------------


def test_slow_writer_keeps_the_others_waiting(decided: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_orders, "WRITER_PATIENCE_S", 1)

    slow, other = decided.run(("submit", Cut("ask submit", holds=True)), ("submit", NEVER), patience_s=30)

    assert (slow.failure, other.failure) == (None, "AnotherWriter")
    decided.recover()
    assert (untruths(decided), decided.statuses()) == ([], BOTH)


def test_writer_whose_connection_died_can_write_down_no_order(decided: MortalAccount) -> None:
    """Two writers, each with a connection: the second takes over when that of the first has ended."""
    with sole_writer(decided.database, ACCOUNT_ID, "the first") as old:
        end_connections(decided.database)
        with sole_writer(decided.database, ACCOUNT_ID, "the second") as new:
            assert new > old
            with pytest.raises(psycopg.errors.CheckViolation, match=f"token {old} may not send"):
                sending(decided, old).send_all()
            assert (decided.statuses(), decided.alpaca.posts()) == ({}, [])
            sending(decided, new).send_all()

    decided.recover()
    assert (untruths(decided), decided.statuses()) == ([], BOTH)


def sending(account: MortalAccount, token: int) -> Sending:
    with account.database.transaction() as connection:
        record = broker_account(connection, ACCOUNT_ID)
    assert record is not None
    return Sending(account.desk(), record, token)
