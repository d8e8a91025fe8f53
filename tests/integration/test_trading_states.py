"""Who halts trading, and what that stops: recorded by name, obeyed by every later submission, the same in replays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from trading_assets.adapters.account_terms import account_name, rules_of
from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.market_record import read_market_record
from trading_assets.adapters.postgres.strategy import targets_between
from trading_assets.adapters.postgres.trading_states import (
    PATIENCE_MS,
    begin_submission,
    change_state,
    order_state,
    state_changes,
)
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.trading_status import trading_status
from trading_assets.cli import trading
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.risk.trading_states import flatten_positions_job, halt_trading_job
from trading_assets.domain.backtest import Terms, trade
from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal
from trading_assets.domain.market.sessions import session, session_before, sessions_between
from trading_assets.domain.risk.status import headline
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope, states_of
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings, overridden

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["IBM"],
        "timeframes": ["1d"],
        "strategies": {"sma_crossover": {"capital_weight": 0.5}},
        "risk": {"max_order_notional": 0.5, "max_position": 0.6},
    }
)
DAYS = sessions_between(date(2012, 5, 1), date(2012, 5, 10))
PARTS = [(DAYS[0], DAYS[1]), (DAYS[2], DAYS[2]), (DAYS[3], DAYS[-1])]
WANTED = ["0.1", "0.2", "0.2", "0.3", "0.1", "0", "0.2", "0.2"]
AFTERWARDS = datetime(2013, 1, 2, tzinfo=UTC)
EVERYTHING = (Scope.ACCOUNT, EVERY_ACCOUNT)


@pytest.fixture
def history(database: Database) -> Database:
    return filled(database)


def filled(database: Database) -> Database:
    """With bars of three months, open gates and one target a session of the last days."""
    (one,) = load_strategies(SETTINGS)
    begin = session_before(DAYS[0], 60)
    source = SampleSource()
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(["IBM"]), source.name)
        store_bars(connection, source.bars(["IBM"], Timeframe.SESSION, begin, DAYS[-1], datetime.now(UTC)))
        connection.execute("update ops.quality_gates set state = 'open'")
        for day, weight in zip(DAYS, WANTED, strict=True):
            connection.execute(
                "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, signal, "
                "capital_weight, target_weight) values (%s, %s, 'IBM', %s, %s, 1, 0.5, %s)",
                (one.name, one.version, session(day).closes_at, day, float(weight)),
            )
    return database


def close(number: int) -> datetime:
    return session(DAYS[number]).closes_at


def order(database: Database, command: Command, at: datetime, **scope: str) -> None:
    with database.transaction() as connection:
        order_state(connection, SETTINGS, command, "Ada", "because", at, **scope)


def decided(database: Database) -> list[tuple[int, str, str]]:
    """The number of the session, the purpose and the outcome of every intent."""
    query = "select session_date, purpose, outcome from risk.verdicts order by decision_at, leg"
    with database.transaction() as connection:
        return [(DAYS.index(day), *rest) for day, *rest in connection.execute(query).fetchall()]


# The record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "why"), [("", "because"), ("Ada", " ")])
def test_state_without_a_name_or_a_reason_is_not_recorded(database: Database, by: str, why: str) -> None:
    with pytest.raises(ContractBroken, match="give --by and --why"), database.transaction() as connection:
        change_state(connection, *EVERYTHING, Command.HALT, by, why, AFTERWARDS)
    with pytest.raises(psycopg.errors.CheckViolation), database.transaction() as connection:
        connection.execute(
            "insert into risk.state_events (scope, subject, state, at, set_by, why) "
            "values ('account', '*', 'halted', now(), %s, %s)",
            (by, why),
        )


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [
        ({"symbol": "IBMM"}, "no symbol IBMM. Known: IBM"),
        ({"strategy": "sma"}, "no strategy sma. Known: sma_crossover"),
        ({"account": "mine"}, "no account mine"),
        ({"symbol": "IBM", "strategy": "sma_crossover"}, "two scopes"),
    ],
)
def test_state_of_what_there_is_not_is_refused(database: Database, scope: dict[str, str], complaint: str) -> None:
    with pytest.raises((NotFound, ContractBroken), match=complaint):
        order(database, Command.HALT, AFTERWARDS, **scope)


def test_change_is_told_once_through_the_outbox(database: Database) -> None:
    order(database, Command.HALT, AFTERWARDS)
    with database.transaction() as connection:
        ((event, severity, subject),) = connection.execute(
            "select event, severity, subject from notification.messages"
        ).fetchall()
    assert (event, severity) == ("trading_state_changed", "critical")
    assert subject == "Trading of every account is halted, by Ada"


# Submission ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "scope", "refused"),
    [
        (Command.HALT, {}, True),
        (Command.REDUCE, {"symbol": "IBM"}, True),
        (Command.FLATTEN, {"strategy": "sma_crossover"}, True),
        (Command.RESUME, {}, False),
    ],
)
def test_approved_order_obeys_what_was_declared_since(
    history: Database, command: Command, scope: dict[str, str], refused: bool
) -> None:
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[2])
    at = close(3) + timedelta(seconds=5)
    assert TradingDesk(history, SETTINGS, at).decide(DAYS[3]).written["risk.approvals"] == 1
    # A clock that lags behind does not matter: what is committed counts.
    order(history, command, at + timedelta(seconds=9), **scope)
    outcomes = TradingDesk(history, SETTINGS, at + timedelta(seconds=1)).submit(DAYS[3])
    assert outcomes.written["execution.orders"] == (0 if refused else 1)
    assert ("RC-01" in " ".join(outcomes.refused)) is refused


def test_decision_after_a_halt_is_denied_though_its_bar_closed_before(history: Database) -> None:
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[2])
    order(history, Command.HALT, close(3) + timedelta(seconds=1))
    TradingDesk(history, SETTINGS, close(3) + timedelta(seconds=5)).decide(DAYS[3])
    assert decided(history)[-1] == (3, "increase", "denied")
    # The record stands when the range is lived through again.
    before = ledger_hash(history)
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[3])
    assert ledger_hash(history) == before


def test_no_submission_commits_after_the_halt(database: Database) -> None:
    """Four submitters as fast as they can: what the halt's commit does not see never comes."""
    with database.transaction() as connection:
        connection.execute("create table submitted (submitter integer)")
    seen_halt = [threading.Event() for _ in range(4)]

    def submit(number: int) -> None:
        while not seen_halt[number].is_set():
            with psycopg.connect(database.url) as connection:
                states = states_of(begin_submission(connection), "mine")
                if states.account is TradingState.HALTED:
                    seen_halt[number].set()
                else:
                    connection.execute("insert into submitted values (%s)", (number,))

    def count() -> int:
        with psycopg.connect(database.url) as connection:
            return connection.execute("select count(*) from submitted").fetchone()[0]  # type: ignore[index]

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while count() < 8:
        time.sleep(0.01)
    with database.transaction() as connection:
        change_state(connection, *EVERYTHING, Command.HALT, "Ada", "because", AFTERWARDS)
        # Submissions are kept out from here on, not only from the commit.
        time.sleep(0.2)
    at_the_halt = count()
    for thread in threads:
        thread.join(timeout=30)
    assert all(event.is_set() for event in seen_halt)
    assert count() == at_the_halt


