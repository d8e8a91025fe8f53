"""A person's own folder of bars: what is read from it, and how a broken file is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.folder import FolderSource
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
FIRST, LAST = date(2024, 7, 1), date(2024, 7, 5)
HEADER = "symbol,ts,open,high,low,close,volume\n"
DAY = "AAPL,2024-07-02,10,12,9,11,1000\n"
HOUR = "AAPL,2024-07-02T13:30:00Z,10,12,9,11,1000\n"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def bars_of(folder: Path, timeframe: Timeframe = Timeframe.SESSION, *symbols: str) -> pd.DataFrame:
    return FolderSource(folder).bars(symbols or ["AAPL"], timeframe, FIRST, LAST, FAR_FUTURE)


@pytest.mark.parametrize(
    "ts",
    [
        "2024-07-02",
        "2024-07-02 00:00:00",
        "2024-07-02 00:00:00+00:00",
        "2024-07-02T00:00:00-04:00",
        "2024-07-02T13:30:00Z",
        "2024-07-02T16:00:00-04:00",
    ],
)
def test_day_is_read_however_it_is_written(tmp_path: Path, ts: str) -> None:
    write(tmp_path, "prices_1d.csv", HEADER + f"AAPL,{ts},10,12,9,11,1000\n")
    frame = bars_of(tmp_path)
    assert tuple(frame.columns) == BAR_COLUMNS
    row = frame.iloc[0]
    assert (row["ts"], row["closes_at"]) == bar_bounds(date(2024, 7, 2), Timeframe.SESSION)[0]
    assert row["session_date"] == date(2024, 7, 2)
    assert row[["open", "high", "low", "close", "volume", "source", "timeframe"]].to_list() == [
        10,
        12,
        9,
        11,
        1000,
        "folder",
        "1d",
    ]


def test_files_of_a_folder_are_read_together_csv_or_parquet(tmp_path: Path) -> None:
    write(tmp_path, "1d/a.csv", HEADER + DAY)
    write(tmp_path, "old/NA-1d.csv", HEADER + DAY.replace("AAPL", "NA"))
    days = pd.Series([date(2024, 7, 1), date(2024, 7, 2)])
    stamps = {"dates": days, "naive": pd.to_datetime(days), "aware": pd.to_datetime(days, utc=True)}
    for symbol, ts in stamps.items():
        prices = {price: [10.0, 11.0] for price in ("open", "high", "low", "close")}
        table = pd.DataFrame({"symbol": symbol, "ts": ts, **prices, "volume": [5, 6], "vwap": 1.0})
        table.to_parquet(tmp_path / "1d" / f"{symbol}.parquet")
    frame = bars_of(tmp_path, Timeframe.SESSION, "AAPL", "NA", *stamps)
    assert frame["symbol"].to_list() == ["AAPL", "NA", "aware", "aware", "dates", "dates", "naive", "naive"]
    assert frame[frame["symbol"].isin(list(stamps))]["session_date"].to_list() == days.to_list() * 3


def test_hours_outside_the_session_are_left_out_and_the_last_one_is_cut_at_the_close(tmp_path: Path) -> None:
    starts = ["2024-07-03T12:00:00Z", "2024-07-03T13:30:00Z", "2024-07-03T16:30:00Z", "2024-07-03T17:30:00Z"]
    rows = "".join(f"AAPL,{ts},10,12,9,11,1000\n" for ts in [*starts, "2024-07-04T14:30:00Z"])
    write(tmp_path, "prices_1h.csv", HEADER + rows)
    frame = bars_of(tmp_path, Timeframe.HOUR)
    assert [f"{ts:%H:%M}" for ts in frame["ts"]] == ["13:30", "16:30"]
    assert [f"{ts:%H:%M}" for ts in frame["closes_at"]] == ["14:30", "17:00"]


def test_finer_bars_fill_in_for_symbols_without_bars_of_the_timeframe(tmp_path: Path) -> None:
    write(tmp_path, "1h/a.csv", HEADER + HOUR)
    fine = "".join(
        f"{symbol},2024-07-02T13:{minute}:00Z,1,2,1,2,7\n" for symbol in ("AAPL", "X") for minute in (30, 35)
    )
    write(tmp_path, "5m/all.csv", HEADER + fine)
    hours = bars_of(tmp_path, Timeframe.HOUR, "AAPL", "X")
    assert hours[["symbol", "volume"]].to_numpy().tolist() == [["AAPL", 1000], ["X", 14]]
    days = bars_of(tmp_path, Timeframe.SESSION, "AAPL", "X")
    assert days[["symbol", "volume", "timeframe"]].to_numpy().tolist() == [["AAPL", 14, "1d"], ["X", 14, "1d"]]


def test_bars_that_end_after_until_or_outside_the_range_are_withheld(tmp_path: Path) -> None:
    days = [f"AAPL,{day},10,12,9,11,1000\n" for day in sessions_between(date(2024, 6, 28), date(2024, 7, 8))]
    write(tmp_path, "prices_1d.csv", HEADER + "".join(days))
    source = FolderSource(tmp_path)
    until = datetime(2024, 7, 3, 17, tzinfo=UTC)
    frame = source.bars(["AAPL"], Timeframe.SESSION, FIRST, LAST, until)
    assert frame["session_date"].to_list() == [FIRST, date(2024, 7, 2), date(2024, 7, 3)]


def test_instruments_start_with_their_first_bar(tmp_path: Path) -> None:
    write(tmp_path, "prices_1d.csv", HEADER + DAY)
    write(tmp_path, "prices_1h.csv", HEADER + HOUR.replace("07-02", "07-01"))
    (instrument,) = FolderSource(tmp_path).instruments(["AAPL"])
    assert (instrument.symbol, instrument.first_session) == ("AAPL", date(2024, 7, 1))


def test_symbol_without_bars_names_what_the_folder_has(tmp_path: Path) -> None:
    write(tmp_path, "prices_1d.csv", HEADER + DAY)
    with pytest.raises(NotFound, match="has no bars of IBM; it has AAPL"):
        FolderSource(tmp_path).instruments(["AAPL", "IBM"])
    assert bars_of(tmp_path, Timeframe.SESSION, "IBM").empty


def test_empty_folder_has_no_bars(tmp_path: Path) -> None:
    assert tuple(bars_of(tmp_path).columns) == BAR_COLUMNS
    with pytest.raises(NotFound, match="it has none"):
        FolderSource(tmp_path).instruments(["AAPL"])


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone is no folder: correct `folder` in trading\.yaml"):
        bars_of(tmp_path / "gone")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("AAPL,2024-07-03,x,12,9,11,1000", "line 3: open x is no number"),
        ("AAPL,2024-07-03,10,12,9,,1000", "line 3: close  is no number"),
        ("AAPL,2024-07-03,10,12,0,11,1000", r"line 3: low 0\.0 is not a positive price"),
        ("AAPL,2024-07-03,10,10.5,9,11,1000", "line 3: high 10.5 is below another price of its bar"),
        ("AAPL,2024-07-03,10,12,9,11,-1", r"line 3: volume -1\.0 is negative"),
        ("AAPL,03.07.2024,10,12,9,11,1000", "line 3: ts 03.07.2024 is no day such as 2024-07-02"),
        ("AAPL,2024-07-04,10,12,9,11,1000", "line 3: ts 2024-07-04 is a day without trading"),
        ("AAPL,1999-07-01,10,12,9,11,1000", "line 3: ts 1999-07-01 lies outside the calendar"),
        ("AAPL,2024-07-02,10,12,9,11,1000", "line 3: session_date 2024-07-02 is listed twice"),
        (",2024-07-03,10,12,9,11,1000", "line 3: symbol  is empty"),
    ],
)
def test_broken_row_refuses_the_file_naming_line_column_and_value(tmp_path: Path, row: str, complaint: str) -> None:
    write(tmp_path, "prices_1d.csv", HEADER + DAY + row + "\n")
    with pytest.raises(ContractBroken, match=rf"prices_1d\.csv, {complaint}.*correct the file"):
        bars_of(tmp_path)


@pytest.mark.parametrize(
    ("ts", "complaint"),
    [
        ("2024-07-02T14:00:00Z", "is not the start of a 1h bar of a session"),
        ("2024-07-02T14:30:00", "has no time zone"),
        ("14:30Z", "is no time such as"),
    ],
)
def test_hour_that_is_none_refuses_the_file(tmp_path: Path, ts: str, complaint: str) -> None:
    write(tmp_path, "prices_1h.csv", HEADER + HOUR + f"AAPL,{ts},10,12,9,11,1000\n")
    with pytest.raises(ContractBroken, match=rf"prices_1h\.csv, line 3: ts .*{complaint}"):
        bars_of(tmp_path, Timeframe.HOUR)


def test_parquet_is_refused_by_row(tmp_path: Path) -> None:
    table = pd.DataFrame([["AAPL", date(2024, 7, 2), 10.0, 12.0, 9.0, 13.0, 5.0]], columns=HEADER.strip().split(","))
    table.to_parquet(tmp_path / "1d.parquet")
    with pytest.raises(ContractBroken, match=r"1d\.parquet, row 1: high 12\.0 is below another price"):
        bars_of(tmp_path)


def test_missing_column_is_named(tmp_path: Path) -> None:
    write(tmp_path, "prices_1d.csv", "symbol,ts,open,high,low,close\n")
    with pytest.raises(ContractBroken, match=r"has no column volume; it has symbol, ts, open, high, low, close"):
        bars_of(tmp_path)


def test_bar_in_two_files_names_both(tmp_path: Path) -> None:
    write(tmp_path, "1d/a.csv", HEADER + DAY)
    write(tmp_path, "1d/b.csv", HEADER + DAY)
    with pytest.raises(ContractBroken, match=r"AAPL 2024-07-02.* is in .*a\.csv and in .*b\.csv"):
        bars_of(tmp_path)


@pytest.mark.parametrize("name", ["prices.csv", "1d/prices_1h.csv"])
def test_file_that_names_no_single_length_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, HEADER + DAY)
    with pytest.raises(ContractBroken, match=rf"{name} does not name one length of its bars"):
        bars_of(tmp_path)


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "1d.parquet", "not parquet")
    with pytest.raises(ContractBroken, match=r"1d\.parquet cannot be read"):
        bars_of(tmp_path)


ACTIONS_HEADER = "symbol,ex_date,kind,split_ratio,amount_usd,pay_date\n"


def test_actions_are_read_and_cut_to_the_range(tmp_path: Path) -> None:
    write(
        tmp_path,
        "corporate_actions.csv",
        ACTIONS_HEADER
        + "AAPL,2024-07-01,cash_dividend,,0.25,2024-08-15\nAAPL,2024-07-02,split,4,,\n"
        + "AAPL,2025-01-01,split,2,,\nIBM,2024-07-02,split,3,,\n",
    )
    assert FolderSource(tmp_path).corporate_actions(["AAPL"], FIRST, LAST) == [
        CorporateAction("AAPL", FIRST, ActionKind.CASH_DIVIDEND, None, Decimal("0.25"), date(2024, 8, 15)),
        CorporateAction("AAPL", date(2024, 7, 2), ActionKind.SPLIT, Decimal(4)),
    ]


def test_folder_without_actions_has_none(tmp_path: Path) -> None:
    assert FolderSource(tmp_path).corporate_actions(["AAPL"], FIRST, LAST) == []


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("AAPL,2024-07-02,tender,,,", "kind 'tender' is none of split, cash_dividend"),
        ("AAPL,2024-07-02,spin_off,,,", "new_symbol is empty"),
        ("AAPL,2024-07-02,delisting,,,", "reason '' is none of merger"),
        ("AAPL,2024-07-02,split,2,0.5,", "amount_usd '0.5' says nothing about a split"),
        ("AAPL,2024-07-02,split,,0.5,", "split_ratio '' is no number"),
        ("AAPL,2024-07-02,cash_dividend,,-1,", "amount_usd -1 is not positive"),
        ("AAPL,July,split,2,,", "ex_date 'July' is no date"),
    ],
)
def test_broken_action_refuses_the_file(tmp_path: Path, row: str, complaint: str) -> None:
    write(tmp_path, "corporate_actions.csv", ACTIONS_HEADER + row + "\n")
    with pytest.raises(ContractBroken, match=rf"corporate_actions\.csv, line 2: {complaint}"):
        FolderSource(tmp_path).corporate_actions(["AAPL"], FIRST, LAST)


FLAGS_HEADER = "symbol,is_shortable,is_easy_to_borrow,is_unqualified_partnership\n"


def test_instruments_have_the_flags_of_their_file(tmp_path: Path) -> None:
    write(tmp_path, "1d.csv", HEADER + DAY + DAY.replace("AAPL", "ET"))
    write(tmp_path, "instruments.csv", FLAGS_HEADER + "ET,true,,true\nAAPL,true, True ,FALSE\nGONE,true,true,true\n")
    apple, energy = FolderSource(tmp_path).instruments(["AAPL", "ET"])
    assert (apple.is_shortable, apple.is_easy_to_borrow, apple.is_unqualified_partnership) == (True, True, False)
    assert (energy.is_shortable, energy.is_easy_to_borrow, energy.is_unqualified_partnership) == (True, None, True)


def test_instrument_without_flags_has_none(tmp_path: Path) -> None:
    write(tmp_path, "1d.csv", HEADER + DAY)
    (apple,) = FolderSource(tmp_path).instruments(["AAPL"])
    assert (apple.is_shortable, apple.is_easy_to_borrow, apple.is_unqualified_partnership) == (False, None, None)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (FLAGS_HEADER + "AAPL,yes,,\n", "line 2: is_shortable yes is neither true nor false"),
        (FLAGS_HEADER + "AAPL,true,,\nAAPL,true,,\n", "line 3: symbol AAPL is listed twice"),
        ("symbol,is_partnership\nAAPL,true\n", " has symbol, is_partnership; its columns are symbol and any of is_sh"),
        ("is_shortable\ntrue\n", " has is_shortable; its columns are symbol"),
    ],
)
def test_broken_flag_refuses_the_file(tmp_path: Path, content: str, complaint: str) -> None:
    write(tmp_path, "1d.csv", HEADER + DAY)
    write(tmp_path, "instruments.csv", content)
    with pytest.raises(ContractBroken, match=rf"instruments\.csv(, )?{complaint}"):
        FolderSource(tmp_path).instruments(["AAPL"])
