"""Vendors' five-minute bars on our grid against another vendor's own hours, on real files where they are present.

TRADING_TEST_DATA names a folder with intraday/ and hourly/ bars of several vendors; without it the test is skipped.
"""

import os
from pathlib import Path

import pandas as pd
import pytest

from trading_assets.domain.market.regrid import regrid
from trading_assets.domain.values import Timeframe

DATA = Path(os.environ.get("TRADING_TEST_DATA", "/nonexistent"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="TRADING_TEST_DATA names no folder of vendors' files")

YAHOO = "hourly/yahoo_1h_prepost_2025q3.csv.gz"
NEVER_FINAL = {pd.Timestamp("2025-06-26 17:30Z"), pd.Timestamp("2025-09-26 17:30Z")}
"""The first and the last bar of Yahoo's answer, cut by its window and by the moment of the request."""


def read(name: str) -> pd.DataFrame:
    bars = pd.read_csv(DATA / name)
    bars["ts"] = pd.to_datetime(bars["ts"], utc=True)
    return bars


@pytest.mark.parametrize(
    ("fine", "symbol"),
    [
        ("intraday/polygon_5m_ADBE_2025-06_2025-09.csv.gz", "ADBE"),
        ("intraday/polygon_5m_COST_2023-09_2025-09.csv.gz", "COST"),
        ("intraday/alpaca_5m_MSFT_2023-11_2025-11.csv.gz", "MSFT"),
    ],
)
def test_five_minutes_regridded_agree_with_hours_of_another_vendor(fine: str, symbol: str) -> None:
    hours = regrid(read(fine), Timeframe.HOUR)
    theirs = read(YAHOO)
    theirs = theirs[(theirs["symbol"] == symbol) & ~theirs["ts"].isin(NEVER_FINAL)]
    both = hours.merge(theirs, on=["symbol", "ts"], suffixes=("", "_theirs"))
    assert len(both) > 400
    apart_bps = (both["close"] / both["close_theirs"] - 1).abs() * 10_000
    assert apart_bps.median() < 0.5
    assert apart_bps.max() < 25
