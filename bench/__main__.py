"""`make bench`: every benchmark in a process of its own, or the named ones: python -m bench tick load."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

BENCHMARKS = ("load", "tick", "backfill", "validate", "ingest", "indicators", "halt", "backtest", "risk")
PROGRAM = "import importlib, sys; print(*importlib.import_module('bench.' + sys.argv[1]).run(), sep='\\n')"


def main(names: list[str]) -> int:
    if unknown := set(names) - set(BENCHMARKS):
        print(
            f"There is no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}.", file=sys.stderr
        )
        return 2
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    failed = False
    for name in names or BENCHMARKS:
        # The graph reads its configuration once a process, and each benchmark has another one.
        finished = subprocess.run(  # noqa: S603  a name from the list above
            [sys.executable, "-W", "ignore", "-c", PROGRAM, name], stderr=subprocess.PIPE, text=True, check=False
        )
        if finished.returncode:
            print(f"{name} failed:\n{finished.stderr}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
