"""Runs somebody else's computation in a child process with limits of time and memory, and brings back its answer.

The child is forked, not spawned: it sees the frames it computes on without a copy of them, and starts in milliseconds
where a new interpreter needs a second to import pandas. Forking beside other threads is sound here because the child
uses nothing that they might hold: it computes, writes its answer into a pipe and ends without any clean-up, so that
connections it inherited stay untouched. Should it hang after all, the limit of time ends it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import psutil

from trading_assets.adapters.errors import AdapterError
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, StrategyError

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings

T = TypeVar("T")

BLOCK_BYTES = 1 << 20
KEPT_OUTPUT_BYTES = 64 * 1024
MEGABYTE = 1024**2
WATCHED_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What a computation may take. `memory_mb` comes on top of what this process holds when it begins."""

    seconds: float
    memory_mb: int


def signal_limits(settings: TradingSettings) -> Limits:
    """What the computation of one strategy's signals may take."""
    return Limits(settings.strategy_limits.seconds, settings.strategy_limits.memory_mb)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the computation returned, and what it printed."""

    value: T
    output: str


class IsolatedError(AdapterError):
    """The computation gave no answer. One line that says why; `output` is what it printed, with its traceback."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def run_isolated(
    work: Callable[[], T], limits: Limits, subject: str, watch: Callable[[], None] | None = None
) -> Answer[T]:
    """`work()` in a child process. Raises IsolatedError, which begins with `subject`, when it raises, hangs or dies.

    The answer comes back pickled; whatever else `work` changes is lost. No process is left behind, whatever happens.
    While the child works, `watch` is called here, several times a second.
    """
    with tempfile.TemporaryFile() as output:
        reading, writing = os.pipe()
        # What is printed but not yet written would be written by both processes.
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _compute_and_exit(work, limits, subject, writing, output.fileno())
        os.close(writing)
        # A group of its own, so that whatever it starts can be ended with it. Both processes set it, because either may
        # be the first to need it.
        os.setpgid(child, child)
        try:
            answer = _read_until(reading, time.monotonic() + limits.seconds, watch)
        finally:
            os.close(reading)
            status = _end(child)
        printed = _tail(output)
        if answer is None:
            raise IsolatedError(f"{subject} did not finish within {limits.seconds:g} s and was ended.", printed)
        return Answer(_value(answer, status, limits, subject, printed), printed)


def lead_strategy(limits: Limits, configured: ConfiguredStrategy, work: Callable[[], T]) -> T:
    """What `work` of the strategy returns, by run_isolated; what it printed is printed here, also when it fails."""
    try:
        answer = run_isolated(work, limits, f"Strategy {configured.name!r} ({configured.version})")
    except IsolatedError as error:
        sys.stderr.write(error.output)
        raise
    sys.stdout.write(answer.output)
    return answer.value


def _value(answer: bytes, status: int, limits: Limits, subject: str, printed: str) -> Any:
    if not answer:
        raise IsolatedError(f"{subject} {_how_it_died(status, limits)}.", printed)
    is_value, value = pickle.loads(answer)  # noqa: S301  it was pickled by our own child a moment ago
    if is_value:
        return value
    if value is None:
        raise IsolatedError(f"{subject} ran out of its {limits.memory_mb} MB of memory.", printed)
    raise IsolatedError(value, printed)


def _how_it_died(status: int, limits: Limits) -> str:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"was ended by {name}; its limits are {limits.seconds:g} s and {limits.memory_mb} MB of memory"
    return f"ended its process (exit code {os.waitstatus_to_exitcode(status)}) without an answer"


# In the parent -----------------------------------------------------------------------------------


def _read_until(reading: int, deadline: float, watch: Callable[[], None] | None) -> bytes | None:
    """Everything until the other end is closed; None when that takes longer than the deadline (monotonic seconds)."""
    blocks: list[bytes] = []
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], left if watch is None else min(left, WATCHED_EVERY_S))
        if watch is not None:
            watch()
        if ready:
            block = os.read(reading, BLOCK_BYTES)
            if not block:
                return b"".join(blocks)
            blocks.append(block)
    return None


def _end(child: int) -> int:
    """End the child and all that it started, and say how it ended; one that has ended already keeps its own status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _tail(output: Any) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_OUTPUT_BYTES))
    return str(output.read().decode(errors="replace"))


# In the child ------------------------------------------------------------------------------------


def _compute_and_exit(work: Callable[[], object], limits: Limits, subject: str, writing: int, output: int) -> NoReturn:
    """The whole life of the child. It ends here, without the clean-up of what belongs to its parent."""
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for descriptor, stream in ((1, "stdout"), (2, "stderr")):
            os.dup2(output, descriptor)
            # Whoever runs us may have put something else in its place.
            setattr(sys, stream, open(descriptor, "w", buffering=1, closefd=False, errors="replace"))  # noqa: SIM115
        # The parent's objects are not to be collected, finalised and closed from here.
        gc.freeze()
        _limit(limits)
        answer = _pickled(work, subject)
        sys.stdout.flush()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(1)


def _pickled(work: Callable[[], object], subject: str) -> bytes:
    """(True, value), (False, message) or, without the memory for more, (False, None)."""
    try:
        return pickle.dumps((True, work()), protocol=5)
    except (Exception, SystemExit) as error:
        # A MemoryError may come in the clothes of the domain.
        is_out_of_memory = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        # What breaks the contract is said by its message; what the strategy raised happened somewhere in its code.
        if not isinstance(error, StrategyError) or error.__cause__:
            traceback.print_exc()
        told = str(error) if isinstance(error, StrategyError) else f"{subject} raised {type(error).__name__}: {error}"
        return pickle.dumps((False, None if is_out_of_memory else (told.splitlines() or [subject])[0]))


def _limit(limits: Limits) -> None:
    # When the parent is gone before the time is over, the time on all its processors still ends a loop.
    processor_seconds = int(limits.seconds * (os.cpu_count() or 1)) + 1
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(ValueError, OSError):  # not every system, and not every container, lets us
        resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, most))
        held = psutil.Process().memory_info().vms
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (held + limits.memory_mb * MEGABYTE, most))
