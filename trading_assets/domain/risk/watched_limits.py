"""Which limits are watched, and where the account stands against each: a table of small functions.

The pre-trade review asks what an order would lead to; here the account is taken as it is, so that a price that moved is
noticed too. When a limit counts as near is the business of alerts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from trading_assets.domain.risk.alerts import LimitCheck
from trading_assets.domain.values import ZERO


@dataclass(frozen=True, slots=True)
class Measurement:
    """One account at `at` (UTC), as far as limits ask for it. Money is USD; `sectors` are gross values by sector.

    `worst_fall` is the stress scenario of the market with the greatest loss, `worst_fall_usd` the profit in it. It and
    `beta` are None when `beta_missing` says why, `var_95_usd` when `tail_missing` does. A loss is negative.
    """

    account_id: str
    at: datetime
    session_date: date
    equity_usd: Decimal
    start_equity_usd: Decimal
    high_water_mark_usd: Decimal
    gross_usd: Decimal
    net_usd: Decimal
    largest_symbol: str | None
    largest_usd: Decimal
    sectors: Mapping[str, Decimal]
    beta: Decimal | None
    worst_fall: str | None
    worst_fall_usd: Decimal | None
    beta_missing: str | None
    var_95_usd: Decimal | None
    tail_missing: str | None


class Reading(NamedTuple):
    """`value` in the unit of the limit, with what it belongs to; None when `missing` says why."""

    value: Decimal | None
    detail: str = ""
    missing: str | None = None


class UnmeasurableError(ValueError):
    """A watched value has no meaning for this account now; the message says why."""


def drawdown(measured: Measurement) -> Reading:
    """How far equity has fallen below its high-water mark, as a share of that."""
    high = measured.high_water_mark_usd
    if high <= ZERO:
        raise UnmeasurableError(f"the high-water mark is {high:.2f} USD")
    return Reading(max(ZERO, high - measured.equity_usd) / high)


def session_loss(measured: Measurement) -> Reading:
    """Loss since the session's start, as a share of the equity then."""
    start = measured.start_equity_usd
    if start <= ZERO:
        raise UnmeasurableError(f"the session began with {start:.2f} USD")
    return Reading(max(ZERO, start - measured.equity_usd) / start)


def gross_exposure(measured: Measurement) -> Reading:
    return Reading(measured.gross_usd / _equity(measured))


def net_exposure(measured: Measurement) -> Reading:
    return Reading(abs(measured.net_usd) / _equity(measured))


def beta_exposure(measured: Measurement) -> Reading:
    """Beta-weighted net exposure as a share of equity: the beta of the account."""
    _equity(measured)
    return Reading(None if measured.beta is None else abs(measured.beta), missing=measured.beta_missing)


def largest_position(measured: Measurement) -> Reading:
    return Reading(abs(measured.largest_usd) / _equity(measured), measured.largest_symbol or "")


def largest_sector(measured: Measurement) -> Reading:
    """Gross value of the largest sector; symbols without a known one are one sector."""
    largest = max(sorted(measured.sectors), key=lambda name: measured.sectors[name], default="")
    return Reading(measured.sectors.get(largest, ZERO) / _equity(measured), largest)


def market_stress(measured: Measurement) -> Reading:
    """Loss in the worst fall of the market among the stress scenarios, as a share of equity."""
    equity = _equity(measured)
    if measured.worst_fall_usd is None:
        return Reading(None, missing=measured.beta_missing)
    return Reading(max(ZERO, -measured.worst_fall_usd) / equity, measured.worst_fall or "")


def value_at_risk(measured: Measurement) -> Reading:
    """The historical 95 % VaR of a session, as a share of equity."""
    equity = _equity(measured)
    if measured.var_95_usd is None:
        return Reading(None, missing=measured.tail_missing)
    return Reading(max(ZERO, -measured.var_95_usd) / equity)


WATCHED: Mapping[str, Callable[[Measurement], Reading]] = {
    "stop_all_drawdown": drawdown,
    "stop_new_daily_loss": session_loss,
    "stop_all_daily_loss": session_loss,
    "max_gross_exposure": gross_exposure,
    "max_net_exposure": net_exposure,
    "max_beta_exposure": beta_exposure,
    "max_position": largest_position,
    "max_sector_exposure": largest_sector,
    "max_stress_loss": market_stress,
    "max_value_at_risk": value_at_risk,
}
"""By the limit's key in trading.yaml."""


def check_limits(measured: Measurement, limits: Mapping[str, Decimal | None]) -> list[LimitCheck]:
    """Every watched limit that is set, in the order of WATCHED; what cannot be measured says why."""
    return [
        _check(name, read, measured, limit) for name, read in WATCHED.items() if (limit := limits.get(name)) is not None
    ]


def _check(name: str, read: Callable[[Measurement], Reading], measured: Measurement, limit: Decimal) -> LimitCheck:
    try:
        reading = read(measured)
    except UnmeasurableError as error:
        reading = Reading(None, missing=str(error))
    return LimitCheck(name, measured.at, measured.session_date, reading.value, limit, reading.detail, reading.missing)


def _equity(measured: Measurement) -> Decimal:
    if measured.equity_usd <= ZERO:
        raise UnmeasurableError(f"equity is {measured.equity_usd:.2f} USD")
    return measured.equity_usd
