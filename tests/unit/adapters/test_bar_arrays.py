"""Frames of bars become arrays in the order of the primary key, whatever order and types they come in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from trading_assets.adapters.postgres import bar_arrays
from trading_assets.adapters.postgres.bar_arrays import sorted_chunks
from trading_assets.domain.market.bars import BAR_COLUMNS

START = datetime(2021, 12, 31, 15, 30, tzinfo=UTC)


def frame(symbols: list[str], offsets: list[int]) -> pd.DataFrame:
    ts = [START + timedelta(days=offset) for offset in offsets]
    return pd.DataFrame(
        {
            "symbol": symbols,
            "timeframe": "1h",
            "ts": pd.to_datetime(ts, utc=True),
            "closes_at": pd.to_datetime([at + timedelta(hours=1) for at in ts], utc=True),
            "session_date": [at.date() for at in ts],
            "open": 1,
            "high": 2.0,
            "low": None,
            "close": [float(offset) for offset in offsets],
            "volume": 5,
            "source": "vendor",
        }
    )


def test_bars_in_any_order_come_by_symbol_and_time() -> None:
    [bars] = sorted_chunks(frame(["B", "AA", "B", "AA"], [1, 1, 0, 0]))

    assert tuple(bars.columns) == BAR_COLUMNS
    assert bars.columns["symbol"].tolist() == [b"AA", b"AA", b"B", b"B"]
    assert bars.columns["close"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert bars.columns["session_date"].tolist() == [date(2021, 12, 31), date(2022, 1, 1)] * 2
    assert np.isnan(bars.columns["low"]).all()


def test_spans_years_and_sessions_tell_what_the_bars_cover() -> None:
    [bars] = sorted_chunks(frame(["AA", "AA", "B"], [0, 1, 400]))

    first, second = bars.spans()
    assert first == ("AA", "1h", "2021-12-31T15:30:00.000000Z", "2022-01-01T15:30:00.000000Z", 2)
    assert second == ("B", "1h", "2023-02-04T15:30:00.000000Z", "2023-02-04T15:30:00.000000Z", 3)
    assert bars.years() == [("AA", "1h", 2021), ("AA", "1h", 2022), ("B", "1h", 2023)]
    assert len(bars.sessions()) == 3


def test_long_frame_comes_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_arrays, "CHUNK_ROWS", 2)

    chunks = list(sorted_chunks(frame(["B", "A", "A", "A", "B"], [0, 2, 1, 0, 1])))

    assert [chunk.columns["close"].tolist() for chunk in chunks] == [[0.0, 1.0], [2.0, 0.0], [1.0]]


def test_times_of_another_zone_and_unit_are_stored_in_utc() -> None:
    bars = frame(["A"], [0])
    bars["ts"] = bars["ts"].dt.tz_convert("America/New_York").dt.as_unit("ns")

    [arrays] = sorted_chunks(bars)

    assert arrays.columns["ts"].tolist() == [START.replace(tzinfo=None)]


def test_response_ids_that_lack_are_masked() -> None:
    [bars] = sorted_chunks(frame(["A", "B"], [0, 0]).assign(response_id=[None, 7.0]))

    assert bars.columns["response_id"].tolist() == [None, 7]


def test_bar_that_comes_twice_is_refused_with_its_time() -> None:
    with pytest.raises(ValueError, match=r"2021-12-31T15:30:00.* comes twice"):
        list(sorted_chunks(frame(["A", "B", "A"], [0, 0, 0])))


@pytest.mark.parametrize("column", ["symbol", "ts", "session_date"])
def test_bar_without_its_identity_is_refused_by_column(column: str) -> None:
    bars = frame(["A", "B"], [0, 0])
    bars[column] = bars[column].astype(object).where([True, False], None)

    with pytest.raises(ValueError, match=f"without {column}"):
        list(sorted_chunks(bars))


def test_no_bars_are_no_chunks() -> None:
    assert list(sorted_chunks(frame(["A"], [0]).iloc[:0])) == []
