"""Backtests as they are stored in the schema `strategy`, read again to be put side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.performance.returns import Floats
from trading_assets.domain.performance.summary import Figures

FACTS = (
    "backtest_id",
    "name",
    "kind",
    "trial_no",
    "overrides",
    "configuration",
    "code_versions",
    "sources",
    "deflated_sharpe",
)
FIGURES = tuple(field.name for field in fields(Figures))


@dataclass(frozen=True, slots=True, eq=False)
class StoredBacktest:
    """One backtest. `returns` (ratios) have one element a session; `configuration` is nested as in trading.yaml."""

    backtest_id: str
    name: str
    kind: str
    trial_no: int | None
    overrides: Mapping[str, Any]
    configuration: Mapping[str, Any]
    code_versions: Mapping[str, str]
    sources: Mapping[str, str]
    deflated_sharpe: float | None
    figures: Figures
    sessions: Sequence[date]
    returns: Floats

    @property
    def is_survivorship_biased(self) -> bool:
        """Whether its universe was a plain list of symbols, not members with dates."""
        return "members" not in self.configuration


@dataclass(frozen=True, slots=True, eq=False)
class StoredSweep:
    """A search: its trials in their order, and the walk-forward account where there is one."""

    sweep_id: str
    name: str
    parameters: Mapping[str, Sequence[Any]]
    left_out: int
    earlier_trials: int
    trials: Sequence[StoredBacktest]
    out_of_sample: StoredBacktest | None


def stored_backtests(connection: psycopg.Connection, wanted: Sequence[str]) -> list[StoredBacktest]:
    """The backtests with these ids or names, of a name the newest one that belongs to no sweep. Raises NotFound."""
    found = []
    for one in wanted:
        row = connection.execute(
            "select backtest_id from strategy.backtests where backtest_id = %(one)s or (name = %(one)s and "
            "kind = 'single') order by backtest_id = %(one)s desc, finished_at desc limit 1",
            {"one": one},
        ).fetchone()
        if row is None:
            raise NotFound(f"No backtest or sweep has the id or the name {one!r}.")
        found.append(row[0])
    by_id = {one.backtest_id: one for one in _read(connection, sql.SQL("backtest_id = any(%(chosen)s)"), found)}
    return [by_id[backtest_id] for backtest_id in dict.fromkeys(found)]


def stored_sweep(connection: psycopg.Connection, wanted: str) -> StoredSweep | None:
    """The sweep with this id, or the newest with this name; None when there is none."""
    row = connection.execute(
        "select sweep_id, name, parameters, left_out, earlier_trials from strategy.sweeps "
        "where sweep_id = %(one)s or name = %(one)s order by sweep_id = %(one)s desc, finished_at desc limit 1",
        {"one": wanted},
    ).fetchone()
    if row is None:
        return None
    found = _read(connection, sql.SQL("sweep_id = any(%(chosen)s)"), [row[0]])
    trials = [one for one in found if one.kind == "trial"]
    sweep_id, name, parameters, left_out, earlier = row
    stitched = next((one for one in found if one.kind == "walk_forward"), None)
    return StoredSweep(sweep_id, name, parameters, left_out, earlier, trials, stitched)


def newest_backtests(connection: psycopg.Connection, since: datetime, most: int) -> list[tuple[str, datetime]]:
    """Id and time (UTC) of the backtests that finished from `since` (UTC) on and belong to no sweep, oldest first."""
    rows = connection.execute(
        "select backtest_id, finished_at from strategy.backtests where kind = 'single' and finished_at >= %s "
        "order by finished_at, backtest_id limit %s",
        (since, most),
    )
    return [(backtest_id, finished_at.astimezone(UTC)) for backtest_id, finished_at in rows]


def _read(connection: psycopg.Connection, condition: sql.SQL, chosen: Sequence[str]) -> list[StoredBacktest]:
    """The chosen backtests, those of a sweep in the order of its trials."""
    query = sql.SQL("select {} from strategy.backtests where {} order by trial_no, backtest_id").format(
        sql.SQL(", ").join(map(sql.Identifier, [*FACTS, *FIGURES])), condition
    )
    rows = connection.execute(query, {"chosen": list(chosen)}).fetchall()
    equity = select(
        connection,
        _Session,
        "select backtest_id, session_date, return_pct from strategy.backtest_equity "
        "where backtest_id = any(%(chosen)s) order by backtest_id, session_date",
        chosen=[row[0] for row in rows],
    )
    of: dict[str, list[_Session]] = {}
    for one in equity:
        of.setdefault(one.backtest_id, []).append(one)
    found = []
    for row in rows:
        facts: dict[str, Any] = dict(zip(FACTS, row, strict=False))
        lived = of[row[0]]
        found.append(
            StoredBacktest(
                **facts,
                figures=Figures(*row[len(FACTS) :]),
                sessions=[one.session_date for one in lived],
                returns=np.array([one.return_pct for one in lived]) / 100,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Session:
    backtest_id: str
    session_date: date
    return_pct: float
