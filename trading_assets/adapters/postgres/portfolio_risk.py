"""Schema `risk`: what is measured of accounts, and what they risked at each measurement.

Measurements are computed from the ledger and may be replaced. How near limits are, and who was told, is in alerts.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from math import isfinite
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg import sql

from trading_assets.adapters.postgres.database import Table, copy_rows, merge
from trading_assets.adapters.postgres.records import rows, select
from trading_assets.domain.risk.portfolio_risk import Holdings, PortfolioRisk
from trading_assets.domain.risk.stress import MARKET_MOVES
from trading_assets.domain.risk.watched_limits import Measurement
from trading_assets.domain.values import decimal_of

CORRELATED_POSITIONS = 10
FLOATS = ("gross_usd", "net_usd", "largest_usd", "beta", "worst_fall_usd", "var_95_usd")


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at the bar close `marked_at` (UTC), the last of session `session_date` that it lived through.

    `start_equity_usd`: equity at the close of the session before, plus the flows of this one.
    """

    account_id: str
    session_date: date
    marked_at: datetime
    equity_usd: Decimal
    start_equity_usd: Decimal
    high_water_mark_usd: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredRisk:
    """The risk of an account at `at` (UTC), in session `session_date`, with the state that was measured."""

    at: datetime
    session_date: date
    state: AccountState
    holdings: Holdings
    benchmark: str
    risk: PortfolioRisk


# What is measured ------------------------------------------------------------------------------------


def account_states(
    connection: psycopg.Connection, account_id: str, first: date, last: date, now: datetime
) -> dict[date, AccountState]:
    """The account at the end of each session of first..last that it lived in, as far as it is known at `now`."""
    known = {"account_id": account_id, "first": first, "last": last, "now": now}
    return {state.session_date: state for state in select(connection, AccountState, _STATES, **known)}


def position_values(
    connection: psycopg.Connection, account_id: str, first: date, last: date
) -> dict[date, dict[str, Decimal]]:
    """USD values by symbol, over all strategies, at the end of each session of first..last; flat ones are absent."""
    values: dict[date, dict[str, Decimal]] = defaultdict(dict)
    for row in rows(connection, _VALUES, account_id=account_id, first=first, last=last):
        values[row["session_date"]][row["symbol"]] = row["value_usd"]
    return dict(values)


# Measurements ----------------------------------------------------------------------------------------


def store_measurements(connection: psycopg.Connection, measured: Sequence[MeasuredRisk]) -> int:
    """Store measurements with all their parts; returns how many are new or changed."""
    if not measured:
        return 0
    # Two runs at once would both insert the parts of the same measurement.
    connection.execute("select pg_advisory_xact_lock(hashtext('risk.portfolio_risk'))")
    written = merge(connection, RISK, RISK_COLUMNS, map(_risk_row, measured))
    account_id, moments = measured[0].state.account_id, [each.at for each in measured]
    for table, (columns, parts) in _PARTS.items():
        connection.execute(
            sql.SQL("delete from {} where account_id = %s and at = any(%s)").format(_identifier(table)),
            (account_id, moments),
        )
        keyed = (
            (each.state.account_id, each.at, each.session_date, *part) for each in measured for part in parts(each)
        )
        copy_rows(connection, _identifier(table), ("account_id", "at", "session_date", *columns), keyed)
    return written


def measurements(connection: psycopg.Connection, account_id: str, first: date, last: date) -> list[Measurement]:
    """What limits ask of the measurements of the sessions first..last, in order of time."""
    known = {"account_id": account_id, "first": first, "last": last, "falls": [fall.scenario for fall in MARKET_MOVES]}
    sectors: dict[datetime, dict[str, Decimal]] = defaultdict(dict)
    for row in rows(connection, _SECTORS, **known):
        sectors[row["at"]][row["sector"]] = decimal_of(row["gross_usd"])
    stored = rows(connection, _MEASUREMENTS, **known)
    for row in stored:
        row.update({name: _decimal(row[name]) for name in FLOATS})
    return [Measurement(**row, sectors=sectors.get(row["at"], {})) for row in stored]


