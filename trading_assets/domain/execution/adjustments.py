"""What a person's adjustment for a break books in the ledger. Most breaks it books nothing for, and only accepts.

Who may adjust, and that it happens once, is seen to where it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.execution.bookings import EXECUTION_DETAIL, ORDER_DETAIL, SOURCE_DETAIL
from trading_assets.domain.execution.breaks import Break, BreakKind
from trading_assets.domain.execution.ledger import EXTERNAL, MARK_PRICE_DETAIL, Activity, ActivityKind, Fill, Record
from trading_assets.domain.market.sessions import newest_session
from trading_assets.domain.values import ZERO, money

BREAK_DETAIL = "break_id"
REVERSES_DETAIL = "reverses"
"""Under which a booking names the broker's record, unknown to the broker, that it takes back."""

_K = BreakKind


class PriceMissingError(ValueError):
    """Shares cannot be booked without what one of them is worth."""


def adjustment(
    one: Break, account_id: str, at: datetime, booked: Sequence[Record] = (), price: Decimal | None = None
) -> list[Activity]:
    """The bookings, at `at` (UTC), after which our side says what the broker's says; none: the break is only accepted.

    `booked` is what the ledger holds of the subject. Shares that appeared or went are worth `price` (raw USD) each, go
    into the book of others, and count as a flow. Raises PriceMissingError.
    """
    made = _bookings(one, account_id, at, booked, price)
    return [
        replace(
            activity,
            activity_id=f"{one.adjustment_id}/{number}",
            detail={**activity.detail, BREAK_DETAIL: one.adjustment_id},
        )
        for number, activity in enumerate(made)
    ]


def _bookings(
    one: Break, account_id: str, at: datetime, booked: Sequence[Record], price: Decimal | None
) -> list[Activity]:
    if one.kind is _K.CASH_DIFFERS:
        return [_flow(account_id, at, Decimal(one.theirs) - Decimal(one.ours))]
    if one.kind is _K.POSITION_DIFFERS:
        if price is None:
            raise PriceMissingError(f"What is one share of {one.symbol} worth?")
        qty = Decimal(one.theirs) - Decimal(one.ours)
        worth, mark = money(qty * price), {MARK_PRICE_DETAIL: str(price)}
        shares = _activity(account_id, ActivityKind.EXTERNAL_TRADE, at, -worth, mark)
        return [replace(shares, strategy=EXTERNAL, symbol=one.symbol, qty_delta=qty), _flow(account_id, at, worth)]
    if one.kind is _K.EXECUTION_UNKNOWN_TO_BROKER:
        return [_bust(execution, at) for execution in booked]
    parts = [part for part in booked if isinstance(part, Activity)]
    if one.kind is _K.ACTIVITY_UNKNOWN_TO_BROKER:
        return [_reversal(part, at) for part in parts]
    if one.kind is _K.ACTIVITY_DIFFERS:
        amount = Decimal(one.theirs) - Decimal(one.ours)
        cash = next((part for part in parts if part.amount_usd), parts[0])
        return [_dated(replace(cash, amount_usd=amount, qty_delta=ZERO, detail={SOURCE_DETAIL: one.subject}), at)]
    return []


def _flow(account_id: str, at: datetime, amount: Decimal) -> Activity:
    kind = ActivityKind.DEPOSIT if amount >= 0 else ActivityKind.WITHDRAWAL
    return _activity(account_id, kind, at, amount, {})


def _bust(execution: Record, at: datetime) -> Activity:
    if isinstance(execution, Fill):
        name, strategy, qty = execution.execution_id, execution.strategy, -execution.signed_qty
        cash = money(execution.qty * execution.price) * execution.side.sign
        detail = {EXECUTION_DETAIL: name, ORDER_DETAIL: execution.client_order_id}
    else:
        name, strategy, qty = execution.detail[EXECUTION_DETAIL], EXTERNAL, -execution.qty_delta
        cash, detail = -execution.amount_usd, {EXECUTION_DETAIL: name}
    bust = _activity(execution.account_id, ActivityKind.BUST, at, cash, detail)
    return replace(bust, strategy=strategy, symbol=execution.symbol, qty_delta=qty)


def _reversal(part: Activity, at: datetime) -> Activity:
    detail = {name: value for name, value in part.detail.items() if name != SOURCE_DETAIL}
    detail[REVERSES_DETAIL] = part.detail[SOURCE_DETAIL]
    return _dated(replace(part, amount_usd=-part.amount_usd, qty_delta=-part.qty_delta, detail=detail), at)


def _dated(activity: Activity, at: datetime) -> Activity:
    day = newest_session(at)
    return replace(activity, at=at, settles_on=day, session_date=day)


def _activity(account_id: str, kind: ActivityKind, at: datetime, amount: Decimal, detail: dict[str, str]) -> Activity:
    day = newest_session(at)
    return Activity("", account_id, kind, at, day, day, amount_usd=amount, detail=detail)
