"""One hash over what an account decided and did: every recorded value changes it, no wall clock does."""

from __future__ import annotations

import re
from dataclasses import replace

import psycopg
import pytest
from conftest import MakeDatabase
from psycopg import sql
from standins.recorded_life import Life, rows

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import PARTS, account_hash, ledger_hash
from trading_assets.domain.journal import Journal

WALL_CLOCK = {"recorded_at", "approved_at", "expires_at"}
CHANGES = {
    "numeric": "coalesce({0} + 0.000001, 1)",
    "double precision": "coalesce({0} + 1e-9, 1)",
    "smallint": "{0} + 100",
    "integer": "{0} + 100",
    "text": "coalesce({0}, '') || 'x'",
    "boolean": "not {0}",
    "date": "{0} + 1000",
    "timestamp with time zone": "{0} + interval '1 microsecond'",
    "ARRAY": "{0} || array['x']",
    "jsonb": "{0} || jsonb_build_object('x', 1)",
}
HASHED = (
    "execution.activities",
    "execution.equity",
    "execution.fills",
    "execution.order_events",
    "execution.orders",
    "execution.positions",
    "execution.trail_marks",
    "risk.approvals",
    "risk.breaker_events",
    "risk.verdict_checks",
    "risk.verdicts",
)


@pytest.mark.parametrize("table", HASHED)
def test_ledger_hash_changes_with_any_value_and_not_with_the_wall_clock(
    table: str, protected: Life, database: Database
) -> None:
    columns = rows(
        database,
        "select column_name, data_type from information_schema.columns "
        f"where table_schema || '.' || table_name = '{table}' and column_name <> 'account_id'",
    )
    name = sql.Identifier(*table.split("."))
    unnoticed = set()
    with database.transaction() as connection:
        allow_forgery(connection, table)
        before = account_hash(connection, protected.account_id)
        for column, kind in columns:
            with connection.transaction(force_rollback=True):
                change = sql.SQL(CHANGES[kind]).format(sql.Identifier(column))
                connection.execute(
                    sql.SQL(
                        "update {0} set {1} = {2} where ctid = (select ctid from {0} order by {1} is null limit 1)"
                    ).format(name, sql.Identifier(column), change)
                )
                if account_hash(connection, protected.account_id) == before:
                    unnoticed.add(column)
        with connection.transaction(force_rollback=True):
            connection.execute(sql.SQL("delete from {0} where ctid = (select ctid from {0} limit 1)").format(name))
            assert account_hash(connection, protected.account_id) != before

    assert unnoticed == WALL_CLOCK & {column for column, _ in columns}


def allow_forgery(connection: psycopg.Connection, table: str) -> None:
    """Until the end of the transaction: no trigger, no foreign key, no check."""
    connection.execute("set local session_replication_role = replica")
    checks = connection.execute(
        "select conname from pg_constraint where contype = 'c' and conrelid = %s::regclass", (table,)
    ).fetchall()
    for (check,) in checks:
        statement = sql.SQL("alter table {} drop constraint {}")
        connection.execute(statement.format(sql.Identifier(*table.split(".")), sql.Identifier(check)))


def test_ledger_hash_of_a_known_life_changes_only_with_what_is_recorded_of_it(
    recorded: Life, database: Database
) -> None:
    assert ledger_hash(database) == "b07e7623a349d83beb6424433feae80bd5b7545297cc64ab2feb63c36355fbf3"


def test_ledger_hash_covers_every_table_with_an_account() -> None:
    assert set(HASHED) == {
        name for query in PARTS.values() for name in re.findall(r"(?:from|join) ((?:risk|execution)\.\w+)", query)
    }


def test_ledger_hash_in_two_databases_is_the_same(
    recorded: Life, database: Database, new_database: MakeDatabase
) -> None:
    other = new_database()
    # Elsewhere the rows arrive one session after the other and lie in another order on the disk.
    life = Life(other)
    for journal in reversed(by_activity(life.journal)):
        life.record(other, journal)
    assert ledger_hash(other) == ledger_hash(database, recorded.account_id)


def by_activity(journal: Journal) -> list[Journal]:
    """The journal in two parts that can be recorded in any order: money that needs no order, and the rest."""
    rest = replace(journal, activities=[], equity=[], positions=[])
    return [rest, Journal(activities=journal.activities, equity=journal.equity, positions=journal.positions)]


def test_ledger_hash_before_anything_traded_says_what_to_do(database: Database) -> None:
    with pytest.raises(NotFound, match="No account has traded yet"):
        ledger_hash(database)
