"""Runs one suite over one frame with Great Expectations. What the outcomes mean for trading is decided elsewhere.

Importing the engine takes seconds, so it happens inside the functions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from trading_assets.quality.suites import Expectation, Suite

if TYPE_CHECKING:
    import pandas as pd

FIRST_OFFENDERS = 20

Plain = str | int | float | bool | None
Pair = tuple[date, str]


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation's answer.

    `offenders`: the first offending rows, as their key and the values that offend. `touched`: every (session_date,
    symbol) with an offending row; all of the frame when the expectation is about the frame or could not be evaluated.
    Both are empty for `touched` when the expectation passed. `error`: why it could not be evaluated.
    """

    expectation: Expectation
    passed: bool
    unexpected_count: int
    offenders: tuple[Mapping[str, Plain], ...]
    touched: frozenset[Pair]
    observed: str | None
    error: str | None

    @property
    def name(self) -> str:
        return self.expectation.name


def load_engine() -> None:
    """Import the engine ahead of time, before a lock is taken."""
    import great_expectations.expectations  # noqa: F401


def run_suite(frame: pd.DataFrame, suite: Suite, key_columns: Sequence[str] | None = None) -> list[ExpectationOutcome]:
    """The outcome of every expectation, in the order of the suite. `key_columns` default to the suite's."""
    import great_expectations as gx
    from great_expectations import expectations as engine

    keys = list(key_columns or suite.key_columns)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas(suite.name)
        .add_dataframe_asset(suite.name)
        .add_batch_definition_whole_dataframe(suite.name)
        .get_batch({"dataframe": frame})
    )
    expectations = [
        getattr(engine, each.type)(severity=str(each.severity), meta={"check": each.name}, **each.kwargs)
        for each in suite.expectations
    ]
    answer = batch.validate(
        gx.ExpectationSuite(name=suite.name, expectations=expectations),
        result_format={
            "result_format": "COMPLETE",
            "partial_unexpected_count": FIRST_OFFENDERS,
            "unexpected_index_column_names": keys,
        },
    )
    # The engine answers in an order of its own.
    by_name = {result["expectation_config"]["meta"]["check"]: result for result in answer.results}
    return [_outcome(each, by_name[each.name], frame) for each in suite.expectations]


def failing_blockers(frame: pd.DataFrame, outcomes: Sequence[ExpectationOutcome]) -> dict[Pair, list[str]]:
    """The failed blocking checks of every (session_date, symbol) in the frame; an empty list opens the gate."""
    failing: dict[Pair, list[str]] = {pair: [] for pair in _pairs(frame)}
    for outcome in outcomes:
        if outcome.expectation.blocking and not outcome.passed:
            for pair in outcome.touched:
                failing[pair].append(outcome.name)
    return failing


def _outcome(expectation: Expectation, result: Any, frame: pd.DataFrame) -> ExpectationOutcome:
    details = result.result or {}
    passed = bool(result.success)
    rows = details.get("unexpected_index_list") or []
    touched: frozenset[Pair] = frozenset()
    if not passed:
        touched = frozenset((row["session_date"], row["symbol"]) for row in rows) or _pairs(frame)
    observed = details.get("details") or details.get("observed_value")
    return ExpectationOutcome(
        expectation=expectation,
        passed=passed,
        unexpected_count=int(details.get("unexpected_count") or 0),
        offenders=tuple({name: _plain(value) for name, value in row.items()} for row in rows[:FIRST_OFFENDERS]),
        touched=touched,
        observed=None if observed is None else str(observed),
        error=_error(result.exception_info),
    )


def _pairs(frame: pd.DataFrame) -> frozenset[Pair]:
    unique = frame[["session_date", "symbol"]].drop_duplicates()
    return frozenset(zip(unique["session_date"], unique["symbol"], strict=True))


def _error(info: Mapping[str, Any] | None) -> str | None:
    """The message of an expectation that raised; the engine reports it flat or nested by metric."""
    if not info:
        return None
    reports = [info] if "raised_exception" in info else list(info.values())
    return next((str(report["exception_message"]) for report in reports if report.get("raised_exception")), None)


def _plain(value: Any) -> Plain:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
