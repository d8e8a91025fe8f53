"""A file of bars that a person can open: reading it, and refusing it with the line, the column and the value.

Which columns and rows a source expects belongs in that source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import ContractBroken

if TYPE_CHECKING:
    import pandas as pd

PRICES = ["open", "high", "low", "close"]


@dataclass(frozen=True, slots=True)
class BarFile:
    """The rows of a CSV or Parquet file, in its order. `remedy` ends every complaint: what the reader can do."""

    path: Path
    frame: pd.DataFrame
    remedy: str

    def refuse(self, column: str, is_broken: pd.Series[bool], complaint: str) -> None:
        """ContractBroken for the first row that is broken."""
        if is_broken.any():
            row = int(is_broken.to_numpy().argmax())
            raise ContractBroken(
                f"{self.path}, {self.place(row)}: {column} {self.frame[column].iloc[row]} {complaint}. {self.remedy}"
            )

    def place(self, row: int) -> str:
        """Where a person finds the row that is number `row`, counted from 0."""
        # One for the header, one because lines count from 1.
        return f"row {row + 1}" if is_parquet(self.path) else f"line {row + 2}"

    def ensure_bars(self, prices: Sequence[str], key: Sequence[str]) -> None:
        """Prices positive and within high and low, volume not negative, each key once; numbers become float64.

        Raises ContractBroken.
        """
        import numpy as np
        import pandas as pd

        frame = self.frame
        for column in [*prices, "volume"]:
            numbers = pd.to_numeric(frame[column], errors="coerce")
            self.refuse(column, ~np.isfinite(numbers), "is no number")
            frame[column] = numbers.astype("float64")
        for column in prices:
            self.refuse(column, frame[column] <= 0, "is not a positive price")
        self.refuse("volume", frame["volume"] < 0, "is negative")
        self.refuse("high", frame["high"] < frame[PRICES].max(axis=1), "is below another price of its bar")
        self.refuse("low", frame["low"] > frame[PRICES].min(axis=1), "is above another price of its bar")
        self.refuse(key[-1], frame.duplicated(list(key)), "is listed twice for its symbol")


def read_table(path: Path, remedy: str, as_text: bool = False) -> pd.DataFrame:
    """The table in a .parquet file, else in a CSV file, compressed or not; `as_text` leaves CSV cells as written.

    Raises ContractBroken.
    """
    import pandas as pd

    try:
        if is_parquet(path):
            return pd.read_parquet(path)
        # Text keeps what a complaint shows as it was written, and NA, which is a ticker symbol, from going missing.
        return pd.read_csv(path, dtype=str, keep_default_na=False) if as_text else pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise ContractBroken(f"{path} cannot be read ({' '.join(str(error).split())}). {remedy}") from error


def is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"
