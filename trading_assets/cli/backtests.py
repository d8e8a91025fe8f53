"""`trading backtest` and `trading sweep`: configurations tried on stored bars, with a table and a record of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from trading_assets.adapters.backtests import Result
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.sweeps import SweepResult
    from trading_assets.domain.backtest import MarketRecord
    from trading_assets.domain.performance.walk_forward import WalkForward
    from trading_assets.settings import TradingSettings

NOT_ENOUGH_DATA = "-"
MOST_TRIALS_SHOWN = 20
DAY = click.DateTime(["%Y-%m-%d"])

_first = click.option("--from", "first", type=DAY, help="First session; by default the first one that is stored.")
_last = click.option("--to", "last", type=DAY, help="Last session; by default the last one that is stored.")
_set = click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Another value than in trading.yaml.")
_name = click.option("--name", help="What to call it in tables.")


@click.command()
@_first
@_last
@_set
@_name
def backtest(first: datetime | None, last: datetime | None, changes: tuple[str, ...], name: str | None) -> None:
    """Trade stored bars in memory, with the whole risk review; the account's ledger is not touched."""
    from trading_assets.adapters.backtest_report import backtest_report, write_report
    from trading_assets.adapters.backtests import plan_backtest, run_backtest, tried_strategies
    from trading_assets.adapters.postgres.analytics import buy_and_hold_returns
    from trading_assets.adapters.postgres.backtests import sharpes_tried, store_backtest
    from trading_assets.settings import overridden

    overrides = _overrides(changes)
    with _desk(first, last, lambda settings: [overridden(settings, overrides)]) as desk:
        plan = plan_backtest(desk.settings, desk.record, overrides, name)
        with _progress(desk.console, f"Trading {plan.first} to {plan.last}") as report:
            result = run_backtest(plan, desk.record, desk.data_hash, report)
        with desk.database.transaction() as connection:
            is_new = store_backtest(connection, result)
            tried = sharpes_tried(connection, tried_strategies(overrides, plan.settings.strategies))
        with desk.console.status("Drawing the report"):
            held = buy_and_hold_returns(desk.database, plan.settings.universe, result.summary.sessions)
            path = write_report(backtest_report(result, held, tried), desk.home)
        desk.console.print(_heading(result), markup=False, soft_wrap=True)
        desk.console.print(_figures(result))
        known = "stored" if is_new else "it was stored before, and came out the same"
        desk.console.print(f"Backtest {result.backtest_id}: {known}.", markup=False, soft_wrap=True)
        desk.console.print(f"Report: {path}", markup=False, soft_wrap=True)


@click.command()
@click.argument("backtests", nargs=-1, required=True, metavar="BACKTEST...")
def compare(backtests: tuple[str, ...]) -> None:
    """Put stored backtests side by side in one page; of a single sweep all of its trials.

    BACKTEST is the id or the name of a backtest, or the id or the name of a sweep.
    """
    from trading_assets.adapters.backtests import identity, report_path
    from trading_assets.adapters.comparison import render_comparison, render_sweep
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.schema import migrate
    from trading_assets.adapters.postgres.stored_backtests import stored_backtests, stored_sweep
    from trading_assets.adapters.report_style import replace_file
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment

    environment = load_environment()
    with existing_database(environment) as url:
        migrate(url)
        with Database(url).transaction() as connection:
            sweep = stored_sweep(connection, backtests[0]) if len(backtests) == 1 else None
            found = [] if sweep else stored_backtests(connection, backtests)
    page, name = (
        (render_sweep(sweep), sweep.sweep_id)
        if sweep
        else (render_comparison(found), "comparison-" + identity([one.backtest_id for one in found]))
    )
    path = report_path(environment.home, name)
    replace_file(path, page.encode())
    click.echo(f"Comparison: {path}")


