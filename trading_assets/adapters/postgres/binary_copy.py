"""Rows held as numpy arrays, written in PostgreSQL's binary COPY format without a Python object a value.

Knows no table; which arrays go where belongs to the module of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH = np.datetime64("2000-01-01")
NULL = -1
# Large enough to spare Python's work a block, small enough that the server reads one while the next is made.
BLOCK_ROWS = 8192


@dataclass(frozen=True)
class ArrayRows:
    """Equally long arrays, one a column; a value that is masked in a masked array is null.

    int16, int32, int64, float64: smallint, integer, bigint, double precision. datetime64[us]: timestamptz, in UTC.
    datetime64[D]: date. Bytes (`S`): text in UTF-8.
    """

    columns: tuple[NDArray[Any], ...]

    def __len__(self) -> int:
        return len(self.columns[0])

    def binary(self) -> Iterator[bytes]:
        """The rows as a stream for `copy ... from stdin (format binary)`. ValueError for a NaT that is not masked."""
        yield HEADER
        for start in range(0, len(self), BLOCK_ROWS):
            yield _block([column[start : start + BLOCK_ROWS] for column in self.columns])
        yield TRAILER


def _block(columns: list[NDArray[Any]]) -> bytes:
    """Rows one after the other: the number of fields, then each field's length in bytes and its value."""
    fields = [(_wire_values(column), _wire_lengths(column)) for column in columns]
    layout: list[tuple[str, Any]] = [("fields", ">i2")]
    for number, (values, _) in enumerate(fields):
        layout += [(f"length_{number}", ">i4"), (f"value_{number}", values.dtype)]
    rows = np.empty(len(columns[0]), layout)
    rows["fields"] = len(fields)
    for number, (values, lengths) in enumerate(fields):
        rows[f"length_{number}"] = values.dtype.itemsize if lengths is None else lengths
        rows[f"value_{number}"] = values
    if all(lengths is None for _, lengths in fields):
        return rows.tobytes()
    # Every value has room for the longest of its column: what it does not fill is left out.
    kept = np.ones((len(rows), rows.dtype.itemsize), dtype=bool)
    for number, (values, lengths) in enumerate(fields):
        if lengths is not None:
            offset, width = rows.dtype.fields[f"value_{number}"][1], values.dtype.itemsize  # type: ignore[index]
            kept[:, offset : offset + width] = np.arange(width) < lengths[:, None]
    return rows.view(np.uint8).reshape(kept.shape)[kept].tobytes()


def _wire_values(column: NDArray[Any]) -> NDArray[Any]:
    """The values as PostgreSQL writes them: big-endian, and times counted from the year 2000."""
    values = np.asarray(np.ma.getdata(column))
    if values.dtype.kind == "M":
        if np.isnat(values[~np.ma.getmaskarray(column)]).any():
            raise ValueError("a time or date is missing (NaT)")
        unit, kind = ("D", ">i4") if values.dtype == "datetime64[D]" else ("us", ">i8")
        elapsed: NDArray[Any] = (values - POSTGRES_EPOCH.astype(f"datetime64[{unit}]")).astype(np.int64).astype(kind)
        return elapsed
    if values.dtype.kind == "S":
        return values.astype(f"S{max(1, int(np.char.str_len(values).max(initial=0)))}")
    return values.astype(values.dtype.newbyteorder(">"))


def _wire_lengths(column: NDArray[Any]) -> NDArray[np.int_] | None:
    """The length of each value in bytes, -1 for null; None when all have the same and fill their room."""
    mask = np.ma.getmaskarray(column)
    if column.dtype.kind == "S":
        lengths = np.char.str_len(np.ma.getdata(column))
        if not mask.any() and lengths.min() == lengths.max() > 0:
            return None
        return np.where(mask, NULL, lengths)
    if not mask.any():
        return None
    return np.where(mask, NULL, _wire_values(column).dtype.itemsize)
