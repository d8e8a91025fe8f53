"""Readings of what the account has sent and has open, with what this moment has approved so far."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from trading_assets.domain.risk.activity import MINUTE, SECOND
from trading_assets.domain.risk.inputs import finite, unsigned
from trading_assets.domain.risk.intents import OPENING
from trading_assets.domain.risk.protections import locks_on
from trading_assets.domain.risk.readings.circumstances import limit_usd, terms_of
from trading_assets.domain.risk.rules.ruling import MILLION, Count, Flag, Ppm, Usd

if TYPE_CHECKING:
    from trading_assets.domain.risk.case import Case

NEVER = 10**9
"""Seconds since what has not happened in this session."""


def orders_of_intent(case: Case) -> Count:
    """Orders of the session that have used the intent's approval."""
    return case.projection.activity.orders_of(case.intent.intent_id)


def twin_age_s(case: Case) -> Count:
    """Seconds from the strategy's last decision on the same order to this one; 1e9 when there is none."""
    intent = case.intent
    last = case.projection.activity.last_twin(
        intent.strategy, intent.symbol, intent.side, finite(intent.qty, "qty"), intent.decision_at
    )
    return NEVER if last is None else -(-(intent.decision_at - last) // SECOND)


def opposing_orders(case: Case) -> Count:
    """Open orders on the other side, of any strategy, that this one could trade with."""
    intent = case.intent
    has_legs = intent.purpose in OPENING and intent.strategy in terms_of(case).with_legs
    return case.projection.activity.opposing(intent.symbol, intent.side, limit_usd(case), has_legs)


def symbol_open_orders(case: Case) -> Count:
    return case.projection.activity.open_orders(case.intent.symbol)


def open_orders(case: Case) -> Count:
    """Of the whole account; protective legs, which can only close, are not among them."""
    return case.projection.activity.open_orders()


def symbol_bucket(case: Case) -> Ppm:
    """How full the bucket is that every order in the symbol adds one to."""
    brim = case.limits.max_symbol_orders_second
    activity = case.projection.activity
    return activity.bucket(brim or 0, SECOND, case.intent.decision_at, symbol=case.intent.symbol)


def strategy_bucket(case: Case) -> Ppm:
    """How full the bucket is that every order of the strategy adds one to."""
    brim = case.limits.max_strategy_orders_minute
    activity = case.projection.activity
    return activity.bucket(brim or 0, MINUTE, case.intent.decision_at, strategy=case.intent.strategy)


def account_bucket(case: Case) -> Ppm:
    """How full the bucket is that every order of the account adds one to."""
    return case.projection.activity.bucket(case.limits.max_orders_minute or 0, MINUTE, case.intent.decision_at)


def session_orders(case: Case) -> Count:
    return case.projection.activity.orders


def session_turnover_usd(case: Case) -> Usd:
    """Shares of the session's orders at the reference prices of their decisions."""
    return ceil(unsigned(case.projection.activity.turnover_usd, "session_turnover_usd") * MILLION)


def symbol_reversals(case: Case) -> Count:
    """How often the session's orders in the symbol have changed their side."""
    return case.projection.activity.reversals(case.intent.symbol)


def is_reversal(case: Case) -> Flag:
    """Whether the last order of the session in the symbol was one of the other side."""
    return case.projection.activity.is_reversal(case.intent.symbol, case.intent.side)


def unresolved_orders(case: Case) -> Count:
    """Orders in the symbol of which nobody knows what became of them."""
    return case.projection.activity.unresolved(case.intent.symbol)


def active_locks(case: Case) -> Count:
    """Locks of protections that keep the strategy from opening a position of this side in the symbol."""
    return len(locks_on(case.snapshot.locks, case.intent.strategy, case.intent.symbol, case.intent.side))


OF_ORDER = (
    orders_of_intent,
    twin_age_s,
    opposing_orders,
    symbol_open_orders,
    open_orders,
    symbol_bucket,
    strategy_bucket,
    account_bucket,
    session_orders,
    session_turnover_usd,
    symbol_reversals,
    is_reversal,
    unresolved_orders,
    active_locks,
)