def test_halt_ends_a_submission_that_hangs(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("create table submitted (submitter integer)")
    hanging = psycopg.connect(database.url)
    begin_submission(hanging)
    hanging.execute("insert into submitted values (1)")
    began = time.monotonic()
    order(database, Command.HALT, AFTERWARDS)
    took_s = time.monotonic() - began
    assert PATIENCE_MS / 1000 <= took_s < 5
    with pytest.raises(psycopg.OperationalError):
        hanging.commit()
    with database.transaction() as connection:
        assert connection.execute("select count(*) from submitted").fetchone() == (0,)


# Replays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command.HALT, [(0, "open", "approved"), (1, "increase", "denied"), (5, "close", "approved")]),
        (Command.REDUCE, [(0, "open", "approved"), (1, "increase", "denied"), (5, "close", "approved")]),
        (Command.FLATTEN, [(0, "open", "approved"), (1, "flatten", "approved")]),
    ],
)
def test_one_replay_and_one_in_parts_live_through_a_state_alike(
    history: Database, new_database: Callable[[], Database], command: Command, expected: list[Any]
) -> None:
    other = filled(new_database())
    for database in (history, other):
        order(database, command, close(1), strategy="sma_crossover")
        order(database, Command.RESUME, close(4) + timedelta(seconds=1), strategy="sma_crossover")
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[-1])
    for first, last in PARTS:
        TradingDesk(other, SETTINGS, AFTERWARDS).replay(first, last)
    of_state = [one for one in decided(history) if one[0] in (0, 1, 5)]
    assert of_state == expected
    assert ledger_hash(other) == ledger_hash(history)


