"""Parameters of a strategy: a frozen dataclass whose fields say what they accept, and the checks that follow."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

P = TypeVar("P")


class ParameterError(ValueError):
    """A parameter is unknown or its value is not accepted; the message names it, the value and what is accepted."""


def parameter(default: float, *, minimum: float, maximum: float, meaning: str) -> Any:
    """A dataclass field: a number from `minimum` to `maximum`; whole when `default` is an int."""
    return dataclasses.field(
        default=default, metadata={"minimum": minimum, "maximum": maximum, "meaning": meaning, "kind": type(default)}
    )


def parse(parameters: type[P], values: Mapping[str, object], owner: str) -> P:
    """An instance of the dataclass `parameters` from `values` (for example a section of trading.yaml).

    Fields that `values` leaves out keep their defaults. Raises ParameterError, in which `owner` says whose they are.
    """
    fields = {field.name: field for field in dataclasses.fields(parameters)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            accepted = ", ".join(fields) or "none"
            raise ParameterError(f"{owner} has no parameter {name!r}. Accepted: {accepted}.")
    accepted_values = {name: _accepted(fields[name], value, owner) for name, value in values.items()}
    try:
        return parameters(**accepted_values)
    except ParameterError as error:
        raise ParameterError(f"{owner}: {error}") from error


def fingerprint(facts: Mapping[str, object]) -> str:
    """The first eight hex digits of the SHA-256 of `facts` as canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _accepted(field: dataclasses.Field[Any], value: object, owner: str) -> object:
    kind = field.metadata.get("kind")
    if kind is None:
        return value
    low, high = field.metadata["minimum"], field.metadata["maximum"]
    kinds = (int,) if kind is int else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type]
        noun = "a whole number" if kind is int else "a number"
        raise ParameterError(
            f"{owner}: parameter {field.name!r} is {value!r}, accepted is {noun} from {low} to {high}."
        )
    # 30 and 30.0 are the same value of a float parameter, so they must have the same hash.
    return kind(value)
