"""An account between two moments, and how one begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import Activity, ActivityKind, Book, Fill
from trading_assets.domain.execution.orders import WorkingOrder
from trading_assets.domain.journal import BreakerEvent, Journal
from trading_assets.domain.market.sessions import Session
from trading_assets.domain.risk.activity import SentOrder
from trading_assets.domain.risk.circumstances import BrokerLink
from trading_assets.domain.risk.protections import Lock
from trading_assets.domain.risk.trading_states import ALL_ACTIVE, TradingStates
from trading_assets.domain.simulation.moment import SIMULATED
from trading_assets.domain.values import ZERO

T = TypeVar("T")


@dataclass(slots=True)
class Account:
    """An account between two moments. `as_of` is the last bar close it has lived through (UTC), None before the first.

    `tripped` holds the event that latched each breaker, `breaker_events` the number of the last event of each, and
    `cleared_at` when one that is not latched was last cleared. `stop_orders` are the ids of all its stop orders.
    `states` and `locks` are what `take_notice` found last. `link` is what is known of a real broker, None while nothing
    is. `session_orders` are those decided on in the session, `day_trades` were made in the sessions before it,
    `unsettled` are sales whose money is not settled in it.
    """

    book: Book
    working: dict[str, WorkingOrder] = field(default_factory=dict)
    tripped: dict[str, BreakerEvent] = field(default_factory=dict)
    breaker_events: dict[str, int] = field(default_factory=dict)
    cleared_at: dict[str, datetime] = field(default_factory=dict)
    stop_orders: set[str] = field(default_factory=set)
    states: TradingStates = ALL_ACTIVE
    locks: Sequence[Lock] = ()
    broker: str = SIMULATED
    link: BrokerLink | None = None
    session_fills: list[Fill] = field(default_factory=list)
    session_orders: list[SentOrder] = field(default_factory=list)
    day_trades: dict[date, int] = field(default_factory=dict)
    unsettled: list[Fill] = field(default_factory=list)
    start_equity_usd: Decimal = ZERO
    session_date: date | None = None
    as_of: datetime | None = None


def open_book(
    account_id: str, opening_cash_usd: Decimal, inception: Session, broker: str = SIMULATED
) -> tuple[Account, Journal]:
    """A new account with its first deposit, ready for the first moment of session `inception`."""
    deposit = Activity(
        activity_id=activity_id(account_id, ActivityKind.DEPOSIT, inception.date, None, None),
        account_id=account_id,
        kind=ActivityKind.DEPOSIT,
        at=inception.opens_at,
        settles_on=inception.date,
        session_date=inception.date,
        amount_usd=opening_cash_usd,
    )
    account = Account(book=Book(account_id), broker=broker)
    account.book.apply_activity(deposit)
    account.book.high_water_mark = opening_cash_usd
    account.start_equity_usd = opening_cash_usd
    return account, Journal(activities=[deposit])


def required(value: T | None) -> T:
    if value is None:
        raise ValueError("the account has not lived through any bar close yet: advance it first")
    return value
