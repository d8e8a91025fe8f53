"""Reading Alpaca's trading API: every status has its state, and nothing that is missing, new or wrong ever raises."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_assets.adapters import alpaca_broker_wire as wire
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.json_fields import exact_json
from trading_assets.domain.execution.broker_records import BrokerActivity, BrokerFill
from trading_assets.domain.execution.orders import OrderStatus

S = OrderStatus
ORDER = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": "ta1-abc-0-1",
    "symbol": "BRK.B",
    "side": "buy",
    "qty": "10",
    "filled_qty": "2.5",
    "filled_avg_price": "101.25",
    "type": "limit",
    "time_in_force": "day",
    "order_class": "",
    "limit_price": "101.50",
    "status": "partially_filled",
    "submitted_at": "2024-07-01T12:00:00.123456789-04:00",
}
READERS = (wire.read_order, wire.read_activity, wire.read_position, wire.read_account, wire.read_update)


def body(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("broker_status", "status"),
    [
        ("accepted", S.ACKED),
        ("pending_new", S.ACKED),
        ("new", S.WORKING),
        ("accepted_for_bidding", S.WORKING),
        ("partially_filled", S.PARTIALLY_FILLED),
        ("filled", S.FILLED),
        ("done_for_day", S.DONE_FOR_DAY),
        ("canceled", S.CANCELED),
        ("expired", S.EXPIRED),
        ("replaced", S.REPLACED),
        ("pending_cancel", S.PENDING_CANCEL),
        ("pending_replace", S.PENDING_REPLACE),
        ("rejected", S.REJECTED),
        ("stopped", S.HELD),
        ("suspended", S.HELD),
        ("calculated", S.HELD),
        ("held", S.HELD),
        ("pending_review", S.HELD),
    ],
)
def test_order_with_a_known_status_has_its_state(broker_status: str, status: OrderStatus) -> None:
    order = wire.read_order(ORDER | {"status": broker_status})

    assert (order.status, order.is_status_known, order.faults) == (status, True, ())


def test_statuses_of_the_sdk_are_all_known() -> None:
    from alpaca.trading.enums import OrderStatus as SdkStatus

    assert {status.value for status in SdkStatus} <= set(wire.STATUSES)


@pytest.mark.parametrize("broker_status", ["quantum", "", None, 7, ["new"]])
def test_order_with_another_status_is_held_and_flagged(broker_status: object) -> None:
    order = wire.read_order(ORDER | {"status": broker_status})

    assert (order.status, order.is_status_known) == (S.HELD, False)


def test_order_is_read_exactly() -> None:
    order = wire.read_order(exact_json(body(ORDER | {"limit_price": 101.1, "new_field": {"a": 1}})))

    assert (order.symbol, order.order_class, order.order_type) == ("BRK-B", "simple", "limit")
    assert (order.qty, order.filled_qty, order.filled_avg_price) == (10, Decimal("2.5"), Decimal("101.25"))
    assert order.limit_price == Decimal("101.1")
    assert order.submitted_at is not None
    assert order.submitted_at.isoformat() == "2024-07-01T16:00:00.123456+00:00"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("row", [{}, None, [], "text", 3, {"order": 5, "legs": "x", "qty": True, "status": {}}])
def test_row_that_is_nothing_expected_is_read_with_its_faults(reader: Any, row: object) -> None:
    read = reader(row)

    assert (read.order if reader is wire.read_update else read).faults


def test_fields_that_cannot_be_read_are_named() -> None:
    order = wire.read_order(
        ORDER | {"limit_price": "high", "side": "both", "submitted_at": "noon", "client_order_id": 1}
    )

    assert order.faults == (
        "client_order_id is '1'",
        "side is 'both'",
        "limit_price is 'high'",
        "submitted_at is 'noon'",
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [*ORDER, "legs", "hwm", "activity_type", "transaction_time", "date", "equity", "order", "event"]
)


@settings(max_examples=60)
@given(st.dictionaries(names | st.text(max_size=8), json_values))
def test_no_object_whatever_makes_a_reader_raise(row: dict[str, Any]) -> None:
    for reader in READERS:
        reader(row)


def test_clock_without_a_time_is_refused() -> None:
    with pytest.raises(ContractBroken, match="what time it is"):
        wire.read_clock({"is_open": True})


@pytest.mark.parametrize("missing", ["trading_blocked", "account_blocked", "trade_suspended_by_user", "status"])
def test_account_that_does_not_say_that_it_may_trade_may_not(missing: str) -> None:
    free = {"trading_blocked": False, "account_blocked": False, "trade_suspended_by_user": False, "status": "ACTIVE"}

    assert wire.read_account(free).may_trade
    assert not wire.read_account({name: value for name, value in free.items() if name != missing}).may_trade
    assert not wire.read_account(free | {missing: True}).may_trade


@pytest.mark.parametrize(("qty", "side", "signed"), [("5", "long", 5), ("-5", "short", -5), ("5", "short", -5)])
def test_position_is_signed_however_it_was_written(qty: str, side: str, signed: int) -> None:
    assert wire.read_position({"symbol": "A", "qty": qty, "side": side}).qty == signed


def test_execution_has_the_id_that_the_stream_names() -> None:
    fill = wire.read_activity({"activity_type": "FILL", "id": "20240701160000000::abc", "side": "sell_short"})

    assert isinstance(fill, BrokerFill)
    assert (fill.execution_id, fill.side, fill.kind) == ("abc", "sell", "fill")


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (200, ORDER, S.ACKED),
        (200, ORDER | {"status": "rejected"}, S.ACKED),
        (200, ORDER | {"client_order_id": "other"}, S.SUBMIT_UNKNOWN),
        (200, {}, S.SUBMIT_UNKNOWN),
        (200, [], S.SUBMIT_UNKNOWN),
        (302, ORDER, S.SUBMIT_UNKNOWN),
        (403, {"code": 40310000, "message": "insufficient buying power"}, S.REJECTED),
        (403, {"message": "forbidden."}, S.SUBMIT_UNKNOWN),
        (403, {"code": 40310000}, S.SUBMIT_UNKNOWN),
        (422, {"code": 40010001, "message": "client_order_id must be unique"}, S.SUBMIT_UNKNOWN),
        (422, {"code": 40010001, "message": "limit orders require only limit price"}, S.REJECTED),
        (409, {"code": 40910000, "message": "conflict"}, S.SUBMIT_UNKNOWN),
        (500, {"code": 50010000, "message": "internal server error occurred"}, S.SUBMIT_UNKNOWN),
    ],
)
def test_answer_to_an_order_proves_what_it_says_and_no_more(
    status: int, document: object, expected: OrderStatus
) -> None:
    acknowledged = wire.acknowledgement(status, body(document), "ta1-abc-0-1")

    assert acknowledged.status is expected
    assert (acknowledged.order is not None) == (expected is S.ACKED)
    assert (acknowledged.http_status, acknowledged.answer) == (status, body(document).decode())


@pytest.mark.parametrize("text", [b"", b"<html>", b"\xff\xfe", b'{"id": "61e6'])
def test_answer_that_is_no_json_proves_nothing(text: bytes) -> None:
    assert wire.acknowledgement(200, text, "x").status is S.SUBMIT_UNKNOWN
    assert wire.acknowledgement(422, text, "x").status is S.SUBMIT_UNKNOWN


# Bodies that Alpaca, or its SDK's authors, have written ------------------------------------------

RECORDED = Path(os.environ.get("TRADING_TEST_PAYLOADS", "")) / "alpaca"


def recorded(name: str) -> tuple[int, bytes]:
    exchange = json.loads((RECORDED / name).read_text(encoding="utf-8"))["response"]
    return exchange["status"], exchange["body_raw"].encode()


@pytest.mark.skipif("TRADING_TEST_PAYLOADS" not in os.environ, reason="no recorded answers at hand")
class TestRecordedAnswers:
    @pytest.mark.parametrize(
        "name",
        [
            "vcr_ruby/new_order__places_a_new_Order.json",
            "vcr_ruby/new_order__supports_fractionable_orders.json",
            "vcr_ruby/new_order__supports_notional_orders.json",
            "vcr_ruby/order__returns_an_Order_object.json",
            "vcr_ruby/replace_order__updates_an_Order.json",
            "sdk_alpaca_py/limit_order.json",
        ],
    )
    def test_order_is_read_without_a_fault(self, name: str) -> None:
        order = wire.read_order(exact_json(recorded(name)[1]))

        assert order.is_status_known
        assert order.faults == ()

    def test_bracket_has_its_legs(self) -> None:
        order = wire.read_order(exact_json(recorded("vcr_ruby/new_order__supports_bracket_orders.json")[1]))

        assert [(leg.status, leg.limit_price, leg.stop_price) for leg in order.legs] == [
            (S.HELD, 335, None),
            (S.HELD, None, 315),
        ]

    def test_activities_are_read_without_a_fault(self) -> None:
        fills = exact_json(recorded("vcr_ruby/account_activities__returns_an_Array_of_TradeActivity_objects.json")[1])
        dividends = exact_json(
            recorded("vcr_ruby/account_activities__returns_an_Array_of_NonTradeActivity_objects.json")[1]
        )
        read = [wire.read_activity(row) for row in fills + dividends]

        assert {type(one) for one in read} == {BrokerFill, BrokerActivity}
        assert all(one.faults == () for one in read)

    def test_account_and_positions_are_read_without_a_fault(self) -> None:
        account = wire.read_account(exact_json(recorded("sdk_alpaca_py/get_account.json")[1]))
        rows = exact_json(
            recorded("vcr_ruby/positions__returns_an_Array_of_Position_objects_with_open_positions.json")[1]
        )

        assert (account.may_trade, account.faults) == (True, ())
        assert [(wire.read_position(row).qty, wire.read_position(row).faults) for row in rows] == [(-100, ())]

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("new_order__raises_an_exception_when_buying_power_is_not_sufficient", S.REJECTED),
            ("new_order__raises_an_exception_when_required_parameters_are_not_provided", S.REJECTED),
            ("replace_order__raises_an_exception_when_order_id_is_invalid", S.REJECTED),
            ("replace_order__raises_an_exception_when_trying_to_replace_orders_that_are_not_open", S.REJECTED),
            ("generic_errors__raises_UnauthorizedError_when_status_code_is_401", S.REJECTED),
            ("cancel_order__cancels_an_existing_order", S.SUBMIT_UNKNOWN),
        ],
    )
    def test_refusal_is_definite(self, name: str, expected: OrderStatus) -> None:
        assert wire.acknowledgement(*recorded(f"vcr_ruby/{name}.json"), "MY_ORDER_ID").status is expected
