"""A backfill taken apart: the time loop alone and the ledger's writes, each beside the whole Dagster run around it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from bench.measure import Result, fresh_platform, seconds_of
from trading_assets.domain.market.sessions import sessions_between

FIRST, LAST = date(2010, 3, 1), date(2013, 3, 1)


def run(first: date = FIRST, last: date = LAST) -> list[Result]:
    """Three results for the sessions first..last: the time loop, the ledger's writes, the run's cost a session."""
    with fresh_platform():
        from trading_assets.adapters.postgres import ledger
        from trading_assets.definitions import defs
        from trading_assets.domain import simulation
        from trading_assets.range_run import run_sessions

        spent: dict[str, float] = defaultdict(float)
        outcomes = []
        with _timed(simulation, "walk", spent), _timed(ledger, "record", spent):
            whole = seconds_of(lambda: outcomes.append(run_sessions(defs, first, last, lambda _: None)))
        if not outcomes[0].is_success:
            raise RuntimeError(f"The backfill failed: {outcomes[0].problems}")
    count = len(sessions_between(first, last))
    whole_name = f"the whole run of {count} sessions"
    return [
        Result(f"time loop, {count / spent['walk']:,.0f} sessions a second", spent["walk"], whole_name, whole),
        Result("ledger write", spent["record"], whole_name, whole),
        Result(f"whole run, {count / whole:,.0f} sessions a second", whole, "time loop", spent["walk"]),
    ]


@contextmanager
def _timed(module: Any, name: str, spent: dict[str, float]) -> Iterator[None]:
    """Add up the seconds inside `module.name` for the block."""
    original: Callable[..., Any] = getattr(module, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            spent[name] += time.perf_counter() - began

    setattr(module, name, timed)
    try:
        yield
    finally:
        setattr(module, name, original)
