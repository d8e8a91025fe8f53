"""Ledger against broker: every seeded divergence is found, no clean history has a break, and order means nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading_assets.domain.execution.breaks import REMEDIES, BreakKind, Remedy
from trading_assets.domain.execution.broker_records import (
    BrokerActivity,
    BrokerFill,
    BrokerPosition,
    OrderRequest,
    OrderUpdate,
)
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.order_history import OrderHistory, StatusReport
from trading_assets.domain.execution.orders import TERMINAL, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.execution.reconciliation import (
    BrokerView,
    LocalExecution,
    LocalOrder,
    LocalPosition,
    LocalView,
    Reconciliation,
    reconcile,
)
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.execution.venue_rules import Refusal
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.values import Side

K, S = BreakKind, OrderStatus
DAY = date(2024, 7, 1)
TEN = datetime(2024, 7, 1, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CASH = Decimal(100_000)
MODEL = FillModel(slippage_bps=Decimal(5), volume_limit=Decimal("0.05"))
INSTRUMENTS = [Instrument(symbol, symbol, "NYSE", True, True) for symbol in ("AAA", "BBB")]
VENUES, MOMENTS = 500, 20


@dataclass
class Ledger:
    """Our side, written from nothing but the updates, with plain arithmetic at average cost."""

    orders: dict[str, LocalOrder] = field(default_factory=dict)
    histories: dict[str, OrderHistory] = field(default_factory=dict)
    fills: dict[str, BrokerFill] = field(default_factory=dict)
    activities: dict[str, Decimal] = field(default_factory=dict)

    def hear(self, update: OrderUpdate) -> None:
        order = update.order
        history = self.histories.setdefault(order.client_order_id, OrderHistory(order.client_order_id, order.qty))
        history.add(StatusReport(order.status, update.at))
        if update.execution_id is not None:
            kind = update.event if update.previous_execution_id else "fill"
            fill = BrokerFill(
                *("", update.execution_id, order.broker_order_id, order.symbol, order.side, update.qty, update.price),
                *(update.at, kind, update.previous_execution_id),
            )
            history.add(fill)
            self.fills[fill.execution_id] = fill
        self.orders[order.client_order_id] = LocalOrder(
            *(order.client_order_id, order.broker_order_id, order.symbol, order.side, order.qty),
            history.state().status,
        )

    def view(self) -> LocalView:
        names = {name for history in self.histories.values() for name in history.state().executions}
        standing = [fill for name, fill in self.fills.items() if name in names]
        cash = CASH + sum(self.activities.values())
        shares: dict[str, Decimal] = {}
        for fill in standing:
            cash -= fill.side.sign * fill.qty * fill.price
            shares[fill.symbol] = shares.get(fill.symbol, Decimal(0)) + fill.side.sign * fill.qty
        return LocalView(
            tuple(self.orders.values()),
            tuple(LocalExecution(f.execution_id, f.symbol, f.side, f.qty, f.price) for f in standing),
            dict(self.activities),
            {symbol: LocalPosition(qty, self.average(symbol, standing)) for symbol, qty in shares.items()},
            cash,
        )

    def average(self, symbol: str, standing: list[BrokerFill]) -> Decimal:
        """Of the shares that are held; sales leave it. Corrections stand where what they correct stood."""

        def place(fill: BrokerFill) -> int:
            while fill.previous_execution_id:
                fill = self.fills[fill.previous_execution_id]
            return list(self.fills).index(fill.execution_id)

        qty, cost = Decimal(0), Decimal(0)
        for fill in sorted((one for one in standing if one.symbol == symbol), key=place):
            if fill.side is Side.BUY:
                qty, cost = qty + fill.qty, cost + fill.qty * fill.price
            elif qty:
                cost, qty = cost * (qty - fill.qty) / qty, qty - fill.qty
        return cost / qty if qty else Decimal(0)


class Rehearsal:
    """A venue on which chance trades, and a ledger that listens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.venue = Venue(TEN, CASH, MODEL, INSTRUMENTS)
        self.ledger = Ledger()
        self.venue.listeners.append(self.ledger.hear)
        self.sent = 0

    def act(self) -> None:
        action = self.chance.choice(
            [self.submit, self.submit, self.trade, self.trade, self.cancel, self.cash, self.undo]
        )
        action()

    def submit(self) -> None:
        self.sent += 1
        symbol, is_limit = self.chance.choice(("AAA", "BBB")), self.chance.random() < 0.5
        held = int(self.venue.ledger.held(symbol))
        side = Side.SELL if held > 0 and self.chance.random() < 0.4 else Side.BUY
        request = OrderRequest(
            *(f"ta1-{self.sent}", symbol, side, Decimal(self.chance.randint(1, held if side is Side.SELL else 80))),
            *(
                (OrderType.LIMIT if is_limit else OrderType.MARKET),
                self.chance.choice((TimeInForce.DAY, TimeInForce.GTC)),
            ),
            limit_price=Decimal(self.chance.randint(95, 105)) if is_limit else None,
        )
        try:
            self.venue.submit(request)
        except Refusal:
            self.sent -= 1

    def trade(self) -> None:
        at, ends = self.venue.now, self.venue.now + MINUTE
        values = [Decimal(one) for one in (100, 100 + self.chance.randint(0, 4), 100 - self.chance.randint(0, 4), 101)]
        volume = Decimal(self.chance.randint(0, 2_000))
        self.venue.trade(*(Bar(one.symbol, at, ends, DAY, *values, volume) for one in INSTRUMENTS))

    def cancel(self) -> None:
        for order in self.venue.orders()[-2:]:
            if order.status in {S.WORKING, S.PARTIALLY_FILLED}:
                self.venue.cancel(order.broker_order_id)

    def cash(self) -> None:
        amount = Decimal(self.chance.randint(-500, 500)) / 100
        self.ledger.activities[self.venue.book_cash("DIV", amount)] = amount

    def undo(self) -> None:
        """Only the newest purchase while no sale waits, so that none loses the shares that it sells."""
        standing = list(self.ledger.view().executions)[-1:]
        is_selling = any(one.side is Side.SELL and one.status not in TERMINAL for one in self.venue.orders())
        for one in standing if not is_selling else ():
            if one.side is Side.BUY and self.chance.random() < 0.5:
                self.venue.bust(one.execution_id)
            elif one.side is Side.BUY:
                self.venue.correct(one.execution_id, one.qty, one.price - 1)

    def broker(self) -> BrokerView:
        records = [record for _, record in self.venue.activities()]
        return BrokerView(self.venue.account(), self.venue.orders(), records, self.venue.positions())


