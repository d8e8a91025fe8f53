"""`trading demo` and `trading backfill`: the whole graph over a range of sessions, with progress and an outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from trading_assets.range_run import Outcome, Progress

# The last three years of the sample history.
DEMO_FIRST, DEMO_LAST = "2010-03-01", "2013-03-01"
DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=DAY, default=DEMO_FIRST, show_default=DEMO_FIRST, help="First session.")
@click.option("--to", "last", type=DAY, default=DEMO_LAST, show_default=DEMO_LAST, help="Last session.")
def demo(first: datetime, last: datetime) -> None:
    """Trade the sample history from nothing to a report, and show how it went."""
    from trading_assets.cli.performance import show_performance
    from trading_assets.services import running_services
    from trading_assets.settings import load_environment

    # Held around the run, so that the servers still answer when the result is read.
    with running_services(load_environment()) as running:
        _materialise(first.date(), last.date())
        show_performance(running.required_database_url())


@click.command()
@click.option("--from", "first", type=DAY, required=True, help="First session.")
@click.option("--to", "last", type=DAY, required=True, help="Last session.")
@click.option("--refetch", is_flag=True, help="Ask the vendor again for bars that are stored, to get restated ones.")
def backfill(first: datetime, last: datetime, *, refetch: bool) -> None:
    """Materialise the whole graph for a range of sessions in one run.

    One that was interrupted goes on where it stopped.
    """
    _materialise(first.date(), last.date(), refetch=refetch)


def _materialise(first: date, last: date, *, refetch: bool = False) -> None:
    """Run the graph over the sessions first..last; a failed run ends the program with exit code 1."""
    from trading_assets.services import migrate_all, running_services, sole_holder
    from trading_assets.settings import load_environment, load_trading_settings

    if last < first:
        raise click.UsageError(f"The range ends on {last}, before it begins on {first}.")
    load_trading_settings()
    environment = load_environment()
    began = time.monotonic()
    with sole_holder(environment.home, "demo or backfill"), running_services(environment) as running:
        log = running.home / "logs" / f"run-{datetime.now():%Y%m%d-%H%M%S}.log"  # noqa: DTZ005  a person's own time
        with _terminal(log) as console:
            with console.status("Preparing the database"):
                migrate_all(running)
            outcome = _run_with_progress(console, first, last, refetch=refetch)
            _tell(console, outcome, log, time.monotonic() - began)
    if not outcome.is_success:
        raise click.exceptions.Exit(1)


@contextmanager
def _terminal(log: Path) -> Iterator[Console]:
    """The terminal for this program alone: whatever libraries and their processes print goes to `log`."""
    from rich.console import Console

    from trading_assets.range_run import output_to

    with os.fdopen(os.dup(1), "w") as terminal, output_to(log):
        yield Console(file=terminal, highlight=False)


def _run_with_progress(console: Console, first: date, last: date, *, refetch: bool) -> Outcome:
    with _progress(console) as report:
        from trading_assets.definitions import defs
        from trading_assets.defs.ingestion.history import REFETCH_TAG
        from trading_assets.range_run import run_sessions

        return run_sessions(defs, first, last, report, tags={REFETCH_TAG: "true"} if refetch else None)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; anywhere else one line a finished step, and what steps say of themselves."""
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    if not console.is_terminal:
        yield _line_printer(console)
        return
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Loading the graph and planning the run", total=None)
        yield lambda seen: bar.update(
            task,
            completed=seen.done,
            total=seen.total,
            description=f"{seen.step}  [dim]{escape(seen.said)}[/dim]" if seen.said else seen.step,
        )


def _line_printer(console: Console) -> Callable[[Progress], None]:
    last_done = 0

    def report(seen: Progress) -> None:
        nonlocal last_done
        if seen.said:
            console.print(f"{seen.step}: {seen.said}", markup=False, soft_wrap=True)
        elif seen.done > last_done:
            console.print(f"{seen.done}/{seen.total} {seen.step}", markup=False, soft_wrap=True)
            last_done = seen.done

    return report


def _tell(console: Console, outcome: Outcome, log: Path, seconds: float) -> None:
    if outcome.is_success:
        console.print(f"Sessions {outcome.first} to {outcome.last} are materialised, in {seconds:.0f} s.")
        return
    for problem in outcome.problems:
        console.print(f"[red]Failed[/red] {problem.step}: ", end="")
        console.print(problem.reason, markup=False, soft_wrap=True)
    console.print(f"What the run printed is in {log}", markup=False, soft_wrap=True)
