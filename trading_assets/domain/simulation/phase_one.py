"""Phase one of a moment: what happens to an account without any decision of ours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from trading_assets.domain.execution.account_activity import (
    LOOK_BACK,
    can_have_day_trades,
    day_trades_of,
    unsettled_sales,
)
from trading_assets.domain.execution.corporate_actions import actions_on_book
from trading_assets.domain.execution.exits import follow_positions
from trading_assets.domain.execution.fees import fee_activities
from trading_assets.domain.execution.fill_model import Auctions, FillModel
from trading_assets.domain.execution.matching import work_bar
from trading_assets.domain.execution.orders import expire_day_orders
from trading_assets.domain.journal import BreakerState, Journal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.breakers import due_clearances
from trading_assets.domain.simulation.account import Account
from trading_assets.domain.simulation.breaker_events import breaker_event, record_breaker, trip_breakers
from trading_assets.domain.simulation.moment import Moment, Rules
from trading_assets.domain.simulation.views import equity_point, position_snapshots


def advance(account: Account, moment: Moment, rules: Rules, journal: Journal) -> None:
    """Phase one: corporate actions, fills, marks, end-of-session bookings and breakers of one moment."""
    book = account.book
    for clearance in moment.clearances:
        record_breaker(account, clearance, journal)
    if account.session_date != moment.session.date:
        _begin_session(account, moment, rules, journal)
    for bar in moment.bars:
        _take_fills(account, bar, moment.session, rules.fill_model, journal)
    book.mark(moment.closes)
    if moment.closes_session:
        _end_session(account, moment.session, journal)
    follow_held(account, moment.at, moment.session, journal)
    account.as_of = moment.at
    journal.equity.append(equity_point(account))
    trip_breakers(account, moment, rules, journal)
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
    opens = {bar.symbol: bar.open for bar in moment.bars}
    orders = list(account.working.values())
    activities, events = actions_on_book(book, orders, moment.actions, session.date, session.opens_at, opens)
    journal.activities.extend(activities)
    journal.order_events.extend(events)
    _drop_finished(account)


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


def _take_fills(account: Account, bar: Bar, session: Session, model: FillModel, journal: Journal) -> None:
    orders = [working for working in account.working.values() if working.order.symbol == bar.symbol]
    if not orders:
        return
    auctions = Auctions(has_opening=bar.ts == session.opens_at, has_closing=bar.closes_at == session.closes_at)
    held = {
        strategy: position.qty
        for (strategy, symbol), position in account.book.positions.items()
        if symbol == bar.symbol
    }
    work = work_bar(orders, bar, model, auctions, held)
    for fill in work.fills:
        account.book.apply_fill(fill)
    account.session_fills.extend(work.fills)
    journal.fills.extend(work.fills)
    journal.order_events.extend(work.events)
    journal.trail_marks.extend(work.trail_marks)
    _drop_finished(account)


def follow_held(account: Account, at: datetime, session: Session, journal: Journal) -> None:
    positions = {key: position.qty for key, position in account.book.positions.items()}
    journal.order_events.extend(follow_positions(positions, account.working.values(), at, session.date))
    _drop_finished(account)


def _end_session(account: Account, session: Session, journal: Journal) -> None:
    fees = fee_activities(account.book.account_id, account.session_fills, session.date, session.closes_at)
    for fee in fees:
        account.book.apply_activity(fee)
    journal.activities.extend(fees)
    journal.order_events.extend(expire_day_orders(list(account.working.values()), session.closes_at, session.date))
    _drop_finished(account)


def _drop_finished(account: Account) -> None:
    account.working = {key: working for key, working in account.working.items() if not working.is_terminal}
