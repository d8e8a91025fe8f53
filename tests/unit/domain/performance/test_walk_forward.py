"""Walk-forward windows: gaps without leaks, test windows without holes, and the choice on training alone."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.performance.walk_forward import WalkForward, best

SESSIONS = sessions_between(date(2012, 1, 3), date(2012, 12, 31))


def test_windows_lie_as_counted_by_hand() -> None:
    windows = WalkForward(train=100, test=60, embargo=5, purge=3).windows(SESSIONS)
    assert [SESSIONS.index(one.train_first) for one in windows] == [0, 60, 120]
    assert [SESSIONS.index(one.train_last) for one in windows] == [99, 159, 219]
    assert [SESSIONS.index(one.test_first) for one in windows] == [108, 168, 228]
    # The year has 250 sessions: the last window is what is left of it.
    assert [SESSIONS.index(one.test_last) for one in windows] == [167, 227, len(SESSIONS) - 1]


@given(train=st.integers(2, 120), test=st.integers(2, 60), embargo=st.integers(0, 20), purge=st.integers(0, 20))
def test_no_training_session_is_within_the_gap_of_its_test_window(
    train: int, test: int, embargo: int, purge: int
) -> None:
    windows = WalkForward(train, test, embargo, purge).windows(SESSIONS)
    at = SESSIONS.index
    assert all(at(one.test_first) - at(one.train_last) == embargo + purge + 1 for one in windows)
    assert all(at(one.train_last) - at(one.train_first) == train - 1 for one in windows)
    assert all(at(b.test_first) == at(a.test_last) + 1 for a, b in pairwise(windows))


def test_range_that_is_too_short_says_how_much_is_needed() -> None:
    with pytest.raises(ValueError, match="has 50 sessions, walk-forward needs at least 102"):
        WalkForward(train=100, test=20).windows(SESSIONS[:50])


@pytest.mark.parametrize(("name", "value"), [("train", 1), ("test", 0), ("embargo", -1), ("purge", -1)])
def test_length_that_makes_no_sense_is_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        WalkForward(**{"train": 10, "test": 10, name: value})


def test_best_is_the_first_among_equals_and_never_one_without_a_value() -> None:
    assert best([None, 0.5, 0.7, 0.7]) == 2
    assert best([None, -0.5]) == 1
    assert best([None, None]) == 0
