"""After an outage: what the sensors ask for, once and in order, and that the ledger ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from standins.platform import InProcessPlatform

from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs import automation
from trading_assets.defs.catch_up import CATCH_UP_TAG
from trading_assets.defs.execution.assets import TABLES
from trading_assets.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from trading_assets.domain.market.sessions import session
from trading_assets.domain.values import Timeframe
from trading_assets.settings import BrokerSettings, TradingSettings

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["MSFT"],
        "timeframes": ["1d"],
        "strategies": {
            "sma_crossover": {"timeframe": "1d", "capital_weight": 0.5, "parameters": {"fast": 2, "slow": 4}},
            "rsi_reversion": {
                "timeframe": "1d",
                "capital_weight": 0.4,
                "parameters": {"period": 3, "entry": 40, "exit": 55, "max_hold": 5},
            },
        },
        "risk": {"max_order_notional": 0.3, "max_position": 0.6},
        "clock": "replay",
    }
)
ON_A_BROKER = SETTINGS.model_copy(
    update={"broker": BrokerSettings.model_construct(**{**SETTINGS.broker.model_dump(), "kind": "alpaca"})}
)
# The outage: two sessions, a weekend, Labor Day and one more session.
FIRST, STORED, TODAY = date(2012, 8, 6), date(2012, 8, 29), date(2012, 9, 5)
MISSED = [date(2012, 8, 30), date(2012, 8, 31), date(2012, 9, 4)]
NOON = datetime(2012, 9, 5, 16, 0, 10, tzinfo=UTC)


class Platform(InProcessPlatform):
    """The graph at noon of TODAY, and a catch-up sensor that remembers what it asked for."""

    def __init__(self, database: Database, instance: dg.DagsterInstance, settings: TradingSettings = SETTINGS) -> None:
        super().__init__(database, settings, NOON, instance=instance)
        self.cursor: str | None = None

    def ask_to_catch_up(self) -> dg.RunRequest | str:
        """What the catch-up sensor asks for now, or why it asks for nothing."""
        answer = self.tick(automation.catch_up_sensor, self.cursor)
        self.cursor = answer.cursor
        return answer.run_requests[0] if answer.run_requests else str(answer.skip_message)

    def ask_for_the_tick(self, result: dg.ExecuteInProcessResult) -> dg.RunRequest | str:
        """What follows a run that has succeeded."""
        ended = next(event for event in result.all_events if event.event_type is dg.DagsterEventType.RUN_SUCCESS)
        with dg.build_run_status_sensor_context(
            sensor_name="tick_after_catch_up_sensor",
            dagster_event=ended,
            dagster_instance=self.instance,
            dagster_run=result.dagster_run,
            resources={"clock": self.clock},
        ) as context:
            answer = automation.tick_after_catch_up_sensor(context)
        return str(answer.skip_message) if isinstance(answer, dg.SkipReason) else answer


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def interrupted(database: Database) -> Database:
    """A database whose newest bars are those of the session before the outage."""
    frame = SampleSource().bars(["MSFT"], Timeframe.SESSION, FIRST, STORED, NOON)
    with database.transaction() as connection:
        market.store_bars(connection, frame)
    return database


def test_missed_sessions_are_asked_for_once_as_one_range_oldest_first(
    interrupted: Database, instance: dg.DagsterInstance
) -> None:
    platform = Platform(interrupted, instance)
    request = platform.ask_to_catch_up()
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "backfill_job"
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == (f"{MISSED[0]}", f"{MISSED[-1]}")
    assert request.run_key is not None
    assert "are requested" in str(platform.ask_to_catch_up())


def test_failed_catch_up_is_tried_again_after_the_next_bar(interrupted: Database, instance: dg.DagsterInstance) -> None:
    platform = Platform(interrupted, instance)
    first = platform.ask_to_catch_up()
    platform.clock.at += timedelta(hours=1)
    second = platform.ask_to_catch_up()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key


def test_catch_up_waits_for_a_backfill_under_way(interrupted: Database, instance: dg.DagsterInstance) -> None:
    platform = Platform(interrupted, instance)
    job = platform.definitions.resolve_job_def("backfill_job")
    running = instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={RANGE_START_TAG: "2012-08-30", RANGE_END_TAG: "2012-08-31"}
    )
    assert "wait for the backfill" in str(platform.ask_to_catch_up())
    instance.report_run_failed(running)
    assert isinstance(platform.ask_to_catch_up(), dg.RunRequest)


def test_broker_account_gets_data_and_signals_and_decides_nothing_for_sessions_that_are_over(
    interrupted: Database, instance: dg.DagsterInstance
) -> None:
    platform = Platform(interrupted, instance, ON_A_BROKER)
    request = platform.ask_to_catch_up()
    assert isinstance(request, dg.RunRequest)
    assert request.job_name == "refresh_data_job"
    selected = platform.definitions.resolve_job_def("refresh_data_job").asset_layer.executable_asset_keys
    assert not selected & set(TABLES)


@pytest.mark.parametrize(("limit", "expected"), [(2, "3 sessions are missing, more than"), (0, "allows (0)")])
def test_outage_beyond_the_limit_is_left_to_a_person(
    interrupted: Database, instance: dg.DagsterInstance, limit: int, expected: str
) -> None:
    platform = Platform(interrupted, instance, SETTINGS.model_copy(update={"catch_up_sessions": limit}))
    reason = str(platform.ask_to_catch_up())
    assert expected in reason
    assert "trading backfill --from 2012-08-30 --to 2012-09-04" in reason


def test_bundled_history_by_the_wall_is_never_caught_up(interrupted: Database, instance: dg.DagsterInstance) -> None:
    platform = Platform(interrupted, instance, SETTINGS.model_copy(update={"clock": "wall"}))
    assert "choose a live source" in str(platform.ask_to_catch_up())


def test_replayed_outage_ends_with_the_ledger_of_an_unbroken_backfill_and_then_ticks_today(
    database: Database, new_database: Callable[[], Database], instance: dg.DagsterInstance
) -> None:
    platform = Platform(database, instance)
    platform.clock.at = session(STORED).closes_at + timedelta(minutes=15)
    platform.run("backfill_job", FIRST, STORED)
    assert platform.ask_to_catch_up() == "Every session that is over is stored."

    # On the holiday only the sessions before it are over; nobody asks.
    platform.clock.at = NOON
    request = platform.ask_to_catch_up()
    assert isinstance(request, dg.RunRequest)
    caught_up = platform.execute(request.job_name or "", request.tags)
    assert platform.ask_to_catch_up() == "Every session that is over is stored."

    with dg.DagsterInstance.ephemeral() as other:
        unbroken = Platform(new_database(), other)
        unbroken.run("backfill_job", FIRST, MISSED[-1])
    assert ledger_hash(database) == ledger_hash(unbroken.database)
    with database.transaction() as connection:
        traded = connection.execute(
            "select count(*) from execution.orders where session_date = any(%s)", (MISSED,)
        ).fetchone()
    assert traded is not None
    assert traded[0] > 0

    # It is noon: daily bars close in the evening, but hours of today have closed.
    tick = platform.ask_for_the_tick(caught_up)
    assert isinstance(tick, dg.RunRequest)
    assert tick.partition_key == f"{TODAY}"
    platform.clock.at = datetime(2012, 9, 5, 14, 0, tzinfo=UTC)
    assert "No bar of session 2012-09-05 has closed" in str(platform.ask_for_the_tick(caught_up))
    platform.clock.at = datetime(2012, 9, 5, 2, 0, tzinfo=UTC)
    assert "Session 2012-09-04 is caught up" in str(platform.ask_for_the_tick(caught_up))
    assert caught_up.dagster_run.tags[CATCH_UP_TAG] == "true"
