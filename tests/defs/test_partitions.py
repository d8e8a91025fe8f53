"""The partitions of sessions, and the refusal of sessions that have not begun."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market.sessions import FIRST_DAY, LAST_DAY, sessions_between


class FixedClock:
    def __init__(self, at: str) -> None:
        self.at = datetime.fromisoformat(at)

    def now(self) -> datetime:
        return self.at


def context(first: str, last: str) -> dg.AssetExecutionContext:
    return dg.build_asset_context(partition_key_range=dg.PartitionKeyRange(first, last))


def test_partition_keys_are_the_sessions_of_the_calendar() -> None:
    keys = SESSIONS.get_partition_keys(current_time=datetime(2027, 12, 31, 12, tzinfo=UTC))
    assert keys == [day.isoformat() for day in sessions_between(FIRST_DAY, LAST_DAY)]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2026-11-18T06:00-05:00", "2026-11-18"),
        ("2026-11-21T12:00-05:00", "2026-11-20"),
        ("2026-11-22T12:00-05:00", "2026-11-20"),
    ],
)
def test_newest_partition_is_today_or_the_friday_before_a_weekend(now: str, newest: str) -> None:
    assert SESSIONS.get_partition_keys(current_time=datetime.fromisoformat(now))[-1] == newest


def test_range_of_begun_sessions_is_returned() -> None:
    clock = FixedClock("2010-11-29T14:30:00Z")
    assert session_range(context("2010-11-26", "2010-11-29"), clock) == (date(2010, 11, 26), date(2010, 11, 29))


def test_session_is_refused_until_it_opens() -> None:
    with pytest.raises(dg.Failure, match="Session 2010-11-29 has not begun") as refusal:
        session_range(context("2010-11-26", "2010-11-29"), FixedClock("2010-11-29T14:29:59Z"))
    assert not refusal.value.allow_retries


def test_partition_that_dagster_offers_on_a_holiday_is_refused() -> None:
    thanksgiving = "2026-11-26T17:00:00Z"
    offered = SESSIONS.get_partition_keys(current_time=datetime.fromisoformat(thanksgiving))[-1]
    assert offered == "2026-11-27"
    with pytest.raises(dg.Failure, match=r"has not begun.* opens at 2026-11-27 14:30 UTC.* is 2026-11-25\."):
        session_range(context(offered, offered), FixedClock(thanksgiving))


def test_listing_all_partitions_takes_under_a_second() -> None:
    begin = datetime.now(UTC)
    SESSIONS.get_partition_keys(current_time=datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert datetime.now(UTC) - begin < timedelta(seconds=1)
