"""Freshness in trading time, and how many bars a session has beside the sessions before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from trading_assets.domain.market.session_rules import annotate_sessions, minutes_overdue, trading_minutes
from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe

HOUR, SESSION = Timeframe.HOUR, Timeframe.SESSION


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    ("begin", "end", "minutes"),
    [
        ("2024-05-06 10:00", "2024-05-06 11:30", 90),
        ("2024-05-06 08:00", "2024-05-06 09:30", 0),
        ("2024-05-03 16:00", "2024-05-06 09:31", 1),  # a weekend
        ("2024-07-03 12:30", "2024-07-05 09:40", 40),  # a half day and a holiday
        ("2024-03-08 15:00", "2024-03-11 10:00", 90),  # clocks go forward
        ("2024-11-01 15:00", "2024-11-04 10:00", 90),  # clocks go back
        ("2024-05-06 09:30", "2024-05-07 16:00", 780),
    ],
)
def test_trading_minutes_count_only_while_the_market_is_open(begin: str, end: str, minutes: float) -> None:
    assert trading_minutes(new_york(begin), new_york(end)) == minutes


@pytest.mark.parametrize(
    ("newest", "timeframe", "now", "minutes"),
    [
        ("2024-05-03 16:00", HOUR, "2024-05-05 12:00", 0),  # on Sunday
        ("2024-05-03 16:00", HOUR, "2024-05-06 10:30", 0),  # the first hour has just ended
        ("2024-05-03 16:00", HOUR, "2024-05-06 11:01", 31),
        ("2024-05-03 15:30", HOUR, "2024-05-05 12:00", 0),  # Friday's last half hour is missing: late from Monday on
        ("2024-05-03 15:30", HOUR, "2024-05-06 09:45", 15),
        ("2024-07-03 13:00", HOUR, "2024-07-05 10:30", 0),  # a half day, then a holiday
        ("2024-05-03 16:00", SESSION, "2024-05-06 15:59", 0),
        ("2024-05-03 16:00", SESSION, "2024-05-06 22:00", 0),
        ("2024-05-03 16:00", SESSION, "2024-05-07 10:05", 35),
        ("2024-05-02 16:00", SESSION, "2024-05-06 09:00", 0),
    ],
)
def test_minutes_overdue_start_when_the_next_bar_has_ended_and_rest_with_the_market(
    newest: str, timeframe: Timeframe, now: str, minutes: float
) -> None:
    assert minutes_overdue(new_york(newest), timeframe, new_york(now)) == minutes


FIRST, LAST = date(2024, 6, 3), date(2024, 7, 8)
"""With a holiday and the half day before it."""
END = session(LAST).closes_at


def counts(symbol: str = "AAA", restated: int = 0) -> pd.DataFrame:
    rows = [(day, symbol, "1h", len(bar_bounds(day, HOUR)), 0) for day in sessions_between(FIRST, LAST)]
    frame = pd.DataFrame(rows, columns=["session_date", "symbol", "timeframe", "bar_count", "restated_count"])
    frame.loc[frame.index[-1], "restated_count"] = restated
    return frame


def sessions_of(frame: pd.DataFrame, now: datetime = END) -> pd.DataFrame:
    newest = {(symbol, "1h"): min(now, session(LAST).closes_at) for symbol in frame["symbol"].unique()}
    return annotate_sessions(frame, newest, [HOUR], date(2024, 6, 17), LAST, now)


def test_annotate_sessions_half_days_and_holidays_have_their_usual_numbers() -> None:
    rows = sessions_of(counts())

    assert rows["session_date"].tolist() == sessions_between(date(2024, 6, 17), LAST)
    assert (rows["count_drift"] == 0).all()
    assert (rows["restated_share"] == 0).all()
    assert rows["minutes_overdue"].dropna().tolist() == [0]


def test_annotate_sessions_fewer_bars_than_usual_drift() -> None:
    frame = counts()
    frame.loc[frame["session_date"] == date(2024, 7, 3), "bar_count"] = 3

    rows = sessions_of(frame).set_index("session_date")

    assert rows.loc[date(2024, 7, 3), "count_drift"] == pytest.approx(-1 / 4)
    assert rows.loc[date(2024, 7, 5), "count_drift"] == 0


def test_annotate_sessions_session_without_a_bar_drifts_to_nothing() -> None:
    frame = counts()

    rows = sessions_of(frame[frame["session_date"] != date(2024, 7, 2)]).set_index("session_date")

    assert rows.loc[date(2024, 7, 2), "count_drift"] == -1


def test_annotate_sessions_a_listing_is_not_judged_until_five_sessions_are_known() -> None:
    listed = counts("NEW")
    listed = listed[listed["session_date"] >= date(2024, 6, 24)]

    rows = sessions_of(pd.concat([counts(), listed]))

    new = rows[rows["symbol"] == "NEW"].set_index("session_date")["count_drift"]
    assert new.index.min() == date(2024, 6, 24)
    assert new.isna().sum() == 5
    assert (new.dropna() == 0).all()


def test_annotate_sessions_running_session_counts_the_bars_that_have_ended() -> None:
    frame = counts()
    now = bar_bounds(LAST, HOUR)[1].closes_at + timedelta(minutes=1)
    frame.loc[frame.index[-1], "bar_count"] = 2

    assert sessions_of(frame, now)["count_drift"].iloc[-1] == 0


def test_annotate_sessions_restated_bars_are_a_share_of_the_session_over_all_symbols() -> None:
    rows = sessions_of(pd.concat([counts("AAA", restated=7), counts("BBB")]))

    last = rows[rows["session_date"] == LAST].set_index("symbol")["restated_share"]
    assert last.to_dict() == {"AAA": 0.5, "BBB": 0.0}


def test_annotate_sessions_nothing_stored_has_no_rows() -> None:
    assert sessions_of(counts().iloc[:0]).empty


def test_annotate_sessions_old_range_is_judged_as_of_its_end() -> None:
    rows = annotate_sessions(
        counts(), {("AAA", "1h"): session(LAST).closes_at}, [HOUR], LAST, LAST, datetime(2026, 1, 1, tzinfo=UTC)
    )

    assert rows["minutes_overdue"].tolist() == [0]