def shuffled(local: LocalView, broker: BrokerView, chance: random.Random) -> tuple[LocalView, BrokerView]:
    """The same views in another order, everything of the broker's told twice."""

    def mixed(values: Any) -> list[Any]:
        twice = [*values, *values]
        chance.shuffle(twice)
        return twice

    orders, executions = list(local.orders), list(local.executions)
    chance.shuffle(orders)
    chance.shuffle(executions)
    return (
        replace(local, orders=orders, executions=executions),
        replace(broker, orders=mixed(broker.orders), records=mixed(broker.records), positions=mixed(broker.positions)),
    )


def test_ten_thousand_clean_histories_have_no_break() -> None:
    fills = undone = 0
    for seed in range(VENUES):
        rehearsal = Rehearsal(seed)
        for _ in range(MOMENTS):
            rehearsal.act()
            assert reconcile(rehearsal.ledger.view(), rehearsal.broker()) == Reconciliation((), ()), seed
        again = shuffled(rehearsal.ledger.view(), rehearsal.broker(), rehearsal.chance)
        assert reconcile(*again).is_clean
        fills += len(rehearsal.ledger.fills)
        undone += sum(fill.previous_execution_id is not None for fill in rehearsal.ledger.fills.values())
    assert fills > 1_000
    assert undone > 100