def newest_measurement(connection: psycopg.Connection, account_id: str) -> tuple[datetime, datetime] | None:
    """When the newest measurement of the account is of, and when the newest was stored (UTC); None before the first."""
    row = connection.execute(
        "select max(at), max(measured_at) from risk.portfolio_risk where account_id = %s", (account_id,)
    ).fetchone()
    return (row[0], row[1]) if row and row[0] else None


def newest_fill(connection: psycopg.Connection, account_id: str, session_date: date) -> datetime | None:
    """When the last fill of the account in a session was recorded, by the database's clock."""
    row = connection.execute(
        "select max(recorded_at) from execution.fills where account_id = %s and session_date = %s",
        (account_id, session_date),
    ).fetchone()
    return row[0] if row else None


def forecasts_at_closes(
    connection: psycopg.Connection, account_id: str, until: date
) -> dict[date, tuple[float, float, float, float]]:
    """What was measured last in each session: historical VaR 95 and 99, parametric 95 and 99, shares of equity.

    A session without a value at risk, or without equity, is absent.
    """
    known = connection.execute(_FORECASTS, {"account_id": account_id, "until": until})
    return {session_date: tuple(figures) for session_date, *figures in known}


# Rows ------------------------------------------------------------------------------------------------

RISK_COLUMNS = (
    "account_id",
    "at",
    "session_date",
    "marked_at",
    "equity_usd",
    "start_equity_usd",
    "high_water_mark_usd",
    "positions",
    "gross_usd",
    "net_usd",
    "leverage",
    "largest_symbol",
    "largest_usd",
    "herfindahl",
    "benchmark",
    "beta",
    "beta_missing",
    "tail_sessions",
    "deviation_usd",
    "var_95_usd",
    "cvar_95_usd",
    "var_99_usd",
    "cvar_99_usd",
    "parametric_var_95_usd",
    "parametric_cvar_95_usd",
    "parametric_var_99_usd",
    "parametric_cvar_99_usd",
    "mean_correlation",
    "tail_missing",
)
_TAIL_COLUMNS = RISK_COLUMNS[18:27]
RISK = Table("risk.portfolio_risk", RISK_COLUMNS[:2], RISK_COLUMNS[2:])


def _risk_row(measured: MeasuredRisk) -> tuple[Any, ...]:
    state, risk = measured.state, measured.risk
    exposure, tail = risk.exposure, risk.tail
    figures = [None if tail is None else getattr(tail, name) for name in _TAIL_COLUMNS]
    return (
        state.account_id,
        measured.at,
        measured.session_date,
        state.marked_at,
        state.equity_usd,
        state.start_equity_usd,
        state.high_water_mark_usd,
        len(measured.holdings.symbols),
        exposure.gross_usd,
        exposure.net_usd,
        exposure.leverage,
        exposure.largest_symbol,
        exposure.largest_usd,
        exposure.herfindahl,
        measured.benchmark,
        risk.beta,
        risk.beta_missing,
        0 if tail is None else tail.sessions,
        *figures,
        _mean_correlation(risk),
        risk.tail_missing,
    )


def _mean_correlation(risk: PortfolioRisk) -> float | None:
    if risk.tail is None or len(risk.tail.correlations) < 2:
        return None
    return float(risk.tail.correlations[np.triu_indices(len(risk.tail.correlations), 1)].mean())


def _positions(measured: MeasuredRisk) -> Iterable[tuple[Any, ...]]:
    holdings, risk = measured.holdings, measured.risk
    for place, symbol in enumerate(holdings.symbols):
        contributions: tuple[float | None, ...] = (None, None, None)
        if risk.tail is not None:
            contributions = (
                float(risk.tail.marginal_var_95[place]),
                float(risk.tail.component_var_95_usd[place]),
                float(risk.tail.component_cvar_95_usd[place]),
            )
        yield (
            symbol,
            holdings.sectors[place],
            float(holdings.values_usd[place]),
            risk.return_counts[place],
            _finite(float(risk.betas[place])),
            _finite(float(risk.volatilities[place]) * 100),
            *contributions,
        )


