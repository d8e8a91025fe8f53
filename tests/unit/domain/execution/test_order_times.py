"""Until when an order can be sent."""

from datetime import UTC, datetime

import pytest

from trading_assets.domain.execution.order_times import cut_off
from trading_assets.domain.execution.orders import TimeInForce

DAY, OPG, CLS = TimeInForce.DAY, TimeInForce.OPG, TimeInForce.CLS


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_in_force", "at", "last"),
    [
        # Monday 2024-07-01 trades from 13:30 to 20:00 UTC, Wednesday the 3rd to 17:00; the 4th is a holiday.
        (DAY, "2024-07-01T13:00", "2024-07-01T20:00"),
        (DAY, "2024-07-01T19:59", "2024-07-01T20:00"),
        (DAY, "2024-07-01T20:00", "2024-07-02T20:00"),
        (DAY, "2024-07-03T16:00", "2024-07-03T17:00"),
        (DAY, "2024-07-03T17:00", "2024-07-05T20:00"),
        (DAY, "2024-07-06T12:00", "2024-07-08T20:00"),
        (OPG, "2024-07-01T13:00", "2024-07-01T13:28"),
        (OPG, "2024-07-01T13:30", "2024-07-02T13:28"),
        (CLS, "2024-07-01T13:30", "2024-07-01T19:50"),
        (CLS, "2024-07-01T19:55", "2024-07-01T19:50"),
        (CLS, "2024-07-01T20:00", "2024-07-02T19:50"),
    ],
)
def test_cut_off_is_that_of_the_next_auction_or_close(time_in_force: TimeInForce, at: str, last: str) -> None:
    assert cut_off(utc(at), time_in_force) == utc(last)
