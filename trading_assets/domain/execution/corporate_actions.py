"""What corporate actions do to a book and to working orders at the open of their ex-date.

Shares that become other shares take their cost along: value and cost are conserved, and nothing is realised before it
is sold. What cannot be valued is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from trading_assets.domain.execution.ids import activity_id
from trading_assets.domain.execution.ledger import MARK_PRICE_DETAIL, Activity, ActivityKind, Book, replay_key
from trading_assets.domain.execution.orders import SPLIT_DETAIL, TERMINAL, OrderEvent, OrderStatus, WorkingOrder
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import QTY_STEP, ZERO, money, plain


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
    `opens` are the raw prices there by symbol, without which a share is valued at the mark it had. Dividends come
    first, because they are paid per old share; then splits, what becomes other shares, and what is paid out. Each
    strategy's shares are counted on their own, and a fractional rest becomes cash at the open. Raises ValueError for an
    action without its terms, and for a position that becomes shares of which no price is known.
    """
    due = sorted((action for action in actions if action.ex_date == session), key=_order)
    desk = _Desk(book, at, opens)
    events: list[OrderEvent] = []
    for action in due:
        _ensure_terms(action)
        desk.book_action(action)
        events.extend(_orders_after(orders, action, at))
    desk.settle_fractions()
    desk.pay_out()
    return desk.activities, events


def _order(action: CorporateAction) -> tuple[int, str, str]:
    return list(_TERMS).index(action.kind), action.symbol, action.new_symbol or ""


_TERMS: dict[ActionKind, tuple[str, ...]] = {
    ActionKind.CASH_DIVIDEND: ("amount_usd",),
    ActionKind.SPIN_OFF: ("new_symbol", "share_ratio"),
    ActionKind.SPLIT: ("split_ratio",),
    ActionKind.STOCK_DIVIDEND: ("share_ratio",),
    ActionKind.RENAME: ("new_symbol",),
    ActionKind.DELISTING: ("reason",),
}
"""What each kind must say, in the order in which the kinds of one day are booked: per old share first."""


def _ensure_terms(action: CorporateAction) -> None:
    for name in _TERMS[action.kind]:
        if getattr(action, name) is None:
            raise ValueError(f"{action.kind} of {action.symbol} on {action.ex_date} has no {name}")


