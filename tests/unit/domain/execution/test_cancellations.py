"""Which working orders a trading state ends: what may open goes, what surely closes stays, flattening ends all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_assets.domain.execution.cancellations import CANCELLABLE, cancelled_by
from trading_assets.domain.execution.orders import Order, OrderStatus, OrderType, TimeInForce, WorkingOrder
from trading_assets.domain.risk.trading_states import OPERATOR, Scope, TradingStates
from trading_assets.domain.risk.verdicts import TradingState
from trading_assets.domain.values import Side

D = Decimal
ACTIVE, REDUCING, HALTED = TradingState
AT = datetime(2012, 6, 1, 20, tzinfo=UTC)
RESTRICTING = [REDUCING, HALTED]


def working(name: str, side: Side, qty: int, status: OrderStatus = OrderStatus.WORKING, **changes: Any) -> WorkingOrder:
    """Older the earlier its name is in the alphabet."""
    facts: dict[str, Any] = {
        "client_order_id": name,
        "intent_id": name,
        "attempt": 1,
        "account_id": "acc",
        "strategy": "alpha",
        "strategy_version": "1",
        "symbol": "AAA",
        "side": side,
        "qty": D(qty),
        "order_type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
        "submitted_at": AT + timedelta(seconds=ord(name[0])),
        "session_date": AT.date(),
    }
    one = WorkingOrder.approved(Order(**facts | changes))
    one.status = status
    return one


def stop(name: str, qty: int) -> WorkingOrder:
    return working(name, Side.SELL, qty, order_type=OrderType.STOP, parent_order_id="entry", stop_price=D(90))


def ended(states: TradingStates, *orders: WorkingOrder, held: Mapping[str, int]) -> dict[str, str]:
    positions = {symbol: D(qty) for symbol, qty in held.items()}
    return {one.working.order.client_order_id: one.reason for one in cancelled_by(states, orders, positions)}


@pytest.mark.parametrize("state", RESTRICTING)
@pytest.mark.parametrize(
    ("side", "qty", "held", "goes"),
    [
        (Side.BUY, 1, 0, True),
        (Side.SELL, 1, 0, True),
        (Side.BUY, 1, 100, True),
        (Side.SELL, 99, 100, False),
        (Side.SELL, 100, 100, False),
        (Side.SELL, 101, 100, True),
        (Side.SELL, 1, -100, True),
        (Side.BUY, 100, -100, False),
        (Side.BUY, 101, -100, True),
    ],
)
def test_what_may_open_add_or_turn_round_goes(state: TradingState, side: Side, qty: int, held: int, goes: bool) -> None:
    found = ended(TradingStates(account=state), working("a", side, qty), held={"AAA": held})
    assert found == ({"a": f"trading is {state}"} if goes else {})
    assert ended(TradingStates(), working("a", side, qty), held={"AAA": held}) == {}


@pytest.mark.parametrize(
    "states",
    [
        TradingStates(account=HALTED),
        TradingStates(strategies={"alpha": HALTED}),
        TradingStates(symbols={"AAA": HALTED}),
    ],
)
def test_only_orders_within_the_scope_go(states: TradingStates) -> None:
    others = [working("b", Side.BUY, 5, strategy="beta", symbol="BBB")]
    found = ended(states, working("a", Side.BUY, 5), *others, held={})
    assert set(found) == ({"a", "b"} if states.account is HALTED else {"a"})


def test_orders_that_close_only_together_too_much_go_youngest_first() -> None:
    orders = [working("b", Side.SELL, 60), working("a", Side.SELL, 60), working("c", Side.SELL, 40)]
    assert ended(TradingStates(account=HALTED), *orders, held={"AAA": 100}) == {"b": "trading is halted"}


def test_closing_order_of_a_strategy_that_trades_on_takes_its_shares_from_the_halted_one() -> None:
    orders = [working("a", Side.SELL, 60, strategy="beta"), working("b", Side.SELL, 60)]
    assert set(ended(TradingStates(strategies={"alpha": HALTED}), *orders, held={"AAA": 100})) == {"b"}


@pytest.mark.parametrize("state", RESTRICTING)
def test_protective_leg_stays_under_a_state_that_leaves_the_position(state: TradingState) -> None:
    assert ended(TradingStates(account=state), stop("a", 100), held={"AAA": 100}) == {}


def test_flattened_scope_keeps_nothing_but_the_operators_own() -> None:
    states = TradingStates(account=REDUCING, flattened=frozenset({(Scope.SYMBOL, "AAA")}))
    own = working("d", Side.SELL, 100, strategy_version=OPERATOR)
    orders = [stop("a", 100), working("b", Side.SELL, 10), working("c", Side.BUY, 10), own]
    assert ended(states, *orders, held={"AAA": 100}) == dict.fromkeys("abc", "what is held is closed")


@pytest.mark.parametrize("status", OrderStatus)
def test_only_what_the_broker_knows_and_has_not_ended_can_be_cancelled(status: OrderStatus) -> None:
    found = ended(TradingStates(account=HALTED), working("a", Side.BUY, 1, status), held={})
    assert (set(found) == {"a"}) is (status in CANCELLABLE)


ORDERS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 200)), max_size=6)


@given(held=st.integers(-300, 300), orders=ORDERS, state=st.sampled_from(RESTRICTING))
def test_whatever_fills_of_what_stays_only_reduces(held: int, orders: Any, state: TradingState) -> None:
    all_orders = [working("abcdef"[number], side, qty) for number, (side, qty) in enumerate(orders)]
    gone = ended(TradingStates(account=state), *all_orders, held={"AAA": held})
    stays = [one for one in all_orders if one.order.client_order_id not in gone]
    assert all(one.order.side.sign * held < 0 for one in stays)
    assert sum(one.remaining for one in stays) <= abs(held)
