"""Ledger and broker made to differ, in the real tables and in the local Alpaca's answers: every divergence is found.

What needs no person is put right by the comparison itself; what does is a break, and nothing else is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from conftest import MakeDatabase
from standins.broker_rehearsals import MONDAY, local_alpaca, new_york
from standins.compared_account import ACCOUNT_ID, ComparedAccount
from standins.spoiled_broker import SpoiledBroker, adding, changing

from trading_assets.adapters.postgres.reconciliations import newest_agreement, open_breaks
from trading_assets.domain.execution.breaks import BreakKind
from trading_assets.domain.execution.broker_records import BrokerActivity, BrokerFill, BrokerPosition
from trading_assets.domain.execution.orders import OrderStatus
from trading_assets.domain.values import Side

K, S = BreakKind, OrderStatus
D = Decimal


@dataclass(frozen=True)
class History:
    """A sound history. 50 AAA are held: 20 of order 1, and 30 of order 5 whose execution was corrected; that of order
    4 was busted. Order 2 for BBB works, order 3 is cancelled, a dividend is booked. `names` by the order's number."""

    account: ComparedAccount
    names: dict[int, str]
    ids: dict[int, str]

    @property
    def first_execution(self) -> str:
        return self.account.rows("select execution_id from execution.fills where client_order_id = %s", self.names[1])[
            0
        ][0]


@pytest.fixture(scope="module")
def sound(new_module_database: MakeDatabase) -> Iterator[History]:
    with local_alpaca() as rehearsal:
        account = ComparedAccount(new_module_database(), rehearsal)
        account.open()
        account.at(new_york("12:10"))
        names = {1: account.buy("AAA", 20)}
        account.trade("12:30")
        names[2] = account.buy("BBB", 5, limit=50)
        names[3] = account.buy("AAA", 7, limit=50)
        rehearsal.broker.cancel(account.at_broker(names[3]).broker_order_id)
        names[4] = account.buy("AAA", 10)
        account.trade("13:30")
        names[5] = account.buy("AAA", 30)
        account.trade("14:30")
        executions = {
            one.broker_order_id: one.execution_id for one in rehearsal.broker.activities_since(new_york("12:00"))
        }
        ids = {number: account.at_broker(name).broker_order_id for number, name in names.items()}
        rehearsal.bust(executions[ids[4]])
        rehearsal.correct(executions[ids[5]], D(30), D(99))
        rehearsal.book("DIV", D("1.25"), "AAA")
        account.at(new_york("15:40"))
        first, second = account.compare(), account.compare()
        assert (first.comparison.booked_count, first.comparison.adopted_count) == (7, 0)
        assert first.comparison.is_clean
        assert second.comparison.is_clean
        assert second.comparison.booked_count == second.comparison.followed_count == 0
        yield History(account, names, ids)


@dataclass
class Divergence:
    """The sound history again, for one thing in it to be made another."""

    history: History
    account: ComparedAccount
    broker: SpoiledBroker
    name: dict[int, str] = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.history.names

    def theirs(self, **spoiled: Any) -> None:
        self.broker = replace(self.broker, **spoiled)

    def their_order(self, number: int, **changes: Any) -> None:
        self.theirs(orders=changing("client_order_id", self.name[number], **changes))

    def their_first_execution(self, **changes: Any) -> None:
        self.theirs(records=changing("execution_id", self.history.first_execution, **changes))

    def poorer_by(self, usd: str) -> Callable[[Any], Any]:
        return lambda account: replace(account, cash_usd=account.cash_usd - D(usd))

    def ours(self, statement: str, *parameters: Any) -> None:
        """Change what is recorded, as no program can."""
        with self.account.database.transaction() as connection:
            connection.execute("set local session_replication_role = replica")
            connection.execute(statement, parameters)

    def our_first_execution(self, assignment: str) -> None:
        self.ours(f"update execution.fills set {assignment} where execution_id = %s", self.history.first_execution)

    def booked(self, kind: str, qty: str, usd: str, source: str | None = None) -> None:
        """An activity more in our ledger."""
        self.ours(
            "insert into execution.activities (activity_id, account_id, strategy, symbol, kind, qty_delta, amount_usd, "
            "at, settles_on, session_date, detail) values ('more', %s, 'external', 'AAA', %s, %s, %s, %s, %s, %s, "
            "case when %s::text is null then '{}'::jsonb else jsonb_build_object('broker_activity_id', %s::text) end)",
            *(ACCOUNT_ID, kind, D(qty), D(usd), self.account.clock.now(), MONDAY, MONDAY, source, source),
        )

    def forget_events(self, number: int, after: int) -> None:
        self.ours(
            "delete from execution.order_events where client_order_id = %s and event_no > %s", self.name[number], after
        )

    def forget_answer(self, number: int) -> None:
        for table in ("submission_answers", "broker_orders"):
            self.ours(f"delete from execution.{table} where client_order_id = %s", self.name[number])
        self.forget_events(number, 1)

    def say(self, number: int, *statuses: str) -> None:
        for event_no, status in enumerate(statuses, start=2):
            self.ours(
                "insert into execution.order_events (client_order_id, event_no, status, qty, at, session_date) "
                "values (%s, %s, %s, 5, %s, %s)",
                *(self.name[number], event_no, status, self.account.clock.now(), MONDAY),
            )