@pytest.mark.parametrize("command", [Command.HALT, Command.FLATTEN])
def test_state_of_the_evening_cancels_the_order_of_the_day_live_and_in_replays(
    history: Database, new_database: Callable[[], Database], command: Command
) -> None:
    other, evening = filled(new_database()), close(1) + timedelta(hours=3)
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[0])
    for step in ("decide", "submit"):
        getattr(TradingDesk(history, SETTINGS, close(1) + timedelta(seconds=5)), step)(DAYS[1])
    for database in (history, other):
        order(database, command, evening)
    morning_after = close(2) + timedelta(seconds=5)
    for step in ("take_fills", "decide", "submit"):
        getattr(TradingDesk(history, SETTINGS, morning_after), step)(DAYS[2])
    for first, last in [(DAYS[0], DAYS[1]), (DAYS[2], DAYS[2])]:
        TradingDesk(other, SETTINGS, AFTERWARDS).replay(first, last)
    query = (
        "select session_date, at, detail from execution.order_events where status = 'CANCELED' order by client_order_id"
    )
    reason = "trading is halted" if command is Command.HALT else "what is held is closed"
    for database in (history, other):
        with database.transaction() as connection:
            assert connection.execute(query).fetchall() == [(DAYS[2], session(DAYS[2]).opens_at, reason)]
            ((fills,),) = connection.execute("select count(*) from execution.fills").fetchall()
        assert fills == 1
    assert decided(history) == decided(other)
    TradingDesk(history, SETTINGS, AFTERWARDS).replay(DAYS[0], DAYS[-1])
    TradingDesk(other, SETTINGS, AFTERWARDS).replay(DAYS[3], DAYS[-1])
    assert ledger_hash(other) == ledger_hash(history)


RESTRICTED = {
    "volatility": {"risk.breakers": {"volatility": {"limit": 0.01, "clears_after_sessions": 2}}},
    "losses": {"risk.breakers": {"consecutive_losses": {"limit": 1, "action": "halt"}, "data_outage": {}}},
    "protections": {
        "risk.protections": [
            {"kind": "cooldown", "stop_bars": 1},
            {"kind": "low_profit", "stop_bars": 2, "lookback_bars": 9, "required_profit": 0.5},
        ]
    },
}


@pytest.mark.parametrize("overrides", RESTRICTED.values(), ids=RESTRICTED)
def test_backtest_backfill_and_backfill_in_parts_restrict_alike(
    history: Database, new_database: Callable[[], Database], overrides: Mapping[str, Any]
) -> None:
    settings, other = overridden(SETTINGS, overrides), filled(new_database())
    TradingDesk(history, settings, AFTERWARDS).replay(DAYS[0], DAYS[-1])
    for first, last in PARTS:
        TradingDesk(other, settings, AFTERWARDS).replay(first, last)
    assert ledger_hash(other) == ledger_hash(history)

    record = read_market_record(history, settings, DAYS[0], DAYS[-1], AFTERWARDS)
    versions = {one.name: one.version for one in load_strategies(settings)}
    account = account_name("simulated", settings.fingerprint(), DAYS[0])
    terms = Terms(account, settings.broker.opening_cash_usd, rules_of(settings))
    journal = trade(record, targets_between(history, versions, DAYS[0], DAYS[-1]), terms)
    with history.transaction() as connection:
        tripped = connection.execute(
            "select breaker, event_no, state, at, cause from risk.breaker_events order by at, breaker"
        ).fetchall()
    assert [(one.breaker, one.event_no, one.state, one.at, one.cause) for one in journal.breaker_events] == tripped
    of_backtest = [
        (DAYS.index(one.intent.session_date), one.intent.purpose.value, one.outcome.value) for one in journal.verdicts
    ]
    assert of_backtest == decided(history)


def test_refusals_in_the_record_of_orders_trip_their_breaker(history: Database) -> None:
    settings = overridden(SETTINGS, {"risk.breakers": {"order_errors": {"limit": 1, "action": "halt"}}})
    TradingDesk(history, settings, AFTERWARDS).replay(DAYS[0], DAYS[2])
    at = close(3) + timedelta(seconds=5)
    TradingDesk(history, settings, at).decide(DAYS[3])
    TradingDesk(history, settings, at).submit(DAYS[3])
    with history.transaction() as connection:
        connection.execute(
            "insert into execution.order_events (client_order_id, event_no, status, qty, at, session_date) "
            "select client_order_id, event_no + 1, 'REJECTED', working_qty, %s, session_date "
            "from execution.order_states where session_date = %s",
            (at, DAYS[3]),
        )
    later = at + timedelta(seconds=59)
    TradingDesk(history, settings, later).take_fills(DAYS[3])
    with history.transaction() as connection:
        ((breaker, tripped_at, cause),) = connection.execute(
            "select breaker, at, cause from risk.breaker_events"
        ).fetchall()
        (blocked,) = trading_status(connection, settings, later).restrictions
        told = connection.execute(
            "select subject from notification.messages where event = 'breaker_tripped'"
        ).fetchall()
    assert (breaker, tripped_at, cause["value"], cause["action"]) == ("order_errors", later, "1", "halt")
    assert blocked.text.startswith("order_errors tripped")
    assert told == [("Breaker order_errors tripped: trading is halted",)]
    TradingDesk(history, settings, close(4) + timedelta(seconds=5)).decide(DAYS[4])
    assert decided(history)[-1] == (4, "reduce", "denied")


