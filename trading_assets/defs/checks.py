"""Turns a quality suite into asset checks: one operation, one result a check, and the gates in one transaction.

`blocking` stops downstream assets inside the same run only; the gate rows stop trading in every other run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import notification, quality
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.partitions import session_range
from trading_assets.domain.notification.messages import gate_closed
from trading_assets.quality.outcomes import ExpectationOutcome, failing_blockers
from trading_assets.quality.suites import Expectation, Severity, Suite
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

Load = Callable[[Database, TradingSettings, date, date, datetime], "pd.DataFrame"]
"""(database, settings, first session, last session, now) -> the frame that the suite judges."""


@dataclass(frozen=True)
class SessionCheck:
    """A check beside a suite that judges sessions by other facts than the frame's.

    `judge`: (connection, settings, first session, last session, now, the suite's frame) -> its outcome, in the
    transaction that writes the gates. What it touches has its gate closed when the outcome's expectation is blocking.
    """

    expectation: Expectation
    judge: "Callable[[psycopg.Connection, TradingSettings, date, date, datetime, pd.DataFrame], ExpectationOutcome]"


SEVERITIES = {Severity.CRITICAL: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}


def suite_checks(
    asset: dg.AssetKey,
    suite: Suite,
    load: Load,
    compared_with: Sequence[dg.AssetKey] = (),
    session_checks: Sequence[SessionCheck] = (),
) -> dg.AssetChecksDefinition:
    """The checks of `suite` on `asset`, over the sessions of the run; without a partition, over all stored ones.

    `compared_with`: assets that `load` reads as well, and that are materialised first when they are in the same run.
    """

    @dg.multi_asset_check(
        name=f"{suite.name}_suite",
        specs=[
            dg.AssetCheckSpec(
                each.name,
                asset=asset,
                description=each.description,
                blocking=each.blocking,
                additional_deps=compared_with,
            )
            for each in (*suite.expectations, *(check.expectation for check in session_checks))
        ],
        compute_kind="greatexpectations",
    )
    def check(
        context,
        database: dg.ResourceParam[Database],
        settings: dg.ResourceParam[TradingSettings],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[dg.AssetCheckResult]:
        first, last = _sessions(context, database, clock)
        for outcome in evaluate(database, settings, suite, load, first, last, clock.now(), session_checks):
            yield _result(asset, outcome, first, last)

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
) -> list[ExpectationOutcome]:
    """Judge the stored data of first..last, write its gates and queue a message for each session that closes one."""
    from trading_assets.quality.evaluate import evaluate_suite

    with database.transaction() as connection:
        quality.hold_gates(connection)
        frame = load(database, settings, first, last, now)
        outcomes = evaluate_suite(frame, suite)
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


def _sessions(context: dg.AssetCheckExecutionContext, database: Database, clock: Clock) -> tuple[date, date]:
    if context.has_partition_key or context.has_partition_key_range:
        return session_range(context, clock)
    with database.transaction() as connection:
        stored = quality.stored_sessions(connection)
    if stored is None:
        raise dg.Failure("Nothing is stored yet: materialise the asset before its checks.", allow_retries=False)
    return stored


def _result(asset: dg.AssetKey, outcome: ExpectationOutcome, first: date, last: date) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue | str | int] = {
        "sessions": f"{first} to {last}",
        "expectation": outcome.expectation.type,
        "unexpected_count": outcome.unexpected_count,
    }
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
        asset_key=asset,
        check_name=outcome.name,
        passed=outcome.passed,
        severity=SEVERITIES[outcome.expectation.severity],
        metadata=metadata,
    )
