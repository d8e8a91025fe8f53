"""Alpaca's adapter against a local Alpaca on which everything goes wrong: orders are sent once, whatever happens."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from standins.broker_rehearsals import (
    ACCOUNT,
    MONDAY,
    MemoryStore,
    Unlimited,
    bar,
    broker_of,
    listening,
    new_venue,
    new_york,
)
from standins.http_vendor import HTML_PAGE, RESET, Reply
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca
from standins.local_alpaca.switchboard import WIRE_FAULTS, EventFault, error, status

from trading_assets.adapters import alpaca_broker
from trading_assets.adapters.alpaca_broker import GATEWAY_NAME, LEAVES_WITHIN_S, ONCE, AlpacaBroker, check_answer
from trading_assets.adapters.alpaca_stream import AlpacaStream
from trading_assets.adapters.errors import (
    AuthFailed,
    ContractBroken,
    NotFound,
    OutOfSpace,
    RateLimited,
    Transient,
    Unreachable,
)
from trading_assets.adapters.vendor_gateway import VendorGateway
from trading_assets.domain.execution.broker_records import OrderRequest, Replacement, StreamOpened
from trading_assets.domain.execution.orders import OrderClass, OrderStatus, OrderType, TimeInForce
from trading_assets.domain.values import Side

ORDER = OrderRequest("ta1-abc-0-1", "CCC-B", Side.BUY, Decimal(100))
RESTING = replace(ORDER, order_type=OrderType.LIMIT, limit_price=Decimal("9.50"))


@pytest.fixture
def alpaca() -> Iterator[LocalAlpaca]:
    with LocalAlpaca(new_venue()).running() as server:
        yield server


@pytest.fixture
def broker(alpaca: LocalAlpaca) -> AlpacaBroker:
    known = broker_of(alpaca)
    known.account()
    return known


def impatient(alpaca: LocalAlpaca, **policy: Any) -> AlpacaBroker:
    gateway = VendorGateway(GATEWAY_NAME, Unlimited(), MemoryStore(), replace(ONCE, **policy), check_answer)
    return AlpacaBroker(gateway, PAPER_KEY, SECRET, "paper", ACCOUNT, alpaca.url, alpaca.url)


# Sending once ------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fault", WIRE_FAULTS)
def test_submit_with_an_answer_that_proves_nothing_is_unknown_and_sent_once(
    alpaca: LocalAlpaca, broker: AlpacaBroker, fault: str, is_after: bool
) -> None:
    alpaca.switchboard.switch_on(WIRE_FAULTS[fault], is_after=is_after)

    acknowledged = broker.submit(ORDER)

    assert acknowledged.status is OrderStatus.SUBMIT_UNKNOWN
    assert acknowledged.message
    assert len(alpaca.posts()) == 1
    if is_after:
        assert broker.order_by_client_id(ORDER.client_order_id).status is OrderStatus.WORKING
    else:
        with pytest.raises(NotFound):
            broker.order_by_client_id(ORDER.client_order_id)


@pytest.mark.parametrize("fault", ["status 504", "status 500", "reset", "empty body"])
def test_replace_with_an_answer_that_proves_nothing_is_unknown_and_sent_once(
    alpaca: LocalAlpaca, broker: AlpacaBroker, fault: str
) -> None:
    taken = broker.submit(RESTING).order
    assert taken is not None
    alpaca.switchboard.switch_on(WIRE_FAULTS[fault], is_after=True, method="PATCH")

    acknowledged = broker.replace(taken.broker_order_id, Replacement("ta1-abc-0-2", limit_price=Decimal(9)))

    assert acknowledged.status is OrderStatus.SUBMIT_UNKNOWN
    assert len([asked for asked in alpaca.asked if asked.method == "PATCH"]) == 1
    assert broker.order_by_client_id("ta1-abc-0-2").limit_price == 9


def test_sdk_left_to_itself_would_send_the_order_twice(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    broker._client._retry, broker._client._retry_wait = 1, 0
    alpaca.switchboard.switch_on(status(504), is_after=True)

    broker.submit(ORDER)

    assert len(alpaca.posts()) == 2


def test_submit_to_a_broker_that_stays_silent_is_unknown_after_the_timeout(alpaca: LocalAlpaca) -> None:
    broker = impatient(alpaca, read_timeout_s=0.2)
    broker._is_account_known = True
    alpaca.switchboard.switch_on(delay_s=30.0)

    assert broker.submit(ORDER).status is OrderStatus.SUBMIT_UNKNOWN
    assert alpaca.is_asked.wait(10.0)
    assert len(alpaca.posts()) == 1


def test_submit_to_nobody_is_unknown(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    broker.trading_url = "http://127.0.0.1:9"
    del broker._client
    acknowledged = broker.submit(ORDER)

    assert (acknowledged.status, acknowledged.http_status) == (OrderStatus.SUBMIT_UNKNOWN, None)


def test_submit_whose_answer_cannot_be_kept_is_unknown(alpaca: LocalAlpaca) -> None:
    store = MemoryStore()
    broker = broker_of(alpaca, store)
    broker.account()
    store.failure = OutOfSpace("the disk is full")

    acknowledged = broker.submit(ORDER)

    assert acknowledged.status is OrderStatus.SUBMIT_UNKNOWN
    assert "the disk is full" in acknowledged.message
    assert len(alpaca.posts()) == 1


def test_submit_beyond_the_own_rate_limit_sends_nothing(
    alpaca: LocalAlpaca, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_limiter: Unlimited, patience_s: float) -> float:
        raise RateLimited(f"more than {patience_s} s to wait")

    monkeypatch.setattr(Unlimited, "reserve", refuse)

    with pytest.raises(RateLimited):
        broker.submit(ORDER)
    assert alpaca.posts() == []


def test_submit_does_not_wait_long_for_its_turn(broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever halts the account after the order was written down would not be obeyed by one that waits to leave."""
    patience: list[float] = []

    def reserve(_limiter: Unlimited, patience_s: float) -> float:
        patience.append(patience_s)
        return 0.0

    monkeypatch.setattr(Unlimited, "reserve", reserve)

    broker.submit(ORDER)
    broker.positions()
    broker.suspend_trade(True)

    assert patience == [LEAVES_WITHIN_S, ONCE.patience_s, ONCE.patience_s]


