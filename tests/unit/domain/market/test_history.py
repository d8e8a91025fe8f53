"""Cutting a history into chunks, leaving out what is stored, and telling how far it has come."""

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.market.history import (
    SYMBOLS_A_CHUNK,
    Chunk,
    Fetched,
    Progress,
    not_yet_fetched,
    split_history,
)
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe

DAYS, HOURS = Timeframe.SESSION, Timeframe.HOUR
TODAY = date(2026, 11, 20)


def spans_of(chunk: Chunk) -> list[Fetched]:
    return [Fetched(symbol, chunk.timeframe, chunk.first, chunk.last) for symbol in chunk.symbols]


def test_hours_are_cut_where_quarters_end_oldest_first() -> None:
    chunks = split_history(["AAPL"], [HOURS], date(2024, 2, 15), date(2024, 7, 2), TODAY)
    assert [(chunk.first, chunk.last) for chunk in chunks] == [
        (date(2024, 2, 15), date(2024, 3, 28)),
        (date(2024, 4, 1), date(2024, 6, 28)),
        (date(2024, 7, 1), date(2024, 7, 2)),
    ]


def test_session_of_today_is_a_chunk_of_its_own_and_never_settled() -> None:
    chunks = split_history(["AAPL"], [DAYS], date(2026, 11, 18), TODAY, TODAY)
    assert [(chunk.first, chunk.last, chunk.is_settled) for chunk in chunks] == [
        (date(2026, 11, 18), date(2026, 11, 19), True),
        (TODAY, TODAY, False),
    ]


def test_chunk_that_is_not_settled_is_fetched_again_whatever_is_stored() -> None:
    (chunk,) = split_history(["AAPL"], [DAYS], TODAY, TODAY, TODAY)
    assert not_yet_fetched([chunk], spans_of(chunk)) == [chunk]


def test_symbol_that_was_added_is_all_that_a_stored_chunk_still_asks_for() -> None:
    stored = split_history(["AAPL", "MSFT"], [DAYS], date(2020, 1, 2), date(2021, 12, 31), TODAY)
    wanted = split_history(["AAPL", "IBM", "MSFT"], [DAYS], date(2020, 1, 2), date(2021, 12, 31), TODAY)
    ahead = not_yet_fetched(wanted, [span for chunk in stored for span in spans_of(chunk)])
    assert ahead == [replace(wanted[0], symbols=("IBM",))]


def test_longer_range_asks_only_for_the_periods_that_were_not_whole() -> None:
    stored = split_history(["AAPL"], [HOURS], date(2024, 1, 2), date(2024, 5, 31), TODAY)
    wanted = split_history(["AAPL"], [HOURS], date(2024, 1, 2), date(2024, 9, 30), TODAY)
    ahead = not_yet_fetched(wanted, [span for chunk in stored for span in spans_of(chunk)])
    assert [(chunk.first, chunk.last) for chunk in ahead] == [
        (date(2024, 4, 1), date(2024, 6, 28)),
        (date(2024, 7, 1), date(2024, 9, 30)),
    ]


@given(
    first=st.dates(date(2010, 1, 4), date(2026, 11, 20)),
    length=st.integers(0, 700),
    names=st.integers(1, 2 * SYMBOLS_A_CHUNK + 1),
    timeframe=st.sampled_from(Timeframe),
)
def test_chunks_hold_every_symbol_in_every_session_exactly_once(
    first: date, length: int, names: int, timeframe: Timeframe
) -> None:
    last = min(date.fromordinal(first.toordinal() + length), TODAY)
    symbols = [f"S{number}" for number in range(names)]
    chunks = split_history(symbols, [timeframe], first, last, TODAY)
    held = [
        (symbol, day)
        for chunk in chunks
        for symbol in chunk.symbols
        for day in sessions_between(chunk.first, chunk.last)
    ]
    assert sorted(held) == sorted((symbol, day) for symbol in symbols for day in sessions_between(first, last))
    assert all(chunk.is_settled == (chunk.last < TODAY) for chunk in chunks)
    settled = [span for chunk in chunks for span in spans_of(chunk)]
    assert not_yet_fetched(chunks, settled) == [chunk for chunk in chunks if not chunk.is_settled]


def test_progress_counts_what_was_stored_before_and_estimates_by_what_was_not() -> None:
    clock = iter([0.0, 120.0, 120.0, 120.0])
    progress = Progress(total=120, skipped=25, now=lambda: next(clock))
    for _ in range(12):
        progress.add(67_500)
    assert str(progress) == "37 of 120 chunks, 30 %, 810,000 rows, about 14 min left"


def test_progress_says_nothing_of_time_before_the_first_chunk_and_after_the_last() -> None:
    progress = Progress(total=1, skipped=0, now=lambda: 0.0)
    assert str(progress) == "0 of 1 chunks, 0 %, 0 rows"
    progress.add(5)
    assert str(progress) == "1 of 1 chunks, 100 %, 5 rows"
