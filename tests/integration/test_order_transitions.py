"""The database keeps orders on the same table of moves as the code."""

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest

from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.execution.orders import TERMINAL, TRANSITIONS, OrderStatus

AT = datetime(2026, 5, 1, 20, tzinfo=UTC)
INTENT = "ab" * 32


@pytest.fixture
def order(database: Database) -> str:
    """One approved order without events."""
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
            "values ('acc', 'simulated', 'f', '2026-05-01', 1000)"
        )
        connection.execute(
            "insert into risk.verdicts (intent_id, account_id, strategy, strategy_version, symbol, side, purpose, "
            "decision_at, session_date, target_weight, requested_qty, approved_qty, outcome) "
            "values (%s, 'acc', 's', '1', 'IBM', 'buy', 'rebalance', %s, '2026-05-01', 0.1, 5, 5, 'approved')",
            (INTENT, AT),
        )
        connection.execute(
            "insert into risk.approvals (intent_id, qty, approved_at, expires_at) values (%s, 5, %s, %s)",
            (INTENT, AT, AT.replace(minute=2)),
        )
        connection.execute(
            "insert into execution.orders (client_order_id, intent_id, account_id, strategy, strategy_version, symbol, "
            "side, qty, order_type, time_in_force, submitted_at, session_date) "
            "values ('o1', %s, 'acc', 's', '1', 'IBM', 'buy', 5, 'market', 'day', %s, '2026-05-01')",
            (INTENT, AT),
        )
    return "o1"


def record(database: Database, order: str, *moves: tuple[int, str], ending: str = "") -> None:
    with database.transaction() as connection:
        for event_no, status in moves:
            connection.execute(
                "insert into execution.order_events (client_order_id, event_no, status, qty, at, session_date) "
                f"values (%s, %s, %s, %s, %s, %s) {ending}",
                (order, event_no, status, Decimal(5), AT, date(2026, 5, 1)),
            )


def test_transitions_in_the_database_equal_those_in_the_code(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute("select from_status, to_status from execution.order_transitions").fetchall()
    assert set(rows) == {(old.value, new.value) for old, moves in TRANSITIONS.items() for new in moves}


def test_order_states_ends_what_the_code_calls_terminal(database: Database, order: str) -> None:
    with database.transaction() as connection:
        definition = connection.execute("select pg_get_viewdef('execution.order_states'::regclass)").fetchone()
    assert definition is not None
    assert {status for status in OrderStatus if f"'{status}'" in definition[0]} == TERMINAL


def test_order_event_on_the_table_is_recorded(database: Database, order: str) -> None:
    record(database, order, (1, "SUBMITTING"), (2, "ACKED"), (3, "WORKING"), (4, "PARTIALLY_FILLED"), (5, "FILLED"))
    with database.transaction() as connection:
        row = connection.execute("select status, event_no, is_terminal from execution.order_states").fetchone()
    assert row == ("FILLED", 5, True)


def test_order_event_off_the_table_is_refused(database: Database, order: str) -> None:
    record(database, order, (1, "SUBMITTING"), (2, "ACKED"), (3, "CANCELED"))
    with pytest.raises(psycopg.errors.CheckViolation, match="o1: CANCELED -> WORKING is no legal move"):
        record(database, order, (4, "WORKING"))


def test_order_event_with_an_unheard_of_status_is_refused(database: Database, order: str) -> None:
    record(database, order, (1, "SUBMITTING"))
    with pytest.raises(psycopg.errors.CheckViolation, match="SUBMITTING -> LOST"):
        record(database, order, (2, "LOST"))


def test_first_order_event_other_than_submitting_is_refused(database: Database, order: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="must be SUBMITTING"):
        record(database, order, (1, "LAPSED"))


@pytest.mark.parametrize("event_no", [-1, 0, 3])
def test_order_event_out_of_sequence_is_refused(database: Database, order: str, event_no: int) -> None:
    record(database, order, (1, "SUBMITTING"))
    with pytest.raises(psycopg.errors.CheckViolation, match="cannot follow event 1"):
        record(database, order, (event_no, "ACKED"))


def test_order_event_recorded_again_is_a_conflict_that_a_rerun_may_ignore(database: Database, order: str) -> None:
    moves = ((1, "SUBMITTING"), (2, "ACKED"), (3, "FILLED"))
    record(database, order, *moves)
    with pytest.raises(psycopg.errors.UniqueViolation):
        record(database, order, (2, "ACKED"))
    record(database, order, *moves, ending="on conflict do nothing")
    with database.transaction() as connection:
        assert connection.execute("select count(*) from execution.order_events").fetchone() == (3,)


def test_order_events_copied_in_one_statement_are_checked_row_by_row(database: Database, order: str) -> None:
    def copy(*statuses: str) -> None:
        statement = "copy execution.order_events (client_order_id, event_no, status, qty, at, session_date) from stdin"
        with database.transaction() as connection, connection.cursor() as cursor, cursor.copy(statement) as rows:
            for event_no, status in enumerate(statuses, start=1):
                rows.write_row((order, event_no, status, 5, AT, date(2026, 5, 1)))

    with pytest.raises(psycopg.errors.CheckViolation, match="FILLED -> WORKING"):
        copy("SUBMITTING", "FILLED", "WORKING")
    copy("SUBMITTING", "ACKED", "FILLED")
