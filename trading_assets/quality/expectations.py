"""What a quality suite is made of: expectations that Great Expectations knows by name, with a severity and a policy.

A check's name is a sentence that is true when the check passes. The suites themselves are in suites.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True)
class Expectation:
    """`type` is a class of great_expectations.expectations, `kwargs` its arguments.

    A blocking expectation stops what depends on the asset in the same run and, where the suite has gates, closes the
    gate of what it touches; the others only tell.
    """

    name: str
    description: str
    type: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.CRITICAL
    blocking: bool = True


@dataclass(frozen=True)
class Suite:
    """`key_columns` identify a row. With gates, named by `dataset`, they contain session_date and symbol."""

    name: str
    dataset: str
    key_columns: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    has_gates: bool = False

    @property
    def is_by_session(self) -> bool:
        """Whether the rows belong to sessions, rather than being all that is known now."""
        return "session_date" in self.key_columns


def true_everywhere(name: str, description: str, column: str, **policy: Any) -> Expectation:
    return values_in(name, description, column, [True], **policy)


def false_everywhere(name: str, description: str, column: str, **policy: Any) -> Expectation:
    return values_in(name, description, column, [False], **policy)


def values_in(name: str, description: str, column: str, values: Sequence[Any], **policy: Any) -> Expectation:
    """`policy`: severity and blocking."""
    kwargs = {"column": column, "value_set": list(values)}
    return Expectation(name, description, "ExpectColumnValuesToBeInSet", kwargs, **policy)


def ordered(
    name: str, description: str, larger: str, smaller: str, *, or_equal: bool = True, **policy: Any
) -> Expectation:
    return Expectation(
        name,
        description,
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {
            "column_A": larger,
            "column_B": smaller,
            "or_equal": or_equal,
            "ignore_row_if": "either_value_is_missing",
        },
        **policy,
    )


def rarely_outside(name: str, description: str, mostly: float, **bounds: Any) -> Expectation:
    """A warning; `bounds`: column, and min_value or max_value, strict_min or strict_max."""
    return Expectation(
        name,
        description,
        "ExpectColumnValuesToBeBetween",
        {"mostly": mostly, **bounds},
        severity=Severity.WARNING,
        blocking=False,
    )
