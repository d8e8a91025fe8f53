"""Rows of bars in the letters that Alpaca and Polygon use, priced so that every one is told from every other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

HALF_HOUR = timedelta(minutes=30)


def half_hours(begin: str, end: str) -> list[dict[str, Any]]:
    """Alpaca's rows from `begin` up to, not including, `end` ("2024-05-06T13:30:00Z")."""
    return [row(ts) for ts in _steps(moment(begin), moment(end))]


def row(ts: datetime, base: float | None = None) -> dict[str, Any]:
    """One consistent row; the close is `base`, which depends on the time when it is not given."""
    close = base if base is not None else 100 + ts.day + ts.hour + ts.minute / 60
    return {
        "t": ts.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "o": close - 0.25,
        "h": close + 0.5,
        "l": close - 0.5,
        "c": close,
        "v": 1000 + ts.hour,
        "n": 12,
        "vw": close,
    }


def in_milliseconds(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows as Polygon writes them."""
    return [{**fields, "t": int(moment(fields["t"]).timestamp() * 1000)} for fields in rows]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _steps(ts: datetime, end: datetime) -> Iterator[datetime]:
    while ts < end:
        yield ts
        ts += HALF_HOUR
