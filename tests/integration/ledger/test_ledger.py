"""The ledger in PostgreSQL: recorded once, never changed, read back as the account was, one writer at a time."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest
from standins.accounts import facts
from standins.recorded_life import FIRST, LAST, MINDFUL, PROTECTED, RULES, SMALL, D, Life, moments, rows

from trading_assets.adapters.errors import LedgerConflict
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.sessions import session
from trading_assets.domain.simulation import Rules, open_book, walk
from trading_assets.domain.values import ReasonCode

APPEND_ONLY = (
    "execution.accounts",
    "execution.activities",
    "execution.adjustments",
    "execution.breaks",
    "execution.broker_orders",
    "execution.fills",
    "execution.incident_closings",
    "execution.incidents",
    "execution.order_events",
    "execution.order_lookups",
    "execution.order_transitions",
    "execution.orders",
    "execution.reconciliations",
    "execution.submission_answers",
    "execution.submissions",
    "execution.trail_marks",
    "market.bars",
    "market.broker_sessions",
    "market.corporate_actions",
    "market.instrument_facts",
    "market.quarantined_rows",
    "market.quotes",
    "market.trading_halts",
    "market.universe_members",
    "notification.messages",
    "ops.archive_moves",
    "ops.events",
    "ops.row_counts",
    "ops.validations",
    "risk.alert_events",
    "risk.approvals",
    "risk.breaker_events",
    "risk.limit_confirmations",
    "risk.limits",
    "risk.restrictions",
    "risk.state_events",
    "risk.verdict_checks",
    "risk.verdicts",
    "strategy.backtest_equity",
    "strategy.backtest_trades",
    "strategy.backtests",
    "strategy.promotions",
    "strategy.proofs",
    "strategy.state_events",
    "strategy.sweep_folds",
    "strategy.sweeps",
)


DERIVED = (
    "execution.broker_hints",
    "execution.equity",
    "execution.positions",
    "execution.stream_health",
    "execution.watchers",
    "execution.writers",
    "risk.correlations",
    "risk.limit_checks",
    "risk.portfolio_risk",
    "risk.position_risk",
    "risk.scenario_verdicts",
    "risk.scenarios",
    "risk.sector_risk",
    "risk.stress_results",
)


# Recording ----------------------------------------------------------------------------------------


def test_record_holds_everything_that_the_account_went_through(life: Life, database: Database) -> None:
    written = life.record(database)

    journal = life.journal
    assert written == {
        "risk.verdicts": len(journal.verdicts),
        "risk.verdict_checks": sum(len(verdict.checks) for verdict in journal.verdicts),
        "risk.approvals": len(journal.approvals),
        "risk.breaker_events": len(journal.breaker_events),
        "execution.orders": len(journal.orders),
        "execution.order_events": len(journal.order_events),
        "execution.trail_marks": 0,
        "execution.fills": len(journal.fills),
        "execution.activities": len(journal.activities),
        "execution.equity": len(journal.equity),
        "execution.positions": len(journal.positions),
    }
    assert {table for table, count in written.items() if not count} == {"execution.trail_marks"}
    assert {event.status for event in journal.order_events} >= {"PARTIALLY_FILLED", "FILLED", "EXPIRED", "HELD"}


def test_record_twice_is_once(recorded: Life, database: Database) -> None:
    before = ledger_hash(database)

    again = recorded.record(database)

    assert set(again.values()) == {0}
    assert ledger_hash(database) == before


def test_record_another_quantity_conflicts_naming_row_column_and_both_values(
    recorded: Life, database: Database
) -> None:
    fill = recorded.journal.fills[3]
    changed = Journal(fills=[recorded.journal.fills[2], replace(fill, qty=fill.qty + D("0.000000001"))])
    before = ledger_hash(database)

    with pytest.raises(LedgerConflict) as conflict:
        recorded.record(database, changed)

    assert str(conflict.value) == (
        f"execution.fills: execution_id {fill.execution_id}: "
        f"qty recorded {fill.qty}.000000000, now computed {fill.qty}.000000001"
    )
    assert ledger_hash(database) == before


def test_record_conflict_of_large_numbers_shows_every_digit(recorded: Life, database: Database) -> None:
    deposit = replace(recorded.journal.activities[0], activity_id="large", amount_usd=D("12345678901234.123456"))
    recorded.record(database, Journal(activities=[deposit]))

    with pytest.raises(LedgerConflict, match=r"recorded 12345678901234\.123456, now computed 12345678901234\.123457"):
        recorded.record(database, Journal(activities=[replace(deposit, amount_usd=D("12345678901234.123457"))]))


def test_record_another_intent_conflicts_although_its_verdict_stands(recorded: Life, database: Database) -> None:
    verdict = next(verdict for verdict in recorded.journal.verdicts if verdict.approved_qty)
    wanted_more = replace(verdict, intent=replace(verdict.intent, qty=verdict.intent.qty + 1))

    with pytest.raises(LedgerConflict, match=rf"risk.verdicts: intent_id {verdict.intent.intent_id}: requested_qty"):
        recorded.record(database, Journal(verdicts=[wanted_more]))


def test_record_conflict_stores_nothing_of_the_journal(recorded: Life, database: Database) -> None:
    point, fill = recorded.journal.equity[-1], recorded.journal.fills[0]
    journal = Journal(
        fills=[replace(fill, price=fill.price + 1)],
        activities=[replace(recorded.journal.activities[0], activity_id="new")],
        equity=[replace(point, at=point.at + timedelta(hours=1))],
    )
    before = ledger_hash(database)

    with pytest.raises(LedgerConflict):
        recorded.record(database, journal)

    assert ledger_hash(database) == before


def test_refuse_vanished_accepts_the_same_journal_and_names_what_is_missing(recorded: Life, database: Database) -> None:
    journal = recorded.journal
    lost_fill = replace(journal, fills=journal.fills[1:])
    lost_verdict = replace(journal, verdicts=journal.verdicts[:-1])

    with database.transaction() as connection:
        ledger.refuse_vanished(connection, recorded.account_id, FIRST, LAST, journal)
        with pytest.raises(LedgerConflict, match=f"execution_id {journal.fills[0].execution_id} is recorded but"):
            ledger.refuse_vanished(connection, recorded.account_id, FIRST, LAST, lost_fill)
        last = journal.verdicts[-1].intent.intent_id
        with pytest.raises(LedgerConflict, match=f"risk.verdicts: intent_id {last} is recorded but was not computed"):
            ledger.refuse_vanished(connection, recorded.account_id, FIRST, LAST, lost_verdict)
        ledger.refuse_vanished(connection, recorded.account_id, date(2012, 12, 3), date(2012, 12, 4), Journal())


# Append-only --------------------------------------------------------------------------------------


def test_every_table_of_risk_and_execution_is_append_only_or_derived(database: Database) -> None:
    guarded = rows(
        database,
        "select tgrelid::regclass::text from pg_trigger where tgname = 'append_only' and tgenabled = 'O'",
    )
    tables = rows(
        database,
        "select format('%s.%s', schemaname, tablename) from pg_tables where schemaname in ('risk', 'execution')",
    )

    assert set(APPEND_ONLY) <= {table for (table,) in guarded}
    assert {table for (table,) in tables} - set(APPEND_ONLY) == set(DERIVED)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_ledger_table_refuses_update_delete_and_truncate(table: str, database: Database) -> None:
    ((column,),) = rows(
        database, f"select attname from pg_attribute where attrelid = '{table}'::regclass and attnum = 1"
    )
    for statement in (f"update {table} set {column} = {column}", f"delete from {table}", f"truncate {table} cascade"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="is append-only") as refused:
            rows(database, statement)
        assert "reversing row" in (refused.value.diag.message_hint or "")


# Orders and approvals -----------------------------------------------------------------------------


def test_order_without_an_approval_is_impossible(recorded: Life, database: Database) -> None:
    denied = next(verdict for verdict in recorded.journal.verdicts if not verdict.approved_qty)
    order = replace(recorded.journal.orders[0], client_order_id="unapproved", intent_id=denied.intent.intent_id)

    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="orders_intent_id_fkey"):
        recorded.record(database, Journal(orders=[order]))


@pytest.mark.parametrize("attempt", [1, 2])
def test_order_using_an_approval_again_is_impossible(recorded: Life, database: Database, attempt: int) -> None:
    order = replace(recorded.journal.orders[0], client_order_id="again", attempt=attempt)

    with pytest.raises(psycopg.errors.UniqueViolation, match="intent_id"):
        recorded.record(database, Journal(orders=[order]))


def test_leg_without_the_approval_of_its_entry_is_impossible(protected: Life, database: Database) -> None:
    entry, leg = protected.journal.orders[:2]
    other = next(order for order in protected.journal.orders if order.intent_id != entry.intent_id)
    assert leg.parent_order_id == entry.client_order_id

    for stray in (
        replace(leg, client_order_id="stray", intent_id=other.intent_id),
        replace(leg, client_order_id="stray", parent_order_id="unknown"),
    ):
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="share_the_approval_of_their_parent"):
            protected.record(database, Journal(orders=[stray]))


@pytest.mark.parametrize(
    ("forged", "constraint"),
    [
        ("order_type = 'trailing_stop'", "one_trail"),
        ("time_in_force = 'opg', order_type = 'stop', stop_price = 1", "in_auctions"),
        ("group_id = 'g'", "of_a_class"),
        ("order_type = 'stop'", "have_a_stop"),
        ("order_type = 'limit'", "have_a_limit"),
        ("entry_offset_pct = 1", "relative_to_an_entry"),
    ],
)
def test_order_that_makes_no_sense_is_refused_by_the_database(
    recorded: Life, database: Database, forged: str, constraint: str
) -> None:
    with database.transaction() as connection:
        connection.execute("set local session_replication_role = replica")
        with pytest.raises(psycopg.errors.CheckViolation, match=constraint), connection.transaction():
            connection.execute(f"update execution.orders set {forged}")


def test_approval_given_again_keeps_the_time_of_the_first(recorded: Life, database: Database) -> None:
    approval = recorded.journal.approvals[0]
    later = replace(
        approval,
        approved_at=approval.approved_at + timedelta(days=1),
        expires_at=approval.expires_at + timedelta(days=1),
    )

    assert recorded.record(database, Journal(approvals=[later]))["risk.approvals"] == 0
    with database.transaction() as connection:
        query = "select approved_at from risk.approvals where intent_id = %s"
        assert connection.execute(query, (approval.intent_id,)).fetchone() == (approval.approved_at,)


def test_unsent_approvals_are_those_without_an_order(life: Life, database: Database) -> None:
    unsent = life.journal.orders[-1]
    name = unsent.client_order_id
    life.record(
        database,
        replace(
            life.journal,
            orders=life.journal.orders[:-1],
            order_events=[event for event in life.journal.order_events if event.client_order_id != name],
            fills=[fill for fill in life.journal.fills if fill.client_order_id != name],
        ),
    )

    with database.transaction() as connection:
        ((verdict, approval),) = reviews.unsent_approvals(connection, life.account_id)
        sent = reviews.sent_intents(connection, life.account_id, FIRST, LAST)
    assert (verdict.intent.intent_id, approval.qty) == (unsent.intent_id, unsent.qty)
    assert sent == {order.intent_id for order in life.journal.orders[:-1]}


# Reading back -------------------------------------------------------------------------------------


def test_load_account_equals_the_account_in_memory_after_every_close(recorded: Life, database: Database) -> None:
    assert any(stage.tripped for stage in recorded.stages)
    assert any(stage.book.receivables for stage in recorded.stages)
    assert any(working.filled_qty for stage in recorded.stages for working in stage.working.values())
    with database.transaction() as connection:
        for stage in recorded.stages:
            assert stage.as_of is not None
            loaded = ledger.load_account(connection, recorded.account_id, stage.as_of)
            assert loaded is not None
            assert facts(loaded) == facts(stage)


def test_load_account_restores_every_leg_of_every_group_after_every_close(protected: Life, database: Database) -> None:
    legs = [one for stage in protected.stages for one in stage.working.values() if one.order.is_leg]
    assert {leg.status for leg in legs} >= {"HELD", "WORKING", "PARTIALLY_FILLED"}
    assert any(leg.is_triggered for leg in legs)
    assert any(event.detail.startswith("split") for event in protected.journal.order_events)
    assert protected.journal.trail_marks
    with database.transaction() as connection:
        for stage in protected.stages:
            assert stage.as_of is not None
            loaded = ledger.load_account(connection, protected.account_id, stage.as_of)
            assert loaded is not None
            assert facts(loaded) == facts(stage)


def test_load_account_restores_what_is_counted_of_the_past_after_every_close(database: Database) -> None:
    life = Life(database, MINDFUL, SMALL)
    life.record(database)
    assert any(stage.day_trades for stage in life.stages)
    assert any(stage.cleared_at for stage in life.stages)
    assert any(stage.unsettled for stage in life.stages)
    reasons = {code for verdict in life.journal.verdicts for code in verdict.reason_codes}
    assert reasons >= {
        ReasonCode.DAY_TRADES_EXCEED_LIMIT,
        ReasonCode.SESSION_REVERSALS_EXCEED_LIMIT,
        ReasonCode.PROTECTION_LOCKED,
    }
    with database.transaction() as connection:
        for stage in life.stages:
            assert stage.as_of is not None
            loaded = ledger.load_account(connection, life.account_id, stage.as_of)
            assert loaded is not None
            assert facts(loaded) == facts(stage)


@pytest.mark.parametrize(
    ("rules", "cash"),
    [(RULES, 100_000), (PROTECTED, 100_000), (MINDFUL, SMALL)],
    ids=["plain", "protected", "mindful"],
)
def test_load_account_hour_by_hour_and_going_on_equals_walking_at_once(
    database: Database, rules: Rules, cash: int
) -> None:
    life = Life(database, rules, cash)
    account, journal = open_book(life.account_id, D(cash), session(FIRST))
    for moment in moments(life.frame):
        walk(account, [moment], rules, {}, (), journal)
        life.record(database, journal)
        with database.transaction() as connection:
            loaded = ledger.load_account(connection, life.account_id, moment.at)
        assert loaded is not None
        account, journal = loaded, Journal()

    assert set(life.record(database).values()) == {0}


def test_load_account_before_its_first_close_is_none(recorded: Life, database: Database) -> None:
    with database.transaction() as connection:
        assert ledger.load_account(connection, recorded.account_id, session(FIRST).opens_at) is None


def test_recorded_verdicts_come_back_as_they_were_given(recorded: Life, database: Database) -> None:
    with database.transaction() as connection:
        verdicts = reviews.recorded_verdicts(connection, recorded.account_id, FIRST, LAST)

    assert len(verdicts) == len(recorded.journal.verdicts)
    for verdict in recorded.journal.verdicts:
        again = verdicts[verdict.intent.intent_id]
        assert replace(again, checks=()) == replace(verdict, checks=())
        assert {check.rule_id: check for check in again.checks} == {check.rule_id: check for check in verdict.checks}


# Writers ------------------------------------------------------------------------------------------

WAITING = (
    "select from pg_locks where locktype = 'advisory' and not granted "
    "and database = (select oid from pg_database where datname = current_database())"
)


def test_second_writer_waits_for_the_first_and_finds_its_record(life: Life, database: Database) -> None:
    has_lock, may_commit = threading.Event(), threading.Event()
    order: list[str] = []
    written: list[dict[str, int]] = []

    def first() -> None:
        with database.transaction() as connection:
            ledger.lock_ledger(connection)
            has_lock.set()
            ledger.record(connection, life.journal)
            may_commit.wait(10)
            order.append("first")

    def second() -> None:
        has_lock.wait(10)
        with database.transaction() as connection:
            ledger.lock_ledger(connection)
            order.append("second")
            written.append(ledger.record(connection, life.journal))

    writers = [threading.Thread(target=first), threading.Thread(target=second)]
    for writer in writers:
        writer.start()
    has_lock.wait(10)
    deadline = time.monotonic() + 10
    while not rows(database, WAITING) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert order == []
    may_commit.set()
    for writer in writers:
        writer.join(20)

    assert order == ["first", "second"]
    assert set(written[0].values()) == {0}


def test_writer_that_fails_leaves_nothing_and_lets_the_next_one_in(life: Life, database: Database) -> None:
    def interrupted() -> None:
        with database.transaction() as connection:
            ledger.lock_ledger(connection)
            ledger.record(connection, life.journal)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert rows(database, "select count(*) from risk.verdicts") == [(0,)]
    assert life.record(database)["risk.verdicts"] == len(life.journal.verdicts)
