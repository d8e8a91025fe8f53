"""Every invariant of the ledger holds in a sound history, and a violation planted behind the database is found."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from conftest import MakeDatabase
from standins.broker_rehearsals import new_york, simulated
from standins.compared_account import ComparedAccount

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.invariants import INVARIANTS, count_rows, violations
from trading_assets.defs.execution.invariants import ledger_invariants
from trading_assets.defs.execution.reconciliation import RECONCILIATION

BY_NUMBER = {one.number: one for one in INVARIANTS}
PRICED = """
    insert into market.bars
        (symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, source)
    values ('AAA', '1h', '2024-07-01 15:10+00', '2024-07-01 16:10+00', '2024-07-01', 100, 103, 98, 100, 5, 'test')
"""
"""The bar that the order's verdict is priced by."""
SEEN = """
    insert into execution.equity
    select account_id, '2024-07-01 17:30+00', '2024-07-01', 98000, 0, 2000, 100000, 0, 0, 0, 0, 100000, 100000
    from execution.accounts;
    insert into execution.positions
    select account_id, '2024-07-01', 'a strategy', 'AAA', '2024-07-01 17:30+00', 20, 100, 100, 2000, 0, 0
    from execution.accounts;
    insert into risk.state_events (scope, subject, state, at, set_by, why)
    values ('account', '*', 'halted', now(), 'Ada', 'done');
    insert into market.bars
        (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, volume, source)
    select 'AAA', '1h', '2024-07-01 16:30+00', version, '2024-07-01 17:30+00', '2024-07-01', 1, 2, 1, version, 5, 'test'
    from generate_series(1, 2) as version;
    insert into market.corporate_actions (symbol, ex_date, kind, version, split_ratio, source)
    select 'AAA', '2024-07-02', 'split', version, version, 'test' from generate_series(1, 2) as version;
    insert into strategy.backtests
    select 'backtest ' || number, 'a backtest', 'single', null, null, 'f', '{}', '{}', '{}', '2024-07-01', '2024-07-01',
           'hash', now(), now(), now(), 100000, 0, null, null, null, null, 0, null, null, null, 0, null, 0, 0, 0, null,
           null, 0, 0
    from generate_series(1, 2) as number;
    insert into ops.event_drafts (topic, facts) values
        ('tested', '{}'), ('bars_stored', '{"rows_written": 3}'),
        ('corporate_actions_stored', '{"table": "market.corporate_actions", "rows_written": 2}');
"""
PLANTED: dict[str, list[str]] = {
    "INV-1": ["update execution.positions set qty = 21", "delete from execution.positions"],
    "INV-2": ["update execution.equity set cash_usd = cash_usd + 0.02"],
    "INV-3": ["update execution.fills set qty = 21"],
    "INV-4": ["update execution.orders set qty = qty + 1", "delete from risk.approvals"],
    "INV-5": [
        "update risk.verdicts set reference_price = 2",
        "update market.bars set known_at = clock_timestamp() + interval '1 hour'",
        "update risk.approvals set approved_at = approved_at - interval '1 hour'",
        "update execution.orders set submitted_at = submitted_at - interval '1 second'",
        "update execution.fills set filled_at = '2024-07-01 12:00+00', booked_at = '2024-07-01 12:00+00'",
    ],
    "INV-6": [
        "update execution.order_events set status = 'HELD' where event_no = 1",
        "insert into execution.order_events select client_order_id, event_no + 1, 'WORKING', qty, at, session_date "
        "from execution.order_events where status = 'FILLED'",
    ],
    "INV-7": [
        "insert into execution.broker_orders select account_id, 'another', client_order_id, symbol, seen_at "
        "from execution.broker_orders",
        "delete from execution.broker_orders",
    ],
    "INV-8": ["update execution.equity set fees_usd = 1", "update execution.equity set positions_usd = 1"],
    "INV-9": [
        "update ops.events set event_no = event_no + 1 where event_no = (select max(event_no) from ops.events)",
        "insert into market.bars select symbol, timeframe, ts, 3, closes_at, session_date, open, high, low, 1, volume, "
        "source from market.bars where version = 2",
        "insert into ops.events select event_no + 1, topic, facts, first_session, last_session, occurred_at "
        "from ops.events where topic = 'corporate_actions_stored'",
    ],
    "INV-10": ["update execution.fills set strategy = null, qty = 1"],
    "INV-11": [
        "update market.bars set version = 3 where version = 2",
        "update market.bars set close = 1 where version = 2",
        "update market.corporate_actions set split_ratio = 1 where version = 2",
        "update strategy.backtests set fills = 1 where backtest_id = 'backtest 2'",
    ],
    "INV-12": ["update execution.submissions set recorded_at = clock_timestamp() + interval '1 minute'"],
    "INV-13": ["delete from execution.fills", "delete from notification.messages"],
    "INV-14": [
        "update execution.positions set unrealised_usd = 1",
        "update execution.equity set realised_usd = 1",
        "update execution.positions set value_usd = 2001",
    ],
}
ORDER_AGAIN = (
    "insert into execution.orders select 'ta1-x', {}, 2, account_id, strategy, strategy_version, symbol, side, qty, "
    "order_type, time_in_force, limit_price, stop_price, submitted_at, session_date from execution.orders"
)
REFUSED = {
    "INV-3": ORDER_AGAIN.format("intent_id"),
    "INV-4": ORDER_AGAIN.format("'unapproved'"),
    "INV-6": "insert into execution.order_events "
    "select client_order_id, event_no + 1, 'WORKING', qty, at, session_date "
    "from execution.order_events where status = 'FILLED'",
    "INV-7": "insert into execution.broker_orders select account_id, broker_order_id, null, symbol, seen_at "
    "from execution.broker_orders",
    "INV-13": "delete from execution.fills",
}
"""Violations that the database refuses by itself."""


