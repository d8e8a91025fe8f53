"""The last hour of half days: when it is missing because of one vendor's defect, and when it is an ordinary gap."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from trading_assets.domain.market.half_days import MissingEnd, end_of_half_day, missing_ends
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe

DAY, HALF_DAY = date(2024, 7, 2), date(2024, 7, 3)
LATER = datetime(2024, 8, 1, tzinfo=UTC)


def hours(source: str = "yahoo", symbol: str = "X") -> pd.DataFrame:
    return grid_of([DAY, HALF_DAY], Timeframe.HOUR).assign(symbol=symbol, source=source)


def test_half_day_without_its_last_hour_is_found() -> None:
    assert missing_ends(hours().iloc[:-1], DAY, HALF_DAY, LATER) == [MissingEnd("X", HALF_DAY)]
    assert missing_ends(hours(), DAY, HALF_DAY, LATER) == []


def test_hour_that_has_not_ended_is_not_missing() -> None:
    before_the_close = datetime(2024, 7, 3, 16, 59, tzinfo=UTC)
    assert missing_ends(hours().iloc[:-1], DAY, HALF_DAY, before_the_close) == []


@pytest.mark.parametrize("lost", [7, 8])
def test_another_hour_that_is_missing_is_a_gap_like_any_other(lost: int) -> None:
    assert missing_ends(hours().drop(index=lost), DAY, HALF_DAY, LATER) == []


def test_full_session_without_its_last_hour_is_a_gap_like_any_other() -> None:
    assert missing_ends(hours().drop(index=6), DAY, HALF_DAY, LATER) == []


def test_other_sources_and_mixed_days_are_not_excused() -> None:
    mixed = hours().iloc[:-1].copy()
    mixed.loc[8, "source"] = "alpaca"
    assert missing_ends(mixed, DAY, HALF_DAY, LATER) == []
    assert missing_ends(hours("alpaca").iloc[:-1], DAY, HALF_DAY, LATER) == []


def test_symbol_without_any_hour_of_the_day_is_not_excused() -> None:
    assert missing_ends(hours().iloc[:7], DAY, HALF_DAY, LATER) == []


def test_half_days_are_those_of_the_calendar() -> None:
    days = [day for day in sessions_between(date(2024, 1, 1), date(2025, 12, 31)) if end_of_half_day(day)]
    assert [f"{day:%m-%d}" for day in days] == ["07-03", "11-29", "12-24", "07-03", "11-28", "12-24"]