@pytest.fixture
def diverging(sound: History, new_database: MakeDatabase) -> Divergence:
    database = new_database(sound.account.database)
    account = ComparedAccount(database, sound.account.rehearsal)
    return Divergence(sound, account, SpoiledBroker(sound.account.rehearsal.broker))


def lose_order(d: Divergence) -> None:
    d.forget_answer(2)
    for table in ("order_events", "submissions", "orders"):
        d.ours(f"delete from execution.{table} where client_order_id = %s", d.name[2])


def give_up(d: Divergence) -> None:
    d.forget_events(2, 1)
    d.say(2, "SUBMIT_UNKNOWN", "NEVER_ARRIVED")


def lose_answer(d: Divergence) -> None:
    d.forget_answer(2)
    d.say(2, "SUBMIT_UNKNOWN")


def forget_undoing(kind: str) -> Callable[[Divergence], None]:
    def spoil(d: Divergence) -> None:
        (undoing,) = [
            one
            for one in d.broker.activities_since(new_york("12:00"))
            if isinstance(one, BrokerFill) and one.kind == kind
        ]
        d.ours("delete from execution.activities where detail ->> 'broker_activity_id' = %s", undoing.execution_id)
        d.ours("delete from execution.fills where execution_id = %s", undoing.execution_id)

    return spoil


def trade_by_hand(d: Divergence) -> None:
    executed = BrokerFill("z", "foreign", "their-order", "CCC-B", Side.BUY, D(3), D(7), d.account.clock.now())
    d.theirs(records=adding(executed), held=adding(BrokerPosition("CCC-B", D(3), D(7))), told=d.poorer_by("21"))


def enter_by_hand(d: Divergence) -> None:
    other = replace(d.broker.order_by_client_id(d.name[2]), client_order_id="by-hand", broker_order_id="z")
    d.theirs(orders=adding(other))


def invent_execution(d: Divergence) -> None:
    d.ours(
        "insert into execution.fills select 'x', client_order_id, account_id, strategy, symbol, side, 1, 100, "
        "filled_at, booked_at, session_date from execution.fills where execution_id = %s",
        d.history.first_execution,
    )


def all_positions(**changes: Any) -> Callable[[Any], Any]:
    return lambda positions: [replace(one, **changes) for one in positions]


PUT_RIGHT: dict[str, tuple[Callable[[Divergence], Any], tuple[int, int, int]]] = {
    "an execution was not booked": (
        lambda d: d.ours("delete from execution.fills where execution_id = %s", d.history.first_execution),
        (1, 0, 0),
    ),
    "a bust was not booked": (forget_undoing("trade_bust"), (1, 0, 0)),
    "a correction was not booked": (forget_undoing("trade_correct"), (2, 0, 0)),
    "somebody traded by hand": (trade_by_hand, (1, 0, 0)),
    "a dividend was not booked": (
        lambda d: d.ours("delete from execution.activities where kind = 'dividend'"),
        (1, 0, 0),
    ),
    "somebody withdrew money": (
        lambda d: d.theirs(records=adding(BrokerActivity("z", "CSW", D(-500), MONDAY)), told=d.poorer_by("500")),
        (1, 0, 0),
    ),
    "the write of an order was lost": (lose_order, (0, 0, 1)),
    "somebody entered an order by hand": (enter_by_hand, (0, 0, 1)),
    "a cancellation was not heard": (lambda d: d.forget_events(3, 2), (0, 1, 0)),
    "an expiry was not heard": (lambda d: d.their_order(2, status=S.EXPIRED), (0, 1, 0)),
    "an answer was lost": (lose_answer, (0, 1, 0)),
}
"""What the comparison does by itself: rows booked, moves of orders, orders adopted."""