@click.command()
@_first
@_last
@_set
@_name
@click.option("--grid", "grid", multiple=True, required=True, metavar="KEY=A,B,C", help="Values of a key to combine.")
@click.option("--random", "sample", type=click.IntRange(min=1), help="Try so many combinations, drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of --random: the same seed, the same trials.")
@click.option(
    "--walk-forward",
    "walk_forward",
    metavar="train=252,test=63",
    help="Choose on a training window, trade the test window behind it; also embargo=5 and purge=20, in sessions.",
)
def sweep(
    first: datetime | None,
    last: datetime | None,
    changes: tuple[str, ...],
    name: str | None,
    grid: tuple[str, ...],
    sample: int | None,
    seed: int,
    walk_forward: str | None,
) -> None:
    """Try combinations of parameters, and say what the best of so many is worth."""
    from trading_assets.adapters.backtests import report_path
    from trading_assets.adapters.comparison import render_sweep
    from trading_assets.adapters.postgres.backtests import sharpes_tried, store_sweep
    from trading_assets.adapters.postgres.stored_backtests import stored_sweep
    from trading_assets.adapters.report_style import replace_file
    from trading_assets.adapters.sweeps import Search, run_sweep
    from trading_assets.domain.kernel.compiler import keep_in

    search = Search(_grid(grid), sample, seed)
    windows = _walk_forward(walk_forward) if walk_forward else None
    overrides = _overrides(changes)
    with _desk(first, last, lambda settings: search.settings_tried(settings, overrides)) as desk:
        keep_in(desk.home / "compiled")
        with _progress(desk.console, "Trials") as report, desk.database.transaction() as connection:
            result = run_sweep(
                desk.settings,
                desk.record,
                desk.data_hash,
                search,
                windows,
                name,
                overrides,
                report=report,
                tried_before=lambda sweep_id, strategies: sharpes_tried(connection, strategies, sweep_id),
                tell=desk.console.print,
            )
            store_sweep(connection, result)
            stored = stored_sweep(connection, result.sweep_id)
        assert stored is not None  # noqa: S101  a moment ago
        path = report_path(desk.home, result.sweep_id)
        replace_file(path, render_sweep(stored).encode())
        _tell(desk.console, result)
        desk.console.print(f"Report: {path}", markup=False, soft_wrap=True)


# What a user types --------------------------------------------------------------------------------


def _overrides(changes: Sequence[str]) -> dict[str, Any]:
    from trading_assets.settings import read_override

    return dict(map(read_override, changes))


def _grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    grid = dict(map(_values, texts))
    if len(grid) < len(texts):
        raise click.UsageError("--grid names a key twice: give all values of a key together, KEY=A,B,C.")
    return grid


def _values(text: str) -> tuple[str, list[Any]]:
    """Key and values of `risk.max_position=0.1,0.2`."""
    from trading_assets.settings import read_override

    key, separator, values = text.partition("=")
    return read_override(f"{key}=[{values}]" if separator else key)


def _walk_forward(text: str) -> WalkForward:
    from trading_assets.domain.performance.walk_forward import WalkForward

    try:
        lengths = {key.strip(): int(value) for key, _, value in (part.partition("=") for part in text.split(","))}
        return WalkForward(**lengths)
    except (TypeError, ValueError) as error:
        raise click.UsageError(
            f"--walk-forward {text}: write train=252,test=63,embargo=5,purge=0 ({error})."
        ) from error


# The database and what it holds -------------------------------------------------------------------


Tried = Callable[["TradingSettings"], "Sequence[TradingSettings]"]
"""The settings that are tried, all of the same universe, by those of trading.yaml."""


@dataclass(frozen=True)
class _Desk:
    console: Console
    database: Database
    settings: TradingSettings
    record: MarketRecord
    data_hash: str
    home: Path


@contextmanager
def _desk(first: datetime | None, last: datetime | None, tried: Tried) -> Iterator[_Desk]:
    """Settings, and the stored bars that those `tried` read of the sessions asked for, while the database answers."""
    from rich.console import Console

    from trading_assets.adapters.clock import clock_of
    from trading_assets.adapters.errors import NotFound
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.adapters.postgres.market_record import data_hash, read_market_record, traded_sessions
    from trading_assets.adapters.postgres.schema import migrate
    from trading_assets.services import existing_database
    from trading_assets.settings import load_environment, load_trading_settings

    console = Console(highlight=False)
    settings = load_trading_settings()
    read, *others = tried(settings)
    environment = load_environment()
    with existing_database(environment) as url:
        database = Database(url)
        with console.status("Reading bars"):
            migrate(url)
            stored = traded_sessions(database, read)
            if stored is None:
                raise NotFound("No bars of the universe are stored: run `make demo` or `trading backfill` first.")
            begin, end = (asked.date() if asked else known for asked, known in zip((first, last), stored, strict=True))
            now = clock_of(settings, database).now()
            record = read_market_record(database, read, begin, end, now, others)
            of_data = data_hash(record)
        yield _Desk(console, database, settings, record, of_data, environment.home)


