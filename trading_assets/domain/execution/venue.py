"""A broker in memory: it takes orders, lets bars execute them, and keeps the records that a broker keeps.

Time stands still until it is told to pass, and no id is random: the same calls give the same records. What is refused
is the business of `venue_rules`, what a bar executes that of `matching`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal

from trading_assets.domain.execution import venue_rules as rules
from trading_assets.domain.execution.broker_records import (
    ActivityRecord,
    BrokerAccount,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    OrderRequest,
    OrderUpdate,
    Replacement,
)
from trading_assets.domain.execution.fill_model import Auctions, FillModel
from trading_assets.domain.execution.matching import work_bar
from trading_assets.domain.execution.order_matrix import EXTENDED_CLOSING, phase_at
from trading_assets.domain.execution.orders import EXECUTABLE, Order, OrderStatus, expire_day_orders
from trading_assets.domain.execution.venue_book import VenueBook
from trading_assets.domain.execution.venue_ledger import WHOLE_ACCOUNT, VenueLedger
from trading_assets.domain.execution.venue_orders import VenueOrder, legs_of, order_of, replacement_of
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK, newest_session, session, sessions_between
from trading_assets.domain.values import ZERO

_S = OrderStatus
_CANCELABLE = (EXECUTABLE | {_S.DONE_FOR_DAY}) - {_S.PENDING_REPLACE}
_REPLACEABLE = frozenset({_S.WORKING, _S.PARTIALLY_FILLED})
_EVENTS = {
    _S.ACKED: "accepted",
    _S.WORKING: "new",
    _S.CANCELED: "canceled",
    _S.EXPIRED: "expired",
    _S.REJECTED: "rejected",
    _S.REPLACED: "replaced",
    _S.PENDING_CANCEL: "pending_cancel",
    _S.PENDING_REPLACE: "pending_replace",
}


class Venue:
    """One account at a broker that trades by `model`. `now` is its clock, UTC; `listeners` hear of every change.

    `is_cancel_slow` lets requested cancels wait until `confirm_cancels`. Not for use by several threads at once.
    """

    def __init__(
        self,
        now: datetime,
        cash_usd: Decimal,
        model: FillModel,
        instruments: Iterable[Instrument],
        account_number: str = "SIMULATED1",
    ) -> None:
        self.now, self.model = now, model
        self.ledger = VenueLedger(account_number, cash_usd)
        self.instruments = {one.symbol: one for one in instruments}
        self.listeners: list[Callable[[OrderUpdate], None]] = []
        self.is_cancel_slow = False
        self.is_suspended = False
        self.may_short = True
        self.book = VenueBook(self.ledger)
        self._halted: set[str] = set()
        # Bars take the time to their end before the session that ends with them is over.
        self._passed = now

    # Orders -----------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Take an order and its legs. Raises Refusal."""
        self._check(request)
        first = self.book.enter(order_of(request, self.ledger.account_number, self.now), request.is_extended_hours)
        first.legs = [self.book.enter(leg) for leg in legs_of(request, first.order)]
        for one in (first, *first.legs):
            self._move(one, _S.ACKED)
            if one.order.is_leg:
                self._move(one, _S.HELD)
            elif one.is_tradable(self.now):
                self._move(one, _S.WORKING)
        return self.book.shown(first, with_legs=True)

    def cancel(self, broker_order_id: str) -> BrokerOrder:
        """Ask for cancellation of an order, and of those that depend on it. Raises Refusal.

        Outside of its hours an order that the market has waits for the next opening. Asking again changes nothing.
        """
        asked = self.book.find(broker_order_id)
        if asked.status not in _CANCELABLE:
            raise Refusal(RefusalKind.UNPROCESSABLE, f'order is already in "{asked.status.lower()}" state')
        for one in (asked, *self.book.siblings(asked)):
            if one.status not in _CANCELABLE or one.status is _S.PENDING_CANCEL:
                continue
            is_queued = one.status is _S.ACKED
            if not is_queued or self.is_cancel_slow:
                self._move(one, _S.PENDING_CANCEL)
            if not self.is_cancel_slow and (is_queued or one.is_tradable(self.now)):
                self._move(one, _S.CANCELED)
        self._release_legs()
        return self.book.shown(asked)

    def confirm_cancels(self) -> None:
        """Carry out every cancel that was asked for."""
        for one in self.book.all():
            if one.status is _S.PENDING_CANCEL:
                self._move(one, _S.CANCELED)
        self._release_legs()

    def replace(self, broker_order_id: str, replacement: Replacement) -> BrokerOrder:
        """A new order in the place of one that works: for `qty` shares, or as many as remained. Raises Refusal."""
        old = self.book.find(broker_order_id)
        if old.status not in _REPLACEABLE or old.legs:
            raise Refusal(RefusalKind.MALFORMED, "only open orders can be replaced")
        order = replacement_of(old.working, replacement, self.now)
        self._check_replacement(old, order)
        self._move(old, _S.PENDING_REPLACE)
        new = self.book.enter(order, old.is_extended_hours)
        new.replaces, old.replaced_by = old.broker_order_id, new.broker_order_id
        self._move(old, _S.REPLACED)
        self._move(new, _S.ACKED)
        if new.is_tradable(self.now):
            self._move(new, _S.WORKING)
        return self.book.shown(new)

    def order(self, broker_order_id: str) -> BrokerOrder:
        """One order with its legs. Raises Refusal."""
        return self.book.shown(self.book.find(broker_order_id), with_legs=True)

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        """One order with its legs. Raises Refusal."""
        return self.book.shown(self.book.find_by_client_id(client_order_id), with_legs=True)

    def orders(self) -> list[BrokerOrder]:
        """Every order there ever was, legs among them, by submission."""
        return [self.book.shown(one) for one in self.book.all()]

    # What the account has ---------------------------------------------------------------------------

    def account(self) -> BrokerAccount:
        return BrokerAccount(
            account_number=self.ledger.account_number,
            status="ACTIVE",
            cash_usd=self.ledger.cash_usd,
            equity_usd=self.ledger.equity_usd,
            buying_power_usd=self.book.buying_power_usd,
            last_equity_usd=self.ledger.opening_cash_usd,
            initial_margin_usd=ZERO,
            maintenance_margin_usd=ZERO,
            accrued_fees_usd=ZERO,
            pending_taf_fees_usd=ZERO,
            multiplier=Decimal(1),
            is_trading_blocked=False,
            is_account_blocked=False,
            is_suspended_by_user=self.is_suspended,
            is_shorting_enabled=self.may_short,
        )

    def positions(self) -> list[BrokerPosition]:
        return self.ledger.positions()

    def activities(self) -> list[tuple[datetime, ActivityRecord]]:
        """Executions, busts, corrections and bookings with the moment they were recorded at, oldest first."""
        return self.ledger.records()

    # The market -------------------------------------------------------------------------------------

    def advance(self, to: datetime) -> None:
        """Let time pass: sessions open and close on the way. Raises ValueError for a moment that is over."""
        if to < self.now:
            raise ValueError(f"{to} is over: it is {self.now}")
        for at, event in _boundaries(self._passed, to):
            self.now = at
            if event == "opening":
                self._open_session()
            else:
                self._expire(at, is_extended=event == "extended closing")
        self.now = self._passed = to
        self._route()

    def trade(self, *bars: Bar) -> None:
        """Let bars of one period execute what they can; the time is their end afterwards."""
        self.advance(max(self.now, *(bar.ts for bar in bars)))
        for bar in bars:
            if bar.symbol not in self._halted:
                self._match(bar)
                self.ledger.last_prices[bar.symbol] = bar.close
        self.advance(max(self.now, *(bar.closes_at for bar in bars)))

    def halt(self, symbol: str, is_halted: bool = True) -> None:
        """Stop trading in a symbol, or begin again: orders are taken and wait."""
        (self._halted.add if is_halted else self._halted.discard)(symbol)

    def reject(self, broker_order_id: str, reason: str) -> None:
        """Refuse an order after it was accepted, as an exchange can."""
        self._move(self.book.find(broker_order_id), _S.REJECTED, reason)
        self._release_legs()

    def bust(self, execution_id: str) -> BrokerFill:
        """Undo an execution; returns the record that says so. The order's status stays as it is. Raises Refusal."""
        return self._undo(execution_id, "trade_bust")

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> BrokerFill:
        """Replace what an execution was; returns the record that says so. Raises Refusal."""
        return self._undo(execution_id, "trade_correct", qty, price)

    def book_cash(self, kind: str, amount_usd: Decimal, symbol: str | None = None) -> str:
        """Move cash for another reason than an execution, such as DIV or FEE; returns the activity's id."""
        return self.ledger.book(kind, amount_usd, symbol, self.now)

    # Inside -----------------------------------------------------------------------------------------

    def _check(self, request: OrderRequest) -> None:
        if self.is_suspended:
            raise Refusal(RefusalKind.FORBIDDEN, "new orders are rejected by user request")
        rules.check_form(request)
        self.book.check_client_id(request.client_order_id)
        instrument = rules.traded(request, self.instruments.get(request.symbol))
        rules.check_hours(request, phase_at(self.now))
        held = self.ledger.held(request.symbol)
        rules.check_self_cross(request, [one.working for one in self.book.open(request.symbol)])
        rules.check_holdings(
            request, held, self.book.committed(request.symbol, request.side), instrument, self.may_short
        )
        cost = self.book.cost(request.side, request.symbol, request.qty, request.limit_price)
        rules.check_buying_power(cost, self.book.buying_power_usd)

    def _check_replacement(self, old: VenueOrder, order: Order) -> None:
        asked = OrderRequest(
            order.client_order_id,
            order.symbol,
            order.side,
            order.qty,
            order.order_type,
            order.time_in_force,
            order.limit_price,
            order.stop_price,
            order.trail_usd,
            order.trail_pct,
            old.is_extended_hours,
        )
        rules.check_form(asked)
        self.book.check_client_id(order.client_order_id)
        rules.check_hours(asked, phase_at(self.now))
        held, committed = self.ledger.held(order.symbol), self.book.committed(order.symbol, order.side, without=old)
        rules.check_holdings(asked, held, committed, self.instruments[order.symbol], self.may_short)
        cost = self.book.cost(order.side, order.symbol, order.qty, order.limit_price)
        rules.check_buying_power(cost, self.book.buying_power_usd + self.book.cost_of(old))

    def _move(self, one: VenueOrder, status: OrderStatus, detail: str = "") -> None:
        one.working.move(status, self.now, one.order.session_date, detail=detail)
        self._tell_status(one)

    def _tell_status(self, one: VenueOrder) -> None:
        one.updated_at = self.now
        if one.status in _EVENTS:
            self._tell(OrderUpdate(_EVENTS[one.status], self.book.shown(one), self.now))

    def _tell_execution(self, event: str, one: VenueOrder, fill: BrokerFill) -> None:
        one.updated_at = self.now
        self._tell(
            OrderUpdate(
                event,
                self.book.shown(one),
                self.now,
                execution_id=fill.execution_id,
                previous_execution_id=fill.previous_execution_id,
                qty=fill.qty,
                price=fill.price,
                position_qty=self.ledger.held(fill.symbol),
            )
        )

    def _tell(self, update: OrderUpdate) -> None:
        for listener in self.listeners:
            listener(update)

    def _match(self, bar: Bar) -> None:
        trading = session(bar.session_date)
        is_regular = trading.opens_at <= bar.ts < trading.closes_at
        orders = {
            one.order.client_order_id: one
            for one in self.book.open(bar.symbol, with_held=True)
            if is_regular or one.is_extended_hours
        }
        before = {name: one.status for name, one in orders.items()}
        auctions = Auctions(bar.ts == trading.opens_at, bar.closes_at == trading.closes_at)
        held = {WHOLE_ACCOUNT: self.ledger.held(bar.symbol)}
        fills = work_bar([one.working for one in orders.values()], bar, self.model, auctions, held).fills
        self.now = max(self.now, bar.closes_at)
        self.ledger.add(fills, bar.close)
        for fill in fills:
            one = orders[fill.client_order_id]
            record = self.ledger.record(fill, one.broker_order_id, one.working.remaining, self.now)
            self._tell_execution("partial_fill" if one.working.remaining else "fill", one, record)
        for name, one in orders.items():
            if one.status is not before[name]:
                self._tell_status(one)
        self._release_legs()

    def _undo(
        self, execution_id: str, kind: str, qty: Decimal | None = None, price: Decimal | None = None
    ) -> BrokerFill:
        old, new = self.ledger.undo(execution_id, self.now, qty, price)
        one = self.book.find_by_client_id(old.client_order_id)
        one.working.filled_qty, _ = self.ledger.executed(old.client_order_id)
        record = self.ledger.record(new, one.broker_order_id, one.working.remaining, self.now, kind, execution_id)
        self._tell_execution(kind, one, record)
        return record

    def _open_session(self) -> None:
        if not self.is_cancel_slow:
            self.confirm_cancels()
        self._route()

    def _route(self) -> None:
        for one in self.book.open():
            if one.status is _S.ACKED and one.is_tradable(self.now):
                self._move(one, _S.WORKING)

    def _expire(self, at: datetime, is_extended: bool) -> None:
        over = [one for one in self.book.open(with_held=True) if one.is_extended_hours is is_extended]
        events = expire_day_orders([one.working for one in over], at, newest_session(at))
        ended = {event.client_order_id for event in events}
        for one in over:
            if one.order.client_order_id in ended:
                self._tell_status(one)

    def _release_legs(self) -> None:
        """Legs whose entry is over, and of which there is nothing to close, are cancelled with it."""
        for one in self.book.all():
            if one.working.is_terminal and not one.working.filled_qty:
                for leg in one.legs:
                    if leg.status is _S.HELD:
                        self._move(leg, _S.CANCELED)


def _boundaries(after: datetime, until: datetime) -> list[tuple[datetime, str]]:
    """The openings and closings of sessions later than `after` and no later than `until`, in order."""
    first, last = (at.astimezone(NEW_YORK).date() for at in (after, until))
    found: list[tuple[datetime, str]] = []
    for day in sessions_between(first, last):
        trading = session(day)
        extended = datetime.combine(day, EXTENDED_CLOSING, NEW_YORK).astimezone(UTC)
        found += [(trading.opens_at, "opening"), (trading.closes_at, "closing"), (extended, "extended closing")]
    return [(at, event) for at, event in found if after < at <= until]
