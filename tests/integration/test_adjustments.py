"""What persons do about breaks and incidents: who and why, once, and booked so that both sides agree afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from standins.broker_rehearsals import ACCOUNT, VenueRehearsal, local_alpaca, simulated
from standins.compared_account import ACCOUNT_ID, ComparedAccount
from standins.spoiled_broker import SpoiledBroker, adding, changing

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres.adjustments import adjust_break
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.reconciliations import listed_breaks
from trading_assets.cli import trading
from trading_assets.domain.execution.broker_records import BrokerPosition
from trading_assets.local_alpaca.server import PAPER_KEY, SECRET

D = Decimal


@pytest.fixture
def account(database: Database) -> Iterator[ComparedAccount]:
    """20 AAA are held, bought at 100, and a dividend of 1.25 is booked; ledger and broker agree."""
    with simulated() as rehearsal:
        account = ComparedAccount(database, rehearsal)
        account.open()
        account.buy("AAA", 20)
        account.trade()
        rehearsal.book("DIV", D("1.25"), "AAA")
        account.at(account.clock.now().replace(minute=40))
        assert account.compare().comparison.is_clean
        yield account


def adjust(account: ComparedAccount, kind: str, by: str = "Ada", price: Decimal | None = None) -> int:
    """Adjust the open break of the kind; returns how many activities were booked."""
    with account.database.transaction() as connection:
        (one,) = [one for one in listed_breaks(connection, ACCOUNT_ID) if one.kind == kind]
        done = adjust_break(connection, ACCOUNT_ID, one.break_id, by, "known", account.clock.now(), price)
    return len(done.activity_ids)


def without(account: ComparedAccount, kind: str) -> SpoiledBroker:
    """The broker as if its records of the kind, and what they did to cash and shares, had never been."""
    broker = SpoiledBroker(account.rehearsal.broker)
    if kind == "dividend":
        return replace(
            broker,
            records=changing("kind", "DIV"),
            told=lambda told: replace(told, cash_usd=told.cash_usd - D("1.25")),
        )
    return replace(
        broker,
        records=changing("kind", "fill"),
        orders=lambda orders: [replace(one, filled_qty=D(0)) for one in orders],
        held=lambda _: [],
        told=lambda told: replace(told, cash_usd=told.cash_usd + 2000),
    )


def telling(account: ComparedAccount, **spoiled: Any) -> SpoiledBroker:
    return SpoiledBroker(account.rehearsal.broker, **spoiled)


SHARES = adding(BrokerPosition("CCC-B", D(3), D(7)))
ADJUSTABLE: dict[str, tuple[Callable[[ComparedAccount], SpoiledBroker], int]] = {
    "ACTIVITY_UNKNOWN_TO_BROKER": (lambda account: without(account, "dividend"), 1),
    "EXECUTION_UNKNOWN_TO_BROKER": (lambda account: without(account, "fill"), 1),
    "CASH_DIFFERS": (
        lambda account: telling(account, told=lambda told: replace(told, cash_usd=told.cash_usd - 7)),
        1,
    ),
    "POSITION_DIFFERS": (lambda account: telling(account, held=SHARES), 2),
    "ACTIVITY_DIFFERS": (
        lambda account: telling(
            account,
            records=changing("kind", "DIV", amount_usd=D("1.50")),
            told=lambda told: replace(told, cash_usd=told.cash_usd + D("0.25")),
        ),
        1,
    ),
    "AVERAGE_PRICE_DIFFERS": (
        lambda account: telling(account, held=lambda held: [replace(one, avg_entry_price=D(120)) for one in held]),
        0,
    ),
}


@pytest.mark.parametrize("kind", ADJUSTABLE)
def test_ledger_and_broker_agree_after_an_adjustment(account: ComparedAccount, kind: str) -> None:
    spoil, booked = ADJUSTABLE[kind]
    broker = spoil(account)
    assert not account.compare_with(broker).comparison.is_clean
    assert adjust(account, kind, price=D(7)) == booked
    after = account.compare_with(broker)
    assert after.comparison.is_clean
    assert [one.kind for one in after.breaks] == ([] if booked else [kind])
    assert after.comparison.booked_count == 0


def test_adjustment_is_made_once_by_a_person_with_a_reason(account: ComparedAccount) -> None:
    broker = without(account, "dividend")
    account.compare_with(broker)
    with pytest.raises(ContractBroken, match="give --by and --why"):
        adjust(account, "ACTIVITY_UNKNOWN_TO_BROKER", by=" ")
    adjust(account, "ACTIVITY_UNKNOWN_TO_BROKER")
    before = account.rows("select count(*) from execution.activities")
    assert adjust(account, "ACTIVITY_UNKNOWN_TO_BROKER", by="Bob") == 1
    assert account.rows("select count(*) from execution.activities") == before
    assert account.rows("select adjusted_by from execution.adjustments") == [("Ada",)]


def test_one_cause_that_shows_as_two_breaks_is_not_booked_twice(account: ComparedAccount) -> None:
    broker = without(account, "dividend")
    account.compare_with(broker)
    adjust(account, "ACTIVITY_UNKNOWN_TO_BROKER")
    with pytest.raises(ContractBroken, match="run `trading reconcile` first"):
        adjust(account, "CASH_DIFFERS")
    assert account.compare_with(broker).comparison.is_clean


def test_break_that_there_is_not_is_not_adjusted_and_shares_need_a_price(account: ComparedAccount) -> None:
    with account.database.transaction() as connection, pytest.raises(NotFound, match="No open breaks"):
        adjust_break(connection, ACCOUNT_ID, "zz", "Ada", "known", account.clock.now())
    account.compare_with(telling(account, held=SHARES))
    with pytest.raises(ContractBroken, match="worth\\? Give --price"):
        adjust(account, "POSITION_DIFFERS")


# The command --------------------------------------------------------------------------------------


@pytest.fixture
def at_alpaca(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VenueRehearsal]:
    """A configuration whose broker is the local Alpaca."""
    with local_alpaca() as rehearsal:
        (tmp_path / "trading.yaml").write_text(
            "source: sample\nclock: replay\nuniverse: [AAA]\ntimeframes: [1h]\n"
            "strategies:\n  buy_and_hold: {capital_weight: 1.0, timeframe: 1h}\n"
            f"broker:\n  kind: alpaca\n  environment: paper\n  account: {ACCOUNT}\n"
            f"  url: {rehearsal.broker.url}\n"  # type: ignore[attr-defined]
        )
        monkeypatch.setenv("TRADING_CONFIG", str(tmp_path / "trading.yaml"))
        monkeypatch.setenv("TRADING_HOME", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", database.url)
        monkeypatch.setenv("ALPACA_API_KEY", PAPER_KEY)
        monkeypatch.setenv("ALPACA_SECRET_KEY", SECRET)
        yield rehearsal


def command(*arguments: str) -> Result:
    return CliRunner().invoke(trading, list(arguments))


def test_commands_compare_list_adjust_and_close(at_alpaca: VenueRehearsal, database: Database) -> None:
    command("clock", "set", f"{at_alpaca.venue.now:%Y-%m-%dT%H:%MZ}")
    first = command("reconcile")
    assert (first.exit_code, "0 breaks" in first.output) == (0, True), first.output
    assert "no open break" in command("breaks", "list").output
    assert "no open incident" in command("incidents", "list").output
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.activities "
            "(activity_id, account_id, kind, amount_usd, at, settles_on, session_date) "
            "select 'x', account_id, 'deposit', 5, at, settles_on, session_date from execution.activities"
        )
        connection.execute(
            "insert into execution.incidents (incident_id, account_id, kind, subject, symbol, at, session_date) "
            "values ('abc', %s, 'LATE_EXECUTION', 'e', 'AAA', now(), '2024-07-01')",
            (ACCOUNT_ID,),
        )
    second = command("reconcile")
    assert (second.exit_code, "1 breaks" in second.output) == (1, True)
    listed = command("breaks", "list").output
    assert "account: CASH_DIFFERS of cash" in listed
    assert "ours 100005, theirs 100000" in listed
    adjusted = command("breaks", "adjust", listed.split()[0], "--by", "Ada", "--why", "a slip")
    assert "Booked 1 adjustments" in adjusted.output
    assert command("reconcile").exit_code == 0
    assert "AAA: LATE_EXECUTION of e" in command("incidents", "list").output
    assert command("incidents", "close", "abc", "--by", "Ada", "--why", "").exit_code == 1
    assert "Closed: LATE_EXECUTION" in command("incidents", "close", "ab", "--by", "Ada", "--why", "seen").output
    assert "no open incident" in command("incidents", "list").output