def test_timeouts_are_those_of_the_submit_protocol() -> None:
    assert (ONCE.attempts, ONCE.connect_timeout_s, ONCE.read_timeout_s) == (1, 3.0, 10.0)


def test_gateway_that_tries_again_is_refused_for_a_broker(alpaca: LocalAlpaca) -> None:
    with pytest.raises(ValueError, match="sent once"):
        impatient(alpaca, attempts=2)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_refusal_in_alpaca_s_words_is_definite(alpaca: LocalAlpaca, broker: AlpacaBroker, code: int) -> None:
    alpaca.switchboard.switch_on(error(code, 40310000, "insufficient buying power"))

    acknowledged = broker.submit(ORDER)

    assert acknowledged.status is OrderStatus.REJECTED
    assert (acknowledged.code, acknowledged.message) == ("40310000", "insufficient buying power")
    assert acknowledged.http_status == code


@pytest.mark.parametrize("code", [409, 418, 429, 500])
def test_words_of_alpaca_with_another_status_prove_nothing(
    alpaca: LocalAlpaca, broker: AlpacaBroker, code: int
) -> None:
    alpaca.switchboard.switch_on(error(code, 42910000, "too many requests."))

    assert broker.submit(ORDER).status is OrderStatus.SUBMIT_UNKNOWN


