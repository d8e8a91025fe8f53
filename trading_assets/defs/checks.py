"""Turns quality suites into asset checks: one operation, one result a check, and a suite's gates in one transaction.

`blocking` stops downstream assets inside the same run only; the gate rows stop trading in every other run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import notification, quality
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.partitions import session_range
from trading_assets.domain.market.sessions import newest_session, sessions_between
from trading_assets.domain.notification.messages import gate_closed
from trading_assets.quality.expectations import Expectation, Severity, Suite
from trading_assets.quality.outcomes import ExpectationOutcome, failing_blockers
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd
    import psycopg


@dataclass(frozen=True)
class Scope:
    """What a run judges: the stored data, as it is `now`; of datasets with sessions, those of first..last."""

    database: Database
    settings: TradingSettings
    first: date
    last: date
    now: datetime


Load = Callable[[Scope], "pd.DataFrame"]
"""Loads the frame that a suite judges."""


SOURCES_OF_THE_PAST = {"sample", "folder"}
"""Sources that need not reach the newest session: their last stored session is the newest there is."""


@dataclass(frozen=True)
class SessionCheck:
    """A check beside a suite that judges sessions by other facts than the frame's.

    `judge`: (connection, settings, first session, last session, now, the suite's frame) -> its outcome, in the
    transaction that writes the gates. What it touches has its gate closed when the outcome's expectation is blocking.
    """

    expectation: Expectation
    judge: "Callable[[psycopg.Connection, TradingSettings, date, date, datetime, pd.DataFrame], ExpectationOutcome]"


SEVERITIES = {Severity.CRITICAL: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}


@dataclass(frozen=True)
class Judged:
    """An asset, the suite that judges it, how the judged frame is loaded, and further checks of the same sessions."""

    asset: dg.AssetKey
    suite: Suite
    load: Load
    session_checks: Sequence[SessionCheck] = ()

    @property
    def expectations(self) -> list[Expectation]:
        return [*self.suite.expectations, *(check.expectation for check in self.session_checks)]


class Engine(StrEnum):
    """Who judges. Both give the same verdicts; Great Expectations takes seconds to import."""

    NUMPY = "numpy"
    GREAT_EXPECTATIONS = "great_expectations"


CONFIG = {
    "engine": dg.Field(
        dg.Enum("Engine", [dg.EnumValue(str(engine)) for engine in Engine]),
        default_value=str(Engine.NUMPY),
        description="great_expectations: as validate_data_quality_job does; the results are stored in ops.validations.",
    ),
    "last_sessions": dg.Field(
        dg.Noneable(int),
        default_value=None,
        description="How many of the newest sessions a run without a partition judges; all stored ones without it.",
    ),
}


def suite_checks(
    name: str, judged: Sequence[Judged], compared_with: Sequence[dg.AssetKey] = ()
) -> dg.AssetChecksDefinition:
    """The checks of some suites as one operation, over the sessions of the run.

    `compared_with`: assets that are read as well, and that are materialised first when they are in the same run.
    A run may select some of several suites' checks, as a run of some of the assets does, but no part of a suite.
    """

    @dg.multi_asset_check(
        name=name,
        specs=[
            dg.AssetCheckSpec(
                each.name,
                asset=one.asset,
                description=each.description,
                blocking=each.blocking,
                additional_deps=[key for key in compared_with if key != one.asset],
            )
            for one in judged
            for each in one.expectations
        ],
        compute_kind="greatexpectations",
        can_subset=len(judged) > 1,
        config_schema=CONFIG,
    )
    def check(
        context,
        database: dg.ResourceParam[Database],
        settings: dg.ResourceParam[TradingSettings],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[dg.AssetCheckResult]:
        config = context.op_execution_context.op_config
        engine = Engine(config["engine"])
        now = clock.now()
        for one in judged:
            selected = {key.name for key in context.selected_asset_check_keys if key.asset_key == one.asset}
            if not any(each.name in selected for each in one.expectations):
                continue
            if one.suite.is_by_session:
                first, last = _sessions(context, database, settings, clock, config["last_sessions"])
            else:
                first = last = newest_session(now)
            outcomes = evaluate(
                database, settings, one.suite, one.load, first, last, now, one.session_checks, engine=engine
            )
            if engine is Engine.GREAT_EXPECTATIONS:
                with database.transaction() as connection:
                    quality.record_validation(connection, context.run.run_id, one.suite, first, last, now, outcomes)
            for outcome in outcomes:
                if outcome.name in selected:
                    yield _result(one, outcome, first, last)

    return check


def evaluate(
    database: Database,
    settings: TradingSettings,
    suite: Suite,
    load: Load,
    first: date,
    last: date,
    now: datetime,
    session_checks: Sequence[SessionCheck] = (),
    *,
    engine: Engine = Engine.NUMPY,
) -> list[ExpectationOutcome]:
    """Judge the stored data of first..last.

    A suite with gates writes them in the same transaction, with a message for each session that closes one.
    """
    judge, scope = _judge(engine), Scope(database, settings, first, last, now)
    if not suite.has_gates:
        return judge(load(scope), suite)
    with database.transaction() as connection:
        quality.hold_gates(connection)
        frame = load(scope)
        outcomes = judge(frame, suite)
        outcomes += [check.judge(connection, settings, first, last, now, frame) for check in session_checks]
        known = quality.closed_gates(connection, suite.dataset, first, last)
        failing = failing_blockers(frame, outcomes)
        quality.write_gates(connection, suite.dataset, failing, now)
        newly_closed = {
            pair: checks for pair, checks in failing.items() if checks and known.get(pair) != sorted(checks)
        }
        notification.enqueue(
            connection,
            [
                gate_closed(
                    suite.dataset,
                    day,
                    {symbol: checks for (session_date, symbol), checks in newly_closed.items() if session_date == day},
                    now,
                )
                for day in sorted({session_date for session_date, _ in newly_closed})
            ],
        )
    return outcomes


def _judge(engine: Engine) -> "Callable[[pd.DataFrame, Suite], list[ExpectationOutcome]]":
    if engine is Engine.GREAT_EXPECTATIONS:
        from trading_assets.quality.runner import load_engine, run_suite

        # Before the gates are locked.
        load_engine()
        return run_suite
    from trading_assets.quality.evaluate import evaluate_suite

    return evaluate_suite


def _sessions(
    context: dg.AssetCheckExecutionContext,
    database: Database,
    settings: TradingSettings,
    clock: Clock,
    last_sessions: int | None,
) -> tuple[date, date]:
    if context.has_partition_key or context.has_partition_key_range:
        return session_range(context, clock)
    with database.transaction() as connection:
        stored = quality.stored_sessions(connection)
    if stored is None:
        raise dg.Failure("Nothing is stored yet: materialise the asset before its checks.", allow_retries=False)
    first, last = stored
    if last_sessions:
        if settings.source not in SOURCES_OF_THE_PAST:
            last = max(last, newest_session(clock.now()))
        first = max(first, sessions_between(first, last)[-last_sessions:][0])
    return first, last


def _result(judged: Judged, outcome: ExpectationOutcome, first: date, last: date) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue | str | int] = {
        "expectation": outcome.expectation.type,
        "unexpected_count": outcome.unexpected_count,
    }
    if judged.suite.is_by_session:
        metadata["sessions"] = f"{first} to {last}"
    if outcome.observed:
        metadata["observed"] = outcome.observed
    if outcome.error:
        metadata["error"] = outcome.error
    if outcome.offenders:
        names = list(outcome.offenders[0])
        metadata["first_offenders"] = dg.MetadataValue.table(
            records=[dg.TableRecord({name: str(row[name]) for name in names}) for row in outcome.offenders],
            schema=dg.TableSchema([dg.TableColumn(name, "string") for name in names]),
        )
    return dg.AssetCheckResult(
        asset_key=judged.asset,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=SEVERITIES[outcome.expectation.severity],
        metadata=metadata,
    )
