"""Who may write what, by the database itself: raw SQL as each role, and orders that nobody approved."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.roles import RISK_ROLE, STRATEGY_ROLE, in_role, missing_roles

DAY = date(2012, 6, 1)
CLOSE = datetime(2012, 6, 1, 20, tzinfo=UTC)
READER_ROLE = "trading_reader"
REVIEW = ("risk.verdicts", "risk.verdict_checks", "risk.approvals", "risk.breaker_events")
EXECUTION = ("execution.accounts", "execution.orders", "execution.order_events", "execution.fills")
DECISIONS = ("strategy.indicators", "strategy.signals", "strategy.targets", "strategy.states", "strategy.pairs")
DECLARED = ("risk.limits", "risk.limit_confirmations", "risk.restrictions", "risk.state_events", "strategy.promotions")
REFUSED = {
    STRATEGY_ROLE: (*REVIEW, *EXECUTION, *DECLARED, "market.bars", "ops.quality_gates"),
    RISK_ROLE: (*EXECUTION, *DECISIONS, *DECLARED, "market.bars", "ops.quality_gates"),
    READER_ROLE: (*REVIEW, *EXECUTION, *DECISIONS, *DECLARED, "analytics.performance"),
}


@pytest.mark.parametrize("role", REFUSED)
def test_role_cannot_write_what_is_another_stage_s(role: str, database: Database) -> None:
    with database.acting_as(role).transaction() as connection:
        assert connection.execute("select current_user").fetchone() == (role,)
        for table in REFUSED[role]:
            name = sql.Identifier(*table.split("."))
            for statement in ("insert into {} default values", "delete from {}", "truncate {}"):
                refusal = pytest.raises(psycopg.errors.InsufficientPrivilege)
                with refusal, connection.transaction():
                    connection.execute(sql.SQL(statement).format(name))


def test_roles_may_write_their_own_stage_and_readers_read_the_marts(database: Database) -> None:
    for role, tables in ((STRATEGY_ROLE, DECISIONS), (RISK_ROLE, REVIEW)):
        with database.acting_as(role).transaction() as connection:
            for table in tables:
                name = sql.Identifier(*table.split("."))
                # Permission is asked for before anything else: what is missing here are values.
                with pytest.raises(psycopg.errors.NotNullViolation), connection.transaction():
                    connection.execute(sql.SQL("insert into {} default values").format(name))
    with database.transaction() as connection:
        connection.execute("create table analytics.fct_made_later as select 1 as one")
    with database.acting_as(READER_ROLE).transaction() as connection:
        connection.execute("select from analytics.performance")
        assert connection.execute("select one from analytics.fct_made_later").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from risk.verdicts")


def test_strategies_may_add_an_indicator_and_no_other_column(database: Database) -> None:
    with database.acting_as(STRATEGY_ROLE).transaction() as connection:
        connection.execute("select strategy.add_indicator('sma_3', 'a test')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("alter table strategy.indicators add column mine integer")


def test_role_ends_with_its_block_and_a_missing_one_changes_nothing(database: Database) -> None:
    with database.acting_as("trading_nobody").transaction() as connection:
        before = connection.execute("select current_user").fetchone()
        with in_role(connection, RISK_ROLE):
            assert connection.execute("select current_user").fetchone() == (RISK_ROLE,)
        assert connection.execute("select current_user").fetchone() == before


def test_grants_may_be_repeated_and_a_user_without_them_is_found(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("call ops.grant_roles()")
        assert missing_roles(connection) == []
        connection.execute("create role trading_nobody_s_member")
        connection.execute("set session authorization trading_nobody_s_member")
        assert missing_roles(connection) == [STRATEGY_ROLE, RISK_ROLE]
        # What an installation without the right to make roles does: everything, in its own name.
        with in_role(connection, RISK_ROLE):
            assert connection.execute("select current_user").fetchone() == ("trading_nobody_s_member",)
        connection.rollback()


# Orders -------------------------------------------------------------------------------------------

APPROVED, DENIED = "a" * 64, "d" * 64


@pytest.fixture
def account_id(database: Database) -> str:
    """An account with an approval for ten shares, and a denial."""
    with database.transaction() as connection:
        opened = ledger.open_account(connection, "simulated", "0" * 8, DAY, Decimal(100_000))
        for intent, qty, outcome in ((APPROVED, 10, "approved"), (DENIED, 0, "denied")):
            connection.execute(
                "insert into risk.verdicts (intent_id, account_id, strategy, strategy_version, symbol, side, purpose, "
                "decision_at, session_date, target_weight, requested_qty, approved_qty, outcome) "
                "values (%s, %s, 's', '1', 'IBM', 'buy', 'open', %s, %s, 0.1, 10, %s, %s)",
                (intent, opened.account_id, CLOSE, DAY, qty, outcome),
            )
        connection.execute(
            "insert into risk.approvals (intent_id, qty, approved_at, expires_at) "
            "values (%s, 10, %s, %s::timestamptz + interval '2 minutes')",
            (APPROVED, CLOSE, CLOSE),
        )
    return opened.account_id


def send(database: Database, account_id: str, **changes: Any) -> None:
    order = {
        "client_order_id": "one",
        "intent_id": APPROVED,
        "account_id": account_id,
        "strategy": "s",
        "strategy_version": "1",
        "symbol": "IBM",
        "side": "buy",
        "qty": 10,
        "order_type": "market",
        "time_in_force": "day",
        "submitted_at": CLOSE,
        "session_date": DAY,
    } | changes
    columns = sql.SQL(", ").join(map(sql.Identifier, order))
    values = sql.SQL(", ").join(map(sql.Placeholder, order))
    with database.transaction() as connection:
        connection.execute(sql.SQL("insert into execution.orders ({}) values ({})").format(columns, values), order)


def test_approval_is_used_once(database: Database, account_id: str) -> None:
    send(database, account_id)
    with pytest.raises(psycopg.errors.UniqueViolation, match="orders_use_an_approval_once"):
        send(database, account_id, client_order_id="two")


@pytest.mark.parametrize("intent", [DENIED, "e" * 64])
def test_order_that_nobody_approved_is_impossible(database: Database, account_id: str, intent: str) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="orders_intent_id_fkey"):
        send(database, account_id, intent_id=intent)


@pytest.mark.parametrize("change", [{"qty": "10.000000001"}, {"symbol": "MSFT"}, {"side": "sell"}, {"strategy": "t"}])
def test_order_other_than_approved_is_impossible(database: Database, account_id: str, change: dict[str, Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="is not what was approved"):
        send(database, account_id, **change)