def test_request_carries_the_client_id_and_amounts_as_text(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    broker.submit(
        OrderRequest(
            "ta1-abc-0-1",
            "CCC-B",
            Side.BUY,
            Decimal("100"),
            OrderType.STOP_LIMIT,
            TimeInForce.GTC,
            limit_price=Decimal("10.10"),
            stop_price=Decimal("10.00"),
            order_class=OrderClass.BRACKET,
            take_profit_price=Decimal("12.30"),
            stop_loss_price=Decimal("8.70"),
            stop_loss_limit_price=Decimal("8.60"),
        )
    )

    (asked,) = alpaca.posts()
    assert asked.body == {
        "client_order_id": "ta1-abc-0-1",
        "symbol": "CCC.B",
        "side": "buy",
        "qty": "100",
        "type": "stop_limit",
        "time_in_force": "gtc",
        "extended_hours": False,
        "limit_price": "10.1",
        "stop_price": "10",
        "order_class": "bracket",
        "take_profit": {"limit_price": "12.3"},
        "stop_loss": {"stop_price": "8.7", "limit_price": "8.6"},
    }


def test_every_answer_is_kept_before_it_is_read(alpaca: LocalAlpaca) -> None:
    store = MemoryStore()
    broker = broker_of(alpaca, store)
    broker.submit(ORDER)

    assert [(kept.dataset, kept.method, kept.status) for kept in store.kept] == [
        ("broker/account", "GET", 200),
        ("broker/orders", "POST", 200),
    ]
    assert SECRET not in repr(broker) + repr(store.kept)


# Paper and live ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "key", "url"),
    [
        ("paper", "AKLIVE", None),
        ("live", "PKPAPER", None),
        ("paper", "something else", None),
        ("paper", "PKPAPER", "https://api.alpaca.markets"),
        ("live", "AKLIVE", "https://paper-api.alpaca.markets/"),
        ("paper", "PKPAPER", "https://API.alpaca.markets:443"),
    ],
)
def test_key_environment_and_address_that_do_not_agree_are_refused(environment: Any, key: str, url: str | None) -> None:
    gateway = VendorGateway(GATEWAY_NAME, Unlimited(), MemoryStore(), ONCE, check_answer)

    with pytest.raises(AuthFailed, match="Refusing to trade") as refused:
        AlpacaBroker(gateway, key, SECRET, environment, ACCOUNT, url)
    assert "\n" not in str(refused.value)
    assert key not in str(refused.value)


@pytest.mark.parametrize("act", ["submit", "cancel", "replace", "suspend_trade"])
def test_account_that_is_not_allowed_is_never_touched(alpaca: LocalAlpaca, act: str) -> None:
    gateway = VendorGateway(GATEWAY_NAME, Unlimited(), MemoryStore(), ONCE, check_answer)
    broker = AlpacaBroker(gateway, PAPER_KEY, SECRET, "paper", "PA9SOMEBODY", alpaca.url)
    acts = {
        "submit": lambda: broker.submit(ORDER),
        "cancel": lambda: broker.cancel("1"),
        "replace": lambda: broker.replace("1", Replacement("2")),
        "suspend_trade": lambda: broker.suspend_trade(True),
    }

    with pytest.raises(AuthFailed, match=f"belongs to account {ACCOUNT}"):
        acts[act]()
    assert {(asked.method, asked.path) for asked in alpaca.asked} == {("GET", "/v2/account")}


def test_switch_that_is_not_confirmed_is_an_error(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    alpaca.switchboard.switch_on(Reply({"suspend_trade": False}), method="PATCH", path="/v2/account/configurations")

    with pytest.raises(ContractBroken, match="did not confirm"):
        broker.suspend_trade(True)


# Asking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (status(429), RateLimited),
        (status(500), Transient),
        (status(401), AuthFailed),
        (status(404), ContractBroken),
        (RESET, Unreachable),
        (HTML_PAGE, ContractBroken),
        (Reply(b""), ContractBroken),
        (Reply({}), ContractBroken),
        (Reply("null"), ContractBroken),
    ],
)
def test_list_that_cannot_be_had_is_an_error_and_not_empty(
    alpaca: LocalAlpaca, broker: AlpacaBroker, reply: Reply, failure: type[Exception]
) -> None:
    for path in ("/v2/orders", "/v2/positions", "/v2/account/activities"):
        alpaca.switchboard.switch_on(reply, method="GET", path=path)

    for ask in (broker.open_orders, broker.positions, lambda: broker.activities_since(new_york("00:00"))):
        with pytest.raises(failure):
            ask()


