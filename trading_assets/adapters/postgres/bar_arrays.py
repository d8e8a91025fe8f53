"""Frames of bars as numpy arrays in the order of the primary key, a chunk at a time, for bulk writes.

What is new or changed, and what follows from that, belongs in market.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_assets.adapters.postgres.binary_copy import ArrayRows
from trading_assets.domain.market.bars import BAR_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

TEXTS = ("symbol", "timeframe", "source")
PRICES = ("open", "high", "low", "close", "volume")
CHUNK_ROWS = 1_000_000


@dataclass(frozen=True)
class BarArrays:
    """Bars by symbol, timeframe and ts: an array a column of BAR_COLUMNS, and `response_id` where the frame has it.

    Texts are bytes in UTF-8, times datetime64[us] in UTC, sessions datetime64[D], prices float64, response ids a masked
    int64.
    """

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["ts"])

    def __getitem__(self, wanted: NDArray[np.bool_]) -> BarArrays:
        return BarArrays({name: values[wanted] for name, values in self.columns.items()})

    def stored_at(self, known_at: datetime) -> tuple[tuple[str, ...], ArrayRows]:
        """Names and arrays of what is written to market.bars at `known_at`."""
        moment = np.datetime64(known_at.astimezone(UTC).replace(tzinfo=None), "us")
        return (*self.columns, "known_at"), ArrayRows((*self.columns.values(), np.full(len(self), moment)))

    def spans(self) -> list[Span]:
        """The runs of bars with the same symbol and timeframe, in order."""
        symbols, timeframes, times = (self.columns[name] for name in ("symbol", "timeframe", "ts"))
        starts = np.flatnonzero(_differs(symbols, timeframes))
        ends = np.append(starts[1:], len(self))
        return [
            Span(*values)
            for values in zip(
                np.char.decode(symbols[starts]).tolist(),
                np.char.decode(timeframes[starts]).tolist(),
                np.datetime_as_string(times[starts], timezone="UTC").tolist(),
                np.datetime_as_string(times[ends - 1], timezone="UTC").tolist(),
                ends.tolist(),
                strict=True,
            )
        ]

    def years(self) -> list[tuple[str, str, int]]:
        """Symbol, timeframe and year of ts in UTC of all bars, each once."""
        symbols, timeframes = self.columns["symbol"], self.columns["timeframe"]
        years = self.columns["ts"].astype("datetime64[Y]").astype(int) + 1970
        firsts = np.flatnonzero(_differs(symbols, timeframes, years))
        return [(symbols[at].decode(), timeframes[at].decode(), int(years[at])) for at in firsts]

    def sessions(self) -> ArrayRows:
        """session_date and symbol of all bars; a pair can come more than once."""
        sessions, symbols = self.columns["session_date"], self.columns["symbol"]
        firsts = _differs(sessions, symbols)
        return ArrayRows((sessions[firsts], symbols[firsts]))


class Span(NamedTuple):
    """Bars of one symbol and timeframe from `first` to `last`, UTC in ISO 8601; `end` is where the next ones begin."""

    symbol: str
    timeframe: str
    first: str
    last: str
    end: int


def sorted_chunks(frame: pd.DataFrame) -> Iterator[BarArrays]:
    """The bars of `frame` by symbol, timeframe and ts, at most CHUNK_ROWS at a time.

    Raises ValueError for a bar that comes twice, and for one without symbol, timeframe, source, times or session.
    """
    import pandas as pd

    needed = ("symbol", "timeframe", "ts", "closes_at", "session_date", "source")
    if incomplete := [name for name in needed if frame[name].isna().any()]:
        raise ValueError(f"Bars without {', '.join(incomplete)} can not be stored.")
    texts = {name: pd.factorize(frame[name], sort=True) for name in TEXTS}
    words = {name: np.array([str(word).encode() for word in texts[name][1]]) for name in TEXTS}
    times = frame["ts"].dt.tz_convert("UTC").dt.as_unit("us").dt.tz_localize(None).to_numpy()
    keys = (texts["symbol"][0], texts["timeframe"][0], times)
    order = _order(keys)
    for start in range(0, len(frame), CHUNK_ROWS):
        chosen = slice(start, start + CHUNK_ROWS) if order is None else order[start : start + CHUNK_ROWS]
        part = frame.iloc[chosen]
        columns = {name: _values(part, name) for name in BAR_COLUMNS if name not in TEXTS}
        columns |= {name: words[name][texts[name][0][chosen]] for name in TEXTS}
        names = [*BAR_COLUMNS]
        if "response_id" in frame:
            columns["response_id"] = _response_ids(part["response_id"])
            names.append("response_id")
        yield BarArrays({name: columns[name] for name in names})


def _order(keys: tuple[NDArray[Any], ...]) -> NDArray[np.intp] | None:
    """What sorts the keys; None when they are sorted. Raises ValueError for a key that comes twice."""
    order = None if _is_sorted(keys) else np.lexsort(keys[::-1])
    ordered = keys if order is None else tuple(key[order] for key in keys)
    if not _differs(*ordered).all():
        at = int(np.flatnonzero(~_differs(*ordered))[0])
        raise ValueError(f"The bar of {ordered[2][at]} UTC comes twice in what is to be stored.")
    return order


def _is_sorted(keys: tuple[NDArray[Any], ...]) -> bool:
    """Whether each row's keys come after those of the row before, or equal them."""
    is_after = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    is_equal = ~is_after
    for key in keys:
        is_after |= is_equal & (key[1:] > key[:-1])
        is_equal &= key[1:] == key[:-1]
    return bool((is_after | is_equal).all())


def _differs(*columns: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether each row differs from the one before in any of the columns; the first one does."""
    differs = np.ones(len(columns[0]), dtype=bool)
    if len(differs):
        differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs


def _values(part: pd.DataFrame, name: str) -> NDArray[Any]:
    column = part[name]
    if name in PRICES:
        # A price that is not a number is stored as NaN: the checks, not this module, say what a bar must be.
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if name == "session_date":
        import pyarrow as pa

        days: NDArray[Any] = pa.array(column, pa.date32()).cast(pa.int32()).to_numpy().astype("datetime64[D]")
        return days
    times: NDArray[Any] = column.dt.tz_convert("UTC").dt.as_unit("us").dt.tz_localize(None).to_numpy()
    return times


def _response_ids(column: pd.Series) -> NDArray[Any]:
    ids = column.where(column.notna(), None).astype("Int64")
    return np.ma.MaskedArray(ids.to_numpy(dtype=np.int64, na_value=0), mask=ids.isna().to_numpy())
