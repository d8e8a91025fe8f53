"""Pausing a strategy: recorded for ever, obeyed from its time on, and the same in a replay as session by session."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.strategy_states import set_status, state_events
from trading_assets.adapters.sample import SampleSource
from trading_assets.cli import trading
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.defs.strategy.jobs import set_strategy_status_job
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.strategy.states import StrategyStatus
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

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
WANTED = ["0.1", "0.2", "0.2", "0.3", "0.1", "0", "0.2", "0.2"]
ENABLED, PAUSED, COOLING_DOWN = StrategyStatus
SOURCE = SampleSource()
AFTERWARDS = datetime(2013, 1, 2, tzinfo=UTC)


@pytest.fixture
def history(database: Database) -> Database:
    return filled(database)


def filled(database: Database) -> Database:
    """With bars, open gates and one target a session."""
    (one,) = load_strategies(SETTINGS)
    with database.transaction() as connection:
        store_instruments(connection, SOURCE.instruments(["IBM"]), SOURCE.name)
        store_bars(connection, SOURCE.bars(["IBM"], Timeframe.SESSION, DAYS[0], DAYS[-1], datetime.now(UTC)))
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


def change(database: Database, status: StrategyStatus, at: datetime, until: datetime | None = None) -> None:
    with database.transaction() as connection:
        set_status(connection, "sma_crossover", status, "Ada", "because", at, until)


def replay(database: Database, first: date = DAYS[0], last: date = DAYS[-1]) -> None:
    TradingDesk(database, SETTINGS, AFTERWARDS).replay(first, last)


def decided(database: Database) -> list[tuple[int, str]]:
    """The number of the session and the purpose of every intent."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select session_date, purpose from risk.verdicts order by decision_at, leg"
        ).fetchall()
    return [(DAYS.index(day), purpose) for day, purpose in rows]


FREE = [(0, "open"), (1, "increase"), (3, "increase"), (4, "reduce"), (5, "close"), (6, "open")]


def test_paused_strategy_only_reduces_until_it_is_enabled(history: Database) -> None:
    change(history, PAUSED, close(1))
    change(history, ENABLED, close(6) + timedelta(seconds=1))
    replay(history)
    assert decided(history) == [(0, "open"), (5, "close"), (7, "open")]


def test_cool_down_ends_by_itself(history: Database) -> None:
    change(history, COOLING_DOWN, close(1), until=close(3))
    replay(history)
    assert decided(history) == [(0, "open"), *FREE[2:]]


def test_one_replay_and_session_by_session_give_the_same_ledger(
    history: Database, new_database: Callable[[], Database]
) -> None:
    change(history, PAUSED, close(3))
    replay(history)
    other = filled(new_database())
    for number, day in enumerate(DAYS):
        if number == 3:
            change(other, PAUSED, close(3))
        replay(other, day, day)
    assert decided(other) == decided(history) == [(0, "open"), (1, "increase"), (4, "reduce"), (5, "close")]
    assert ledger_hash(other) == ledger_hash(history)


def test_recorded_decisions_stay_when_a_strategy_is_paused_later(history: Database) -> None:
    replay(history)
    assert decided(history) == FREE
    before = ledger_hash(history)
    change(history, PAUSED, AFTERWARDS)
    replay(history)
    assert ledger_hash(history) == before


# Who may record what ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "by", "why", "until", "told"),
    [
        (PAUSED, " ", "because", None, "changed by a person with a reason"),
        (PAUSED, "Ada", "", None, "changed by a person with a reason"),
        (PAUSED, "Ada", "because", close(1), "a cool-down needs an end, nothing else has one"),
        (COOLING_DOWN, "Ada", "because", None, "a cool-down needs an end"),
        (COOLING_DOWN, "Ada", "because", close(0), "give a later end"),
    ],
)
def test_change_without_a_person_a_reason_or_a_sensible_end_is_refused(database, status, by, why, until, told):
    with database.transaction() as connection, pytest.raises(ContractBroken, match=told):
        set_status(connection, "sma_crossover", status, by, why, close(0), until)


