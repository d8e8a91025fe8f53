"""Finer bars on the session's grid: by hand, half days and both clock changes, and what must hold for any input."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.domain.market.regrid import REGRIDDED_COLUMNS, regrid
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe

ORDINARY, HALF_DAY = date(2024, 7, 2), date(2024, 7, 3)
MINUTE = timedelta(minutes=1)


def bar(ts: datetime, *prices: float, volume: float = 100.0, symbol: str = "X") -> dict[str, object]:
    """`prices`: open, high, low, close; one price stands for all four."""
    values = prices if len(prices) == 4 else prices * 4
    return {
        "symbol": symbol,
        "ts": ts,
        **dict(zip(["open", "high", "low", "close"], values, strict=True)),
        "volume": volume,
    }


def frame(*bars: dict[str, object]) -> pd.DataFrame:
    table = pd.DataFrame(bars, columns=["symbol", "ts", "open", "high", "low", "close", "volume"])
    table["ts"] = pd.to_datetime(table["ts"], utc=True)
    return table


def every(day: date, step: timedelta, around: timedelta = timedelta(0)) -> pd.DataFrame:
    """One bar of volume 1 every `step` of the session, and of `around` before and after it."""
    trading = session(day)
    ts, end = trading.opens_at - around, trading.closes_at + around
    bars = []
    while ts < end:
        bars.append(bar(ts, 10.0, volume=1))
        ts += step
    return frame(*bars)


def test_hour_takes_first_open_highest_high_lowest_low_last_close_and_all_volume() -> None:
    opens_at = session(ORDINARY).opens_at
    hours = regrid(
        frame(
            bar(opens_at + timedelta(minutes=55), 103, 104, 99, 101, volume=7),
            bar(opens_at, 100, 102, 98, 101, volume=5),
            bar(opens_at + timedelta(hours=1), 50, 60, 40, 55, volume=11),
        ),
        Timeframe.HOUR,
    )
    assert list(hours.columns) == list(REGRIDDED_COLUMNS)
    assert hours[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        [100, 104, 98, 101, 12],
        [50, 60, 40, 55, 11],
    ]
    assert hours["ts"].to_list() == [opens_at, opens_at + timedelta(hours=1)]
    assert hours["closes_at"].to_list() == [opens_at + timedelta(hours=1), opens_at + timedelta(hours=2)]
    assert hours["session_date"].to_list() == [ORDINARY, ORDINARY]
    assert hours["timeframe"].to_list() == ["1h", "1h"]


@pytest.mark.parametrize("minutes", [1, 5, 15, 30])
@pytest.mark.parametrize(("day", "volumes"), [(ORDINARY, [60] * 6 + [30]), (HALF_DAY, [60] * 3 + [30])])
def test_session_has_seven_hours_and_a_half_day_four(day: date, volumes: list[int], minutes: int) -> None:
    hours = regrid(every(day, minutes * MINUTE), Timeframe.HOUR, minutes * MINUTE)
    assert (hours["volume"] * minutes).to_list() == volumes
    assert list(zip(hours["ts"], hours["closes_at"], strict=True)) == list(bar_bounds(day, Timeframe.HOUR))


def test_bars_outside_regular_hours_count_nowhere() -> None:
    day = regrid(every(HALF_DAY, 5 * MINUTE, around=timedelta(hours=4)), Timeframe.SESSION)
    assert day["volume"].to_list() == [3.5 * 12]
    assert (day["ts"].item(), day["closes_at"].item()) == tuple(bar_bounds(HALF_DAY, Timeframe.SESSION)[0])


@pytest.mark.parametrize(
    ("day", "opens_at_utc"),
    [
        (date(2024, 3, 8), 14),
        (date(2024, 3, 11), 13),
        (date(2024, 11, 1), 13),
        (date(2024, 11, 4), 14),
    ],
)
def test_hours_follow_new_york_through_clock_changes(day: date, opens_at_utc: int) -> None:
    hours = regrid(every(day, 5 * MINUTE, around=timedelta(hours=2)), Timeframe.HOUR)
    assert hours["ts"].iloc[0] == datetime(day.year, day.month, day.day, opens_at_utc, 30, tzinfo=UTC)
    assert hours["volume"].to_list() == [12] * 6 + [6]


def test_days_without_trading_give_no_bar() -> None:
    saturday = frame(bar(datetime(2024, 7, 6, 15, tzinfo=UTC), 10), bar(datetime(2024, 7, 4, 15, tzinfo=UTC), 10))
    assert regrid(saturday, Timeframe.HOUR).empty
    assert regrid(saturday.iloc[:0], Timeframe.HOUR).columns.to_list() == list(REGRIDDED_COLUMNS)


def test_hour_without_input_has_no_bar() -> None:
    table = every(ORDINARY, 5 * MINUTE)
    third = bar_bounds(ORDINARY, Timeframe.HOUR)[2]
    halted = table[(table["ts"] < third.ts) | (table["ts"] >= third.closes_at)]
    assert third.ts not in set(regrid(halted, Timeframe.HOUR)["ts"])
    assert len(regrid(halted, Timeframe.HOUR)) == 6


def test_bar_not_closed_by_then_is_left_out() -> None:
    table = every(ORDINARY, 5 * MINUTE)
    second = bar_bounds(ORDINARY, Timeframe.HOUR)[1]
    assert len(regrid(table, Timeframe.HOUR, until=second.closes_at)) == 2
    assert len(regrid(table, Timeframe.HOUR, until=second.closes_at - timedelta(microseconds=1))) == 1
    assert regrid(table, Timeframe.SESSION, until=second.closes_at).empty


def test_symbols_are_kept_apart() -> None:
    opens_at = session(ORDINARY).opens_at
    hours = regrid(frame(bar(opens_at, 5, symbol="B"), bar(opens_at, 3, symbol="A")), Timeframe.HOUR)
    assert hours[["symbol", "close"]].to_numpy().tolist() == [["A", 3], ["B", 5]]


def test_clock_hours_are_refused() -> None:
    ten = session(ORDINARY).opens_at + 30 * MINUTE
    with pytest.raises(ValueError, match=r"X 2024-07-02 14:00Z, 1:00:00 long, does not fit"):
        regrid(frame(bar(ten, 10)), Timeframe.HOUR, timedelta(hours=1))


def test_bar_across_the_opening_is_refused() -> None:
    nine = session(ORDINARY).opens_at - 30 * MINUTE
    table = frame(bar(nine, 10), bar(nine + timedelta(days=1), 10))
    with pytest.raises(ValueError, match="2024-07-02 13:00Z"):
        regrid(table, Timeframe.HOUR, timedelta(hours=1))


def test_step_that_does_not_divide_the_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="0:07:00 long"):
        regrid(frame(bar(session(ORDINARY).opens_at, 10)), Timeframe.HOUR, 7 * MINUTE)


def test_repeated_start_is_refused() -> None:
    opens_at = session(ORDINARY).opens_at
    with pytest.raises(ValueError, match="X 2024-07-02 13:30Z is there twice"):
        regrid(frame(bar(opens_at, 10), bar(opens_at, 11)), Timeframe.HOUR)


SESSIONS = [
    *sessions_between(date(2024, 2, 28), date(2024, 3, 15)),
    *sessions_between(date(2024, 10, 30), date(2024, 12, 31)),
]


@st.composite
def fine_bars(draw: st.DrawFn) -> tuple[pd.DataFrame, timedelta]:
    """Some of the bars of some days, also of nights, for two symbols, in any order."""
    step = draw(st.sampled_from([1, 5, 15, 30])) * MINUTE
    bars = []
    for day in draw(st.lists(st.sampled_from(SESSIONS), min_size=1, max_size=3, unique=True)):
        slots = draw(st.sets(st.integers(-330 // (step // MINUTE), 660 // (step // MINUTE)), max_size=40))
        for slot in slots:
            low, high = sorted(draw(st.tuples(st.integers(1, 10_000), st.integers(1, 10_000))))
            opening, close = draw(st.integers(low, high)), draw(st.integers(low, high))
            symbol = draw(st.sampled_from(["A", "B"]))
            volume = draw(st.integers(0, 10**9))
            bars.append(
                bar(session(day).opens_at + slot * step, opening, high, low, close, volume=volume, symbol=symbol)
            )
    return frame(*draw(st.permutations(bars))), step


def regular(table: pd.DataFrame) -> pd.DataFrame:
    day = table["ts"].dt.tz_convert("America/New_York").dt.date
    bounds = [session(each) for each in day]
    is_regular = [trading.opens_at <= ts < trading.closes_at for ts, trading in zip(table["ts"], bounds, strict=True)]
    return table[np.array(is_regular, dtype=bool)]


@settings(max_examples=60)
@given(fine_bars(), st.sampled_from(Timeframe))
def test_regular_volume_is_conserved_and_prices_stay_within_their_inputs(
    given_bars: tuple[pd.DataFrame, timedelta], timeframe: Timeframe
) -> None:
    table, step = given_bars
    result, inputs = regrid(table, timeframe, step), regular(table)
    assert result["volume"].sum() == inputs["volume"].sum()
    for row in result.itertuples():
        part = inputs[(inputs["symbol"] == row.symbol) & (inputs["ts"] >= row.ts) & (inputs["ts"] < row.closes_at)]
        part = part.sort_values("ts")
        assert (row.open, row.close) == (part["open"].iloc[0], part["close"].iloc[-1])
        assert (row.high, row.low, row.volume) == (part["high"].max(), part["low"].min(), part["volume"].sum())


@settings(max_examples=60)
@given(fine_bars())
def test_bars_on_the_grid_come_back_unchanged(given_bars: tuple[pd.DataFrame, timedelta]) -> None:
    hours = regrid(given_bars[0], Timeframe.HOUR, given_bars[1])
    pd.testing.assert_frame_equal(regrid(hours, Timeframe.HOUR, timedelta(hours=1)), hours)
    days = regrid(hours, Timeframe.SESSION, timedelta(hours=1))
    pd.testing.assert_frame_equal(regrid(given_bars[0], Timeframe.SESSION, given_bars[1]), days)
    pd.testing.assert_frame_equal(regrid(days, Timeframe.SESSION, timedelta(hours=6.5)), days)
