"""Arrays written by binary COPY arrive in a real PostgreSQL as the values they held, nulls and long texts included."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import numpy as np
import pytest
from psycopg import sql

from trading_assets.adapters.postgres import binary_copy
from trading_assets.adapters.postgres.binary_copy import ArrayRows
from trading_assets.adapters.postgres.database import Database, copy_rows

COLUMNS = ("word", "small", "whole", "big", "real", "moment", "day")
TABLE = (
    "create temporary table arrived (word text, small smallint, whole integer, big bigint, real double precision, "
    "moment timestamptz, day date)"
)


def arrived(database: Database, rows: ArrayRows) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        connection.execute("set local timezone = 'UTC'")
        connection.execute(TABLE)
        assert copy_rows(connection, sql.Identifier("arrived"), COLUMNS, rows) == len(rows)
        return connection.execute("select * from arrived").fetchall()


def arrays(words: list[str], big: object) -> ArrayRows:
    count = len(words)
    return ArrayRows(
        (
            np.array([word.encode() for word in words], dtype="S8"),
            np.full(count, -7, dtype=np.int16),
            np.arange(count, dtype=np.int32),
            np.asanyarray(big),
            np.linspace(-1.5, 1.5, count),
            np.full(count, np.datetime64("1999-12-31T23:59:59.999999", "us")),
            np.full(count, np.datetime64("1970-01-01", "D")),
        )
    )


@pytest.mark.parametrize("block_rows", [1, 2, 8192])
def test_texts_of_different_length_and_nulls_arrive(
    database: Database, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(binary_copy, "BLOCK_ROWS", block_rows)
    big = np.ma.MaskedArray([2**62, 0, -1], mask=[False, True, False])

    rows = arrived(database, arrays(["BRK.B", "", "Ö"], big))

    moment = datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC)
    assert rows == [
        ("BRK.B", -7, 0, 2**62, -1.5, moment, date(1970, 1, 1)),
        ("", -7, 1, None, 0.0, moment, date(1970, 1, 1)),
        ("Ö", -7, 2, -1, 1.5, moment, date(1970, 1, 1)),
    ]


def test_more_rows_than_a_block_arrive_in_order(database: Database) -> None:
    count = binary_copy.BLOCK_ROWS * 2 + 1

    rows = arrived(database, arrays(["AAPL"] * count, np.arange(count)))

    assert [row[3] for row in rows] == list(range(count))


def test_numbers_that_are_none_and_signs_of_zero_arrive(database: Database) -> None:
    values = np.array([math.nan, -0.0, math.inf, 5e-324])
    with database.transaction() as connection:
        connection.execute("create temporary table numbers (value double precision)")
        copy_rows(connection, sql.Identifier("numbers"), ("value",), ArrayRows((values,)))
        found = [value for (value,) in connection.execute("select value from numbers").fetchall()]

    assert np.array(found).tobytes() == values.tobytes()


def test_time_that_is_missing_is_refused() -> None:
    moments = np.array(["2020-01-01", "NaT"], dtype="datetime64[us]")

    with pytest.raises(ValueError, match="NaT"):
        list(ArrayRows((moments,)).binary())