LEFT: dict[str, tuple[Callable[[Divergence], Any], list[BreakKind]]] = {
    "shares were booked that nobody traded": (
        lambda d: d.booked("external_trade", "-20", "0"),
        [K.POSITION_DIFFERS],
    ),
    "an execution was folded twice": (
        lambda d: d.booked("external_trade", "20", "-2001"),
        [K.POSITION_DIFFERS, K.CASH_DIFFERS],
    ),
    "an execution was invented": (
        invent_execution,
        [K.EXECUTION_UNKNOWN_TO_BROKER, K.POSITION_DIFFERS, K.CASH_DIFFERS],
    ),
    "the broker lost an execution": (
        lambda d: d.their_first_execution(),
        [K.EXECUTION_UNKNOWN_TO_BROKER, K.FILLED_QTY_DIFFERS],
    ),
    "an execution has another price": (
        lambda d: d.our_first_execution("price = price + 1"),
        [K.EXECUTION_DIFFERS, K.AVERAGE_PRICE_DIFFERS, K.CASH_DIFFERS],
    ),
    "an execution has another quantity": (
        lambda d: d.our_first_execution("qty = qty - 1"),
        [K.EXECUTION_DIFFERS, K.POSITION_DIFFERS, K.CASH_DIFFERS],
    ),
    "an execution has another side": (
        lambda d: d.our_first_execution("side = 'sell'"),
        [K.EXECUTION_DIFFERS, K.POSITION_DIFFERS, K.CASH_DIFFERS],
    ),
    "an execution has another symbol": (
        lambda d: d.our_first_execution("symbol = 'BBB'"),
        [K.EXECUTION_DIFFERS, K.POSITION_DIFFERS, K.POSITION_DIFFERS],
    ),
    "an execution cannot be read": (
        lambda d: d.their_first_execution(qty=None, faults=("qty",)),
        [K.RECORD_UNREADABLE, K.FILLED_QTY_DIFFERS],
    ),
    "a dividend was invented": (
        lambda d: d.booked("dividend", "0", "2", "invented"),
        [K.ACTIVITY_UNKNOWN_TO_BROKER, K.CASH_DIFFERS],
    ),
    "a dividend has another amount": (
        lambda d: d.ours("update execution.activities set amount_usd = 1.24 where kind = 'dividend'"),
        [K.ACTIVITY_DIFFERS],
    ),
    "an order never arrived": (lambda d: d.their_order(2), [K.ORDER_UNKNOWN_TO_BROKER]),
    "an order was sent twice": (
        lambda d: d.theirs(orders=adding(replace(d.broker.order_by_client_id(d.name[2]), broker_order_id="z"))),
        [K.ORDER_SENT_TWICE],
    ),
    "an order works that we gave up": (give_up, [K.ORDER_ENDED_OTHERWISE]),
    "an order has another quantity": (lambda d: d.their_order(2, qty=D(6)), [K.ORDER_TERMS_DIFFER]),
    "an order has another side": (lambda d: d.their_order(2, side=Side.SELL), [K.ORDER_TERMS_DIFFER]),
    "an order has another symbol": (lambda d: d.their_order(2, symbol="AAA"), [K.ORDER_TERMS_DIFFER]),
    "an order has no readable quantity": (lambda d: d.their_order(2, qty=None), [K.RECORD_UNREADABLE]),
    "an order executed more than is recorded": (
        lambda d: d.their_order(2, filled_qty=D(1)),
        [K.FILLED_QTY_DIFFERS],
    ),
    "shares are gone": (lambda d: d.theirs(held=lambda _: []), [K.POSITION_DIFFERS]),
    "shares appeared": (
        lambda d: d.theirs(held=adding(BrokerPosition("CCC-B", D(1), D(7)))),
        [K.POSITION_DIFFERS],
    ),
    "a billionth of a share is gone": (
        lambda d: d.booked("external_trade", "-0.000000001", "0"),
        [K.POSITION_DIFFERS],
    ),
    "a position cannot be read": (lambda d: d.theirs(held=all_positions(qty=None)), [K.RECORD_UNREADABLE]),
    "an average price is two basis points off": (
        lambda d: d.theirs(held=all_positions(avg_entry_price=D("99.43988"))),
        [K.AVERAGE_PRICE_DIFFERS],
    ),
    "two cents are gone": (lambda d: d.booked("deposit", "0", "0.02"), [K.CASH_DIFFERS]),
    "cash cannot be read": (
        lambda d: d.theirs(told=lambda account: replace(account, cash_usd=None)),
        [K.RECORD_UNREADABLE],
    ),
}
"""What a person has to look at."""


@pytest.mark.parametrize("name", PUT_RIGHT)
def test_divergence_that_needs_no_person_is_put_right(diverging: Divergence, name: str) -> None:
    spoil, expected = PUT_RIGHT[name]
    spoil(diverging)
    found = diverging.account.compare_with(diverging.broker)
    done = found.comparison
    assert list(found.breaks) == []
    assert (done.booked_count, done.followed_count, done.adopted_count) == expected
    assert done.is_clean
    assert diverging.account.clock.naps == []
    again = diverging.account.compare_with(diverging.broker).comparison
    assert (again.booked_count, again.followed_count, again.adopted_count, again.is_clean) == (0, 0, 0, True)
    assert again.ours_sha256 == done.ours_sha256


@pytest.mark.parametrize("name", LEFT)
def test_divergence_that_needs_a_person_is_left_and_nothing_else_invented(diverging: Divergence, name: str) -> None:
    spoil, expected = LEFT[name]
    spoil(diverging)
    account = diverging.account
    found = account.compare_with(diverging.broker)
    assert Counter(one.kind for one in found.breaks) == Counter(expected)
    assert not found.comparison.is_clean
    assert account.clock.naps == [5.0]
    with account.database.transaction() as connection:
        blocked = open_breaks(connection, ACCOUNT_ID), newest_agreement(connection, ACCOUNT_ID)
    assert any(blocked[0].values()) or blocked[1] is None
    again = account.compare_with(diverging.broker)
    assert (again.breaks, list(again.new)) == (found.breaks, [])
    told = account.rows("select count(*) from notification.messages where event = 'break_found'")
    assert told == [(len(expected),)]
    assert len(PUT_RIGHT) + len(LEFT) == 37
