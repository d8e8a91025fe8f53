"""Where a range of sessions is cut so that a restatement is not known before its time."""

from datetime import UTC, date, datetime

import pytest

from trading_assets.domain.strategy.knowledge import Span, spans
from trading_assets.domain.values import Timeframe

MONDAY, WEDNESDAY = date(2022, 5, 2), date(2022, 5, 4)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2022, 5, day, hour, minute, tzinfo=UTC)


OPEN = at(2, 13, 30)
MONDAYS_CLOSE, TUESDAYS_CLOSE, WEDNESDAYS_CLOSE = at(2, 20), at(3, 20), at(4, 20)


def daily(*known_at: datetime) -> list[Span]:
    return spans(MONDAY, WEDNESDAY, Timeframe.SESSION, known_at)


def hourly(*known_at: datetime) -> list[Span]:
    return spans(MONDAY, WEDNESDAY, Timeframe.HOUR, known_at)


def test_range_without_restatements_is_one_part() -> None:
    assert daily() == hourly() == [(OPEN, WEDNESDAYS_CLOSE)]
    assert spans(MONDAY, MONDAY, Timeframe.SESSION, []) == [(OPEN, MONDAYS_CLOSE)]


@pytest.mark.parametrize("overnight", [at(2, 22), at(3, 13)])
def test_restatement_after_mondays_close_is_first_known_on_tuesday(overnight: datetime) -> None:
    assert daily(overnight) == hourly(overnight) == [(OPEN, MONDAYS_CLOSE), (MONDAYS_CLOSE, WEDNESDAYS_CLOSE)]


def test_restatement_at_a_close_is_known_at_that_close() -> None:
    assert daily(TUESDAYS_CLOSE) == [(OPEN, MONDAYS_CLOSE), (MONDAYS_CLOSE, WEDNESDAYS_CLOSE)]
    assert hourly(TUESDAYS_CLOSE) == [(OPEN, at(3, 19, 30)), (at(3, 19, 30), WEDNESDAYS_CLOSE)]


def test_restatement_within_a_session_is_unknown_to_its_earlier_hours() -> None:
    assert hourly(at(3, 16)) == [(OPEN, at(3, 15, 30)), (at(3, 15, 30), WEDNESDAYS_CLOSE)]
    assert daily(at(3, 16)) == [(OPEN, MONDAYS_CLOSE), (MONDAYS_CLOSE, WEDNESDAYS_CLOSE)]


def test_several_restatements_between_two_closes_cut_once() -> None:
    assert hourly(at(4, 15, 31), at(4, 15, 45), at(4, 16)) == [
        (OPEN, at(4, 15, 30)),
        (at(4, 15, 30), WEDNESDAYS_CLOSE),
    ]
    assert daily(at(4, 9), at(4, 14), at(4, 19)) == [(OPEN, TUESDAYS_CLOSE), (TUESDAYS_CLOSE, WEDNESDAYS_CLOSE)]


def test_restatement_before_the_first_close_or_after_the_last_cuts_nothing() -> None:
    assert daily(at(2, 3), at(2, 15), at(4, 21)) == [(OPEN, WEDNESDAYS_CLOSE)]
    assert hourly(at(2, 14), at(4, 21)) == [(OPEN, WEDNESDAYS_CLOSE)]