def test_orders_and_activities_of_many_pages_are_read_to_the_end(
    alpaca: LocalAlpaca, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca_broker, "ORDERS_A_PAGE", 3)
    monkeypatch.setattr(alpaca_broker, "ACTIVITIES_A_PAGE", 3)
    names = [f"ta1-{number}" for number in range(10)]
    for name in names:
        broker.submit(replace(ORDER, client_order_id=name, qty=Decimal(10)))
    with alpaca.lock:
        alpaca.venue.trade(bar(symbol="CCC-B"))

    assert [order.client_order_id for order in broker.orders_since(new_york("00:00"))] == names
    assert len(broker.activities_since(new_york("00:00"))) == 10


@pytest.mark.parametrize("row", [{"id": "same"}, {}])
def test_pages_without_an_end_are_an_error(alpaca: LocalAlpaca, broker: AlpacaBroker, row: dict[str, str]) -> None:
    alpaca.switchboard.switch_on(Reply([row]), method="GET", times=5)

    with pytest.raises(ContractBroken, match="gave no new orders"):
        broker.open_orders()


def test_cancel_whose_answer_was_lost_is_seen_by_looking(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    taken = broker.submit(RESTING).order
    assert taken is not None
    alpaca.switchboard.switch_on(status(503), is_after=True, method="DELETE")

    with pytest.raises(Transient):
        broker.cancel(taken.broker_order_id)
    assert broker.cancel(taken.broker_order_id).status is OrderStatus.CANCELED


# The stream --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "heard"),
    [
        ([EventFault.LOSE], ["new", "fill"]),
        ([EventFault.TWICE], ["accepted", "accepted", "new", "fill"]),
        ([EventFault.SWAP], ["new", "accepted", "fill"]),
    ],
)
def test_stream_with_faults_is_only_a_hint_and_the_records_are_right(
    alpaca: LocalAlpaca, broker: AlpacaBroker, faults: list[EventFault], heard: list[str]
) -> None:
    with listening(broker) as listener:
        alpaca.switchboard.events.extend(faults)
        broker.submit(ORDER)
        with alpaca.lock:
            alpaca.venue.trade(bar(symbol="CCC-B"))
        assert [update.event for update in listener.updates(len(heard))] == heard

    assert broker.order_by_client_id(ORDER.client_order_id).status is OrderStatus.FILLED
    assert len(broker.activities_since(new_york("00:00", MONDAY))) == 1


def test_stream_that_was_cut_off_opens_again_and_says_so(
    alpaca: LocalAlpaca, broker: AlpacaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.first_wait_s = 0.01
    with caplog.at_level(logging.WARNING), listening(broker) as listener:
        alpaca.disconnect_streams()
        assert listener.until_opened() == StreamOpened(2)
        broker.submit(ORDER)
        assert [update.event for update in listener.updates(2)] == ["accepted", "new"]

    assert "was lost" in caplog.text


def test_stream_with_a_key_that_is_not_accepted_is_refused(alpaca: LocalAlpaca) -> None:
    stream = AlpacaStream(alpaca.url.replace("http", "ws") + "/stream", PAPER_KEY, "another secret")

    with pytest.raises(AuthFailed):
        next(stream.updates(threading.Event()))


def test_message_that_cannot_be_read_makes_the_stream_begin_anew(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    broker.first_wait_s = 0.01
    with listening(broker) as listener:
        alpaca.pass_on(["no object"])
        assert listener.until_opened() == StreamOpened(2)


def test_update_with_words_that_nobody_knows_is_passed_on(alpaca: LocalAlpaca, broker: AlpacaBroker) -> None:
    order = {"id": "1", "client_order_id": "x", "symbol": "AAA", "status": "quantum", "new_field": 1}
    with listening(broker) as listener:
        alpaca.pass_on({"stream": "trade_updates", "data": {"event": "order_teleported", "order": order}})
        (update,) = listener.updates(1)

    assert (update.event, update.order.broker_status) == ("order_teleported", "quantum")
    assert (update.order.status, update.order.is_status_known) == (OrderStatus.HELD, False)
