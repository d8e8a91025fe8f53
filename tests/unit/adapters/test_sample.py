"""The bundled history: what it answers, and which files it refuses."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.sample import HOURLY_FILE, SampleSource
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
HEADER = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close\n"
GOOD_ROWS = "AAPL,2010-11-24,10,12,9,11,1000,11\nAAPL,2010-11-26,11,12,10,11.5,500,11.5\n"


@pytest.fixture(scope="module")
def sample() -> SampleSource:
    return SampleSource()


def with_daily(tmp_path: Path, rows: str) -> SampleSource:
    path = tmp_path / "stocks.csv"
    path.write_text(HEADER + rows)
    return SampleSource(daily_file=path)


def daily_of(source: SampleSource):
    return source.bars(["AAPL"], Timeframe.SESSION, date(2010, 1, 1), date(2010, 12, 31), FAR_FUTURE)


def test_every_symbol_has_every_session_since_its_first(sample: SampleSource) -> None:
    first, last = date(2000, 3, 1), date(2013, 3, 1)
    for instrument in sample.instruments(["AAPL", "FB", "GOOG", "IBM", "MSFT"]):
        frame = sample.bars([instrument.symbol], Timeframe.SESSION, first, last, FAR_FUTURE)
        assert frame["session_date"].tolist() == sessions_between(instrument.first_session, last)


def test_bars_have_the_agreed_columns_and_types(sample: SampleSource) -> None:
    frame = sample.bars(["IBM"], Timeframe.SESSION, date(2010, 11, 26), date(2010, 11, 26), FAR_FUTURE)
    row = frame.iloc[0]
    assert tuple(frame.columns) == BAR_COLUMNS
    assert (row["ts"], row["closes_at"]) == bar_bounds(date(2010, 11, 26), Timeframe.SESSION)[0]
    assert row["session_date"] == date(2010, 11, 26)
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (
        145.3,
        145.3,
        143.57,
        143.9,
        2081300.0,
    )


def test_hours_lie_on_the_grid_of_their_sessions(sample: SampleSource) -> None:
    first, last = date(2022, 4, 19), date(2022, 6, 14)
    frame = sample.bars(["MSFT"], Timeframe.HOUR, first, last, FAR_FUTURE)
    grid = [bounds for day in sessions_between(first, last) for bounds in bar_bounds(day, Timeframe.HOUR)]
    assert list(zip(frame["ts"], frame["closes_at"], strict=True)) == grid


def test_bars_that_end_after_until_are_withheld(sample: SampleSource) -> None:
    day = date(2022, 4, 19)
    at_the_second_close = datetime(2022, 4, 19, 15, 30, tzinfo=UTC)
    assert len(sample.bars(["MSFT"], Timeframe.HOUR, day, day, at_the_second_close)) == 2


def test_sessions_without_bars_are_an_empty_frame(sample: SampleSource) -> None:
    frame = sample.bars(["FB"], Timeframe.SESSION, date(2010, 1, 4), date(2010, 1, 8), FAR_FUTURE)
    assert frame.empty
    assert tuple(frame.columns) == BAR_COLUMNS


def test_unknown_symbol_names_what_the_sample_has(sample: SampleSource) -> None:
    with pytest.raises(NotFound, match="The sample has no TSLA, XOM; it has AAPL, FB, GOOG, IBM, MSFT"):
        sample.bars(["XOM", "AAPL", "TSLA"], Timeframe.SESSION, date(2010, 1, 4), date(2010, 1, 8), FAR_FUTURE)


def test_actions_are_those_with_an_ex_date_in_the_range(sample: SampleSource) -> None:
    found = sample.corporate_actions(["AAPL"], date(2005, 2, 28), date(2012, 11, 6))
    assert [str(action.ex_date) for action in found] == ["2005-02-28", "2012-08-09"]


def test_good_daily_file_is_read(tmp_path: Path) -> None:
    assert daily_of(with_daily(tmp_path, GOOD_ROWS))["close"].tolist() == [11.0, 11.5]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("AAPL,2010-11-29,x,12,9,11,1000,11", "line 4: open x is no number"),
        ("AAPL,2010-11-29,10,12,9,,1000,11", "line 4: close nan is no number"),
        ("AAPL,2010-11-29,10,12,9,inf,1000,11", "line 4: close inf is no number"),
        ("AAPL,2010-11-29,10,12,0,11,1000,11", "line 4: low 0.* is not a positive price"),
        ("AAPL,2010-11-29,10,10.5,9,11,1000,11", "line 4: high 10.5 is below another price of its bar"),
        ("AAPL,2010-11-29,10,12,10.5,11,1000,11", "line 4: low 10.5 is above another price of its bar"),
        ("AAPL,2010-11-29,10,12,9,11,-1,11", "line 4: volume -1.* is negative"),
        ("AAPL,29.11.2010,10,12,9,11,1000,11", "line 4: session_date 29.11.2010 is no date"),
        ("AAPL,2010-11-25,10,12,9,11,1000,11", "line 4: session_date 2010-11-25 is a day without trading"),
        ("AAPL,2010-11-26,10,12,9,11,1000,11", "line 4: session_date 2010-11-26 is listed twice"),
        ("ZZZ,2010-11-29,10,12,9,11,1000,11", "line 4: symbol ZZZ is an unknown symbol"),
    ],
)
def test_broken_daily_row_refuses_the_file_naming_line_column_and_value(
    tmp_path: Path, row: str, complaint: str
) -> None:
    with pytest.raises(ContractBroken, match=rf"stocks\.csv, {complaint}.*restore the file"):
        daily_of(with_daily(tmp_path, GOOD_ROWS + row + "\n"))


def test_file_with_a_missing_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stocks.csv"
    path.write_text("Ticker,Date,Close\nAAPL,2010-11-24,10\n")
    with pytest.raises(ContractBroken, match="has 3 columns, expected 8"):
        daily_of(SampleSource(daily_file=path))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"gone\.csv cannot be read"):
        daily_of(SampleSource(daily_file=tmp_path / "gone.csv"))


def test_hour_off_the_grid_refuses_the_file(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_text(HOURLY_FILE.read_text().replace("2022-04-19T14:30:00Z", "2022-04-19T14:00:00Z"))
    source = SampleSource(hourly_file=path)
    with pytest.raises(ContractBroken, match=r"line 3: ts 2022-04-19 14:00.* is not the start of an hour of a session"):
        source.bars(["MSFT"], Timeframe.HOUR, date(2022, 4, 19), date(2022, 4, 19), FAR_FUTURE)
