"""Time that passes only while the market is open."""

from datetime import UTC, datetime, timedelta

import pytest

from trading_assets.domain.market.trading_time import trading_time


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "end", "minutes"),
    [
        ("2024-07-01T14:00", "2024-07-01T14:30", 30),
        ("2024-07-01T20:00", "2024-07-02T13:30", 0),
        ("2024-07-01T19:59", "2024-07-02T13:31", 2),
        ("2024-07-03T16:59", "2024-07-05T13:31", 2),
        ("2024-07-01T14:30", "2024-07-01T14:00", 0),
    ],
)
def test_nights_holidays_and_half_days_take_no_time(begin: str, end: str, minutes: int) -> None:
    assert trading_time(utc(begin), utc(end)) == timedelta(minutes=minutes)
