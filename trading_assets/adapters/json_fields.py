"""JSON as others send it, read field by field: nothing that is missing or of another type stops the reading.

What the fields mean belongs in the adapter that asked. Rows that a table must be able to rely on are judged by
vendor_rows.py instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from trading_assets.adapters.alpaca_quotes import rfc3339
from trading_assets.adapters.errors import ContractBroken
from trading_assets.domain.values import Side

T = TypeVar("T")


def exact_json(body: bytes) -> Any:
    """The JSON value that `body` is, with numbers as Decimal. Raises ContractBroken."""
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ContractBroken(f"the answer is no JSON ({error}): nothing was read from it") from error


def rows_in(document: object, what: str) -> list[Any]:
    """The list that an answer is. Raises ContractBroken: a part of the account's state must not look like none."""
    if not isinstance(document, list):
        raise ContractBroken(f"the answer about {what} is a {type(document).__name__}, not a list")
    return document


class Fields:
    """One JSON object, read field by field; `faults` names what could not be read."""

    def __init__(self, row: object) -> None:
        self._row: Mapping[str, Any] = row if isinstance(row, dict) else {}
        self.faults: list[str] = [] if isinstance(row, dict) else [f"no JSON object but {str(row)[:60]!r}"]

    def text(self, name: str, is_required: bool = False) -> str | None:
        return self._converted(name, _text, is_required)

    def words(self, name: str) -> str:
        """Text that must be there; empty, and a fault, when it is not."""
        return self.text(name, is_required=True) or ""

    def number(self, name: str, is_required: bool = False) -> Decimal | None:
        return self._converted(name, _number, is_required)

    def moment(self, name: str, is_required: bool = False) -> datetime | None:
        """A time in UTC; nanoseconds are cut."""
        return self._converted(name, lambda value: rfc3339(value).astimezone(UTC), is_required)

    def day(self, name: str) -> date | None:
        return self._converted(name, lambda value: date.fromisoformat(_text(value)[:10]), is_required=True)

    def flag(self, name: str, is_required: bool = False) -> bool | None:
        return self._converted(name, _flag, is_required)

    def side(self) -> Side | None:
        return self._converted("side", lambda value: Side(SIDES.get(value, value)), is_required=True)

    def rows(self, name: str) -> list[Any]:
        return self._converted(name, _rows, is_required=False) or []

    def _converted(self, name: str, convert: Callable[[Any], T], is_required: bool) -> T | None:
        value = self._row.get(name)
        if value is None or value == "":
            if is_required:
                self.faults.append(f"{name} is missing")
            return None
        try:
            return convert(value)
        except (TypeError, ValueError, ArithmeticError):
            self.faults.append(f"{name} is {str(value)[:60]!r}")
            return None


SIDES = {"sell_short": "sell"}
"""Words for a side that executions have besides those of orders."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: object) -> Decimal:
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        raise TypeError
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _rows(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value
