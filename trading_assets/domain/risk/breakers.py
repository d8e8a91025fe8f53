"""Circuit breakers: when one trips, what a tripped one does, and which one time alone clears.

A breaker is latched: its state is its last row in the database, given in `AccountSnapshot.tripped_breakers`. Nothing
clears one because things look better again; a new equity peak does not either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.risk.inputs import InputMissingError, positive
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.verdicts import AccountSnapshot, TradingState
from trading_assets.domain.values import plain

TIME_RULE = "time rule"
"""How the name begins of what clears a breaker without a person."""


class Breaker(StrEnum):
    """DAILY_LOSS stops new exposure for the session; the others put the account into REDUCING until a person clears."""

    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_STOP_ALL = "daily_loss_stop_all"
    DRAWDOWN = "drawdown"


@dataclass(frozen=True, slots=True)
class Trip:
    """A breaker that has to be recorded as tripped, with the numbers that tripped it (decimals as text)."""

    breaker: Breaker
    cause: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Clearance:
    """A breaker that has to be recorded as cleared by a declared time rule."""

    breaker: Breaker
    cleared_by: str
    why: str


@dataclass(frozen=True, slots=True)
class Decline:
    """How far equity stands below a base. `has_reached` is exact: reaching a limit to the last digit is reaching it."""

    equity_usd: Decimal
    base_usd: Decimal

    @property
    def change(self) -> Decimal:
        """Fraction of the base, negative for a loss."""
        return self.equity_usd / self.base_usd - 1

    def has_reached(self, limit: Decimal) -> bool:
        return self.equity_usd - self.base_usd <= -limit * self.base_usd


def daily_decline(snapshot: AccountSnapshot) -> Decline:
    """Equity against the session's start, flows excluded. Raises InputMissingError."""
    return Decline(positive(snapshot.equity_usd, "equity_usd"), positive(snapshot.start_equity_usd, "start_equity_usd"))


def drawdown(snapshot: AccountSnapshot) -> Decline:
    """Equity against its flow-adjusted high-water mark. Raises InputMissingError."""
    return Decline(
        positive(snapshot.equity_usd, "equity_usd"), positive(snapshot.high_water_mark_usd, "high_water_mark_usd")
    )


def evaluate(snapshot: AccountSnapshot, limits: RiskLimits) -> list[Trip]:
    """Breakers that trip now and are not latched yet, in the order of `Breaker`.

    Missing equity trips nothing: a latch needs a cause, and the review denies every intent on missing input anyway.
    """
    measures = (
        (Breaker.DAILY_LOSS, daily_decline, limits.stop_new_daily_loss),
        (Breaker.DAILY_LOSS_STOP_ALL, daily_decline, limits.stop_all_daily_loss),
        (Breaker.DRAWDOWN, drawdown, limits.stop_all_drawdown),
    )
    trips = []
    for breaker, measure, limit in measures:
        if breaker in snapshot.tripped_breakers:
            continue
        try:
            decline = measure(snapshot)
        except InputMissingError:
            continue
        if decline.has_reached(limit):
            trips.append(Trip(breaker, _cause(decline, limit)))
    return trips


def effective_state(snapshot: AccountSnapshot) -> TradingState:
    """The declared trading state, tightened by latched breakers; one this version does not know reduces too."""
    if snapshot.trading_state is not TradingState.ACTIVE:
        return snapshot.trading_state
    if any(breaker != Breaker.DAILY_LOSS for breaker in snapshot.tripped_breakers):
        return TradingState.REDUCING
    return TradingState.ACTIVE


def due_clearances(tripped_in: Mapping[str, date], session_date: date) -> list[Clearance]:
    """The one declared time rule: stop-new of the daily loss ends when a later session begins.

    `tripped_in` is the session in which each latched breaker tripped. All others wait for a named person.
    """
    tripped_session = tripped_in.get(Breaker.DAILY_LOSS)
    if tripped_session is None or session_date <= tripped_session:
        return []
    why = f"session {session_date.isoformat()} began after the loss of {tripped_session.isoformat()}"
    return [Clearance(Breaker.DAILY_LOSS, f"{TIME_RULE}: next session", why)]


def _cause(decline: Decline, limit: Decimal) -> dict[str, str]:
    return {
        "equity_usd": plain(decline.equity_usd),
        "base_usd": plain(decline.base_usd),
        "change": plain(decline.change),
        "limit": plain(-limit),
    }
