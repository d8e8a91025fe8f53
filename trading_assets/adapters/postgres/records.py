"""Rows as the records of the domain: text becomes the enumerations that the records ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, LiteralString, TypeVar, cast, get_args, get_type_hints

import psycopg
from psycopg.rows import dict_row

R = TypeVar("R")
T = TypeVar("T")


def select(connection: psycopg.Connection, kind: type[R], query: LiteralString, **parameters: Any) -> list[R]:
    """The rows as records of `kind`, with text turned into the enumerations its fields ask for."""
    enumerations = _enumerations(cast("Hashable", kind))
    return [
        kind(**{name: enumerations.get(name, _unchanged)(value) for name, value in row.items()})
        for row in rows(connection, query, **parameters)
    ]


@cache
def _enumerations(kind: Hashable) -> dict[str, Callable[[str | None], StrEnum | None]]:
    return {
        name: _enumeration_or_none(option)
        for name, hint in get_type_hints(kind).items()
        for option in (get_args(hint) if isinstance(hint, UnionType) else (hint,))
        if isinstance(option, type) and issubclass(option, StrEnum)
    }


def _enumeration_or_none(enumeration: type[StrEnum]) -> Callable[[str | None], StrEnum | None]:
    return lambda value: None if value is None else enumeration(value)


def _unchanged(value: T) -> T:
    return value


def rows(connection: psycopg.Connection, query: LiteralString, **parameters: Any) -> list[dict[str, Any]]:
    return connection.cursor(row_factory=dict_row).execute(query, parameters).fetchall()
