"""Breakers of an account: which of them a moment trips, and how one is latched and cleared in the record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal
from trading_assets.domain.risk.breakers import (
    DEFAULT_RULES,
    Breaker,
    BreakerAction,
    Trip,
    evaluate,
    judge,
    losing_streak,
    missing_share,
    reduces,
)
from trading_assets.domain.risk.trading_states import TradingStates
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.simulation.account import Account, required
from trading_assets.domain.simulation.moment import Moment, Rules
from trading_assets.domain.simulation.views import account_snapshot
from trading_assets.domain.values import plain


def with_breakers(account: Account, states: TradingStates, rules: Rules) -> TradingStates:
    """The declared `states` with what the tripped breakers do to them: as configured, or as `reduces` says."""
    for breaker in account.tripped:
        if rule := rules.breakers.get(breaker):
            states = states.tightened(rule.action.state, is_flatten=rule.action is BreakerAction.FLATTEN)
        elif reduces(breaker):
            states = states.tightened(TradingState.REDUCING)
    return states


def trip_breakers(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    snapshot = account_snapshot(account, moment.at, moment.closes, moment.gates)
    trips = evaluate(snapshot, rules.limits_at(moment.at))
    if rules.breakers:
        trips += judge(_measured(account, moment), rules.breakers, account.tripped)
    for trip in trips:
        trip_breaker(account, trip, moment.at, journal)


def trip_breaker(account: Account, trip: Trip, at: datetime, journal: Journal) -> None:
    """Latch a breaker at `at` (UTC); of a configured one the account as it stood is recorded with the cause."""
    event, cause, book = breaker_event(account, trip.breaker, BreakerState.TRIPPED, at), trip.cause, account.book
    if trip.breaker in DEFAULT_RULES:
        money = {"equity_usd": plain(book.equity), "positions_usd": plain(book.positions_value)}
        held = {
            f"qty {strategy} {symbol}": plain(one.qty) for (strategy, symbol), one in book.positions.items() if one.qty
        }
        cause = {**cause, **money, **held}
    record_breaker(account, replace(event, cause=cause), journal)


def record_breaker(account: Account, event: BreakerEvent, journal: Journal) -> None:
    account.breaker_events[event.breaker] = event.event_no
    if event.state is BreakerState.TRIPPED:
        account.tripped[event.breaker] = event
        account.cleared_at.pop(event.breaker, None)
    else:
        account.tripped.pop(event.breaker, None)
        account.cleared_at[event.breaker] = event.at
    journal.breaker_events.append(event)


def breaker_event(account: Account, breaker: str, state: BreakerState, at: datetime) -> BreakerEvent:
    return BreakerEvent(
        account_id=account.book.account_id,
        breaker=str(breaker),
        event_no=account.breaker_events.get(breaker, 0) + 1,
        state=state,
        at=at,
        session_date=required(account.session_date),
    )


def _measured(account: Account, moment: Moment) -> dict[Breaker, float | None]:
    """What the configured breakers judge at every bar close."""
    book = account.book
    held = {symbol for (_, symbol), position in book.positions.items() if position.qty}
    since = account.cleared_at.get(Breaker.CONSECUTIVE_LOSSES)
    return {
        Breaker.VOLATILITY: moment.regime.volatility,
        Breaker.CORRELATION: moment.regime.correlation,
        Breaker.CONSECUTIVE_LOSSES: float(losing_streak(book.trades, since)),
        Breaker.DATA_OUTAGE: missing_share(held, moment.closes) if moment.closes_session else None,
    }
