"""When the schedules start a run: after bar closes of sessions, by the wall, in time, and never in a rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg
import pytest

from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.automation import (
    end_of_day_job,
    end_of_day_schedule,
    fetch_market_data_schedule,
    hourly_tick_job,
    hourly_tick_schedule,
)
from trading_assets.defs.ingestion.jobs import fetch_market_data_job
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe
from trading_assets.settings import load_trading_settings

SAMPLE = load_trading_settings()
SETTINGS = SAMPLE.model_copy(update={"source": "alpaca"})


Ask = Callable[..., str | None]


@dataclass
class SetClock:
    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def requested(database: Database) -> Ask:
    """The partition a schedule asks for at a New York time, or why it asks for none; `late`: looked at afterwards."""

    def ask(schedule, at, settings=SETTINGS, late=timedelta(seconds=1)):
        moment = datetime.fromisoformat(at).replace(tzinfo=NEW_YORK)
        resources = {"settings": settings, "clock": SetClock(moment + late), "database": database}
        with dg.build_schedule_context(scheduled_execution_time=moment, resources=resources) as context:
            answer = schedule(context)
        return answer.partition_key if isinstance(answer, dg.RunRequest) else answer.skip_message

    return ask


@pytest.mark.parametrize("at", ["2026-11-20T10:31", "2026-11-20T15:31", "2026-11-20T16:01", "2026-11-27T13:01"])
def test_tick_after_a_bar_close_asks_for_its_session(at, requested):
    assert requested(hourly_tick_schedule, at) == at[:10]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-11-26T10:31", "no trading session"),
        ("2026-11-27T14:31", "No bar"),
        ("2026-11-27T16:01", "No bar"),
    ],
)
def test_tick_on_a_holiday_or_after_an_early_close_is_skipped(at, reason, requested):
    assert reason in requested(hourly_tick_schedule, at)


@pytest.mark.parametrize(("at", "day"), [("2026-11-20T16:15", "2026-11-20"), ("2026-11-27T13:15", "2026-11-27")])
def test_end_of_day_comes_after_the_close_only(at, day, requested):
    assert requested(end_of_day_schedule, at) == day
    assert "No bar" in requested(end_of_day_schedule, "2026-11-20T13:15")


@pytest.mark.parametrize("schedule", [hourly_tick_schedule, end_of_day_schedule])
def test_rehearsal_is_not_ticked_by_the_wall(schedule, requested):
    rehearsal = SETTINGS.model_copy(update={"clock": "replay"})
    assert "rehearsal" in requested(schedule, "2026-11-20T16:01", rehearsal)


@pytest.mark.parametrize("schedule", [hourly_tick_schedule, end_of_day_schedule])
def test_bundled_history_is_never_asked_for_bars_of_today(schedule, requested):
    assert "choose a live source" in requested(schedule, "2026-11-20T16:01", SAMPLE)


@pytest.mark.parametrize("late", [timedelta(hours=1), timedelta(days=3)])
def test_tick_made_up_for_after_an_outage_leaves_it_to_a_newer_one(late, requested):
    assert "is late" in requested(hourly_tick_schedule, "2026-11-20T12:31", late=late)
    assert requested(hourly_tick_schedule, "2026-11-20T12:31", late=timedelta(minutes=50)) == "2026-11-20"


@pytest.mark.parametrize(
    ("schedule", "at"), [(hourly_tick_schedule, "2012-09-05T10:31"), (end_of_day_schedule, "2012-09-05T16:15")]
)
def test_tick_waits_until_missed_sessions_are_caught_up_with_unless_they_are_too_many(
    schedule, at, requested, database
):
    settings = SETTINGS.model_copy(update={"universe": ("MSFT",), "timeframes": (Timeframe.SESSION,)})
    day = date(2012, 8, 31)
    with database.transaction() as connection:
        market.store_bars(
            connection, SampleSource().bars(["MSFT"], Timeframe.SESSION, day, day, datetime.now(NEW_YORK))
        )
    assert requested(schedule, at, settings) == "catch_up_sensor makes up for sessions 2012-09-04 to 2012-09-04 first."
    assert requested(schedule, at, settings.model_copy(update={"catch_up_sessions": 0})) == "2012-09-05"


def test_schedules_start_the_jobs_of_their_names():
    assert hourly_tick_schedule.job_name == hourly_tick_job.name
    assert end_of_day_schedule.job_name == end_of_day_job.name
    assert fetch_market_data_schedule.job_name == fetch_market_data_job.name