class _Desk:
    """Books the actions of one session's open, and keeps what they made."""

    def __init__(self, book: Book, at: datetime, opens: Mapping[str, Decimal]) -> None:
        self.book = book
        self.at = at
        self.opens = opens
        self.activities: list[Activity] = []
        self._fractions: dict[str, tuple[CorporateAction, dict[str, str]]] = {}
        self._payouts: list[Activity] = []

    def book_action(self, action: CorporateAction) -> None:
        match action.kind:
            case ActionKind.CASH_DIVIDEND:
                for activity in _dividends(self.book, action, self.at):
                    self._apply(activity)
            case ActionKind.SPLIT | ActionKind.STOCK_DIVIDEND:
                self._split(action)
            case ActionKind.SPIN_OFF:
                self._spin_off(action)
            case ActionKind.RENAME:
                self._exchange(action, str(action.new_symbol), Decimal(1))
            case ActionKind.DELISTING:
                self._delist(action)

    def settle_fractions(self) -> None:
        """Cash at the open for the fractional rest of what splits and exchanges left."""
        rests = []
        for symbol, (action, detail) in self._fractions.items():
            for strategy, qty in _holders(self.book, symbol):
                if rest := qty - qty.to_integral_value(ROUND_DOWN):
                    price = self.book.marks[symbol]
                    amount = money(rest * price)
                    more = {**detail, MARK_PRICE_DETAIL: plain(price)}
                    rests.append(self._record(action, ActivityKind.CASH_IN_LIEU, strategy, symbol, -rest, amount, more))
        self._apply_all(rests)

    def pay_out(self) -> None:
        self._apply_all(self._payouts)

    def _split(self, action: CorporateAction) -> None:
        ratio, holders = action.own_shares, _holders(self.book, action.symbol)
        if not holders:
            return
        price = self.opens.get(action.symbol) or self.book.marks[action.symbol] / ratio
        detail = {"split_ratio": plain(ratio)}
        for strategy, qty in holders:
            delta = _shares(qty * ratio) - qty
            more = {**detail, MARK_PRICE_DETAIL: plain(price)}
            self._apply(self._record(action, ActivityKind.SPLIT, strategy, action.symbol, delta, ZERO, more))
        self._fractions[action.symbol] = action, detail

    def _spin_off(self, action: CorporateAction) -> None:
        """The part of the cost that the distributed shares are worth goes with them."""
        holders, new = _holders(self.book, action.symbol), action.new_symbol
        if not holders or new is None or action.share_ratio is None:
            return
        mark = self.book.marks[action.symbol]
        if new in self.opens:
            price = self.opens[new]
        elif action.value_usd is not None:
            price = action.value_usd / action.share_ratio
        else:
            raise ValueError(_unpriced(action))
        value = price * action.share_ratio
        if value >= mark:
            raise ValueError(
                f"{action.symbol} closed at {mark} USD before it distributed {plain(action.share_ratio)} {new} at "
                f"{price} USD a share on {action.ex_date}. Correct the action at its source, then run again."
            )
        rest_price = self.opens.get(action.symbol, mark - value)
        for strategy, qty in holders:
            cost = money(self.book.position(strategy, action.symbol).cost_usd * value / mark)
            self._transfer(action, strategy, action.symbol, ZERO, cost, rest_price)
            self._transfer(action, strategy, new, _shares(qty * action.share_ratio), -cost, price)
        self._fractions[new] = action, {"from_symbol": action.symbol}

    def _exchange(self, action: CorporateAction, new: str, ratio: Decimal) -> None:
        """Every share becomes `ratio` shares of `new`, at the same cost."""
        holders = _holders(self.book, action.symbol)
        if not holders:
            return
        price = self.opens.get(new)
        if price is None and action.kind is not ActionKind.RENAME:
            raise ValueError(_unpriced(action))
        for strategy, qty in holders:
            cost = self.book.position(strategy, action.symbol).cost_usd
            self._transfer(action, strategy, action.symbol, -qty, cost, None)
            new_price = self.book.marks[action.symbol] if price is None else price
            self._transfer(action, strategy, new, _shares(qty * ratio), -cost, new_price)
        if action.kind is not ActionKind.RENAME:
            self._fractions[new] = action, {"from_symbol": action.symbol}
        elif action.symbol in self._fractions:
            self._fractions[new] = self._fractions.pop(action.symbol)

    def _delist(self, action: CorporateAction) -> None:
        cash, new = action.amount_usd or ZERO, action.new_symbol
        holders = _holders(self.book, action.symbol)
        if new is not None and action.share_ratio is not None:
            self._exchange(action, new, action.share_ratio)
        detail = {"reason": str(action.reason), "amount_per_share_usd": plain(cash)}
        for strategy, qty in holders:
            if new is None:
                payout = self._record(
                    action, ActivityKind.DELISTING, strategy, action.symbol, -qty, money(qty * cash), detail
                )
                self._payouts.append(payout)
            elif cash:
                # The cash part of a merger lowers what the new shares have cost.
                payout = self._record(action, ActivityKind.DELISTING, strategy, new, ZERO, money(qty * cash), detail)
                self._payouts.append(payout)

    def _transfer(
        self,
        action: CorporateAction,
        strategy: str,
        symbol: str,
        qty_delta: Decimal,
        cost: Decimal,
        price: Decimal | None,
    ) -> None:
        detail = {"action": str(action.kind), "from_symbol": action.symbol, "to_symbol": str(action.new_symbol)}
        if price is not None:
            detail[MARK_PRICE_DETAIL] = plain(price)
        self._apply(self._record(action, ActivityKind.TRANSFER, strategy, symbol, qty_delta, cost, detail))

    def _record(
        self,
        action: CorporateAction,
        kind: ActivityKind,
        strategy: str,
        symbol: str,
        qty_delta: Decimal,
        amount: Decimal,
        detail: Mapping[str, str],
    ) -> Activity:
        # Two companies can be spun off on one day: each is a movement of its own.
        name = f"{kind} {action.symbol} {action.new_symbol}" if kind is ActivityKind.TRANSFER else str(kind)
        pay_date = action.pay_date if kind is ActivityKind.DELISTING else None
        return Activity(
            activity_id=activity_id(self.book.account_id, name, action.ex_date, symbol, strategy),
            account_id=self.book.account_id,
            kind=kind,
            at=self.at,
            settles_on=max(pay_date or action.ex_date, action.ex_date),
            session_date=action.ex_date,
            strategy=strategy,
            symbol=symbol,
            qty_delta=qty_delta,
            amount_usd=amount,
            detail=detail,
        )

    def _apply_all(self, activities: Iterable[Activity]) -> None:
        """What may close positions is booked in the order in which the record is read: it is that of the trades."""
        for activity in sorted(activities, key=replay_key):
            self._apply(activity)

    def _apply(self, activity: Activity) -> None:
        self.book.apply_activity(activity)
        self.activities.append(activity)


def _shares(qty: Decimal) -> Decimal:
    """To the ledger's smallest unit, half to even: a third of 300 shares is 100, however many digits a third has."""
    return qty.quantize(QTY_STEP, ROUND_HALF_EVEN)


def _unpriced(action: CorporateAction) -> str:
    return (
        f"{action.symbol} becomes or distributes {action.new_symbol} on {action.ex_date}, and no price of "
        f"{action.new_symbol} is known there: add it to `universe` in trading.yaml and fetch its bars, then run again."
    )


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
        activities.append(activity)
    return activities


def _orders_after(orders: Sequence[WorkingOrder], action: CorporateAction, at: datetime) -> list[OrderEvent]:
    if action.own_shares != 1:
        return _split_orders(orders, action, at)
    if action.kind not in {ActionKind.RENAME, ActionKind.DELISTING}:
        return []
    detail = f"{action.kind} of {action.symbol}"
    return [
        working.move(OrderStatus.CANCELED, at, action.ex_date, detail=detail)
        for working in orders
        if working.order.symbol == action.symbol and working.status not in TERMINAL
    ]


def _split_orders(orders: Sequence[WorkingOrder], action: CorporateAction, at: datetime) -> list[OrderEvent]:
    """Whole new shares for what remains to be done, at prices of a new share; an order left with none is cancelled."""
    ratio = action.own_shares
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


def _holders(book: Book, symbol: str) -> list[tuple[str, Decimal]]:
    return sorted(
        (strategy, position.qty)
        for (strategy, held), position in book.positions.items()
        if held == symbol and position.qty
    )
