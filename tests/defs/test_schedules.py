"""When the schedules start a run: after bar closes of sessions, by the wall, and never in a rehearsal."""

from datetime import datetime

import dagster as dg
import pytest

from trading_assets.defs.automation import end_of_day_job, end_of_day_schedule, hourly_tick_job, hourly_tick_schedule
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.settings import load_trading_settings

SAMPLE = load_trading_settings()
SETTINGS = SAMPLE.model_copy(update={"source": "alpaca"})


def requested(schedule, at, settings=SETTINGS):
    """The partition a schedule asks for at a New York time, or why it asks for none."""
    moment = datetime.fromisoformat(at).replace(tzinfo=NEW_YORK)
    with dg.build_schedule_context(scheduled_execution_time=moment, resources={"settings": settings}) as context:
        answer = schedule(context)
    return answer.partition_key if isinstance(answer, dg.RunRequest) else answer.skip_message


@pytest.mark.parametrize("at", ["2026-11-20T10:31", "2026-11-20T15:31", "2026-11-20T16:01", "2026-11-27T13:01"])
def test_tick_after_a_bar_close_asks_for_its_session(at):
    assert requested(hourly_tick_schedule, at) == at[:10]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2026-11-26T10:31", "no trading session"),
        ("2026-11-27T14:31", "No bar"),
        ("2026-11-27T16:01", "No bar"),
    ],
)
def test_tick_on_a_holiday_or_after_an_early_close_is_skipped(at, reason):
    assert reason in requested(hourly_tick_schedule, at)


@pytest.mark.parametrize(("at", "day"), [("2026-11-20T16:15", "2026-11-20"), ("2026-11-27T13:15", "2026-11-27")])
def test_end_of_day_comes_after_the_close_only(at, day):
    assert requested(end_of_day_schedule, at) == day
    assert "No bar" in requested(end_of_day_schedule, "2026-11-20T13:15")


@pytest.mark.parametrize("schedule", [hourly_tick_schedule, end_of_day_schedule])
def test_rehearsal_is_not_ticked_by_the_wall(schedule):
    rehearsal = SETTINGS.model_copy(update={"clock": "replay"})
    assert "rehearsal" in requested(schedule, "2026-11-20T16:01", rehearsal)


@pytest.mark.parametrize("schedule", [hourly_tick_schedule, end_of_day_schedule])
def test_bundled_history_is_never_asked_for_bars_of_today(schedule):
    assert "choose a live source" in requested(schedule, "2026-11-20T16:01", SAMPLE)


def test_schedules_start_the_jobs_of_their_names():
    assert hourly_tick_schedule.job_name == hourly_tick_job.name
    assert end_of_day_schedule.job_name == end_of_day_job.name
