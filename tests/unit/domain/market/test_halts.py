"""Which bars a halt explains, and that a hole beside it stays a gap."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest

from trading_assets.domain.market.bar_rules import BarContext, annotate_bars
from trading_assets.domain.market.bars import BAR_COLUMNS, ensure_no_empty_session
from trading_assets.domain.market.halts import TradingHalt, halted_bars, halted_sessions
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.values import Timeframe

MONDAY, TUESDAY, WEDNESDAY = date(2024, 6, 3), date(2024, 6, 4), date(2024, 6, 5)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def halt(begin: datetime, end: datetime | None, symbol: str = "X") -> TradingHalt:
    return TradingHalt(symbol, begin, end, "LUDP")


def starts(*halts: TradingHalt, timeframe: Timeframe = Timeframe.HOUR) -> list[str]:
    return sorted(f"{bar.ts:%d %H:%M}" for bar in halted_bars(halts, [timeframe], MONDAY, WEDNESDAY))


@pytest.mark.parametrize(
    ("begin", "end", "explained"),
    [
        (at(MONDAY, 14, 30), at(MONDAY, 15, 30), ["03 14:30"]),
        (at(MONDAY, 14, 31), at(MONDAY, 15, 30), []),
        (at(MONDAY, 14, 30), at(MONDAY, 15, 29), []),
        (at(MONDAY, 14, 0), at(MONDAY, 17, 0), ["03 14:30", "03 15:30"]),
        (at(MONDAY, 19, 30), at(TUESDAY, 14, 30), ["03 19:30", "04 13:30"]),
    ],
)
def test_halt_explains_the_hours_it_covers_as_a_whole(begin: datetime, end: datetime, explained: list[str]) -> None:
    assert starts(halt(begin, end)) == explained


def test_pauses_without_trading_between_them_count_as_one() -> None:
    first, second = halt(at(MONDAY, 14, 30), at(MONDAY, 15, 0)), halt(at(MONDAY, 15, 0), at(MONDAY, 15, 30))
    assert starts(second, first) == ["03 14:30"]
    late = halt(at(MONDAY, 15, 1), at(MONDAY, 15, 30))
    assert starts(first, late) == []
    inside = halt(at(MONDAY, 14, 40), at(MONDAY, 14, 45))
    assert starts(halt(at(MONDAY, 14, 30), at(MONDAY, 15, 30)), inside) == ["03 14:30"]


def test_halt_that_has_not_ended_explains_everything_after_it() -> None:
    open_halt = halt(at(TUESDAY, 13, 0), None)
    assert len(starts(open_halt)) == 14
    assert starts(open_halt, timeframe=Timeframe.SESSION) == ["04 13:30", "05 13:30"]
    assert halted_sessions([open_halt], MONDAY, WEDNESDAY) == {("X", TUESDAY), ("X", WEDNESDAY)}


def test_session_with_a_moment_of_trading_is_not_halted() -> None:
    assert halted_sessions([halt(at(MONDAY, 13, 30), at(MONDAY, 19, 59))], MONDAY, MONDAY) == frozenset()


# Gaps --------------------------------------------------------------------------------------------


def missing_hours(lost: list[int], *halts: TradingHalt) -> list[tuple[str, str]]:
    """The gaps in the hours of X and Y on Monday when both lack the hours `lost`."""
    grid = grid_of([MONDAY], Timeframe.HOUR)
    values = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 5.0, "source": "test"}
    frames = [
        grid.drop(index=lost).assign(symbol=symbol, timeframe="1h", **values)[list(BAR_COLUMNS)] for symbol in "XY"
    ]
    context = BarContext(
        first=MONDAY,
        last=MONDAY,
        timeframes=[Timeframe.HOUR],
        universe=["X", "Y"],
        known_symbols=frozenset("XY"),
        first_sessions={("X", "1h"): MONDAY, ("Y", "1h"): MONDAY},
        actions=pd.DataFrame(columns=["symbol", "ex_date", "kind", "split_ratio", "amount_usd"]),
        now=at(TUESDAY, 0),
        absent=halted_bars(halts, [Timeframe.HOUR], MONDAY, MONDAY),
    )
    judged = annotate_bars(pd.concat(frames, ignore_index=True), context)
    gaps = judged[~judged["is_stored"].astype(bool)]
    return sorted(zip(gaps["symbol"], gaps["ts"].dt.strftime("%H:%M"), strict=True))


def test_halted_hour_is_no_gap_and_the_hole_beside_it_is_one() -> None:
    halted = halt(at(MONDAY, 14, 30), at(MONDAY, 15, 30))
    assert missing_hours([1, 2], halted) == [("X", "15:30"), ("Y", "14:30"), ("Y", "15:30")]
    assert missing_hours([1, 2]) == [("X", "14:30"), ("X", "15:30"), ("Y", "14:30"), ("Y", "15:30")]


def test_halt_of_a_symbol_that_nobody_trades_changes_nothing() -> None:
    assert missing_hours([1], halt(at(MONDAY, 14, 30), at(MONDAY, 15, 30), symbol="Z")) == [
        ("X", "14:30"),
        ("Y", "14:30"),
    ]


def test_halted_session_may_be_empty_and_its_neighbour_may_not() -> None:
    frame = pd.DataFrame({"symbol": ["X"], "session_date": [MONDAY]})
    halted = {("X", TUESDAY)}
    ensure_no_empty_session(frame, ["X"], Timeframe.HOUR, [MONDAY, TUESDAY], {"X": None}, halted)
    with pytest.raises(ValueError, match="2024-06-05"):
        ensure_no_empty_session(frame, ["X"], Timeframe.HOUR, [MONDAY, TUESDAY, WEDNESDAY], {"X": None}, halted)