def test_replay_lives_through_a_breaker_that_the_record_of_orders_tripped(history: Database) -> None:
    desk = TradingDesk(history, SETTINGS, AFTERWARDS)
    account_id = desk.replay(DAYS[0], DAYS[5]).account_id
    tripped = BreakerEvent(account_id, "latency", 1, BreakerState.TRIPPED, close(5) + timedelta(hours=1), DAYS[5])
    with history.transaction() as connection:
        ledger.record(connection, Journal(breaker_events=[tripped]))
    desk.replay(DAYS[6], DAYS[7])
    assert decided(history)[-2:] == [(6, "open", "denied"), (7, "open", "denied")]
    before = ledger_hash(history)
    desk.replay(DAYS[0], DAYS[-1])
    assert ledger_hash(history) == before


# From outside -------------------------------------------------------------------------------------


def command(home: Path, database: Database, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    (home / "trading.yaml").write_text(
        "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\nstrategies: {sma_crossover: {capital_weight: 0.5}}\n"
    )
    monkeypatch.setenv("TRADING_CONFIG", str(home / "trading.yaml"))
    monkeypatch.setenv("TRADING_HOME", str(home))
    monkeypatch.setenv("DATABASE_URL", database.url)
    return CliRunner().invoke(trading, list(arguments))


def test_commands_record_who_and_why_and_say_what_still_holds(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = ("--by", "Ada", "--why", "fat finger")
    halted = command(tmp_path, database, monkeypatch, "halt", "--symbol", "IBM", *who)
    assert halted.output == "Trading of symbol IBM is halted.\n"
    flattened = command(tmp_path, database, monkeypatch, "flatten", *who)
    assert flattened.output == (
        "Trading of every account is reducing and closing what is held.\n"
        "Still in force: trading of symbol IBM is halted, by Ada: fat finger\n"
    )
    resumed = command(tmp_path, database, monkeypatch, "resume", "--symbol", "IBM", *who)
    assert resumed.output.splitlines()[0] == "Trading of symbol IBM is active."
    unsigned = command(tmp_path, database, monkeypatch, "resume", "--by", "Ada")
    assert (unsigned.exit_code, "--why" in unsigned.output) == (2, True)
    with database.transaction() as connection:
        recorded = [(one.subject, one.state, one.is_flatten, one.set_by) for one in state_changes(connection)]
    assert recorded == [
        ("IBM", TradingState.HALTED, False, "Ada"),
        ("*", TradingState.REDUCING, True, "Ada"),
        ("IBM", TradingState.ACTIVE, False, "Ada"),
    ]


def test_status_says_in_one_line_why_trading_is_blocked(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = command(tmp_path, database, monkeypatch, "status")
    assert empty.exit_code == 1
    assert empty.output.startswith("Trading is blocked. data: no bar is stored; gate: not open: IBM closed.")
    settings, at = SETTINGS, close(7) + timedelta(minutes=1)
    filled(database)
    TradingDesk(database, settings, AFTERWARDS).replay(DAYS[0], DAYS[-1])
    order(database, Command.REDUCE, at, symbol="IBM")
    with database.transaction() as connection:
        narrow = trading_status(connection, settings, at)
        assert headline(narrow.restrictions) == "Trading is active, and restricted by state."
        assert narrow.facts["newest bar"] == f"{close(7):%Y-%m-%d %H:%M} UTC"
    order(database, Command.HALT, at)
    with database.transaction() as connection:
        halted = trading_status(connection, settings, at)
    assert headline(halted.restrictions) == (
        f"Trading is blocked. state: every account is halted since {at:%Y-%m-%d %H:%M} UTC, by Ada: because."
    )


class AtNoon:
    def now(self) -> datetime:
        return AFTERWARDS


@pytest.mark.parametrize("job", [halt_trading_job, flatten_positions_job], ids=lambda job: job.name)
def test_job_records_what_its_run_config_says(database: Database, job: dg.JobDefinition) -> None:
    (node,) = job.nodes
    job.execute_in_process(
        run_config={"ops": {node.name: {"config": {"by": "Ada", "why": "drill", "symbol": "IBM"}}}},
        resources={"database": database, "settings": SETTINGS, "clock": AtNoon()},
    )
    with database.transaction() as connection:
        (change,) = state_changes(connection)
    assert (change.scope, change.subject, change.at, change.why) == (Scope.SYMBOL, "IBM", AFTERWARDS, "drill")
    assert change.is_flatten is (job is flatten_positions_job)
