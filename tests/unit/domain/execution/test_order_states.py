from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.orders import (
    BROKER_STATUSES,
    TERMINAL,
    TRANSITIONS,
    IllegalTransition,
    Order,
    OrderEvent,
    OrderStatus,
    OrderType,
    TimeInForce,
    WorkingOrder,
    expire_day_orders,
)
from trading_assets.domain.values import Side

CLOSE = datetime(2026, 5, 1, 20, tzinfo=UTC)
SESSION = date(2026, 5, 1)
S = OrderStatus


def order(**changes: object) -> Order:
    fields: dict[str, object] = {
        "client_order_id": "o1",
        "intent_id": "ab" * 32,
        "attempt": 1,
        "account_id": "acc",
        "strategy": "s",
        "strategy_version": "1",
        "symbol": "IBM",
        "side": Side.BUY,
        "qty": Decimal(10),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "submitted_at": datetime(2026, 5, 1, 14, tzinfo=UTC),
        "session_date": SESSION,
    }
    return Order(**{**fields, **changes})  # type: ignore[arg-type]


def submitted(**changes: object) -> WorkingOrder:
    working = WorkingOrder.approved(order(**changes))
    working.move(S.SUBMITTING, CLOSE, SESSION)
    working.move(S.ACKED, CLOSE, SESSION)
    return working


def test_transitions_have_a_row_for_every_status() -> None:
    assert set(TRANSITIONS) == set(OrderStatus)


def test_transitions_from_a_terminal_status_only_record_late_executions() -> None:
    for end in TERMINAL:
        assert TRANSITIONS[end] == {end, S.FILLED, S.PARTIALLY_FILLED_AFTER_TERMINAL}


def test_transitions_of_a_live_status_can_reach_an_end() -> None:
    for start in set(OrderStatus) - TERMINAL:
        reached = {start}
        while not reached & TERMINAL:
            larger = reached.union(*(TRANSITIONS[status] for status in reached))
            assert larger != reached, f"{start} never ends"
            reached = larger


def test_transitions_from_an_unknown_submission_reach_every_broker_status() -> None:
    assert TRANSITIONS[S.SUBMIT_UNKNOWN] == BROKER_STATUSES | {S.NEVER_ARRIVED}
    assert TRANSITIONS[S.HELD] == BROKER_STATUSES


def test_order_move_counts_events_from_one() -> None:
    working = WorkingOrder.approved(order())
    assert working.move(S.SUBMITTING, CLOSE, SESSION) == OrderEvent("o1", 1, S.SUBMITTING, Decimal(10), CLOSE, SESSION)
    assert working.move(S.ACKED, CLOSE, SESSION, detail="b-77").event_no == 2


def test_order_move_off_the_table_names_the_legal_moves_and_changes_nothing() -> None:
    working = submitted()
    working.move(S.CANCELED, CLOSE, SESSION)
    with pytest.raises(IllegalTransition) as refused:
        working.move(S.WORKING, CLOSE, SESSION)
    assert str(refused.value) == (
        "order o1: CANCELED -> WORKING is no legal move; "
        "from CANCELED an order may go to CANCELED, FILLED, PARTIALLY_FILLED_AFTER_TERMINAL"
    )
    assert (working.status, working.event_no) == (S.CANCELED, 3)


@given(st.lists(st.sampled_from(list(OrderStatus)), max_size=30))
def test_order_told_anything_never_leaves_the_table(orders: list[OrderStatus]) -> None:
    working = WorkingOrder.approved(order())
    path = [working.status]
    for status in orders:
        try:
            event = working.move(status, CLOSE, SESSION)
        except IllegalTransition:
            assert working.status is path[-1]
        else:
            path.append(event.status)
    assert working.event_no == len(path) - 1
    assert all(new in TRANSITIONS[old] for old, new in pairwise(path))


@pytest.mark.parametrize("status", [S.ACKED, S.WORKING, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.DONE_FOR_DAY])
def test_order_restated_is_held_and_comes_back_as_it_was(status: OrderStatus) -> None:
    working = submitted()
    if status is not S.ACKED:
        working.move(status, CLOSE, SESSION)
    events = working.restate(CLOSE, SESSION, "split 4", Decimal(40))
    assert [(event.status, event.qty) for event in events] == [(S.HELD, Decimal(10)), (status, Decimal(40))]


def test_working_order_from_its_events_is_the_order_that_made_them() -> None:
    prices = {"limit_price": Decimal(98), "stop_price": Decimal(99)}
    original = WorkingOrder.approved(order(order_type=OrderType.STOP_LIMIT, time_in_force=TimeInForce.GTC, **prices))
    events = [original.move(S.SUBMITTING, CLOSE, SESSION), original.move(S.ACKED, CLOSE, SESSION)]
    original.filled_qty = Decimal(4)
    events.append(original.move(S.PARTIALLY_FILLED, CLOSE, SESSION))
    original.is_triggered = True
    events += original.restate(CLOSE, SESSION, "triggered")
    events += original.restate(CLOSE, SESSION, "split 4", Decimal(28))
    original.divide_prices(Decimal(4))
    again = WorkingOrder.from_events(original.order, events, Decimal(4))
    assert again == original
    assert (again.limit_price, again.stop_price, again.remaining) == (Decimal("24.5"), Decimal("24.75"), Decimal(24))


def test_working_order_from_an_impossible_record_is_refused() -> None:
    events = [OrderEvent("o1", 1, S.FILLED, Decimal(10), CLOSE, SESSION)]
    with pytest.raises(IllegalTransition):
        WorkingOrder.from_events(order(), events, Decimal(0))


def test_day_order_expires_at_the_close_of_its_session_only() -> None:
    morning = submitted()
    at_the_close = submitted(client_order_id="o2", submitted_at=CLOSE)
    kept = submitted(client_order_id="o3", time_in_force=TimeInForce.GTC)
    filled = submitted(client_order_id="o4")
    filled.move(S.FILLED, CLOSE, SESSION)
    events = expire_day_orders([morning, at_the_close, kept, filled], CLOSE, SESSION)
    assert [(event.client_order_id, event.status) for event in events] == [("o1", S.EXPIRED)]
    assert at_the_close.status is S.ACKED
