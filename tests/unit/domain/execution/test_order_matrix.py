"""The matrix of legal orders, held against the broker's own words: its rules, restated in hours, decide every cell."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import product

import pytest

from trading_assets.domain.execution.order_matrix import ORDER_MATRIX, Phase, Placement, phase_at, placement
from trading_assets.domain.execution.orders import OrderClass, OrderType, TimeInForce
from trading_assets.domain.market.sessions import NEW_YORK

MONDAY = date(2024, 7, 1)
HALF_DAY = date(2024, 7, 3)
INDEPENDENCE_DAY = date(2024, 7, 4)
SATURDAY = date(2024, 7, 6)
MOMENTS = {
    Phase.OVERNIGHT: time(2, 0),
    Phase.PRE_MARKET: time(8, 0),
    Phase.PRE_OPEN: time(9, 29),
    Phase.REGULAR: time(12, 0),
    Phase.PRE_CLOSE: time(15, 55),
    Phase.AFTER_HOURS: time(17, 0),
    Phase.EVENING: time(19, 30),
}


def new_york(day: date, wall_clock: time) -> datetime:
    return datetime.combine(day, wall_clock, NEW_YORK).astimezone(UTC)


def as_the_broker_says(order_type: str, time_in_force: str, is_extended: bool, at: time) -> str:
    """Alpaca's rules, one sentence each, for a full session; strict where they are silent."""
    is_regular, is_trading = time(9, 30) <= at < time(16), time(4) <= at < time(20)
    if is_extended:
        # "Only works with type limit and time_in_force set to either day or gtc."
        if order_type != "limit" or time_in_force not in {"day", "gtc"}:
            return "refused"
        return "now" if is_trading else "later"
    if time_in_force in {"opg", "cls"}:
        # "Use this with a market or limit order type."
        if order_type not in {"market", "limit"}:
            return "refused"
        # "Submitted after 9:28am (3:50pm) but before 7:00pm will be rejected. After 7:00pm they will be queued."
        last = time(9, 28) if time_in_force == "opg" else time(15, 50)
        return "refused" if last <= at < time(19) else "later"
    if time_in_force in {"ioc", "fok"}:
        return "now" if is_regular and order_type in {"market", "limit"} else "refused"
    # "By default, the order is only valid during regular trading hours. If submitted after the close, it is queued."
    return "now" if is_regular else "later"


def test_matrix_has_every_cell() -> None:
    assert set(ORDER_MATRIX) == set(product(OrderType, TimeInForce, (False, True), Phase))


@pytest.mark.parametrize("phase", Phase)
def test_every_cell_of_a_phase_is_as_the_broker_says(phase: Phase) -> None:
    at = MOMENTS[phase]
    for order_type, time_in_force, is_extended in product(OrderType, TimeInForce, (False, True)):
        expected = as_the_broker_says(order_type, time_in_force, is_extended, at)
        assert placement(order_type, time_in_force, phase, is_extended) == expected, (order_type, time_in_force)


@pytest.mark.parametrize(("phase", "at"), MOMENTS.items())
def test_phase_at_a_moment_of_a_session_is_found(phase: Phase, at: time) -> None:
    assert phase_at(new_york(MONDAY, at)) is phase


@pytest.mark.parametrize(
    ("begins", "phase"),
    [
        (time(4, 0), Phase.PRE_MARKET),
        (time(9, 28), Phase.PRE_OPEN),
        (time(9, 30), Phase.REGULAR),
        (time(15, 50), Phase.PRE_CLOSE),
        (time(16, 0), Phase.AFTER_HOURS),
        (time(19, 0), Phase.EVENING),
        (time(20, 0), Phase.OVERNIGHT),
    ],
)
def test_phase_begins_with_its_first_microsecond(begins: time, phase: Phase) -> None:
    at = new_york(MONDAY, begins)

    assert phase_at(at) is phase
    assert phase_at(at - timedelta(microseconds=1)) is not phase


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        (time(12, 49), Phase.REGULAR),
        (time(12, 50), Phase.PRE_CLOSE),
        (time(13, 0), Phase.AFTER_HOURS),
        (time(15, 55), Phase.AFTER_HOURS),
    ],
)
def test_half_day_ends_at_one(at: time, phase: Phase) -> None:
    assert phase_at(new_york(HALF_DAY, at)) is phase


@pytest.mark.parametrize("day", [INDEPENDENCE_DAY, SATURDAY])
def test_day_without_trading_is_overnight_all_day(day: date) -> None:
    assert {phase_at(new_york(day, at)) for at in MOMENTS.values()} == {Phase.OVERNIGHT}


@pytest.mark.parametrize("order_class", [OrderClass.BRACKET, OrderClass.OTO, OrderClass.OCO])
def test_groups_rest_in_regular_hours_only(order_class: OrderClass) -> None:
    for time_in_force, is_extended in product(TimeInForce, (False, True)):
        sent = placement(OrderType.LIMIT, time_in_force, Phase.REGULAR, is_extended, order_class)
        rests = time_in_force in {TimeInForce.DAY, TimeInForce.GTC} and not is_extended
        assert sent is (Placement.NOW if rests else Placement.REFUSED)


def test_oco_group_sent_as_a_stop_is_refused() -> None:
    sent = placement(OrderType.STOP, TimeInForce.DAY, Phase.REGULAR, order_class=OrderClass.OCO)

    assert sent is Placement.REFUSED
