"""`trading doctor` on the broker: who answers for which account, whether it may trade, how far the clocks are apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from standins.broker_rehearsals import ACCOUNT, new_venue
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca

from trading_assets.adapters.clock import set_replay_clock
from trading_assets.adapters.postgres import broker_hints
from trading_assets.adapters.postgres.database import Database
from trading_assets.cli.doctor import Finding, examine
from trading_assets.settings import OVERRIDES_VARIABLE, PROJECT_ROOT


@pytest.fixture
def alpaca() -> Iterator[LocalAlpaca]:
    with LocalAlpaca(new_venue()).running() as server:
        yield server


@pytest.fixture(autouse=True)
def configured(alpaca: LocalAlpaca, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal at the venue's time."""
    overrides = {
        "clock": "replay",
        "broker.kind": "alpaca",
        "broker.environment": "paper",
        "broker.account": ACCOUNT,
        "broker.url": alpaca.url,
    }
    monkeypatch.setenv("TRADING_CONFIG", str(PROJECT_ROOT / "trading.yaml"))
    monkeypatch.setenv(OVERRIDES_VARIABLE, json.dumps(overrides))
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("ALPACA_API_KEY", PAPER_KEY)
    monkeypatch.setenv("ALPACA_SECRET_KEY", SECRET)
    set_replay_clock(database, alpaca.venue.now)


def said_of(subject: str) -> Finding:
    (finding,) = [one for one in examine() if one.subject == subject]
    return finding


def test_broker_that_answers_for_its_account_is_well() -> None:
    finding = said_of("broker")

    assert finding.state == "ok"
    assert f"alpaca paper, account {ACCOUNT} answers" in finding.text


def test_key_of_another_account_is_refused(monkeypatch: pytest.MonkeyPatch, alpaca: LocalAlpaca) -> None:
    alpaca.venue.ledger.account_number = "PA0ANOTHER01"

    assert said_of("broker").state == "failed"
    assert f"allows only {ACCOUNT}" in said_of("broker").text


def test_live_key_on_paper_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "AK0000")

    assert "broker.environment: paper, and ALPACA_API_KEY is a live key" in said_of("broker").text


def test_suspended_account_may_not_trade(alpaca: LocalAlpaca) -> None:
    alpaca.venue.is_suspended = True

    assert said_of("broker").state == "failed"
    assert "status ACTIVE, suspended by its owner" in said_of("broker").text


def test_clocks_that_are_apart_are_a_fault(alpaca: LocalAlpaca, database: Database) -> None:
    set_replay_clock(database, alpaca.venue.now + timedelta(seconds=2))

    assert said_of("broker").state == "failed"
    assert "our clock is 2000 ms ahead" in said_of("broker").text


def test_broker_that_does_not_answer_is_a_fault(alpaca: LocalAlpaca) -> None:
    alpaca._server.server_close()
    alpaca._server.shutdown()

    assert said_of("broker").state == "failed"


def test_simulated_broker_has_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDES_VARIABLE, "")

    assert "no order leaves this machine" in said_of("broker").text
    assert said_of("stream").state == "ok"


def test_stream_is_told_of_by_its_last_sign_of_life(database: Database, alpaca: LocalAlpaca) -> None:
    assert "nobody has listened to it yet" in said_of("stream").text
    with database.transaction() as connection:
        broker_hints.store_opening(connection, f"alpaca-paper-{ACCOUNT}", alpaca.venue.now)
    assert said_of("stream").state == "ok"
    with database.transaction() as connection:
        connection.execute("update execution.stream_health set heard_at = heard_at - interval '2 minutes'")
    assert said_of("stream").state == "missing"
    assert "not heard since" in said_of("stream").text


def test_broker_is_not_asked_before_the_schema_is_there(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("update public.schema_version set version_num = '0001'")

    assert said_of("broker").state == said_of("stream").state == "missing"
