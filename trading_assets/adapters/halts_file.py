"""The file `halts_file` of trading.yaml: halts of trading, one a line, as exchanges publish them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.bar_file import BarFile, read_table
from trading_assets.adapters.errors import ContractBroken
from trading_assets.domain.market.halts import TradingHalt

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("symbol", "halted_at", "resumed_at", "reason")
REMEDY = "Correct the file, or halts_file in trading.yaml."


def read_halts(path: Path) -> list[TradingHalt]:
    """The halts in the CSV file with COLUMNS, times in ISO 8601 with their time zone, resumed_at empty while halted.

    Raises ContractBroken, naming file, line, column and value.
    """
    import pandas as pd

    frame = read_table(path, REMEDY, as_text=True)
    if missing := [name for name in COLUMNS if name not in frame]:
        raise ContractBroken(f"{path} has no column {missing[0]}; it needs {', '.join(COLUMNS)}. {REMEDY}")
    table = BarFile(path, frame, REMEDY)
    for column in ("symbol", "reason"):
        table.refuse(column, frame[column].str.strip() == "", "is empty")
    halted, resumed = (_moments(table, column) for column in ("halted_at", "resumed_at"))
    table.refuse("halted_at", halted.isna(), "is empty")
    table.refuse("resumed_at", resumed <= halted, "does not come after halted_at")
    table.refuse("halted_at", pd.DataFrame([frame["symbol"], halted]).T.duplicated(), "is listed twice for its symbol")
    return [
        TradingHalt(
            symbol.strip(), begin.to_pydatetime(), None if pd.isna(end) else end.to_pydatetime(), reason.strip()
        )
        for symbol, begin, end, reason in zip(frame["symbol"], halted, resumed, frame["reason"], strict=True)
    ]


def _moments(table: BarFile, column: str) -> pd.Series[pd.Timestamp]:
    """The column in UTC, NaT where it is empty."""
    import pandas as pd

    text = table.frame[column].str.strip()
    has_zone = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True)
    table.refuse(column, (text != "") & ~has_zone, "has no time zone, such as 2024-06-03T13:30:00Z")
    moments = pd.to_datetime(text.where(text != ""), utc=True, errors="coerce", format="ISO8601")
    table.refuse(column, (text != "") & moments.isna(), "is no time such as 2024-06-03T13:30:00Z")
    return moments
