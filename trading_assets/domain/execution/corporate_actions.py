"""What splits and dividends do to a book and to working orders at the open of their ex-date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal

from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import MARK_PRICE_DETAIL, Activity, ActivityKind, Book
from trading_assets.domain.execution.orders import SPLIT_DETAIL, TERMINAL, OrderEvent, OrderStatus, WorkingOrder
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import ZERO, money, quantity


def actions_on_book(
    book: Book,
    orders: Sequence[WorkingOrder],
    actions: Sequence[CorporateAction],
    session: date,
    at: datetime,
    opens: Mapping[str, Decimal],
) -> tuple[list[Activity], list[OrderEvent]]:
    """Apply the actions whose ex-date is `session` to `book` and `orders` (in place); returns the records to store.

    Call it before any fill of the session: entitled is who held at the previous close. `at` is the session's open (UTC),
    `opens` the raw prices there by symbol; without one, a new share is valued at the old mark / ratio.
    """
    raise NotImplementedError