@contextmanager
def _progress(console: Console, label: str) -> Iterator[Any]:
    """A bar that moves with every trial or bar close; nothing where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# What a user sees ---------------------------------------------------------------------------------


def _heading(result: Result) -> str:
    plan = result.plan
    return f"{plan.name}: sessions {plan.first} to {plan.last}, configuration {plan.settings.fingerprint()}"


def _figures(result: Result) -> Table:
    from rich.table import Table

    figures = result.summary.figures
    table = Table("", "Backtest")
    table.columns[1].justify = "right"
    for label, value in (
        ("Total return", _percent(figures.total_return_pct)),
        ("CAGR", _percent(figures.cagr_pct)),
        ("Volatility, annual", _percent(figures.volatility_pct)),
        ("Max drawdown", _percent(figures.max_drawdown_pct)),
        ("Sharpe ratio", _ratio(figures.sharpe)),
        ("Probability of a Sharpe ratio above 0", _ratio(figures.psr)),
        ("Sortino ratio", _ratio(figures.sortino)),
        ("Exposure, average", _percent(figures.exposure_pct)),
        ("Equity", f"{figures.final_equity_usd:,.2f} USD"),
        ("Trades, closed", f"{figures.trades:,}"),
        ("Won", _percent(figures.win_rate_pct)),
        ("Fills", f"{figures.fills:,}"),
        ("Denied by risk", f"{figures.denied:,}"),
        ("Fees", f"{figures.fees_usd:,.2f} USD"),
    ):
        table.add_row(label, value)
    return table


def _tell(console: Console, result: SweepResult) -> None:
    where = "out of sample" if result.folds else "in sample"
    console.print(
        f"{result.name}: {len(result.trials)} trials, sessions {result.first} to {result.last}, {where}", markup=False
    )
    if result.left_out:
        console.print(f"{result.left_out} combinations are left out: the settings do not accept them.")
    console.print(_trials(result))
    if len(result.trials) > MOST_TRIALS_SHOWN:
        console.print(f"The best {MOST_TRIALS_SHOWN}; all are in strategy.backtests, sweep_id {result.sweep_id}.")
    if result.out_of_sample is not None:
        console.print(_folds(result))
        _tell_worth(console, "Walk-forward, chosen on training windows only", result.out_of_sample, result)
    best = result.trials[result.ranked()[0]]
    _tell_worth(console, f"Best of {len(result.trials)} trials", best, result)


def _tell_worth(console: Console, label: str, one: Result, sweep: SweepResult) -> None:
    """The Sharpe ratio never stands without the number of trials and what it is worth after so many."""
    deflated = (
        sweep.deflated_out_of_sample
        if one is sweep.out_of_sample
        else sweep.deflated_sharpes[list(sweep.trials).index(one)]
    )
    before = f" and {sweep.earlier_trials} earlier ones" if sweep.earlier_trials else ""
    console.print(
        f"{label}: Sharpe ratio {_ratio(one.summary.figures.sharpe)}; with {len(sweep.trials)} trials{before} the "
        f"deflated Sharpe ratio is {_ratio(deflated)} (the probability that it is more than luck; 0.95 convinces).",
        markup=False,
        soft_wrap=True,
    )


def _trials(result: SweepResult) -> Table:
    from rich.table import Table

    keys = list(result.search.parameters)
    table = Table("Trial", *_headings(keys))
    for name in ("Sharpe", "Deflated", "Return", "Drawdown", "Trades"):
        table.add_column(name, justify="right")
    for at in result.ranked()[:MOST_TRIALS_SHOWN]:
        one, figures = result.trials[at], result.trials[at].summary.figures
        table.add_row(
            str(at + 1),
            *(str(one.plan.overrides[key]) for key in keys),
            _ratio(figures.sharpe),
            _ratio(result.deflated_sharpes[at]),
            _percent(figures.total_return_pct),
            _percent(figures.max_drawdown_pct),
            str(figures.trades),
        )
    return table


def _headings(keys: Sequence[str]) -> list[str]:
    """The last part of each key; the keys without what they have in common where that would not tell them apart."""
    last = [key.rpartition(".")[2] for key in keys]
    if len(set(last)) == len(keys):
        return last
    return [key.removeprefix("strategies.").replace(".parameters.", ".") for key in keys]


def _folds(result: SweepResult) -> Table:
    from rich.table import Table

    table = Table("Training window", "Test window", "Chosen trial", "Training Sharpe")
    for fold in result.folds:
        window = fold.window
        table.add_row(
            f"{window.train_first} to {window.train_last}",
            f"{window.test_first} to {window.test_last}",
            str(fold.chosen + 1),
            _ratio(fold.train_sharpes[fold.chosen]),
        )
    return table


def _percent(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:+.2f} %"


def _ratio(value: float | None) -> str:
    return NOT_ENOUGH_DATA if value is None else f"{value:.2f}"
