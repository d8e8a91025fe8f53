"""The file of halts: what is read from it, and what is refused with its place."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.halts_file import read_halts
from trading_assets.domain.market.halts import TradingHalt

HEADER = "symbol,halted_at,resumed_at,reason\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "halts.csv"
    path.write_text(text)
    return path


def test_halts_are_read_in_utc_whatever_their_time_zone(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER + "NA,2024-06-03T09:44:17-04:00,2024-06-03T15:00:00Z,LUDP\nGME,2024-06-03T20:00Z,,T1\n"
    )
    assert read_halts(path) == [
        TradingHalt("NA", datetime(2024, 6, 3, 13, 44, 17, tzinfo=UTC), datetime(2024, 6, 3, 15, tzinfo=UTC), "LUDP"),
        TradingHalt("GME", datetime(2024, 6, 3, 20, tzinfo=UTC), None, "T1"),
    ]


def test_file_without_halts_is_an_empty_list(tmp_path: Path) -> None:
    assert read_halts(written(tmp_path, HEADER)) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("symbol,halted_at,reason\n", "has no column resumed_at"),
        (HEADER + "X,2024-06-03T13:30:00,,T1\n", "line 2: halted_at 2024-06-03T13:30:00 has no time zone"),
        (HEADER + "X,yesterdayZ,,T1\n", "line 2: halted_at yesterdayZ is no time"),
        (HEADER + "X,,,T1\n", "line 2: halted_at  is empty"),
        (HEADER + ",2024-06-03T13:30:00Z,,T1\n", "line 2: symbol  is empty"),
        (HEADER + "X,2024-06-03T13:30:00Z,,\n", "line 2: reason  is empty"),
        (
            HEADER + "X,2024-06-03T13:30:00Z,2024-06-03T13:30:00Z,T1\n",
            "line 2: resumed_at 2024-06-03T13:30:00Z does not come after halted_at",
        ),
        (
            HEADER + "X,2024-06-03T13:30:00Z,,T1\nX,2024-06-03T09:30:00-04:00,,T2\n",
            "line 3: halted_at 2024-06-03T09:30:00-04:00 is listed twice",
        ),
    ],
)
def test_broken_row_is_refused_with_line_column_and_value(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ContractBroken, match=complaint.replace("+", r"\+")):
        read_halts(written(tmp_path, text))


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match=r"none\.csv cannot be read"):
        read_halts(tmp_path / "none.csv")
