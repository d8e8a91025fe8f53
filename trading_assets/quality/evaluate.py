"""Judges a frame by a suite in NumPy: the verdicts of Great Expectations, for the checks that run at every tick.

Only the expectation types that the suites use are known here. A test compares both on frames with random faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_assets.quality.expectations import Expectation, Suite
from trading_assets.quality.outcomes import FIRST_OFFENDERS, ExpectationOutcome, Pair, pairs, plain

if TYPE_CHECKING:
    import pandas as pd

Arguments = Mapping[str, Any]


class _Finding(NamedTuple):
    """The rows that were not expected, of `considered` rows: those without an empty value, or all if all is well."""

    unexpected: npt.NDArray[np.intp]
    considered: int
    columns: Sequence[str]


def evaluate_suite(frame: pd.DataFrame, suite: Suite) -> list[ExpectationOutcome]:
    """The outcome of every expectation, in the order of the suite."""
    return [_outcome(each, frame, suite) for each in suite.expectations]


def _outcome(expectation: Expectation, frame: pd.DataFrame, suite: Suite) -> ExpectationOutcome:
    if expectation.type == "ExpectTableColumnsToMatchSet":
        return _columns_outcome(expectation, frame, suite)
    needed = [*suite.key_columns, *_columns_of(expectation.kwargs)]
    if absent := [name for name in needed if name not in frame]:
        return _failure(expectation, frame, suite, error=f'The frame has no column "{absent[0]}".')
    try:
        finding = _FINDERS[expectation.type](frame, expectation.kwargs)
    except (TypeError, ValueError) as error:
        return _failure(expectation, frame, suite, error=str(error))
    count = len(finding.unexpected)
    passed = not count or (finding.considered - count) / finding.considered >= expectation.kwargs.get("mostly", 1)
    touched: frozenset[Pair] = frozenset()
    if not passed and suite.has_gates:
        touched = pairs(frame, finding.unexpected)
    return ExpectationOutcome(
        expectation=expectation,
        passed=passed,
        unexpected_count=count,
        offenders=_offenders(frame, finding, suite),
        touched=touched,
        observed=None,
        error=None,
    )


def _columns_outcome(expectation: Expectation, frame: pd.DataFrame, suite: Suite) -> ExpectationOutcome:
    missing = sorted(set(expectation.kwargs["column_set"]) - set(frame.columns))
    if missing:
        return _failure(expectation, frame, suite, observed=str({"missing": missing}))
    return ExpectationOutcome(expectation, True, 0, (), frozenset(), str(sorted(frame.columns)), None)


def _failure(
    expectation: Expectation, frame: pd.DataFrame, suite: Suite, observed: str | None = None, error: str | None = None
) -> ExpectationOutcome:
    touched = pairs(frame) if suite.has_gates else frozenset()
    return ExpectationOutcome(expectation, False, 0, (), touched, observed, error)


def _offenders(frame: pd.DataFrame, finding: _Finding, suite: Suite) -> tuple[dict[str, Any], ...]:
    if not len(finding.unexpected):
        return ()
    names = list(dict.fromkeys([*finding.columns, *suite.key_columns]))
    rows = frame[names].iloc[finding.unexpected[:FIRST_OFFENDERS]]
    return tuple(
        {name: plain(value) for name, value in zip(names, row, strict=True)} for row in rows.itertuples(index=False)
    )


def _columns_of(arguments: Arguments) -> list[str]:
    named = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    return [*named, *arguments.get("column_list", [])]


# One function an expectation type -----------------------------------------------------------------


def _not_in_set(frame: pd.DataFrame, arguments: Arguments) -> _Finding:
    column, allowed = frame[arguments["column"]], arguments["value_set"]
    if column.dtype == bool:
        is_expected = np.zeros(len(column), dtype=bool)
        if True in allowed:
            is_expected |= column.to_numpy()
        if False in allowed:
            is_expected |= ~column.to_numpy()
    else:
        is_expected = column.isin(allowed).to_numpy(dtype=bool)
    return _where_not(is_expected, frame, [arguments["column"]])


def _not_between(frame: pd.DataFrame, arguments: Arguments) -> _Finding:
    values = frame[arguments["column"]].to_numpy(dtype=float)
    is_expected = np.ones(len(values), dtype=bool)
    least, most = arguments.get("min_value"), arguments.get("max_value")
    if least is not None:
        is_expected &= (values > least) if arguments.get("strict_min") else (values >= least)
    if most is not None:
        is_expected &= (values < most) if arguments.get("strict_max") else (values <= most)
    return _where_not(is_expected, frame, [arguments["column"]])


def _not_greater(frame: pd.DataFrame, arguments: Arguments) -> _Finding:
    names = [arguments["column_A"], arguments["column_B"]]
    larger, smaller = (frame[name] for name in names)
    if larger.dtype == object or smaller.dtype == object:
        # Comparing None raises; the engine leaves rows with an empty value out.
        is_known = (larger.notna() & smaller.notna()).to_numpy()
        is_expected = ~is_known
        is_expected[is_known] = _is_greater(larger[is_known], smaller[is_known], arguments)
    else:
        is_expected = _is_greater(larger, smaller, arguments)
    return _where_not(is_expected, frame, names)


def _is_greater(larger: pd.Series, smaller: pd.Series, arguments: Arguments) -> npt.NDArray[np.bool_]:
    return (larger >= smaller if arguments.get("or_equal") else larger > smaller).to_numpy(dtype=bool)


def _where_not(is_expected: npt.NDArray[np.bool_], frame: pd.DataFrame, names: Sequence[str]) -> _Finding:
    """The unexpected rows without an empty value in the columns; nobody looks for empty values when all is well."""
    if is_expected.all():
        return _Finding(np.empty(0, dtype=np.intp), len(frame), names)
    is_known = frame[list(names)].notna().all(axis=1).to_numpy()
    return _Finding(np.flatnonzero(~is_expected & is_known), int(is_known.sum()), names)


def _repeated(frame: pd.DataFrame, arguments: Arguments) -> _Finding:
    names = list(arguments["column_list"])
    if _is_in_order(frame, names):
        return _Finding(np.empty(0, dtype=np.intp), len(frame), names)
    is_known = frame[names].notna().any(axis=1).to_numpy()
    rows = np.flatnonzero(is_known)
    return _Finding(rows[frame.loc[is_known, names].duplicated(keep=False).to_numpy()], len(rows), names)


def _is_in_order(frame: pd.DataFrame, names: Sequence[str]) -> bool:
    """Whether each combination of all but the last column stands in one place, with the last column rising there.

    Then nothing is twice; of sorted bars it is seen without hashing any.
    """
    *others, last = names
    is_head = np.zeros(len(frame), dtype=bool)
    for name in others:
        is_head |= (frame[name] != frame[name].shift()).to_numpy(dtype=bool)
    is_head[:1] = True
    values = frame[last]
    rises = (values > values.shift()).to_numpy(dtype=bool)
    return bool((rises | is_head).all()) and not frame.loc[is_head, others].duplicated().any()


_FINDERS: Mapping[str, Callable[[pd.DataFrame, Arguments], _Finding]] = {
    "ExpectColumnValuesToBeInSet": _not_in_set,
    "ExpectColumnValuesToBeBetween": _not_between,
    "ExpectColumnPairValuesAToBeGreaterThanB": _not_greater,
    "ExpectCompoundColumnsToBeUnique": _repeated,
}