@dataclass
class Views:
    """A sound history, for a divergence to spoil. 50 AAA are held: 20 of order 1, and 30 of order 5 whose execution was
    corrected; that of order 4 was busted. Order 2 for BBB works, order 3 is cancelled, a dividend is booked."""

    local: LocalView
    broker: BrokerView

    def ours(self, **changes: Any) -> None:
        self.local = replace(self.local, **changes)

    def theirs(self, **changes: Any) -> None:
        self.broker = replace(self.broker, **changes)

    def our_order(self, number: int, **changes: Any) -> None:
        self.ours(orders=_changed(self.local.orders, "client_order_id", f"ta1-{number}", changes))

    def their_order(self, number: int, **changes: Any) -> None:
        self.theirs(orders=_changed(self.broker.orders, "client_order_id", f"ta1-{number}", changes))

    def our_first_execution(self, **changes: Any) -> None:
        first = next(iter(self.local.executions))
        self.ours(executions=_changed(self.local.executions, "execution_id", first.execution_id, changes))

    def their_first_execution(self, **changes: Any) -> None:
        first = next(iter(self.local.executions))
        self.theirs(records=_changed(self.broker.records, "execution_id", first.execution_id, changes))

    def moved(self, shares: str, cash: str) -> None:
        """Our position in AAA and our cash, as if something else had been booked."""
        held = self.local.positions["AAA"]
        self.ours(
            positions={"AAA": replace(held, qty=held.qty + Decimal(shares))},
            cash_usd=self.local.cash_usd + Decimal(cash),
        )

    def unheard(self, kind: str, qty: int, shares: str, cash: str) -> None:
        """We still count the execution that a bust or correction undid."""
        (undoing,) = [one for one in self.broker.records if isinstance(one, BrokerFill) and one.kind == kind]
        old = LocalExecution(str(undoing.previous_execution_id), "AAA", Side.BUY, Decimal(qty), Decimal("100.05"))
        kept = [one for one in self.local.executions if one.execution_id != undoing.execution_id]
        self.ours(executions=[*kept, old])
        self.moved(shares, cash)

    def booked(self, **activities: str) -> None:
        self.ours(activities={name: Decimal(amount) for name, amount in activities.items()})

    def recorded(self, record: Any) -> None:
        self.theirs(records=[*self.broker.records, record])

    def account(self, **changes: Any) -> None:
        self.theirs(account=replace(self.broker.account, **changes))

    def holding(self, **changes: Any) -> None:
        self.theirs(positions=[replace(one, **changes) for one in self.broker.positions])


def _changed(values: Any, key: str, name: str, changes: dict[str, Any]) -> list[Any]:
    """`values` with one of them changed, or without it when nothing is said of how."""
    rest = [one for one in values if getattr(one, key, None) != name]
    (chosen,) = [one for one in values if getattr(one, key, None) == name]
    return [*rest, replace(chosen, **changes)] if changes else rest


def sound() -> Views:
    rehearsal = Rehearsal(0)
    venue = rehearsal.venue

    def buy(number: int, symbol: str, qty: int, limit: int | None = None) -> str:
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        request = OrderRequest(
            f"ta1-{number}", symbol, Side.BUY, Decimal(qty), kind, limit_price=limit and Decimal(limit)
        )
        return venue.submit(request).broker_order_id

    def trade() -> None:
        values = [Decimal(100), Decimal(101), Decimal(99), Decimal(100), Decimal(100_000)]
        venue.trade(*(Bar(one.symbol, venue.now, venue.now + MINUTE, DAY, *values) for one in INSTRUMENTS))

    buy(1, "AAA", 20)
    trade()
    buy(2, "BBB", 5, limit=50)
    venue.cancel(buy(3, "AAA", 7, limit=50))
    for number, qty in ((4, 10), (5, 30)):
        buy(number, "AAA", qty)
        trade()
        newest = list(rehearsal.ledger.view().executions)[-1]
        if number == 4:
            venue.bust(newest.execution_id)
        else:
            venue.correct(newest.execution_id, newest.qty, Decimal(99))
    rehearsal.ledger.activities[venue.book_cash("DIV", Decimal("1.25"))] = Decimal("1.25")
    return Views(rehearsal.ledger.view(), rehearsal.broker())


EXTERNAL = BrokerFill("z", "foreign", "their-order", "CCC", Side.BUY, Decimal(3), Decimal(7), TEN)


def lose_execution(v: Views) -> None:
    v.our_first_execution()
    v.moved("-20", "2001")


def invent_execution(v: Views) -> None:
    invented = LocalExecution("x", "AAA", Side.BUY, Decimal(1), Decimal(100))
    v.ours(executions=[*v.local.executions, invented])
    v.moved("1", "-100")


def misprice_execution(v: Views) -> None:
    v.our_first_execution(price=Decimal("101.05"))
    v.moved("0", "-20")


def lose_dividend(v: Views) -> None:
    v.booked()
    v.moved("0", "-1.25")


def invent_dividend(v: Views) -> None:
    v.ours(activities={**v.local.activities, "invented": Decimal(2)})
    v.moved("0", "2")


def withdraw(v: Views) -> None:
    v.recorded(BrokerActivity("z", "CSW", Decimal(-500), DAY))
    v.account(cash_usd=v.broker.account.cash_usd - 500)


def trade_by_hand(v: Views) -> None:
    v.recorded(EXTERNAL)
    v.theirs(positions=[*v.broker.positions, BrokerPosition("CCC", Decimal(3), Decimal(7))])
    v.account(cash_usd=v.broker.account.cash_usd - 21)