def _sectors(measured: MeasuredRisk) -> Iterable[tuple[Any, ...]]:
    return ((name, *exposure) for name, exposure in measured.risk.exposure.sectors.items())


def _correlations(measured: MeasuredRisk) -> Iterable[tuple[Any, ...]]:
    if measured.risk.tail is None:
        return ()
    symbols, matrix = measured.holdings.symbols, measured.risk.tail.correlations
    largest = np.argsort(-np.abs(measured.holdings.values_usd), kind="stable")[:CORRELATED_POSITIONS]
    pairs = combinations(sorted(largest.tolist(), key=lambda place: symbols[place]), 2)
    return ((symbols[one], symbols[other], float(matrix[one, other])) for one, other in pairs)


def _stress(measured: MeasuredRisk) -> Iterable[tuple[Any, ...]]:
    return ((number, each.scenario, each.profit_usd, each.basis) for number, each in enumerate(measured.risk.stress, 1))


_PARTS: Mapping[str, tuple[tuple[str, ...], Any]] = {
    "risk.position_risk": (
        (
            "symbol",
            "sector",
            "value_usd",
            "return_count",
            "beta",
            "volatility_pct",
            "marginal_var_95",
            "component_var_95_usd",
            "component_cvar_95_usd",
        ),
        _positions,
    ),
    "risk.sector_risk": (("sector", "net_usd", "gross_usd"), _sectors),
    "risk.correlations": (("symbol", "other_symbol", "correlation"), _correlations),
    "risk.stress_results": (("scenario_no", "scenario", "profit_usd", "basis"), _stress),
}


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None


def _decimal(number: float | None) -> Decimal | None:
    return None if number is None else decimal_of(number)


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


# Queries ---------------------------------------------------------------------------------------------

_STATES: LiteralString = """
    with points as (
        select distinct on (session_date) session_date, at, equity_usd, flows_usd, high_water_mark_usd
        from execution.equity
        where account_id = %(account_id)s and session_date <= %(last)s and at <= %(now)s
        order by session_date, at desc
    ),
    sessions as (
        select *,
               lag(equity_usd, 1, 0::numeric) over (order by session_date)
                   + flows_usd - lag(flows_usd, 1, 0::numeric) over (order by session_date) as start_equity_usd
        from points
    )
    select %(account_id)s as account_id, session_date, at as marked_at, equity_usd, start_equity_usd,
           high_water_mark_usd
    from sessions where session_date >= %(first)s order by session_date
"""
_VALUES: LiteralString = """
    select session_date, symbol, sum(value_usd) as value_usd
    from execution.positions
    where account_id = %(account_id)s and session_date between %(first)s and %(last)s
    group by session_date, symbol
    having sum(qty) <> 0
    order by session_date, symbol
"""
_MEASUREMENTS: LiteralString = """
    select r.account_id, r.at, r.session_date, equity_usd, start_equity_usd, high_water_mark_usd, gross_usd, net_usd,
           largest_symbol, largest_usd, beta, worst.scenario as worst_fall, worst.profit_usd as worst_fall_usd,
           beta_missing, var_95_usd, tail_missing
    from risk.portfolio_risk as r
    left join lateral (
        select scenario, profit_usd from risk.stress_results as s
        where s.account_id = r.account_id and s.at = r.at and scenario = any(%(falls)s)
        order by profit_usd nulls first, scenario_no limit 1
    ) as worst on true
    where r.account_id = %(account_id)s and r.session_date between %(first)s and %(last)s
    order by r.at
"""
_SECTORS: LiteralString = """
    select at, sector, gross_usd from risk.sector_risk
    where account_id = %(account_id)s and session_date between %(first)s and %(last)s
"""
_FORECASTS: LiteralString = """
    select distinct on (session_date) session_date, var_95_usd / equity_usd::float8, var_99_usd / equity_usd::float8,
           parametric_var_95_usd / equity_usd::float8, parametric_var_99_usd / equity_usd::float8
    from risk.portfolio_risk
    where account_id = %(account_id)s and session_date <= %(until)s and equity_usd > 0 and var_95_usd is not null
    order by session_date, at desc
"""
