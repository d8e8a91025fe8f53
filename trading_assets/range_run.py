"""Runs one job of the graph over a range of sessions inside this process: what `make demo` and `trading backfill` do.

A run with the two range tags is far quicker than a backfill by Dagster's daemon, which takes 30 s a layer.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.execution.plan.objects import StepFailureData

JOB = "backfill_job"
QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


class NoSessionsError(Exception):
    """The range asked for holds no trading session of the job's partitions."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done of all steps, the step that was heard of last and what it said of itself."""

    done: int
    total: int
    step: str
    said: str = ""


@dataclass(frozen=True)
class StepProblem:
    """Why a step failed, in one line."""

    step: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """A finished run over the sessions first..last (partition keys)."""

    run_id: str
    first: str
    last: str
    problems: tuple[StepProblem, ...]

    @property
    def is_success(self) -> bool:
        return not self.problems


def run_sessions(
    definitions: dg.Definitions,
    first: date,
    last: date,
    report: Callable[[Progress], None],
    job_name: str = JOB,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Materialise the job's assets for every session of first..last in one run that carries `tags`.

    DAGSTER_HOME names the instance. `report` is called in this thread at each step's start and end, and when a step
    says something in its log. Raises NoSessionsError.
    """
    import dagster as dg

    from trading_assets.defs.partitions import RANGE_END_TAG, RANGE_START_TAG

    job = definitions.resolve_job_def(job_name)
    start, end = _partition_range(job, first, last)
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance:
        # Its storage opens a new connection for every event unless it is told to keep them.
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=20)
        instance.add_event_listener(run_id, _Listener(len(job.nodes), report))
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config=QUIET_CONSOLE,
            tags={**(tags or {}), RANGE_START_TAG: start, RANGE_END_TAG: end},
            raise_on_error=False,
        )
        return Outcome(run_id, start, end, () if result.success else tuple(_problems(result)))


@contextmanager
def output_to(log: Path) -> Iterator[None]:
    """Send what this process and its children print to `log` for the block."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        try:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for original, descriptor in zip(saved, (1, 2), strict=True):
                os.dup2(original, descriptor)
                os.close(original)


class _Listener:
    """Turns the events of Dagster's steps and the lines of their logs into Progress."""

    def __init__(self, total: int, report: Callable[[Progress], None]) -> None:
        self._done, self._total, self._report = 0, total, report

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            if entry.step_key and entry.level == logging.INFO:
                self._report(Progress(self._done, self._total, entry.step_key, _first_line(entry.user_message)))
            return
        if event.step_key is None:
            return
        if event.is_step_success or event.is_step_failure or event.is_step_skipped:
            self._done += 1
        elif not event.is_step_start:
            return
        self._report(Progress(self._done, self._total, event.step_key))


def _partition_range(job: dg.JobDefinition, first: date, last: date) -> tuple[str, str]:
    partitions = job.partitions_def
    if partitions is None:
        raise NoSessionsError(f"The job {job.name} has no partitioned assets.")
    keys = partitions.get_partition_keys()
    wanted = [key for key in keys if first.isoformat() <= key <= last.isoformat()]
    if not wanted:
        raise NoSessionsError(f"There is no trading session from {first} to {last}; known are {keys[0]} to {keys[-1]}.")
    return wanted[0], wanted[-1]


def _problems(result: dg.ExecuteInProcessResult) -> Iterator[StepProblem]:
    failures = [event for event in result.all_events if event.is_step_failure]
    if failures:
        for event in failures:
            yield StepProblem(event.step_key or "", _reason(event.step_failure_data))
        return
    for event in result.all_events:
        if event.is_run_failure:
            error = event.job_failure_data.error
            yield StepProblem("the run", _root_cause(error) if error else event.message or "unknown")


def _reason(failure: StepFailureData) -> str:
    if failure.user_failure_data and failure.user_failure_data.description:
        return _first_line(failure.user_failure_data.description)
    return _root_cause(failure.error) if failure.error else "unknown"


def _root_cause(error: dg.SerializableErrorInfo) -> str:
    while error.cause:
        error = error.cause
    return _first_line(error.message)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "unknown")
