"""Connections are kept from one transaction to the next, and whoever gets one cannot tell it from a new one."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres.connections import MOST_KEPT
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.roles import STRATEGY_ROLE

BACKENDS = "select count(*) from pg_stat_activity where datname = current_database()"


def asked(database: Database, query: str = "select pg_backend_pid()") -> object:
    with database.transaction() as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]  # a test's own words
    assert row is not None
    return row[0]


def test_next_transaction_has_the_same_connection_and_none_of_its_settings(database: Database) -> None:
    settings = (
        "select array[current_setting('transaction_read_only'), current_setting('transaction_isolation'), "
        "current_setting('timezone')]"
    )
    usual = asked(database, settings)
    with database.transaction() as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.execute("set local timezone = 'Asia/Tokyo'")
        first = connection.info.backend_pid

    assert asked(database) == first
    assert asked(database, settings) == usual


def test_transaction_inside_another_has_a_connection_of_its_own(database: Database) -> None:
    with database.transaction() as outer:
        assert asked(database) != outer.info.backend_pid


def test_connection_of_a_block_that_raised_is_not_kept_and_its_work_undone(database: Database) -> None:
    first = asked(database)
    with pytest.raises(psycopg.errors.DivisionByZero), database.transaction() as connection:
        connection.execute("create table undone as select 1 / 0 as x")

    assert asked(database) != first


def test_work_of_a_block_that_raised_is_undone(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as connection:
            connection.execute("create table undone (x int)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert asked(database, "select to_regclass('undone')") is None


def test_connection_that_the_server_ended_meanwhile_is_replaced(database: Database) -> None:
    first = asked(database)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", (first,))

    assert asked(database) != first


def test_connection_that_is_lost_in_a_block_raises_what_happened(database: Database) -> None:
    with pytest.raises(psycopg.errors.AdminShutdown), database.transaction() as connection:
        connection.execute("select pg_terminate_backend(pg_backend_pid())")


def test_only_a_few_connections_are_kept(database: Database) -> None:
    at_once = 3 * MOST_KEPT
    together = Barrier(at_once)

    def use() -> None:
        with database.transaction() as connection:
            connection.execute("select 1")
            together.wait()

    with ThreadPoolExecutor(at_once) as threads:
        for done in [threads.submit(use) for _ in range(at_once)]:
            done.result()
    # A server notices a moment later that a client has left.
    deadline = time.monotonic() + 10
    while asked(database, BACKENDS) != MOST_KEPT and time.monotonic() < deadline:
        time.sleep(0.01)
    assert asked(database, BACKENDS) == MOST_KEPT


def test_forked_child_leaves_the_connections_of_its_parent_alone(database: Database) -> None:
    before, rows = asked(database), database.frame("select 1 as one")
    child = os.fork()
    if child == 0:
        is_own = asked(database) != before and database.frame("select 1 as one").equals(rows)
        os._exit(0 if is_own else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert asked(database) == before
    assert database.frame("select 1 as one").equals(rows)


def test_connection_in_the_hands_of_a_role_serves_that_role_only(database: Database) -> None:
    strategy = database.acting_as(STRATEGY_ROLE)
    user = asked(database, "select current_user")

    assert asked(strategy, "select current_user") == STRATEGY_ROLE
    assert asked(database, "select current_user") == user
    assert asked(strategy, "select current_user") == STRATEGY_ROLE


def test_kept_reader_sees_what_was_stored_meanwhile_and_survives_a_wrong_question(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("create table seen (x int)")
    for count in range(3):
        assert len(database.frame("select x from seen")) == count
        with pytest.raises(Exception, match="no_such_table"):
            database.frame("select x from no_such_table")
        with database.transaction() as connection:
            connection.execute("insert into seen values (1)")


def test_reader_that_the_server_ended_meanwhile_is_replaced(database: Database) -> None:
    database.frame("select 1 as one")
    with psycopg.connect(database.url, autocommit=True) as other:
        others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        other.execute(f"select pg_terminate_backend(pid, 5000) {others}")  # type: ignore[arg-type]

    assert len(database.frame("select 1 as one")) == 1


def test_server_that_does_not_answer_is_named_with_what_to_do(database: Database) -> None:
    nobody = Database(database.url.rsplit("/", 1)[0] + "/no_such_database")
    with pytest.raises(Unreachable, match=r"no_such_database.*make up"):
        asked(nobody)
