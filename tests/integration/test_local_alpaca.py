"""The local Alpaca is what it claims to be: alpaca-py's own models read it, and its contract would show it red."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from decimal import Decimal

import pytest
from standins.broker_rehearsals import ACCOUNT, HOLIDAY, MONDAY, bar, new_venue
from standins.local_alpaca.openapi import Contract, _as_json_schema
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca

from trading_assets.domain.execution.broker_records import OrderRequest
from trading_assets.domain.values import Side

PATIENCE_S = 10.0


@pytest.fixture
def alpaca() -> Iterator[LocalAlpaca]:
    with LocalAlpaca(new_venue()).running() as server:
        yield server


def test_sdk_s_own_models_read_every_answer(alpaca: LocalAlpaca) -> None:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        GetCalendarRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
    )

    client = TradingClient(PAPER_KEY, SECRET, url_override=alpaca.url)
    bought = client.submit_order(
        MarketOrderRequest(symbol="AAA", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    )
    with alpaca.lock:
        alpaca.venue.trade(bar())
    resting = client.submit_order(
        LimitOrderRequest(symbol="CCC.B", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=9.5)
    )
    replaced = client.replace_order_by_id(resting.id, ReplaceOrderRequest(limit_price=9.25))

    assert client.get_account().account_number == ACCOUNT
    assert client.get_order_by_id(bought.id).status is OrderStatus.FILLED
    assert client.get_order_by_client_id(resting.client_order_id).status is OrderStatus.REPLACED
    assert [order.id for order in client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))] == [replaced.id]
    assert [position.qty for position in client.get_all_positions()] == ["10"]
    assert client.get_clock().is_open
    assert len(client.get_calendar(GetCalendarRequest(start=MONDAY, end=HOLIDAY))) == 3
    assert {asset.symbol for asset in client.get_all_assets()} == {"AAA", "BBB", "CCC.B", "OLD"}
    assert [answer.status for answer in client.cancel_orders()] == [200]


def test_sdk_s_own_stream_hears_the_updates(alpaca: LocalAlpaca) -> None:
    from alpaca.trading.models import TradeUpdate
    from alpaca.trading.stream import TradingStream

    stream = TradingStream(PAPER_KEY, SECRET, url_override=alpaca.url.replace("http", "ws") + "/stream")
    heard = threading.Event()
    events: list[str] = []

    async def hear(update: TradeUpdate) -> None:
        events.append(str(update.event))
        if len(events) == 2:
            heard.set()

    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    assert alpaca.is_heard.wait(PATIENCE_S)
    with alpaca.lock:
        alpaca.venue.submit(OrderRequest("one", "AAA", Side.BUY, Decimal(10)))

    assert heard.wait(PATIENCE_S)
    assert events == ["accepted", "new"]
    asyncio.run_coroutine_threadsafe(stream.stop_ws(), stream._loop).result(PATIENCE_S)
    alpaca.disconnect_streams()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


CONTRACT = {
    "paths": {
        "/v2/orders/{order_id}": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}
                }
            }
        }
    },
    "components": {
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "string"}, "qty": {"type": "string", "nullable": True}},
            }
        }
    },
}


@pytest.mark.parametrize(
    ("path", "answer", "complaint"),
    [
        ("/v2/orders/1", {"id": "1", "qty": None}, None),
        ("/v2/orders/1", {"id": "1", "qty": 7}, "qty"),
        ("/v2/orders/1", {}, "'id' is a required property"),
        ("/v2/rates", {}, "is not in the contract"),
    ],
)
def test_contract_with_an_answer_that_breaks_it_says_so(path: str, answer: object, complaint: str | None) -> None:
    contract = Contract(_as_json_schema(CONTRACT))
    contract.check("GET", path, 200, answer)

    assert len(contract.violations) == (complaint is not None)
    assert (complaint or "") in "".join(contract.violations)


@pytest.mark.skipif("TRADING_TEST_PAYLOADS" not in os.environ, reason="no contract at hand")
def test_alpaca_s_own_contract_finds_a_number_where_it_wants_text() -> None:
    contract = Contract.at_hand()
    assert contract is not None
    contract.check("GET", "/v2/clock", 200, {"timestamp": 5, "is_open": True})

    assert any("timestamp" in violation for violation in contract.violations)
