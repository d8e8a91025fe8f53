"""Readings of the account as a whole, by the snapshot. What is not sure is taken at its worse side."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from trading_assets.domain.risk.breakers import Breaker
from trading_assets.domain.risk.inputs import finite, positive
from trading_assets.domain.risk.rules.ruling import MILLION, Flag, Usd

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Standing


def equity_usd(standing: Standing) -> Usd:
    return floor(positive(standing.snapshot.equity_usd, "equity_usd") * MILLION)


def cash_usd(standing: Standing) -> Usd:
    """Settled cash; negative when it is owed."""
    return floor(finite(standing.snapshot.cash_usd, "cash_usd") * MILLION)


def start_equity_usd(standing: Standing) -> Usd:
    """Equity at the session's start, flows since then included."""
    return ceil(positive(standing.snapshot.start_equity_usd, "start_equity_usd") * MILLION)


def high_water_mark_usd(standing: Standing) -> Usd:
    """The highest equity so far, adjusted for flows."""
    return ceil(positive(standing.snapshot.high_water_mark_usd, "high_water_mark_usd") * MILLION)


def is_stop_new_tripped(standing: Standing) -> Flag:
    return Breaker.DAILY_LOSS in standing.snapshot.tripped_breakers


def is_stop_all_tripped(standing: Standing) -> Flag:
    return Breaker.DAILY_LOSS_STOP_ALL in standing.snapshot.tripped_breakers


def is_drawdown_tripped(standing: Standing) -> Flag:
    return Breaker.DRAWDOWN in standing.snapshot.tripped_breakers


READINGS = (
    equity_usd,
    cash_usd,
    start_equity_usd,
    high_water_mark_usd,
    is_stop_new_tripped,
    is_stop_all_tripped,
    is_drawdown_tripped,
)
