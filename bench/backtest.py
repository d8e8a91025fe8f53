"""Portfolio backtests of one crossover in the compiled loop, beside vectorbt, backtrader and a bare loop in numba.

In seconds of processor, each engine in a process of its own. The peers are compared with and nothing else: they are
installed in an environment of their own, in the user's cache, the first time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measure import Result, median

PEERS = ("vectorbt==1.2.0", "backtrader==1.9.78.123")
CACHE = Path.home() / ".cache" / "trading-bench"
BARS = 17_500
PAIR = (20, 50)
PAIRS = tuple((fast, slow) for fast in (5, 10, 20, 30, 40) for slow in (50, 100, 150, 200))


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak beyond what was in use before, beside those of the inputs."""

    what: str
    extra: int
    beside: str
    beside_extra: int
    inputs: int

    def __str__(self) -> str:
        ours, theirs = self.extra / self.inputs, self.beside_extra / self.inputs
        return f"{self.what}: {ours:.2f} times the inputs; {self.beside}: {theirs:.2f} times"


def run(rounds: int = 5) -> list[Result | Memory]:
    """What one bar costs at 1, 50 and 500 symbols, memory, a sweep of twenty pairs, and a fresh process."""
    peers = environment_of_peers()
    results: list[Result | Memory] = []
    for symbols in (1, 50, 500):
        folder = written(symbols, [PAIR])
        ours, bare = told("ours", folder, rounds), told("numba", folder, rounds)
        theirs = told("vectorbt", folder, rounds, peers)
        if ours["trades"] != bare["trades"] or abs(ours["equity"] / bare["equity"] - 1) > 1e-4:
            raise RuntimeError(f"{symbols} symbols: {ours} is not what the bare loop trades, {bare}.")
        what = f"{symbols} symbols x {BARS:,} bars, {symbols * BARS / median(ours['warm']):,.0f} bars a second"
        results += [
            _beside(what, ours, "a bare numba loop", bare, rounds),
            _beside(what, ours, "vectorbt's from_signals", theirs, rounds),
            Memory(f"extra memory at {symbols} symbols", ours["extra"], "vectorbt", theirs["extra"], ours["inputs"]),
        ]
        if symbols == 1:
            results.append(_beside(what, ours, "backtrader", told("backtrader", folder, 1, peers), 1))
    folder = written(50, PAIRS)
    sweep = told("ours", folder, rounds), told("vectorbt", folder, rounds, peers)
    results.append(_beside(f"{len(PAIRS)} pairs at 50 symbols", sweep[0], "vectorbt", sweep[1], rounds))
    folder = written(50, [PAIR])
    fresh = [told(name, folder, 0, *of) for name, of in (("ours", ()), ("vectorbt", (peers,)))]
    results.append(Result("a fresh process at 50 symbols", fresh[0]["whole"], "vectorbt's", fresh[1]["whole"]))
    return results


def _beside(what: str, ours: Any, name: str, theirs: Any, rounds: int) -> Result:
    return Result(what, median(ours["warm"]), name, median(theirs["warm"]), rounds)


def written(symbols: int, pairs: Any) -> Path:
    """Random walks that open where they closed, and where each pair's fast average is above the slow one."""
    folder = CACHE / f"{symbols}-{len(pairs)}"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    walks = 100 * np.exp(random.normal(0, 0.003, (BARS, symbols)).cumsum(axis=0))
    closed = np.round(np.clip(walks, 1, 5_000), 4)
    np.save(folder / "close.npy", closed)
    np.save(folder / "open.npy", np.vstack([closed[:1], closed[:-1]]))
    signals = [average(closed, fast) > average(closed, slow) for fast, slow in pairs]
    np.save(folder / "signals.npy", np.array(signals))
    return folder


def average(prices: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float64]:
    """Of the last `length` prices of each column; NaN before."""
    sums = np.vstack([np.zeros((1, prices.shape[1])), prices.cumsum(axis=0)])
    averages = np.full_like(prices, np.nan)
    averages[length - 1 :] = (sums[length:] - sums[:-length]) / length
    return averages


def told(engine: str, folder: Path, rounds: int, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """What bench/engines.py says of one engine."""
    program = Path(__file__).with_name("engines.py")
    finished = subprocess.run(  # noqa: S603  our own program
        [str(python), "-W", "ignore", str(program), engine, str(folder), str(rounds)],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise RuntimeError(f"{engine} failed:\n{finished.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def environment_of_peers() -> Path:
    """The interpreter of an environment with the peers, made where there is none."""
    folder = CACHE / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603  our own arguments
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)  # noqa: S603  pinned above
    return python
