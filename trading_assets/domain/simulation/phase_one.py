"""Phase one of a moment: what happens to an account without any decision of ours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_assets.domain.execution.account_activity import (
    LOOK_BACK,
    can_have_day_trades,
    day_trades_of,
    unsettled_sales,
)
from trading_assets.domain.journal import BreakerState, Journal
from trading_assets.domain.risk.breakers import due_clearances
from trading_assets.domain.simulation.account import Account
from trading_assets.domain.simulation.breaker_events import (
    breaker_event,
    record_breaker,
    trip_breakers,
    with_breakers,
)
from trading_assets.domain.simulation.dealings import Dealings, SimulatedDealings
from trading_assets.domain.simulation.moment import Moment, Rules
from trading_assets.domain.simulation.views import equity_point, position_snapshots


def advance(account: Account, moment: Moment, rules: Rules, journal: Journal, dealings: Dealings | None = None) -> None:
    """Phase one: corporate actions, fills, marks, end-of-session bookings and breakers of one moment.

    `dealings` are the simulated broker's where none are given. A state that was declared before the bars began cancels
    orders before they could execute, one that came in the middle of them afterwards: a cancel loses the race.
    """
    book, broker = account.book, dealings or SimulatedDealings(rules.fill_model)
    for clearance in moment.clearances:
        record_breaker(account, clearance, journal)
    broker.obey(account, moment.opening_states, moment, moment.begins_at, journal)
    if account.session_date != moment.session.date:
        _begin_session(account, moment, rules, journal)
        broker.begin(account, moment, journal)
    broker.trade(account, moment, journal)
    book.mark(moment.closes)
    if moment.closes_session:
        broker.end(account, moment, journal)
    broker.follow(account, moment, journal)
    account.as_of = moment.at
    journal.equity.append(equity_point(account))
    trip_breakers(account, moment, rules, journal)
    broker.obey(account, with_breakers(account, moment.states, rules), moment, moment.at, journal)
    if moment.closes_session:
        journal.positions.extend(position_snapshots(account))


def _begin_session(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    session, book = moment.session, account.book
    account.start_equity_usd = book.equity
    _end_counts(account, session.date)
    account.session_date = session.date
    book.settle(session.date)
    tripped_in = {breaker: event.session_date for breaker, event in account.tripped.items()}
    for clearance in due_clearances(tripped_in, session.date, rules.breakers):
        event = breaker_event(account, clearance.breaker, BreakerState.CLEARED, session.opens_at)
        record_breaker(account, replace(event, cleared_by=clearance.cleared_by, why=clearance.why), journal)


def _end_counts(account: Account, day: date) -> None:
    """Session `day` begins: what was counted in the one before is kept as far as it still counts."""
    fills = account.session_fills
    if account.session_date is not None and can_have_day_trades(fills):
        held: dict[str, Decimal] = defaultdict(Decimal)
        for (_, symbol), position in account.book.positions.items():
            held[symbol] += position.qty
        account.day_trades[account.session_date] = day_trades_of(fills, held)
    account.day_trades = {past: count for past, count in account.day_trades.items() if day - LOOK_BACK <= past}
    account.unsettled = unsettled_sales([*account.unsettled, *fills], day)
    account.session_fills, account.session_orders = [], []
