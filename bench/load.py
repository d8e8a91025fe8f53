"""Loading the graph beside loading Dagster alone: what every run's process pays before it begins."""

from __future__ import annotations

import subprocess
import sys

from bench.measure import Result, median, seconds_of


def run(rounds: int = 5) -> list[Result]:
    modules = ("trading_assets.definitions", "dagster")
    samples: dict[str, list[float]] = {module: [] for module in modules}
    for module in modules:
        _import(module)
    for _ in range(rounds):
        for module in modules:
            samples[module].append(seconds_of(lambda module=module: _import(module)))
    ours, theirs = (median(samples[module]) for module in modules)
    return [Result("import trading_assets.definitions", ours, "import dagster", theirs, rounds)]


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", f"import {module}"], check=True)  # noqa: S603  two fixed names
