"""The wall clock and the clock of a rehearsal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from trading_assets.adapters.clock import ReplayClock, WallClock, set_replay_clock
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database


def test_wall_clock_is_utc_and_now() -> None:
    now = WallClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_replay_clock_never_set_says_how_to_set_it(database: Database) -> None:
    with pytest.raises(NotFound, match=r"not set .* trading clock set"):
        ReplayClock(database).now()


def test_replay_clock_stands_at_the_time_last_set(database: Database) -> None:
    set_replay_clock(database, datetime(2022, 5, 2, 15, 30, tzinfo=UTC))
    set_replay_clock(database, datetime(2022, 5, 2, 12, 30, tzinfo=timezone(timedelta(hours=-4))))

    now = ReplayClock(database).now()

    assert now == datetime(2022, 5, 2, 16, 30, tzinfo=UTC)
    assert now.utcoffset() == timedelta(0)


def test_replay_clock_refuses_a_time_without_a_zone(database: Database) -> None:
    with pytest.raises(ValueError, match="has no time zone: write it as 2022-05-02T15:30Z"):
        set_replay_clock(database, datetime(2022, 5, 2, 15, 30))  # noqa: DTZ001  the mistake under test
