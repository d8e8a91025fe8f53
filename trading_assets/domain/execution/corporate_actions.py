"""What splits and dividends do to a book and to working orders at the open of their ex-date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal

from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import MARK_PRICE_DETAIL, Activity, ActivityKind, Book
from trading_assets.domain.execution.orders import SPLIT_DETAIL, TERMINAL, OrderEvent, OrderStatus, WorkingOrder
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import ZERO, money, plain, quantity


def actions_on_book(
    book: Book,
    orders: Sequence[WorkingOrder],
    actions: Iterable[CorporateAction],
    session: date,
    at: datetime,
    opens: Mapping[str, Decimal],
) -> tuple[list[Activity], list[OrderEvent]]:
    """Apply the actions whose ex-date is `session` to `book` and `orders` (in place); returns the records to store.

    Call it before any fill of the session: entitled is who held at the previous close. `at` is the session's open, UTC;
    `opens` are the raw prices there by symbol, without which a new share is valued at the old mark / ratio. Dividends
    come before splits, because they are paid per old share. Each strategy's shares are split on their own, and a
    fractional rest becomes cash at the open.
    """
    due = sorted((action for action in actions if action.ex_date == session), key=lambda action: action.symbol)
    activities: list[Activity] = []
    events: list[OrderEvent] = []
    for action in due:
        if action.kind is ActionKind.CASH_DIVIDEND:
            activities.extend(_dividends(book, action, at))
    for action in due:
        if action.kind is ActionKind.SPLIT:
            activities.extend(_splits(book, action, at, opens))
            events.extend(_split_orders(orders, action, at))
    return activities, events


def _dividends(book: Book, action: CorporateAction, at: datetime) -> list[Activity]:
    if action.amount_usd is None:
        raise ValueError(f"dividend of {action.symbol} on {action.ex_date} has no amount")
    activities = []
    for strategy, qty in _holders(book, action.symbol):
        activity = Activity(
            activity_id=activity_id(book.account_id, ActivityKind.DIVIDEND, action.ex_date, action.symbol, strategy),
            account_id=book.account_id,
            kind=ActivityKind.DIVIDEND,
            at=at,
            settles_on=max(action.pay_date or action.ex_date, action.ex_date),
            session_date=action.ex_date,
            strategy=strategy,
            symbol=action.symbol,
            amount_usd=money(qty * action.amount_usd),
            detail={"entitled_qty": plain(qty), "amount_per_share_usd": plain(action.amount_usd)},
        )
        book.apply_activity(activity)
        activities.append(activity)
    return activities


def _splits(book: Book, action: CorporateAction, at: datetime, opens: Mapping[str, Decimal]) -> list[Activity]:
    ratio = _ratio(action)
    holders = _holders(book, action.symbol)
    if not holders:
        return []
    price = opens[action.symbol] if action.symbol in opens else book.marks[action.symbol] / ratio
    activities = []
    for strategy, qty in holders:
        new_qty = quantity(qty * ratio)
        rest = new_qty - new_qty.to_integral_value(ROUND_DOWN)
        activities.append(_share_activity(book, action, ActivityKind.SPLIT, strategy, at, new_qty - qty, ZERO, price))
        if rest:
            kind = ActivityKind.CASH_IN_LIEU
            activities.append(_share_activity(book, action, kind, strategy, at, -rest, money(rest * price), price))
    for activity in activities:
        book.apply_activity(activity)
    return activities


def _share_activity(
    book: Book,
    action: CorporateAction,
    kind: ActivityKind,
    strategy: str,
    at: datetime,
    qty_delta: Decimal,
    amount: Decimal,
    price: Decimal,
) -> Activity:
    return Activity(
        activity_id=activity_id(book.account_id, kind, action.ex_date, action.symbol, strategy),
        account_id=book.account_id,
        kind=kind,
        at=at,
        settles_on=action.ex_date,
        session_date=action.ex_date,
        strategy=strategy,
        symbol=action.symbol,
        qty_delta=qty_delta,
        amount_usd=amount,
        detail={"split_ratio": plain(_ratio(action)), MARK_PRICE_DETAIL: plain(price)},
    )


def _split_orders(orders: Sequence[WorkingOrder], action: CorporateAction, at: datetime) -> list[OrderEvent]:
    """Whole new shares for what remains to be done, at prices of a new share; an order left with none is cancelled."""
    ratio = _ratio(action)
    events: list[OrderEvent] = []
    for working in orders:
        if working.order.symbol != action.symbol or working.status in TERMINAL:
            continue
        detail = f"{SPLIT_DETAIL}{ratio}"
        rest = (working.remaining * ratio).to_integral_value(ROUND_DOWN)
        if rest:
            events.extend(working.restate(at, action.ex_date, detail, working.filled_qty + rest))
            working.divide_prices(ratio)
        else:
            events.append(working.move(OrderStatus.CANCELED, at, action.ex_date, detail=detail))
    return events


def _ratio(action: CorporateAction) -> Decimal:
    if action.split_ratio is None:
        raise ValueError(f"split of {action.symbol} on {action.ex_date} has no ratio")
    return action.split_ratio


def _holders(book: Book, symbol: str) -> list[tuple[str, Decimal]]:
    return sorted(
        (strategy, position.qty)
        for (strategy, held), position in book.positions.items()
        if held == symbol and position.qty
    )