def test_events_are_numbered_and_never_change(database: Database) -> None:
    for status in (PAUSED, ENABLED, PAUSED):
        change(database, status, close(0))
    with database.transaction() as connection:
        assert [one.event_no for one in state_events(connection, ["sma_crossover"])] == [1, 2, 3]
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            connection.execute("update strategy.state_events set why = 'another'")


# By command and by job ----------------------------------------------------------------------------


@pytest.fixture
def command(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "trading.yaml").write_text(
        "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\nstrategies: {sma_crossover: {capital_weight: 0.5}}\n"
        "strategies_folder: mine\n"
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_CONFIG", raising=False)
    monkeypatch.setenv("DATABASE_URL", database.url)
    return lambda *arguments: CliRunner().invoke(trading, ["strategy", *arguments])


def test_strategies_are_listed_paused_and_enabled_by_command(command: Callable[..., Result]) -> None:
    assert "sma_crossover (1+a9329b8c): enabled" in command("list").output
    paused = command("pause", "sma_crossover", "--by", "Ada", "--why", "too wild", "--until", "2099-01-02T15:30Z")
    assert paused.output == "Strategy sma_crossover is cooling down until 2099-01-02 15:30 UTC.\n"
    listed = command("list").output
    assert "sma_crossover (1+a9329b8c): cooling down until 2099-01-02 15:30 UTC, since " in listed
    assert "by Ada: too wild" in listed
    assert "On offer, not configured: " in listed
    assert "broken.py has no strategy" in listed
    assert command("enable", "sma_crossover", "--by", "Ada", "--why", "calm again").exit_code == 0
    assert "sma_crossover (1+a9329b8c): enabled" in command("list").output


def test_list_shows_the_others_beside_a_configured_strategy_that_is_not_usable(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    configuration = tmp_path / "trading.yaml"
    configuration.write_text(configuration.read_text().replace("5}}", "5}, broken: {capital_weight: 0.1}}"))
    listed = command("list").output
    assert "sma_crossover (1+a9329b8c): enabled" in listed
    assert "Configured, not usable: trading.yaml: strategies.broken: no installed package and no file" in listed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("pause", "sma_crosover"), "configures no strategy 'sma_crosover'. Configured: sma_crossover."),
        (("pause", "sma_crossover", "--until", "2012-01-01T00:00Z"), "give a later end"),
        (("pause", "sma_crossover", "--until", "soon"), "is no time such as"),
    ],
)
def test_command_that_makes_no_sense_is_refused_in_a_line(command, arguments, told):
    result = command(*arguments, "--by", "Ada", "--why", "because")
    assert result.exit_code in {1, 2}
    assert told in result.output


class Now:
    def now(self) -> datetime:
        return close(2)


def run_job(database: Database, **config: str) -> dg.ExecuteInProcessResult:
    return set_strategy_status_job.execute_in_process(
        run_config={"ops": {"change_strategy_status": {"config": {"by": "Ada", "why": "because", **config}}}},
        resources={"database": database, "settings": SETTINGS, "clock": Now()},
        raise_on_error=False,
    )


def test_job_of_the_web_page_records_who_when_and_why(database: Database) -> None:
    assert run_job(database, strategy="sma_crossover", status="paused", until="2012-05-04T15:30Z").success
    assert not run_job(database, strategy="sma_crosover", status="paused").success
    assert not run_job(database, strategy="sma_crossover", status="enabled", until="2012-05-04T15:30Z").success
    with database.transaction() as connection:
        (event,) = state_events(connection, ["sma_crossover"])
    assert (event.state, event.at, event.set_by, event.why) == (COOLING_DOWN, close(2), "Ada", "because")
    assert event.until == datetime(2012, 5, 4, 15, 30, tzinfo=UTC)
