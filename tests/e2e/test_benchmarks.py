"""Each benchmark runs in a tiny setting and prints a ratio. How fast anything is, is never asserted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LINE = re.compile(r".+: \d+\.\d{3} s; .+: \d+\.\d{3} s; ratio [\d.e+-]+ \((once|median of \d+)\)")

pytestmark = pytest.mark.timeout(600)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)


QUICK = [
    ("load", "load.run(rounds=1)", 1),
    ("indicators", "indicators.run(rounds=1, symbols=2, bars=400)", 2),
]
SLOW = [
    ("tick", "tick.run(rounds=1, first=date(2022, 6, 8))", 1),
    ("validate", "validate.run(rounds=1, symbols=2, first=date(2022, 6, 1), last=date(2022, 6, 10))", 1),
    ("backfill", "backfill.run(date(2012, 10, 1), date(2012, 10, 5))", 6),
    ("ingest", "ingest.run(rows=7_000, rounds=1)", 12),
    ("halt", "halt.run(rounds=1)", 2),
    ("risk", "risk.run(rounds=1, symbols=4, first=date(2012, 10, 1), last=date(2012, 12, 31))", 2),
]


@pytest.mark.parametrize(
    ("module", "call", "count"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.nightly) for one in SLOW)]
)
def test_benchmark_in_a_tiny_setting_prints_ratios(module: str, call: str, count: int) -> None:
    program = f"from datetime import date; from bench import {module}; print(*{call}, sep='\\n')"
    finished = run("-c", program)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert len(lines) == count
    assert all(LINE.fullmatch(line) for line in lines), finished.stdout


def test_benchmark_that_does_not_exist_is_refused_with_the_names() -> None:
    finished = run("-m", "bench", "speed")
    assert finished.returncode == 2
    assert "choose from load, tick, backfill, validate, ingest, indicators, halt" in finished.stderr