def enter_by_hand(v: Views) -> None:
    other = replace(next(iter(v.broker.orders)), client_order_id="by-hand", broker_order_id="z", filled_qty=Decimal(0))
    v.theirs(orders=[*v.broker.orders, other])


def send_twice(v: Views) -> None:
    (order,) = [one for one in v.broker.orders if one.client_order_id == "ta1-2"]
    v.theirs(orders=[*v.broker.orders, replace(order, broker_order_id="z")])


def average(v: Views) -> None:
    held = v.local.positions["AAA"]
    v.ours(positions={"AAA": replace(held, avg_cost_usd=held.avg_cost_usd * Decimal("1.0002"))})


BUST, CORRECTION = "trade_bust", "trade_correct"
DIVERGENCES: dict[str, tuple[Callable[[Views], Any], set[BreakKind]]] = {
    "an execution was not booked": (lose_execution, {K.EXECUTION_NOT_BOOKED}),
    "an execution was booked and not folded": (lambda v: v.moved("-20", "0"), {K.POSITION_DIFFERS}),
    "an execution was folded twice": (lambda v: v.moved("20", "-2001"), {K.POSITION_DIFFERS, K.CASH_DIFFERS}),
    "an execution was invented": (
        invent_execution,
        {K.EXECUTION_UNKNOWN_TO_BROKER, K.POSITION_DIFFERS, K.CASH_DIFFERS},
    ),
    "the broker lost an execution": (
        lambda v: v.their_first_execution(),
        {K.EXECUTION_UNKNOWN_TO_BROKER, K.FILLED_QTY_DIFFERS},
    ),
    "an execution has another price": (misprice_execution, {K.EXECUTION_DIFFERS, K.CASH_DIFFERS}),
    "an execution has another quantity": (lambda v: v.our_first_execution(qty=Decimal(19)), {K.EXECUTION_DIFFERS}),
    "an execution has another side": (lambda v: v.our_first_execution(side=Side.SELL), {K.EXECUTION_DIFFERS}),
    "an execution has another symbol": (lambda v: v.our_first_execution(symbol="BBB"), {K.EXECUTION_DIFFERS}),
    "an execution cannot be read": (
        lambda v: v.their_first_execution(qty=None, faults=("qty",)),
        {K.RECORD_UNREADABLE, K.FILLED_QTY_DIFFERS},
    ),
    "a bust was not booked": (lambda v: v.unheard(BUST, 10, "10", "-1000.5"), {K.BUST_NOT_BOOKED}),
    "a correction was not booked": (lambda v: v.unheard(CORRECTION, 30, "0", "-31.5"), {K.CORRECTION_NOT_BOOKED}),
    "somebody traded by hand": (trade_by_hand, {K.EXECUTION_NOT_BOOKED}),
    "a dividend was not booked": (lose_dividend, {K.ACTIVITY_NOT_BOOKED}),
    "a dividend was invented": (invent_dividend, {K.ACTIVITY_UNKNOWN_TO_BROKER, K.CASH_DIFFERS}),
    "a dividend has another amount": (
        lambda v: v.booked(**dict.fromkeys(v.local.activities, "1.24")),
        {K.ACTIVITY_DIFFERS},
    ),
    "somebody withdrew money": (withdraw, {K.ACTIVITY_NOT_BOOKED}),
    "the write of an order was lost": (
        lambda v: v.ours(orders=[one for one in v.local.orders if one.client_order_id != "ta1-2"]),
        {K.ORDER_LOST},
    ),
    "somebody entered an order by hand": (enter_by_hand, {K.ORDER_IS_EXTERNAL}),
    "an order never arrived": (lambda v: v.their_order(2), {K.ORDER_UNKNOWN_TO_BROKER}),
    "an order was sent twice": (send_twice, {K.ORDER_SENT_TWICE}),
    "a cancellation was not heard": (lambda v: v.our_order(3, status=S.PENDING_CANCEL), {K.ORDER_IS_BEHIND}),
    "an expiry was not heard": (lambda v: v.their_order(2, status=S.EXPIRED), {K.ORDER_IS_BEHIND}),
    "an answer was lost": (
        lambda v: v.our_order(2, status=S.SUBMIT_UNKNOWN, broker_order_id=None),
        {K.ORDER_IS_BEHIND},
    ),
    "an order works that we gave up": (lambda v: v.our_order(2, status=S.NEVER_ARRIVED), {K.ORDER_ENDED_OTHERWISE}),
    "an order has another quantity": (lambda v: v.their_order(2, qty=Decimal(6)), {K.ORDER_TERMS_DIFFER}),
    "an order has another side": (lambda v: v.their_order(2, side=Side.SELL), {K.ORDER_TERMS_DIFFER}),
    "an order has another symbol": (lambda v: v.their_order(2, symbol="AAA"), {K.ORDER_TERMS_DIFFER}),
    "an order has no readable quantity": (lambda v: v.their_order(2, qty=None), {K.RECORD_UNREADABLE}),
    "an order executed more than is recorded": (
        lambda v: v.their_order(2, filled_qty=Decimal(1)),
        {K.FILLED_QTY_DIFFERS},
    ),
    "shares are gone": (lambda v: v.theirs(positions=()), {K.POSITION_DIFFERS}),
    "shares appeared": (
        lambda v: v.theirs(positions=[*v.broker.positions, BrokerPosition("CCC", Decimal(1), Decimal(7))]),
        {K.POSITION_DIFFERS},
    ),
    "a billionth of a share is gone": (lambda v: v.moved("-0.000000001", "0"), {K.POSITION_DIFFERS}),
    "a position cannot be read": (lambda v: v.holding(qty=None), {K.RECORD_UNREADABLE}),
    "an average price is two basis points off": (average, {K.AVERAGE_PRICE_DIFFERS}),
    "two cents are gone": (lambda v: v.moved("0", "0.02"), {K.CASH_DIFFERS}),
    "cash cannot be read": (lambda v: v.account(cash_usd=None), {K.RECORD_UNREADABLE}),
}


