"""Rows as the records of the domain and back: text becomes the enumerations that the records ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, LiteralString, TypeVar, cast, get_args, get_type_hints

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

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


def columns_of(kind: type) -> tuple[str, ...]:
    """The columns of the table that holds records of `kind`: its fields, in their order."""
    return tuple(field.name for field in fields(kind))


def row_of(fact: Any) -> list[Any]:
    """A record as a row of these columns; mappings become JSON."""
    values = (getattr(fact, name) for name in columns_of(type(fact)))
    return [Jsonb(dict(value)) if isinstance(value, dict) else value for value in values]
