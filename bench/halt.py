"""From the command to halt to the last submission that commits, among submitters that never pause.

Four processes submit as the trading desk does: the states and the order in one transaction. Another halts. In the
second case one more submitter hangs in the middle of its transaction.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import LiteralString

import psycopg

from bench.measure import Result, fresh_database, median
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_states import begin_submission, change_state
from trading_assets.domain.risk.trading_states import EVERY_ACCOUNT, Command, Scope

SUBMITTERS = 4
SUBMITTER = "import sys; from bench.halt import submit_for_ever; submit_for_ever(sys.argv[1])"
WARM_S = 0.3


def run(rounds: int = 20) -> list[Result]:
    """Two results: halts among busy submitters, and halts with a submitter that hangs besides."""
    with fresh_database() as database:
        with database.transaction() as connection:
            connection.execute("create table submitted (at timestamptz not null)")
        alone = median([_submission_s(database) for _ in range(rounds)])
        with _submitters(database):
            busy = [_halted_s(database) for _ in range(rounds)]
            hanging = [_halted_s(database, has_hanging=True) for _ in range(max(rounds // 4, 1))]
    return [
        Result("halt until the last submission", median(busy), "one submission", alone, len(busy)),
        Result("the same beside one that hangs", median(hanging), "one submission", alone, len(hanging)),
    ]


def submit_for_ever(url: str) -> None:
    """Submissions one after the other, while trading is not halted."""
    with psycopg.connect(url) as connection:
        while True:
            _submit(connection)


def _submit(connection: psycopg.Connection) -> None:
    with connection.transaction():
        changes = begin_submission(connection)
        if not changes or changes[-1].state.value == "active":
            connection.execute("insert into submitted values (clock_timestamp())")


def _submission_s(database: Database) -> float:
    with psycopg.connect(database.url) as connection:
        began = time.perf_counter()
        _submit(connection)
        return time.perf_counter() - began


def _halted_s(database: Database, *, has_hanging: bool = False) -> float:
    """Seconds from the command to the commit of the halt, or to the last submission where that comes later."""
    _change(database, Command.RESUME)
    time.sleep(WARM_S)
    hanging = psycopg.connect(database.url) if has_hanging else None
    if hanging:
        begin_submission(hanging)
    with psycopg.connect(database.url) as clock:
        clock.autocommit = True
        began = _time(clock, "select clock_timestamp()")
        _change(database, Command.HALT)
        halted = _time(clock, "select clock_timestamp()")
        time.sleep(WARM_S)
        last = _time(clock, "select max(at) from submitted")
    if hanging:
        hanging.close()
    return (max(last, halted) - began).total_seconds()


def _time(connection: psycopg.Connection, question: LiteralString) -> datetime:
    row = connection.execute(question).fetchone()
    if row is None:
        raise RuntimeError(f"{question} has no answer.")
    at: datetime = row[0]
    return at


def _change(database: Database, command: Command) -> None:
    with database.transaction() as connection:
        change_state(connection, Scope.ACCOUNT, EVERY_ACCOUNT, command, "bench", "measured", datetime.now(UTC))


@contextmanager
def _submitters(database: Database) -> Iterator[None]:
    running = [subprocess.Popen([sys.executable, "-c", SUBMITTER, database.url]) for _ in range(SUBMITTERS)]  # noqa: S603
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
