"""What the risk page shows of one account: its newest measurement, limits, breakers, states and denials. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, LiteralString

import psycopg

from trading_assets.adapters.postgres.analytics import ReportedAccount, reported_account
from trading_assets.adapters.postgres.breakers import tripped_breakers
from trading_assets.adapters.postgres.records import rows, select
from trading_assets.adapters.postgres.trading_states import state_changes
from trading_assets.domain.journal import BreakerEvent
from trading_assets.domain.risk.alerts import AlertState
from trading_assets.domain.risk.trading_states import StateChange, concerning, in_force
from trading_assets.domain.risk.verdicts import TradingState

LISTED_DENIALS = 12
PAST_CHECKS = 60
PAST_SESSIONS = 252


@dataclass(frozen=True, slots=True)
class LimitStanding:
    """One limit at its last check, with the used shares of it at the checks before, oldest first (None: unknown)."""

    limit_name: str
    value: Decimal | None
    limit_value: Decimal
    detail: str
    missing: str | None
    state: AlertState
    since: datetime | None
    checked_at: datetime
    used_before: Sequence[float | None]

    @property
    def used(self) -> Decimal | None:
        return None if self.value is None else self.value / self.limit_value


@dataclass(frozen=True, slots=True)
class NewestRisk:
    """The newest measurement as it is stored (risk.portfolio_risk); USD of the tail are profits, a loss is negative."""

    at: datetime
    session_date: date
    marked_at: datetime
    equity_usd: Decimal
    positions: int
    gross_usd: float
    net_usd: float
    leverage: float | None
    largest_symbol: str | None
    largest_usd: float
    herfindahl: float | None
    benchmark: str
    beta: float | None
    beta_missing: str | None
    tail_sessions: int
    var_95_usd: float | None
    cvar_95_usd: float | None
    var_99_usd: float | None
    cvar_99_usd: float | None
    parametric_var_95_usd: float | None
    parametric_cvar_95_usd: float | None
    parametric_var_99_usd: float | None
    parametric_cvar_99_usd: float | None
    mean_correlation: float | None
    tail_missing: str | None


@dataclass(frozen=True, slots=True)
class PositionStanding:
    symbol: str
    sector: str
    value_usd: float
    return_count: int
    beta: float | None
    volatility_pct: float | None
    component_var_95_usd: float | None
    component_cvar_95_usd: float | None


@dataclass(frozen=True, slots=True)
class Denial:
    decision_at: datetime
    strategy: str
    side: str
    requested_qty: Decimal
    approved_qty: Decimal
    symbol: str
    outcome: str
    reason_codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class PastRisk:
    """A session's last measurement: shares of equity."""

    session_date: date
    var_95: float | None
    var_99: float | None
    gross: float
    net: float


@dataclass(frozen=True, slots=True)
class RiskOverview:
    """One account as of `now` (UTC). `newest` is None before the first measurement; the parts are those of it."""

    account: ReportedAccount
    now: datetime
    newest: NewestRisk | None
    limits: Sequence[LimitStanding]
    positions: Sequence[PositionStanding]
    sectors: Sequence[tuple[str, float, float]]
    stress: Sequence[tuple[str, float | None, str]]
    correlations: Sequence[tuple[str, str, float]]
    past: Sequence[PastRisk]
    breakers: Sequence[BreakerEvent]
    states: Sequence[StateChange]
    denials: Sequence[Denial]