def test_sound_history_has_no_break() -> None:
    views = sound()
    assert reconcile(views.local, views.broker) == Reconciliation((), ())
    assert views.local.positions["AAA"] == LocalPosition(Decimal(50), Decimal("99.42"))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_seeded_divergence_is_found_and_nothing_else_invented(name: str) -> None:
    spoil, expected = DIVERGENCES[name]
    views = sound()
    spoil(views)
    found = reconcile(views.local, views.broker)
    assert {one.kind for one in found.breaks} == expected
    assert len(found.breaks) == len(expected)
    assert found.explained == ()
    chance = random.Random(name)
    assert all(reconcile(*shuffled(views.local, views.broker, chance)) == found for _ in range(20))


def test_divergences_cover_every_kind_and_every_kind_has_a_remedy() -> None:
    assert len(DIVERGENCES) >= 30
    assert {kind for _, kinds in DIVERGENCES.values() for kind in kinds} == set(REMEDIES) == set(BreakKind)
    assert set(REMEDIES.values()) == set(Remedy)


def test_what_may_be_booked_without_a_person_leaves_no_break_behind() -> None:
    views = sound()
    lose_execution(views)
    (lost,) = reconcile(views.local, views.broker).breaks
    assert lost.remedy is Remedy.BOOK
    (fill,) = [one for one in views.broker.records if isinstance(one, BrokerFill) and one.execution_id == lost.subject]
    again = LocalExecution(fill.execution_id, fill.symbol, fill.side, fill.qty, fill.price)
    views.ours(executions=[*views.local.executions, again])
    views.moved("20", "-2001")
    assert reconcile(views.local, views.broker).is_clean


def test_difference_with_a_known_cause_is_explained_and_no_break() -> None:
    split, fees = sound(), sound()
    split.holding(qty=Decimal(100), avg_entry_price=Decimal("49.71"))
    split.theirs(pending_actions={"AAA"})
    found = reconcile(split.local, split.broker)
    assert (found.is_clean, [one.cause for one in found.explained]) == (True, ["a corporate action is pending"])
    fees.moved("0", "-1.23")
    fees.account(accrued_fees_usd=Decimal("1.03"), pending_taf_fees_usd=Decimal("0.20"))
    found = reconcile(fees.local, fees.broker)
    assert (found.is_clean, [one.cause for one in found.explained]) == (True, ["fees are pending"])
    fees.moved("0", "-1.23")
    assert [one.kind for one in reconcile(fees.local, fees.broker).breaks] == [K.CASH_DIFFERS]


def test_adjustment_of_the_same_break_has_the_same_id() -> None:
    ids = []
    for cash in ("0.02", "0.02", "0.03"):
        views = sound()
        views.moved("0", cash)
        ids.append(reconcile(views.local, views.broker).breaks[0].adjustment_id)
    assert ids[0] == ids[1] != ids[2]


def test_late_execution_on_both_sides_is_no_break() -> None:
    views = sound()
    views.our_order(3, status=S.PARTIALLY_FILLED_AFTER_TERMINAL)
    assert reconcile(views.local, views.broker).is_clean
