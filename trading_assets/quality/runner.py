"""Runs one suite over one frame with Great Expectations. What the outcomes mean for trading is decided elsewhere.

Importing the engine takes seconds, so it happens inside the functions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading_assets.quality.expectations import Expectation, Suite
from trading_assets.quality.outcomes import FIRST_OFFENDERS, ExpectationOutcome, Pair, pairs, plain

if TYPE_CHECKING:
    import pandas as pd


def load_engine() -> None:
    """Import the engine ahead of time, before a lock is taken."""
    import great_expectations.expectations  # noqa: F401


def run_suite(frame: pd.DataFrame, suite: Suite) -> list[ExpectationOutcome]:
    """The outcome of every expectation, in the order of the suite."""
    import great_expectations as gx
    from great_expectations import expectations as engine

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
            "unexpected_index_column_names": list(suite.key_columns),
        },
    )
    # The engine answers in an order of its own.
    by_name = {result["expectation_config"]["meta"]["check"]: result for result in answer.results}
    return [_outcome(each, by_name[each.name], frame, suite) for each in suite.expectations]


def _outcome(expectation: Expectation, result: Any, frame: pd.DataFrame, suite: Suite) -> ExpectationOutcome:
    details = result.result or {}
    passed = bool(result.success)
    rows = details.get("unexpected_index_list") or []
    touched: frozenset[Pair] = frozenset()
    if not passed and suite.has_gates:
        touched = frozenset((row["session_date"], row["symbol"]) for row in rows) or pairs(frame)
    observed = details.get("details") or details.get("observed_value")
    return ExpectationOutcome(
        expectation=expectation,
        passed=passed,
        unexpected_count=int(details.get("unexpected_count") or 0),
        offenders=tuple({name: plain(value) for name, value in row.items()} for row in rows[:FIRST_OFFENDERS]),
        touched=touched,
        observed=None if observed is None else str(observed),
        error=_error(result.exception_info),
    )


def _error(info: Mapping[str, Any] | None) -> str | None:
    """The message of an expectation that raised; the engine reports it flat or nested by metric."""
    if not info:
        return None
    reports = [info] if "raised_exception" in info else list(info.values())
    return next((str(report["exception_message"]) for report in reports if report.get("raised_exception")), None)
