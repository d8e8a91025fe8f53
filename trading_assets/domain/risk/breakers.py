"""Circuit breakers: when one trips, what a tripped one does, and which one time alone clears.

A breaker is latched: its state is its last row in the database, given in `AccountSnapshot.tripped_breakers`. Nothing
clears one because things look better again; a new equity peak does not either. What the configured ones measure in the
record of orders is computed in execution_health.py, and the regime of the market in regime.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from trading_assets.domain.market.sessions import next_session
from trading_assets.domain.risk.inputs import InputMissingError, positive
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import ClosedTrade
from trading_assets.domain.risk.trading_states import tightest
from trading_assets.domain.risk.verdicts import AccountSnapshot, TradingState
from trading_assets.domain.values import ZERO, plain

TIME_RULE = "time rule"
"""How the name begins of what clears a breaker without a person."""


class Breaker(StrEnum):
    """DAILY_LOSS stops new exposure for the session. The next two put the account into REDUCING until a person clears
    them. Those after them are off unless they are configured, and do what their configuration says."""

    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_STOP_ALL = "daily_loss_stop_all"
    DRAWDOWN = "drawdown"
    VOLATILITY = "volatility"
    CORRELATION = "correlation"
    CONSECUTIVE_LOSSES = "consecutive_losses"
    DATA_OUTAGE = "data_outage"
    ORDER_ERRORS = "order_errors"
    SLIPPAGE = "slippage"
    LATENCY = "latency"
    STUCK_ORDER = "stuck_order"
    RECONCILIATION = "reconciliation"


REGIME_BREAKERS = frozenset({Breaker.VOLATILITY, Breaker.CORRELATION})
EXECUTION_BREAKERS = frozenset(
    {Breaker.ORDER_ERRORS, Breaker.SLIPPAGE, Breaker.LATENCY, Breaker.STUCK_ORDER, Breaker.RECONCILIATION}
)
"""Those that judge what a broker did: they are evaluated when the record of orders grows, not at every bar close."""

_TRIPS_AT_LIMIT = frozenset({Breaker.CONSECUTIVE_LOSSES, Breaker.DATA_OUTAGE, Breaker.ORDER_ERRORS})
"""Reaching the limit trips these; the others have to exceed it."""


class BreakerAction(StrEnum):
    """What a tripped breaker does to the account; a person does the same by `trading reduce`, `halt` and `flatten`."""

    REDUCE = "reduce"
    HALT = "halt"
    FLATTEN = "flatten"

    @property
    def state(self) -> TradingState:
        return TradingState.HALTED if self is BreakerAction.HALT else TradingState.REDUCING


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """A configured breaker. What `limit` and `window` count depends on the breaker: see DEFAULT_RULES.

    `clears_after_sessions`: the declared time rule, counted from the session it tripped in; None waits for a person.
    """

    limit: float
    window: int = 1
    action: BreakerAction = BreakerAction.REDUCE
    clears_after_sessions: int | None = None


DEFAULT_RULES: Mapping[Breaker, BreakerRule] = {
    # Annual volatility of the equally weighted universe; sessions.
    Breaker.VOLATILITY: BreakerRule(0.30, 20),
    # Mean correlation of all pairs of the universe; sessions.
    Breaker.CORRELATION: BreakerRule(0.80, 60),
    # Losing trades in a row.
    Breaker.CONSECUTIVE_LOSSES: BreakerRule(5),
    # Share of the symbols held that have no bar at the session's close.
    Breaker.DATA_OUTAGE: BreakerRule(0.5),
    # Refused orders; seconds.
    Breaker.ORDER_ERRORS: BreakerRule(5, 60),
    # Multiple of the modelled slippage that every one of the newest orders exceeds; orders.
    Breaker.SLIPPAGE: BreakerRule(5, 3),
    # Seconds until 95 % of the newest orders were acknowledged; orders.
    Breaker.LATENCY: BreakerRule(5, 20),
    # Seconds that the oldest pending order has waited.
    Breaker.STUCK_ORDER: BreakerRule(600),
    # Unexplained differences from the broker's record.
    Breaker.RECONCILIATION: BreakerRule(0),
}
"""The configurable breakers with the limits and windows they have unless the configuration says otherwise."""


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


def judge(
    values: Mapping[Breaker, float | None], rules: Mapping[str, BreakerRule], latched: Collection[str]
) -> list[Trip]:
    """The configured breakers that trip on the measured `values` and are not latched yet, in the order of `Breaker`.

    None, and what is not in `values`, trips nothing.
    """
    trips = []
    for breaker in Breaker:
        value, rule = values.get(breaker), rules.get(breaker)
        if value is None or rule is None or breaker in latched:
            continue
        if value >= rule.limit if breaker in _TRIPS_AT_LIMIT else value > rule.limit:
            cause = {"value": f"{value:.10g}", "limit": f"{rule.limit:.10g}", "window": str(rule.window)}
            trips.append(Trip(breaker, {**cause, "action": rule.action.value}))
    return trips


def losing_streak(trades: Iterable[ClosedTrade], since: datetime | None) -> int:
    """How many of the newest trades closed after `since` (UTC; None: ever) lost money in a row."""
    streak = 0
    for trade in trades:
        if since is None or trade.closed_at > since:
            streak = streak + 1 if trade.pnl_usd < ZERO else 0
    return streak


def missing_share(held: Collection[str], seen: Collection[str]) -> float | None:
    """The share of the symbols held that were not seen; None when nothing is held."""
    return len(set(held) - set(seen)) / len(set(held)) if held else None


def reduces(breaker: str) -> bool:
    """Whether it puts the account into REDUCING at least: all do but DAILY_LOSS, one that is not known here too."""
    return breaker != Breaker.DAILY_LOSS


def effective_state(snapshot: AccountSnapshot, strategy: str = "", symbol: str = "") -> TradingState:
    """The tightest of the declared states of account, strategy and symbol, and of what latched breakers lead to."""
    if not (snapshot.tripped_breakers or snapshot.strategy_states or snapshot.symbol_states):
        return snapshot.trading_state
    is_reducing = any(map(reduces, snapshot.tripped_breakers))
    return tightest(
        snapshot.trading_state,
        snapshot.strategy_states.get(strategy, TradingState.ACTIVE),
        snapshot.symbol_states.get(symbol, TradingState.ACTIVE),
        TradingState.REDUCING if is_reducing else TradingState.ACTIVE,
    )


def due_clearances(
    tripped_in: Mapping[str, date], session_date: date, rules: Mapping[str, BreakerRule] | None = None
) -> list[Clearance]:
    """What the declared time rules clear: stop-new of the daily loss when a later session begins, and configured
    breakers after as many sessions as they say.

    `tripped_in` is the session in which each latched breaker tripped. All others wait for a named person.
    """
    cleared = []
    for breaker in Breaker:
        rule, tripped_session = (rules or {}).get(breaker), tripped_in.get(breaker)
        sessions = 1 if breaker is Breaker.DAILY_LOSS else rule.clears_after_sessions if rule else None
        if tripped_session is None or sessions is None or session_date < _sessions_later(tripped_session, sessions):
            continue
        if breaker is Breaker.DAILY_LOSS:
            why = f"session {session_date.isoformat()} began after the loss of {tripped_session.isoformat()}"
            cleared.append(Clearance(breaker, f"{TIME_RULE}: next session", why))
        else:
            why = f"session {session_date.isoformat()} began; it tripped in that of {tripped_session.isoformat()}"
            cleared.append(Clearance(breaker, f"{TIME_RULE}: clears_after_sessions {sessions}", why))
    return cleared


def _sessions_later(day: date, sessions: int) -> date:
    for _ in range(sessions):
        day = next_session(day)
    return day


def _cause(decline: Decline, limit: Decimal) -> dict[str, str]:
    return {
        "equity_usd": plain(decline.equity_usd),
        "base_usd": plain(decline.base_usd),
        "change": plain(decline.change),
        "limit": plain(-limit),
    }
