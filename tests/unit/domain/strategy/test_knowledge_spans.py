"""Where a range of sessions is cut so that a restatement is not known before its time."""

from datetime import UTC, date, datetime

from trading_assets.domain.strategy.knowledge import spans

MONDAY, TUESDAY, WEDNESDAY = date(2022, 5, 2), date(2022, 5, 3), date(2022, 5, 4)


def test_range_without_restatements_is_one_part():
    assert spans(MONDAY, WEDNESDAY, []) == [(MONDAY, WEDNESDAY)]


def test_restatement_after_mondays_close_is_first_known_on_tuesday():
    overnight = datetime(2022, 5, 2, 22, tzinfo=UTC)
    assert spans(MONDAY, WEDNESDAY, [overnight]) == [(MONDAY, MONDAY), (TUESDAY, WEDNESDAY)]


def test_restatement_at_a_close_is_known_at_that_close():
    at_tuesdays_close = datetime(2022, 5, 3, 20, tzinfo=UTC)
    assert spans(MONDAY, WEDNESDAY, [at_tuesdays_close]) == [(MONDAY, MONDAY), (TUESDAY, WEDNESDAY)]


def test_several_restatements_of_one_session_cut_once():
    times = [datetime(2022, 5, 4, hour, tzinfo=UTC) for hour in (9, 14, 19)]
    assert spans(MONDAY, WEDNESDAY, times) == [(MONDAY, TUESDAY), (WEDNESDAY, WEDNESDAY)]


def test_single_session_is_one_part():
    assert spans(MONDAY, MONDAY, []) == [(MONDAY, MONDAY)]
