"""The schema `strategy`: what backtests and sweeps gave. Only ever added to; the same result again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from trading_assets.adapters.backtests import Result, configuration_id
from trading_assets.adapters.postgres.database import Table, append_once
from trading_assets.domain.performance.summary import Figures

if TYPE_CHECKING:
    from trading_assets.adapters.sweeps import Fold, SweepResult

FIGURES = tuple(field.name for field in fields(Figures))
RUN_COLUMNS = ("known_at", "started_at", "finished_at")
BACKTEST_COLUMNS = (
    "backtest_id",
    "name",
    "kind",
    "sweep_id",
    "trial_no",
    "fingerprint",
    "overrides",
    "configuration",
    "code_versions",
    "sources",
    "first_session",
    "last_session",
    "data_hash",
    *RUN_COLUMNS,
    "deflated_sharpe",
    *FIGURES,
)
# Another run of the same backtest has times of its own; everything else must come out the same.
BACKTESTS = Table(
    "strategy.backtests", ("backtest_id",), tuple(name for name in BACKTEST_COLUMNS[1:] if name not in RUN_COLUMNS)
)
EQUITY_COLUMNS = ("backtest_id", "session_date", "equity_usd", "return_pct", "drawdown_pct")
EQUITY = Table("strategy.backtest_equity", EQUITY_COLUMNS[:2], EQUITY_COLUMNS[2:])
TRADE_FACTS = (
    "strategy",
    "symbol",
    "is_long",
    "opened_at",
    "closed_at",
    "entry_qty",
    "entry_usd",
    "exit_usd",
    "dividends_usd",
    "fees_usd",
    "net_pnl_usd",
)
TRADES = Table("strategy.backtest_trades", ("backtest_id", "trade_no"), TRADE_FACTS)
SWEEP_COLUMNS = (
    "sweep_id",
    "name",
    "method",
    "parameters",
    "seed",
    "walk_forward",
    "trials",
    "left_out",
    "earlier_trials",
    "first_session",
    "last_session",
    "started_at",
    "finished_at",
)
SWEEPS = Table("strategy.sweeps", ("sweep_id",), SWEEP_COLUMNS[1:-2])
FOLD_COLUMNS = (
    "sweep_id",
    "fold_no",
    "trial_no",
    "train_first",
    "train_last",
    "test_first",
    "test_last",
    "train_sharpe",
    "is_chosen",
)
FOLDS = Table("strategy.sweep_folds", FOLD_COLUMNS[:3], FOLD_COLUMNS[3:])


def store_backtest(connection: psycopg.Connection, result: Result) -> int:
    """Store a backtest that belongs to no sweep; returns 1, or 0 when it was stored before.

    Raises LedgerConflict when the same backtest gave something else before.
    """
    return _store(connection, [_Row(result, "single")])


def store_sweep(connection: psycopg.Connection, sweep: SweepResult) -> int:
    """Store a sweep, all its trials and its folds; returns the number of new backtests. Raises LedgerConflict."""
    append_once(connection, SWEEPS, SWEEP_COLUMNS, [_sweep_row(sweep)])
    rows = [
        _Row(trial, "trial", sweep.sweep_id, number, deflated)
        for number, (trial, deflated) in enumerate(zip(sweep.trials, sweep.deflated_sharpes, strict=True), start=1)
    ]
    if sweep.out_of_sample is not None:
        rows.append(_Row(sweep.out_of_sample, "walk_forward", sweep.sweep_id, None, sweep.deflated_out_of_sample))
    append_once(connection, FOLDS, FOLD_COLUMNS, _fold_rows(sweep.sweep_id, sweep.folds))
    return _store(connection, rows)


def newest_overrides(connection: psycopg.Connection, name: str) -> tuple[Mapping[str, Any], date, date] | None:
    """The overrides and the sessions of the newest backtest called `name`; None when there is none."""
    row = connection.execute(
        "select overrides, first_session, last_session from strategy.backtests "
        "where name = %s and kind = 'single' order by finished_at desc limit 1",
        (name,),
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def sharpes_tried(
    connection: psycopg.Connection, strategies: Collection[str], before_sweep: str | None = None
) -> dict[str, float]:
    """The newest Sharpe ratio a year of every configuration of these strategies that was tried, by configuration_id.

    A backtest tries the strategies whose settings it changes, and one that changes none tries all that it trades. What
    is part of the sweep `before_sweep`, or came after it, does not count. Walk-forwards are no configuration.
    """
    rows = connection.execute(
        """
        select fingerprint, code_versions, sources, coalesce(sharpe, 0)
        from strategy.backtests
        cross join lateral (
            select array_agg(split_part(key, '.', 2)) filter (where key like 'strategies.%%') as named
            from jsonb_object_keys(overrides) as key
        ) as changed
        where kind <> 'walk_forward'
          and case when named is null then code_versions ?| %(strategies)s else named && %(strategies)s end
          and (%(sweep)s::text is null or sweep_id is distinct from %(sweep)s)
          and finished_at < coalesce((select finished_at from strategy.sweeps where sweep_id = %(sweep)s), 'infinity')
        order by finished_at, backtest_id
        """,
        {"strategies": list(strategies), "sweep": before_sweep},
    ).fetchall()
    return {configuration_id(*facts): sharpe for *facts, sharpe in rows}


class _Row:
    """A backtest and what it belongs to."""

    def __init__(
        self,
        result: Result,
        kind: str,
        sweep_id: str | None = None,
        trial_no: int | None = None,
        deflated_sharpe: float | None = None,
    ) -> None:
        self.result = result
        self.belonging = (kind, sweep_id, trial_no)
        self.deflated_sharpe = deflated_sharpe

    def backtest(self) -> tuple[Any, ...]:
        result, plan = self.result, self.result.plan
        figures = result.summary.figures
        return (
            result.backtest_id,
            plan.name,
            *self.belonging,
            plan.settings.fingerprint(),
            _json(plan.overrides),
            _json(plan.configuration),
            _json(plan.code_versions),
            _json(plan.sources),
            plan.first,
            plan.last,
            result.data_hash,
            result.known_at,
            result.started_at,
            result.finished_at,
            self.deflated_sharpe,
            *asdict(figures).values(),
        )

    def equity(self) -> Iterable[tuple[Any, ...]]:
        summary = self.result.summary
        percentages = (100 * summary.returns).tolist(), (100 * summary.drawdowns).tolist()
        for day, equity, change, depth in zip(summary.sessions, summary.equity_usd, *percentages, strict=True):
            yield self.result.backtest_id, day, equity, change, depth

    def trades(self) -> Iterable[tuple[Any, ...]]:
        for number, trip in enumerate(self.result.summary.trips, start=1):
            yield self.result.backtest_id, number, *(getattr(trip, name) for name in TRADE_FACTS)


def _store(connection: psycopg.Connection, rows: Sequence[_Row]) -> int:
    written = append_once(connection, BACKTESTS, BACKTEST_COLUMNS, [row.backtest() for row in rows])
    append_once(connection, EQUITY, EQUITY_COLUMNS, (point for row in rows for point in row.equity()))
    columns = ("backtest_id", "trade_no", *TRADE_FACTS)
    append_once(connection, TRADES, columns, (trade for row in rows for trade in row.trades()))
    return written


def _sweep_row(sweep: SweepResult) -> tuple[Any, ...]:
    search = sweep.search
    return (
        sweep.sweep_id,
        sweep.name,
        "grid" if search.sample is None else "random",
        _json(search.parameters),
        None if search.sample is None else search.seed,
        None if sweep.walk_forward is None else _json(asdict(sweep.walk_forward)),
        len(sweep.trials),
        sweep.left_out,
        sweep.earlier_trials,
        sweep.first,
        sweep.last,
        sweep.started_at,
        sweep.finished_at,
    )


def _fold_rows(sweep_id: str, folds: Sequence[Fold]) -> Iterable[tuple[Any, ...]]:
    for number, fold in enumerate(folds, start=1):
        for trial, sharpe in enumerate(fold.train_sharpes):
            window = fold.window
            days = (window.train_first, window.train_last, window.test_first, window.test_last)
            yield sweep_id, number, trial + 1, *days, sharpe, trial == fold.chosen


def _json(facts: Any) -> Jsonb:
    return Jsonb(facts, dumps=lambda content: json.dumps(content, sort_keys=True, default=str))
