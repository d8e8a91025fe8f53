"""Timing, the throw-away state folder that a benchmark runs in, and how a result is shown."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trading_assets.adapters.embedded import EmbeddedPostgres
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.schema import migrate
from trading_assets.services import migrate_all, running_services
from trading_assets.settings import PROJECT_ROOT, Environment, publish_environment


@dataclass(frozen=True)
class Result:
    """Seconds of `what` beside those of `beside`, medians of `rounds`."""

    what: str
    seconds: float
    beside: str
    beside_seconds: float
    rounds: int = 1

    def __str__(self) -> str:
        ratio = self.seconds / self.beside_seconds
        times = "once" if self.rounds == 1 else f"median of {self.rounds}"
        both = f"{self.what}: {self.seconds:.3f} s; {self.beside}: {self.beside_seconds:.3f} s"
        return f"{both}; ratio {ratio:.3g} ({times})"


def seconds_of(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median(samples: Sequence[float]) -> float:
    return statistics.median(samples)


@contextmanager
def fresh_database() -> Iterator[Database]:
    """An empty database with the newest schema, on a server of its own in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as folder:
        server = EmbeddedPostgres(Path(folder))
        url = server.start()
        try:
            migrate(url)
            yield Database(url)
        finally:
            server.stop()


@contextmanager
def fresh_platform(**changes: Any) -> Iterator[Environment]:
    """Servers, an empty database and Dagster's home in a folder that is thrown away; trading.yaml with `changes`.

    Load trading_assets.definitions inside the block: it reads the configuration once.
    """
    with tempfile.TemporaryDirectory(prefix="trading-bench-") as folder:
        home = Path(folder)
        _write_configuration(home / "trading.yaml", changes)
        publish_environment({"TRADING_CONFIG": str(home / "trading.yaml")})
        with running_services(Environment(home=home)) as running:
            migrate_all(running)
            yield running


def _write_configuration(path: Path, changes: Mapping[str, Any]) -> None:
    content = yaml.safe_load((PROJECT_ROOT / "trading.yaml").read_text(encoding="utf-8"))
    timeframes = changes.get("timeframes")
    if timeframes:
        for strategy in content["strategies"].values():
            strategy["timeframe"] = timeframes[0]
    path.write_text(yaml.safe_dump(content | dict(changes)), encoding="utf-8")
