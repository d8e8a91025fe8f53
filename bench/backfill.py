"""Ten years of the whole graph in one run, beside the work in it: what Dagster adds to the functions that it calls."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from bench.measure import Result, fresh_platform, seconds_of
from trading_assets.domain.market.sessions import sessions_between

FIRST, LAST = date(2003, 1, 2), date(2012, 12, 31)
INTERVAL_S = 0.005
WORK = ("domain", "adapters", "quality", "strategies")
"""The floors of the platform that know no Dagster."""

DBT = "dbt"
LARGEST = 5


def run(first: date = FIRST, last: date = LAST) -> list[Result]:
    """The whole run of the sessions first..last beside the sum of its parts, and the largest parts beside the run."""
    with fresh_platform():
        from trading_assets.definitions import defs
        from trading_assets.range_run import run_sessions

        outcomes: list[Any] = []
        with _parts_of_this_thread() as parts:
            whole = seconds_of(lambda: outcomes.append(run_sessions(defs, first, last, lambda _: None)))
        if not outcomes[0].is_success:
            raise RuntimeError(f"The backfill failed: {outcomes[0].problems}")
    name = f"the whole run of {len(sessions_between(first, last)):,} sessions"
    return [
        Result(name, whole, "the sum of its parts", sum(parts.values())),
        *(Result(part, seconds, name, whole) for part, seconds in parts.most_common(LARGEST)),
    ]


@contextmanager
def _parts_of_this_thread() -> Iterator[Counter[str]]:
    """The seconds that this thread spends in each module that works, and in waiting for dbt, by looking often."""
    parts: Counter[str] = Counter()
    before = perf_counter()

    def look(_: int, frame: FrameType | None) -> None:
        nonlocal before
        part, now = _part(frame), perf_counter()
        if part is not None:
            parts[part] += now - before
        before = now

    others = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_S, INTERVAL_S)
    try:
        yield parts
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, others)


def _part(frame: FrameType | None) -> str | None:
    """The outermost module on the stack that works, as `adapters/postgres/market`; None where Dagster does."""
    found = None
    while frame is not None:
        found = _working(frame.f_code.co_filename) or found
        frame = frame.f_back
    return found


def _working(filename: str) -> str | None:
    if "/dagster_dbt/" in filename:
        return DBT
    _, package, inside = filename.rpartition("/trading_assets/")
    return str(Path(inside).with_suffix("")) if package and inside.split("/")[0] in WORK else None
