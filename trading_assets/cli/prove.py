"""`trading prove`: whether the configured strategies look ahead, and how many bars their decisions need."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console

    from trading_assets.domain.strategy.proofs import Proof
    from trading_assets.domain.strategy.strategy import ConfiguredStrategy
    from trading_assets.settings import TradingSettings


@click.command()
@click.argument("name", required=False)
def prove(name: str | None) -> None:
    """Prove over the stored history that strategies do not look ahead and declare enough bars to warm up.

    All strategies of trading.yaml, or the one called NAME. The answers are recorded; exit code 1 when one has failed.
    """
    from rich.console import Console

    from trading_assets.adapters.clock import WallClock
    from trading_assets.adapters.plugins import source_sha256
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.proofs import record_proof, stored_history
    from trading_assets.adapters.proving import lead_proofs, proof_limits
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    settings = load_trading_settings()
    strategies = _chosen(settings, name)
    console = Console(highlight=False)
    proofs: list[tuple[ConfiguredStrategy, Proof]] = []
    with existing_database(load_environment()) as url:
        database = Database(url)
        for configured in strategies:
            source = source_sha256(type(configured.strategy))
            history = stored_history(database, configured, settings.members, WallClock().now())
            with _progress(console, configured) as report:
                for proof in lead_proofs(configured, history, proof_limits(settings), report):
                    with database.transaction() as connection:
                        record_proof(connection, configured, source, proof)
                    proofs.append((configured, proof))
    console.print(_table(proofs))
    if not all(proof.passed for _, proof in proofs):
        raise SystemExit(1)


def _chosen(settings: TradingSettings, name: str | None) -> list[ConfiguredStrategy]:
    from trading_assets.adapters.plugins import load_strategies

    strategies = load_strategies(settings)
    chosen = [one for one in strategies if name in (None, one.name)]
    if not chosen:
        known = ", ".join(one.name for one in strategies) or "none"
        raise click.UsageError(f"trading.yaml configures no strategy {name or ''!r}; it has: {known}.")
    return chosen


@contextmanager
def _progress(console: Console, configured: ConfiguredStrategy) -> Iterator[Callable[[str, int, int], None]]:
    """A bar a proof; nothing where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def report(proof: str, done: int, total: int) -> None:
            if proof not in tasks:
                tasks[proof] = bar.add_task(f"{configured.name}: {proof}")
            bar.update(tasks[proof], completed=done, total=total)

        yield report


def _table(proofs: Sequence[tuple[ConfiguredStrategy, Proof]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Strategy", "Version", "Proof", "", "Bars", "Times", "Found")
    for configured, proof in proofs:
        verdict = "[green]passed[/green]" if proof.passed else "[red]failed[/red]"
        numbers = (f"{proof.bars:,}", str(proof.times))
        table.add_row(configured.name, configured.version, proof.name, verdict, *numbers, escape(proof.finding))
    return table
