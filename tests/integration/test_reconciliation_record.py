"""What the submit path reads of comparisons: when the account agreed, what is open, and whether one is under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from trading_assets.adapters.errors import Transient
from trading_assets.adapters.postgres import reconciliations
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.reconciliations import (
    Comparison,
    Trigger,
    accepted_breaks,
    comparing,
    is_reconciling,
    known_breaks,
    listed_breaks,
    newest_agreement,
    newest_comparison,
    open_breaks,
    record_comparison,
)
from trading_assets.domain.execution.breaks import Break, BreakKind

ACCOUNT, OTHER = "alpaca-1", "alpaca-2"
NOON = datetime(2024, 7, 1, 16, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CASH = Break(BreakKind.CASH_DIFFERS, "cash", "", "100", "99")
SHARES = Break(BreakKind.POSITION_DIFFERS, "AAA", "AAA", "50", "60")
AVERAGE = Break(BreakKind.AVERAGE_PRICE_DIFFERS, "AAA", "AAA", "10", "11")
CLEAN = Comparison(
    *(ACCOUNT, Trigger.INTERVAL, NOON, date(2024, 7, 1), NOON - timedelta(days=1), NOON, NOON, 12),
    *(3, 4, 1, 0, 0, 0, 0, (), bytes(32), bytes(32)),
    is_clean=True,
)


@pytest.fixture
def accounts(database: Database) -> Database:
    with database.transaction() as connection:
        for name in (ACCOUNT, OTHER):
            connection.execute(
                "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
                "values (%s, 'alpaca', 'f', '2024-07-01', %s)",
                (name, Decimal(100_000)),
            )
    return database


def record(database: Database, *breaks: Break, at: datetime = NOON) -> None:
    comparison = replace(CLEAN, cut_at=at, break_count=len(breaks), is_clean=not breaks)
    with database.transaction() as connection:
        record_comparison(connection, comparison, breaks)


def accept(database: Database, one: Break, booked: Sequence[str] = ()) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.adjustments (account_id, break_id, kind, at, adjusted_by, why, activity_ids) "
            "values (%s, %s, %s, %s, 'Ada', 'known', %s)",
            (ACCOUNT, one.adjustment_id, one.kind, NOON, list(booked)),
        )


def open_incident(database: Database, symbol: str | None) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.incidents (incident_id, account_id, kind, subject, symbol, at, session_date) "
            "values ('i', %s, 'LATE_EXECUTION', 'x', %s, %s, '2024-07-01')",
            (ACCOUNT, symbol, NOON),
        )


def close_incident(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.incident_closings (incident_id, at, closed_by, why) "
            "values ('i', now(), 'Ada', 'seen')"
        )


def state(database: Database, account: str = ACCOUNT) -> tuple[datetime | None, dict[str, int]]:
    with database.transaction() as connection:
        return newest_agreement(connection, account), open_breaks(connection, account)


def test_account_that_was_never_compared_has_no_agreement(accounts: Database) -> None:
    assert state(accounts) == (None, {})


def test_agreement_is_the_cut_of_the_newest_comparison_of_that_account(accounts: Database) -> None:
    record(accounts)
    record(accounts, at=NOON + MINUTE)
    assert state(accounts) == (NOON + MINUTE, {})
    assert state(accounts, OTHER) == (None, {})
    with accounts.transaction() as connection:
        assert newest_comparison(connection, ACCOUNT) == replace(CLEAN, cut_at=NOON + MINUTE, explained=[])


@pytest.mark.parametrize(
    ("breaks", "expected"),
    [
        ([SHARES, AVERAGE], (NOON, {"AAA": 2})),
        ([CASH], (None, {})),
        ([CASH, SHARES], (None, {"AAA": 1})),
        ([Break(BreakKind.RECORD_UNREADABLE, "activity", "", "", "amount")], (None, {})),
        ([Break(BreakKind.ORDER_SENT_TWICE, "ta1-1", "AAA", "1", "a b")], (None, {"AAA": 1})),
    ],
)
def test_break_blocks_its_symbol_or_the_account(
    accounts: Database, breaks: list[Break], expected: tuple[datetime | None, dict[str, int]]
) -> None:
    record(accounts, *breaks)
    assert state(accounts) == expected
    with accounts.transaction() as connection:
        assert {one.found for one in listed_breaks(connection, ACCOUNT)} == set(breaks)
        assert known_breaks(connection, ACCOUNT) == {one.adjustment_id for one in breaks}
        assert newest_comparison(connection, ACCOUNT, is_clean=True) is None


def test_breaks_that_are_gone_in_the_newest_comparison_are_open_no_longer(accounts: Database) -> None:
    record(accounts, CASH, SHARES)
    record(accounts, at=NOON + MINUTE)
    assert state(accounts) == (NOON + MINUTE, {})


def test_accepted_break_is_open_no_longer_and_a_booked_one_until_the_next_comparison(accounts: Database) -> None:
    record(accounts, CASH, SHARES)
    accept(accounts, CASH)
    assert state(accounts) == (NOON, {"AAA": 1})
    accept(accounts, SHARES, booked=["activity"])
    assert state(accounts) == (NOON, {"AAA": 1})
    with accounts.transaction() as connection:
        assert accepted_breaks(connection, ACCOUNT) == {CASH.adjustment_id}
    record(accounts)
    assert state(accounts) == (NOON, {})


def test_open_incident_counts_like_a_break_until_somebody_closes_it(accounts: Database) -> None:
    record(accounts)
    open_incident(accounts, "AAA")
    assert state(accounts) == (NOON, {"AAA": 1})
    close_incident(accounts)
    assert state(accounts) == (NOON, {})


def test_open_incident_without_a_symbol_concerns_the_account(accounts: Database) -> None:
    record(accounts)
    open_incident(accounts, None)
    assert state(accounts) == (None, {})
    close_incident(accounts)
    assert state(accounts) == (NOON, {})


def test_comparison_and_submissions_keep_each_other_out(accounts: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliations, "PATIENCE_S", 0.05)
    with comparing(accounts, ACCOUNT), accounts.transaction() as connection:
        assert is_reconciling(connection, ACCOUNT)
        assert not is_reconciling(connection, OTHER)
        with pytest.raises(Transient, match="is being compared"), comparing(accounts, ACCOUNT):
            pass
    with accounts.transaction() as submission, accounts.transaction() as another:
        assert not is_reconciling(submission, ACCOUNT)
        assert not is_reconciling(another, ACCOUNT)
        with pytest.raises(Transient, match="sends orders"), comparing(accounts, ACCOUNT):
            pass
    with comparing(accounts, ACCOUNT):
        pass


@pytest.mark.parametrize("table", ["reconciliations", "breaks", "adjustments"])
def test_record_of_comparisons_is_append_only(accounts: Database, table: str) -> None:
    record(accounts, SHARES)
    accept(accounts, SHARES)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation), accounts.transaction() as connection:
        connection.execute(f"delete from execution.{table}")


@pytest.mark.parametrize("missing", ["adjusted_by", "why"])
def test_adjustment_without_a_name_or_a_reason_is_refused(accounts: Database, missing: str) -> None:
    values = {"adjusted_by": "Ada", "why": "known"} | {missing: " "}
    with pytest.raises(psycopg.errors.CheckViolation), accounts.transaction() as connection:
        connection.execute(
            "insert into execution.adjustments (account_id, break_id, kind, at, adjusted_by, why, activity_ids) "
            "values (%s, 'b', 'k', now(), %s, %s, '{}')",
            (ACCOUNT, values["adjusted_by"], values["why"]),
        )