def risk_overview(connection: psycopg.Connection, now: datetime) -> RiskOverview:
    """The account that traded last. Raises NotFound before the first."""
    account = reported_account(connection)
    known: dict[str, Any] = {"account_id": account.account_id, "now": now}
    found = select(connection, NewestRisk, _NEWEST.replace("*", _columns(NewestRisk)), **known)
    newest = found[0] if found else None
    part = {"account_id": account.account_id, "at": newest.at if newest else None}
    changes = concerning(state_changes(connection), account.account_id)
    return RiskOverview(
        account=account,
        now=now,
        newest=newest,
        limits=[
            LimitStanding(**{**row, "state": AlertState(row["state"])})
            for row in rows(connection, _LIMITS, **known, past=PAST_CHECKS)
        ],
        positions=select(connection, PositionStanding, _POSITIONS, **part),
        sectors=[(row["sector"], row["net_usd"], row["gross_usd"]) for row in rows(connection, _SECTORS, **part)],
        stress=[(row["scenario"], row["profit_usd"], row["basis"]) for row in rows(connection, _STRESS, **part)],
        correlations=[
            (row["symbol"], row["other_symbol"], row["correlation"]) for row in rows(connection, _CORRELATIONS, **part)
        ],
        past=select(connection, PastRisk, _PAST, **known, sessions=PAST_SESSIONS),
        breakers=sorted(
            tripped_breakers(connection, account.account_id, now).values(), key=lambda event: (event.at, event.breaker)
        ),
        states=[change for change in in_force(changes, now) if change.state is not TradingState.ACTIVE],
        denials=select(connection, Denial, _DENIALS, **known, listed=LISTED_DENIALS),
    )


def _columns(kind: type) -> LiteralString:
    return ", ".join(field.name for field in fields(kind))


_NEWEST: LiteralString = """
    select * from risk.portfolio_risk where account_id = %(account_id)s and at <= %(now)s order by at desc limit 1
"""
_LIMITS: LiteralString = """
    with checks as (
        select *, row_number() over (partition by limit_name order by at desc) as age from risk.limit_checks
        where account_id = %(account_id)s and at <= %(now)s
    ),
    past as (
        select limit_name, array_agg((value / limit_value)::float8 order by at) as used_before
        from checks where age <= %(past)s group by limit_name
    ),
    alerts as (
        select distinct on (limit_name) limit_name, state, at from risk.alert_events
        where account_id = %(account_id)s and at <= %(now)s order by limit_name, event_no desc
    )
    select checks.limit_name, checks.value, checks.limit_value, checks.detail, checks.missing,
           coalesce(alerts.state, 'clear') as state, alerts.at as since, checks.at as checked_at, used_before
    from checks join past using (limit_name)
    left join alerts using (limit_name)
    where age = 1
    order by checks.value / checks.limit_value desc nulls first, checks.limit_name
"""
_POSITIONS: LiteralString = """
    select symbol, sector, value_usd, return_count, beta, volatility_pct, component_var_95_usd, component_cvar_95_usd
    from risk.position_risk where account_id = %(account_id)s and at = %(at)s order by abs(value_usd) desc, symbol
"""
_SECTORS: LiteralString = """
    select sector, net_usd, gross_usd from risk.sector_risk
    where account_id = %(account_id)s and at = %(at)s order by gross_usd desc, sector
"""
_STRESS: LiteralString = """
    select scenario, profit_usd, basis from risk.stress_results
    where account_id = %(account_id)s and at = %(at)s order by scenario_no
"""
_CORRELATIONS: LiteralString = """
    select symbol, other_symbol, correlation from risk.correlations
    where account_id = %(account_id)s and at = %(at)s order by symbol, other_symbol
"""
_PAST: LiteralString = """
    select * from (
        select distinct on (session_date) session_date, var_95_usd / equity_usd::float8 as var_95,
               var_99_usd / equity_usd::float8 as var_99, gross_usd / equity_usd::float8 as gross,
               net_usd / equity_usd::float8 as net
        from risk.portfolio_risk
        where account_id = %(account_id)s and at <= %(now)s and equity_usd > 0
        order by session_date desc, at desc
        limit %(sessions)s
    ) as newest order by session_date
"""
_DENIALS: LiteralString = """
    select decision_at, strategy, side, requested_qty, approved_qty, symbol, outcome, reason_codes from risk.verdicts
    where account_id = %(account_id)s and outcome <> 'approved' and decision_at <= %(now)s
    order by decision_at desc, strategy, symbol limit %(listed)s
"""
