"""Computations in a child process: their answers, their ends by every kind of misbehaviour, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import psutil
import pytest

from trading_assets.adapters.isolation import IsolatedError, Limits, run_isolated
from trading_assets.domain.strategy.strategy import StrategyError

LIMITS = Limits(seconds=30, memory_mb=512)
SUBJECT = "Strategy 'probe' (1+00000000)"


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    assert {process.pid for process in psutil.Process().children(recursive=True)} == before


def is_over(pid: int) -> bool:
    """Whether a process has ended, or ends within seconds; a zombie waits only for whoever adopted it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def failure(work: Callable[[], object], limits: Limits = LIMITS) -> IsolatedError:
    with pytest.raises(IsolatedError) as caught:
        run_isolated(work, limits, SUBJECT)
    assert "\n" not in str(caught.value)
    return caught.value


def test_answer_comes_back_to_the_bit_with_what_was_printed():
    frame = pd.DataFrame(
        {
            "symbol": ["A", "B"] * 50_000,
            "ts": pd.date_range("2012-01-03", periods=100_000, freq="h", tz="UTC"),
            "signal": np.random.default_rng(3).normal(size=100_000),
        }
    )

    def compute() -> pd.DataFrame:
        print("thinking")
        return frame.assign(signal=frame["signal"] * 3)

    answer = run_isolated(compute, LIMITS, SUBJECT)
    pd.testing.assert_frame_equal(answer.value, frame.assign(signal=frame["signal"] * 3), check_exact=True)
    assert answer.value.dtypes.equals(frame.dtypes)
    assert answer.output == "thinking\n"


def test_computation_that_raises_is_named_with_its_reason_and_traceback():
    def compute() -> None:
        print("before it")
        raise KeyError("close")

    error = failure(compute)
    assert str(error) == f"{SUBJECT} raised KeyError: 'close'"
    assert error.output.startswith("before it\nTraceback")
    assert "in compute" in error.output


def test_error_of_a_strategy_keeps_its_own_words():
    def compute() -> None:
        raise StrategyError("Strategy 'probe' (1+00000000) gave 3 for A\nat the second bar")

    assert str(failure(compute)) == "Strategy 'probe' (1+00000000) gave 3 for A"


@pytest.mark.parametrize("hang", [lambda: time.sleep(60), lambda: next(iter(lambda: 0, 1)) or list(iter(int, 1))])
def test_computation_that_hangs_is_ended_at_its_limit(hang):
    began = time.monotonic()
    error = failure(hang, Limits(seconds=0.3, memory_mb=512))
    assert str(error) == f"{SUBJECT} did not finish within 0.3 s and was ended."
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("greedy", [lambda: np.ones(10**9), lambda: [bytearray(10**6) for _ in range(10**4)]])
def test_computation_that_takes_too_much_memory_is_named_with_its_limit(greedy):
    assert str(failure(greedy)) == f"{SUBJECT} ran out of its 512 MB of memory."


def test_memory_error_inside_of_a_strategys_error_is_still_one():
    def compute() -> None:
        try:
            np.ones(10**9)
        except MemoryError as error:
            raise StrategyError("raised MemoryError") from error

    assert "ran out of its 512 MB" in str(failure(compute))


def test_memory_within_the_limit_is_free_to_use():
    assert run_isolated(lambda: len(np.ones(10**7)), LIMITS, SUBJECT).value == 10**7


@pytest.mark.parametrize(
    ("death", "told"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "was ended by SIGKILL; its limits are 30 s and 512 MB"),
        (lambda: os._exit(3), "ended its process (exit code 3) without an answer"),
        (lambda: sys.exit(3), "raised SystemExit: 3"),
    ],
)
def test_computation_that_dies_is_named_with_how(death, told):
    assert told in str(failure(death))


def test_answer_that_cannot_be_pickled_is_refused():
    assert f"{SUBJECT} raised " in str(failure(lambda: lambda: None))


def start_another_and_hang() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    print(sleeper.pid, flush=True)
    time.sleep(60)


def test_what_the_computation_started_ends_with_it():
    error = failure(start_another_and_hang, Limits(seconds=1, memory_mb=512))
    assert is_over(int(error.output))


def test_what_the_computation_started_before_its_parent_went_on_ends_with_it(monkeypatch):
    parent, set_group = os.getpid(), os.setpgid

    def late(pid: int, group: int) -> None:
        time.sleep(1 if os.getpid() == parent else 0)
        set_group(pid, group)

    monkeypatch.setattr(os, "setpgid", late)
    error = failure(start_another_and_hang, Limits(seconds=1, memory_mb=512))
    assert is_over(int(error.output))


def test_interruption_of_the_parent_leaves_no_child():
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_isolated(lambda: time.sleep(60), LIMITS, SUBJECT)
    timer.join()


def test_computation_beside_busy_threads_answers():
    is_over = threading.Event()
    threads = [threading.Thread(target=lambda: [np.sort(np.random.rand(10_000)) for _ in iter(is_over.is_set, True)])]
    for thread in threads:
        thread.start()
    try:
        frame = pd.DataFrame({"x": np.arange(1000.0)})
        means = [run_isolated(lambda: float(frame["x"].mean()), LIMITS, SUBJECT).value for _ in range(10)]
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert means == [499.5] * 10


def test_overhead_is_a_fraction_of_a_second():
    run_isolated(int, LIMITS, SUBJECT)
    began = time.perf_counter()
    for _ in range(5):
        run_isolated(int, LIMITS, SUBJECT)
    # Some 10 ms on an idle machine; the bound leaves room for a busy one.
    assert (time.perf_counter() - began) / 5 < 0.5
