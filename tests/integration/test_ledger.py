"""The ledger in PostgreSQL: recorded once, never changed, read back as the account was, one writer at a time."""

from __future__ import annotations

import re
import threading
import time
import uuid
from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg import sql
from standins.accounts import facts

from trading_assets.adapters.errors import LedgerConflict, NotFound
from trading_assets.adapters.postgres import ledger, market, reviews
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import PARTS, account_hash, ledger_hash
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import BAR_COLUMNS, Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.breakers import Breaker, BreakerRule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import Protection, ProtectionKind
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import ReasonCode, Timeframe, decimal_of

D = Decimal
FIRST, LAST = date(2012, 11, 19), date(2012, 11, 29)
CRASH, DIVIDEND_ON, SPLIT_ON, PAID_ON = date(2012, 11, 28), date(2012, 11, 21), date(2012, 11, 26), date(2012, 11, 27)
SYMBOLS = ("IBM", "MSFT")
LIMITS = RiskLimits(
    max_order_qty=D(10_000),
    max_order_notional=D("0.4"),
    max_position=D("0.5"),
    max_gross_exposure=D("0.9"),
    cash_buffer=D("0.05"),
    stop_new_daily_loss=D("0.02"),
    stop_all_daily_loss=D("0.05"),
    stop_all_drawdown=D("0.15"),
    rebalance_band=D("0.02"),
    approval_ttl=timedelta(minutes=2),
    allow_short=False,
)
RULES = Rules(LIMITS, FillModel(slippage_bps=D(5), volume_limit=D("0.1")))
PROTECTED = replace(
    RULES, exits={"s": ExitPlan(D("0.02"), D("0.03"), D("0.025")), "t": ExitPlan(trailing_stop=D("0.015"))}
)
# Whatever an account remembers of its past has a say here.
MINDFUL = replace(
    PROTECTED,
    limits=replace(LIMITS, max_session_orders=12, max_session_turnover=D(3), max_session_reversals=2),
    breakers={Breaker.CONSECUTIVE_LOSSES: BreakerRule(3, clears_after_sessions=1)},
    protections=[
        Protection(ProtectionKind.STOPLOSS_GUARD, 2, 4, timeframe=Timeframe.HOUR),
        Protection(ProtectionKind.MAX_DRAWDOWN, 2, 4, max_drawdown=D("0.01"), timeframe=Timeframe.HOUR),
    ],
)
SMALL = 20_000
"""USD, too few to day trade as often as one likes."""
ACTIONS = [
    CorporateAction("IBM", DIVIDEND_ON, ActionKind.CASH_DIVIDEND, amount_usd=D("0.55"), pay_date=PAID_ON),
    CorporateAction("MSFT", SPLIT_ON, ActionKind.SPLIT, split_ratio=D("1.5")),
]

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


def hourly_bars() -> pd.DataFrame:
    """Two symbols by the hour over a holiday and a half day; thin, with holes, a split and a crash."""
    random = np.random.default_rng(11)
    rows = []
    for symbol in SYMBOLS:
        close = 100.0
        for day in sessions_between(FIRST, LAST):
            if symbol == "MSFT" and day == SPLIT_ON:
                close /= 1.5
            for number, bounds in enumerate(bar_bounds(day, Timeframe.HOUR)):
                open_, close = close, round(close * float(np.exp(random.normal(0, 0.01))), 2)
                if day == CRASH and number == 2:
                    close = round(close * 0.85, 2)
                volume = float(random.integers(0, 3_000))
                if symbol == "IBM" or random.random() > 0.3:
                    high, low = max(open_, close), min(open_, close)
                    rows.append((symbol, "1h", *bounds, day, open_, high, low, close, volume, "test"))
    return pd.DataFrame(rows, columns=list(BAR_COLUMNS))


def moments(frame: pd.DataFrame) -> list[Moment]:
    random = np.random.default_rng(12)
    history, standings = [], always_tradable(SYMBOLS)
    for (day, at), group in frame.groupby(["session_date", "closes_at"]):
        closed_at = at.to_pydatetime()
        bars = [
            Bar(row.symbol, row.ts.to_pydatetime(), closed_at, day, *map(decimal_of, row[6:11]))
            for row in group.itertuples()
        ]
        targets = [
            Target(strategy, "1", symbol, closed_at, day, D(int(random.integers(0, 6))) / 20)
            for strategy in ("s", "t")
            for symbol in SYMBOLS
        ]
        due = [action for action in ACTIONS if action.ex_date == day]
        gates = dict.fromkeys(SYMBOLS, "open" if random.random() > 0.1 else "closed")
        history.append(Moment(closed_at, session(day), bars, due, targets, gates, standings=standings))
    return history


class Life:
    """An account that lived through the bars, with a copy of it at every close."""

    def __init__(self, database: Database, rules: Rules = RULES, cash: int = 100_000) -> None:
        self.frame = hourly_bars()
        with database.transaction() as connection:
            market.store_bars(connection, self.frame)
            record = ledger.open_account(connection, "simulated", "0badcafe", FIRST, D(cash))
        self.account_id = record.account_id
        account, self.journal = open_book(record.account_id, record.opening_cash_usd, session(FIRST))
        self.stages: list[Account] = []
        for moment in moments(self.frame):
            walk(account, [moment], rules, {}, (), self.journal)
            self.stages.append(deepcopy(account))

    def record(self, database: Database, journal: Journal | None = None) -> dict[str, int]:
        with database.transaction() as connection:
            ledger.lock_ledger(connection)
            written = ledger.record(connection, journal or self.journal)
            ledger.use_account(connection, self.account_id)
        return written


@pytest.fixture
def life(database: Database) -> Life:
    return Life(database)


@pytest.fixture
def recorded(life: Life, database: Database) -> Life:
    life.record(database)
    return life


@pytest.fixture
def protected(database: Database) -> Life:
    """A recorded account whose entries carry protective exits."""
    life = Life(database, PROTECTED)
    life.record(database)
    return life


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


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


# The hash -----------------------------------------------------------------------------------------

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
    assert ledger_hash(database) == "a0088231664f973743326c803b7ea1a4ef2c383098cb0cc76d8b362091931fff"


def test_ledger_hash_covers_every_table_with_an_account() -> None:
    assert set(HASHED) == {
        name for query in PARTS.values() for name in re.findall(r"(?:from|join) ((?:risk|execution)\.\w+)", query)
    }


def test_ledger_hash_in_two_databases_is_the_same(
    recorded: Life, database: Database, postgres_server: str, migrated_template: str
) -> None:
    name = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"create database {name} template {migrated_template} strategy file_copy")
    other = Database(f"{postgres_server.rsplit('/', 1)[0]}/{name}")
    try:
        # Elsewhere the rows arrive one session after the other and lie in another order on the disk.
        life = Life(other)
        for journal in reversed(by_activity(life.journal)):
            life.record(other, journal)
        assert ledger_hash(other) == ledger_hash(database, recorded.account_id)
    finally:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


def by_activity(journal: Journal) -> list[Journal]:
    """The journal in two parts that can be recorded in any order: money that needs no order, and the rest."""
    rest = replace(journal, activities=[], equity=[], positions=[])
    return [rest, Journal(activities=journal.activities, equity=journal.equity, positions=journal.positions)]


def test_ledger_hash_before_anything_traded_says_what_to_do(database: Database) -> None:
    with pytest.raises(NotFound, match="No account has traded yet"):
        ledger_hash(database)


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
