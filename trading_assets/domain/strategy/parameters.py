"""Parameters of a strategy: a Pydantic model whose fields say what they accept, and the errors that people read.

What a field means stands in its `Field(default, ge=..., le=..., description=...)`; what fields mean to each other in a
`model_validator(mode="after")` that raises ParameterError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, to_json

P = TypeVar("P", bound="StrategyParameters")

_NOUNS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class ParameterError(ValueError):
    """A parameter is unknown or its value is not accepted; the message names it, the value and what is accepted."""


class StrategyParameters(BaseModel):
    """Base of every strategy's `Parameters`. Frozen; unknown names, NaN and values of another type are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def parse(parameters: type[P], values: Mapping[str, object], owner: str) -> P:
    """An instance of `parameters` from `values` (for example a section of trading.yaml).

    Fields that `values` leaves out keep their defaults. Raises ParameterError, in which `owner` says whose they are.
    """
    try:
        # As JSON a list is a tuple and a word an enumeration, while "2" and true are still no numbers.
        return parameters.model_validate_json(to_json(values, inf_nan_mode="constants"))
    except PydanticSerializationError as error:
        raise ParameterError(f"{owner}: a parameter is no plain value: {error}.") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ParameterError(_explain(parameters, problem, values, owner)) from error


def facts_of(parameters: StrategyParameters) -> dict[str, Any]:
    """The parameters as plain JSON values by name: what their hash is made of."""
    return parameters.model_dump(mode="json")


def fingerprint(facts: Mapping[str, object]) -> str:
    """The first eight hex digits of the SHA-256 of `facts` as canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _explain(parameters: type[StrategyParameters], problem: Any, values: Mapping[str, object], owner: str) -> str:
    fields, location = parameters.model_fields, problem["loc"]
    if not location:
        return f"{owner}: {problem.get('ctx', {}).get('error', problem['msg'])}"
    name = str(location[0])
    if name not in fields:
        return f"{owner} has no parameter {name!r}. Accepted: {', '.join(fields) or 'none'}."
    if problem["type"] == "missing":
        return f"{owner}: parameter {name!r} is missing, accepted is {_accepted(fields[name])}."
    accepted = _accepted(fields[name]) or problem["msg"][0].lower() + problem["msg"][1:]
    value = values.get(name, problem["input"])
    return f"{owner}: parameter {name!r} is {value!r}, accepted is {accepted}."


def _accepted(field: FieldInfo) -> str:
    """What a field takes, in words: `a whole number from 2 to 50`; empty where only Pydantic can say it."""
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(field.annotation)))
    noun = _NOUNS.get(field.annotation, "")
    limits = {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(limit, name)
    }
    if not noun or not limits:
        return noun
    if limits.keys() == {"ge", "le"}:
        return f"{noun} from {limits['ge']} to {limits['le']}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return f"{noun} " + " and ".join(f"{words[name]} {value}" for name, value in limits.items())