@pytest.fixture(scope="module")
def sound(new_module_database: MakeDatabase) -> Iterator[Database]:
    with simulated() as rehearsal:
        account = ComparedAccount(new_module_database(), rehearsal)
        account.open()
        account.at(new_york("12:10"))
        with account.database.transaction() as connection:
            connection.execute(PRICED)
        account.buy("AAA", 20)
        account.trade()
        assert account.compare().comparison.is_clean
        with account.database.transaction() as connection:
            connection.execute(SEEN)
        with account.database.transaction() as connection:
            count_rows(connection)
        yield account.database


def test_there_are_fourteen_and_each_holds_in_a_sound_history(sound: Database) -> None:
    assert list(BY_NUMBER) == [f"INV-{number}" for number in range(1, 15)] == list(PLANTED)
    with sound.transaction() as connection:
        assert {one.number: violations(connection, one) for one in INVARIANTS} == {number: [] for number in BY_NUMBER}


@pytest.mark.parametrize(
    ("number", "statement"), [(number, one) for number, statements in PLANTED.items() for one in statements]
)
def test_planted_violation_is_found(sound: Database, number: str, statement: str) -> None:
    with sound.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        if "strategy = null" in statement:
            connection.execute("alter table execution.fills alter column strategy drop not null")
        connection.execute(statement)
        assert violations(connection, BY_NUMBER[number])
        connection.rollback()


@pytest.mark.parametrize("number", REFUSED)
def test_database_refuses_the_violation_itself(sound: Database, number: str) -> None:
    with pytest.raises((psycopg.IntegrityError, psycopg.errors.RaiseException)), sound.transaction() as connection:
        connection.execute(REFUSED[number])


def test_checks_of_the_graph_are_green_and_a_planted_violation_turns_one_red(
    sound: Database, new_database: MakeDatabase
) -> None:
    database = new_database(sound)
    context = {"database": database}

    def red() -> set[str]:
        result = dg.materialize(
            [dg.AssetSpec(RECONCILIATION), ledger_invariants],
            selection=dg.AssetSelection.checks(ledger_invariants),
            resources=context,
        )
        return {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}

    assert red() == set()
    with database.transaction() as connection:
        connection.execute("update execution.positions set qty = 21")
    assert red() == {BY_NUMBER["INV-1"].name, BY_NUMBER["INV-10"].name}
