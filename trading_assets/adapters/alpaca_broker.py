"""The Broker port over Alpaca's trading API, through alpaca-py and a VendorGateway that keeps every answer.

The SDK's own retries are off: an order is sent once, and what its answer leaves open is for the caller to find out.
What an answer says is read in alpaca_broker_wire.py, the stream of updates in alpaca_stream.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import requests

from trading_assets.adapters import alpaca_broker_wire as wire
from trading_assets.adapters.alpaca import DATA_URL, AlpacaSource
from trading_assets.adapters.alpaca_stream import AlpacaStream
from trading_assets.adapters.errors import AuthFailed, ContractBroken, NotFound
from trading_assets.adapters.json_fields import Fields, exact_json, rows_in
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_document
from trading_assets.adapters.vendor_rows import with_dots
from trading_assets.adapters.vendor_transport import GatewayAdapter
from trading_assets.domain.execution.broker_records import (
    Acknowledgement,
    ActivityRecord,
    BrokerAccount,
    BrokerClock,
    BrokerOrder,
    BrokerPosition,
    Hint,
    OrderRequest,
    Replacement,
)
from trading_assets.domain.execution.orders import OrderStatus
from trading_assets.domain.market.broker_calendar import BrokerSession
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.quotes import Quote

if TYPE_CHECKING:
    from alpaca.trading.client import TradingClient

NAME = "alpaca"
GATEWAY_NAME = "alpaca-broker"
Environment = Literal["paper", "live"]
TRADING_URLS: Mapping[Environment, str] = {
    "paper": "https://paper-api.alpaca.markets",
    "live": "https://api.alpaca.markets",
}
KEY_PREFIXES: Mapping[Environment, str] = {"paper": "PK", "live": "AK"}
"""How the ids of Alpaca's keys begin."""
ONCE = RetryPolicy(attempts=1, patience_s=10.0, connect_timeout_s=3.0, read_timeout_s=10.0, total_timeout_s=15.0)
"""No automatic retry at any layer."""
LEAVES_WITHIN_S = 0.5
"""A request for an order that would wait longer for its turn is not sent: a halt in between would not be obeyed."""
ORDERS_A_PAGE = 500
ACTIVITIES_A_PAGE = 100
_NOT_SUCCESS = range(300, 600)


def check_answer(body: bytes) -> None:
    """What a gateway for this broker holds every answer to: JSON, or nothing at all. Raises ContractBroken."""
    if body:
        json_document(body)


@dataclass
class AlpacaBroker:
    """Broker over one account at Alpaca, which `account_number` must name. Not for several threads at once.

    `first_wait_s` is the wait before a lost stream is opened again; it doubles with every failure in a row.

    Raises AuthFailed when the kind of the key, `environment` and the address do not agree; and, before anything is
    changed at the broker, when the key belongs to another account than the one that is allowed.
    """

    gateway: VendorGateway
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    environment: Environment
    account_number: str
    trading_url: str | None = None
    data_url: str = DATA_URL
    first_wait_s: float = 1.0
    name = NAME
    _is_account_known: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.gateway.policy.attempts != 1:
            raise ValueError("an order must be sent once: the gateway of a broker may not try again")
        kind = self._kind_of_key()
        if kind != self.environment:
            raise AuthFailed(
                f"Refusing to trade: trading.yaml says broker.environment: {self.environment}, and ALPACA_API_KEY is "
                f"{'no' if kind is None else f'a {kind}'} key. Set both to the same."
            )
        others = {urlsplit(url).hostname for name, url in TRADING_URLS.items() if name != self.environment}
        if urlsplit(self.url).hostname in others:
            raise AuthFailed(
                f"Refusing to trade: broker.environment is {self.environment}, and {self.url} is not its address."
            )

    @property
    def key_venue(self) -> str:
        return f"{NAME}-{self._kind_of_key()}"

    def _kind_of_key(self) -> str | None:
        return next((name for name, prefix in KEY_PREFIXES.items() if self.api_key.startswith(prefix)), None)

    @property
    def url(self) -> str:
        return (self.trading_url or TRADING_URLS[self.environment]).rstrip("/")

    # The account ------------------------------------------------------------------------------------

    def account(self) -> BrokerAccount:
        """The account. Raises AuthFailed when it is not the one that is allowed."""
        account = wire.read_account(self._read("account", "/account"))
        if account.account_number != self.account_number:
            raise AuthFailed(
                f"Refusing to trade: the key belongs to account {account.account_number or 'without a number'}, and "
                f"broker.account in trading.yaml allows only {self.account_number}."
            )
        self._is_account_known = True
        return account

    def positions(self) -> list[BrokerPosition]:
        return [wire.read_position(row) for row in rows_in(self._read("positions", "/positions"), "positions")]

    def activities_since(self, after: datetime) -> list[ActivityRecord]:
        path, first = "/account/activities", {"after": after.isoformat(), "direction": "asc"}
        pages = self._pages("activities", path, first | {"page_size": ACTIVITIES_A_PAGE}, "page_token")
        return [wire.read_activity(row) for row in pages]

    def suspend_trade(self, is_suspended: bool) -> None:
        """Set the account's own switch. Raises ContractBroken when Alpaca does not confirm it."""
        self._require_account()
        body = {"suspend_trade": is_suspended}
        answer = self._ask("account_configurations", "PATCH", "/account/configurations", body)
        if Fields(exact_json(answer.content)).flag("suspend_trade") is not is_suspended:
            raise ContractBroken(f"{NAME} did not confirm suspend_trade: {is_suspended}. Look at the account's page.")

    # The market -------------------------------------------------------------------------------------

    def clock(self) -> BrokerClock:
        return wire.read_clock(self._read("clock", "/clock"))

    def calendar(self, first: date, last: date) -> list[BrokerSession]:
        return self._source.calendar(first, last)

    def assets(self, symbols: Sequence[str]) -> list[Instrument]:
        found = []
        for symbol in symbols:
            try:
                row = self._read("assets", f"/assets/{quote(with_dots(symbol), safe='')}")
            except NotFound:
                continue
            found.append(wire.read_asset(row, symbol))
        return found

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        return self._source.corporate_actions(symbols, first, last)

    def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        return self._source.latest_quotes(symbols)

    # Orders -----------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> Acknowledgement:
        return self._send_once("POST", "/orders", wire.order_body(request), request.client_order_id)

    def replace(self, broker_order_id: str, replacement: Replacement) -> Acknowledgement:
        body = wire.replacement_body(replacement)
        return self._send_once("PATCH", _order_path(broker_order_id), body, replacement.client_order_id)

    def cancel(self, broker_order_id: str) -> BrokerOrder:
        self._require_account()
        # Accepted, or no longer possible: what became of the order is seen by looking at it.
        answer = self._ask("orders", "DELETE", _order_path(broker_order_id), passes={404, 422})
        if answer.status_code == 404:
            raise _not_found(answer)
        return self.order(broker_order_id)

    def order(self, broker_order_id: str) -> BrokerOrder:
        return wire.read_order(self._read("orders", _order_path(broker_order_id), {"nested": "true"}))

    def order_by_client_id(self, client_order_id: str) -> BrokerOrder:
        return wire.read_order(self._read("orders", "/orders:by_client_order_id", {"client_order_id": client_order_id}))

    def open_orders(self) -> list[BrokerOrder]:
        return self._orders({"status": "open"})

    def orders_since(self, after: datetime) -> list[BrokerOrder]:
        return self._orders({"status": "all", "after": after.isoformat()})

    def order_updates(self, stopping: threading.Event) -> Iterator[Hint]:
        parts = urlsplit(self.url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        address = urlunsplit(parts._replace(scheme=scheme, path="/stream"))
        return AlpacaStream(address, self.api_key, self.secret_key, self.first_wait_s).updates(stopping)

    def _orders(self, fields: Mapping[str, Any]) -> list[BrokerOrder]:
        first = {**fields, "limit": ORDERS_A_PAGE, "direction": "asc", "nested": "false"}
        return [wire.read_order(row) for row in self._pages("orders", "/orders", first, "after_order_id")]

    # Asking -----------------------------------------------------------------------------------------

    def _require_account(self) -> None:
        if not self._is_account_known:
            self.account()

    def _send_once(self, method: str, path: str, body: Mapping[str, Any], client_order_id: str) -> Acknowledgement:
        """Send what must not be sent twice. Raises AdapterError only when nothing was sent."""
        self._require_account()
        self._transport.has_sent = False
        try:
            answer = self._ask("orders", method, path, body, passes=_NOT_SUCCESS)
        except Exception as error:
            if not self._transport.has_sent:
                raise
            # Whatever went wrong on the way back, even in keeping the answer: the order may have arrived.
            return Acknowledgement(OrderStatus.SUBMIT_UNKNOWN, message=f"{type(error).__name__}: {error}")
        return wire.acknowledgement(answer.status_code, answer.content, client_order_id)

    def _read(self, what: str, path: str, fields: Mapping[str, Any] | None = None) -> Any:
        """The JSON value that Alpaca has at `path`. Raises AdapterError, NotFound only when Alpaca says so itself."""
        answer = self._ask(what, "GET", path, fields, passes={404})
        if answer.status_code == 404:
            raise _not_found(answer)
        return exact_json(answer.content)

    def _pages(self, what: str, path: str, fields: Mapping[str, Any], cursor: str) -> list[Any]:
        """All rows of a list that is asked for piece by piece, by the id of the last row, until nothing more comes."""
        rows: list[Any] = []
        asked, seen = dict(fields), set[str]()
        while page := rows_in(self._read(what, path, asked), what):
            rows += page
            last = Fields(page[-1]).words("id")
            if not last or last in seen:
                raise ContractBroken(f"{NAME} gave no new {what} after {last or 'a row without an id'}.")
            seen.add(last)
            # The cursor takes the place of a moment in time: two orders of one moment would be one too few.
            asked = {name: value for name, value in fields.items() if name != "after" or cursor == "page_token"}
            asked[cursor] = last
        return rows

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        passes: Container[int] = (),
    ) -> requests.Response:
        """Alpaca's answer with a status of success or in `passes`. Raises AdapterError."""
        from alpaca.common.exceptions import APIError

        client, transport = self._client, self._transport
        transport.passes, transport.answer = passes, None
        transport.turn_within_s = LEAVES_WITHIN_S if what == "orders" and method in {"POST", "PATCH"} else None
        send: Callable[[str, Any], object] = getattr(client, method.lower())
        with self.gateway.fetch(f"broker/{what}", path=path):
            try:
                send(path, dict(content) if content else None)
            except (APIError, requests.exceptions.JSONDecodeError):
                if transport.answer is None:
                    raise
        if transport.answer is None:
            raise ContractBroken(f"alpaca-py asked {method} {path} without a request")
        return transport.answer

    @cached_property
    def _client(self) -> TradingClient:
        from alpaca.trading.client import TradingClient

        client = TradingClient(
            self.api_key, self.secret_key, paper=self.environment == "paper", raw_data=True, url_override=self.url
        )
        # The SDK sends a POST again after a 504, and waits for nobody: neither can be chosen when it is made.
        client._retry = 0
        for scheme in ("https://", "http://"):
            client._session.mount(scheme, self._transport)
        return client

    @cached_property
    def _transport(self) -> _Transport:
        return _Transport(self.gateway)

    @cached_property
    def _source(self) -> AlpacaSource:
        return AlpacaSource(self.gateway, self.api_key, self.secret_key, data_url=self.data_url, trading_url=self.url)


class _Transport(GatewayAdapter):
    """Remembers whether a request went out, and the newest answer, whose numbers the SDK would make floats of."""

    def __init__(self, gateway: VendorGateway) -> None:
        super().__init__(gateway, accepts=lambda _url, status: status in self.passes)
        self.passes: Container[int] = ()
        self.has_sent = False
        self.answer: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, *rest: Any, **options: Any) -> requests.Response:
        self.answer = super().send(request, *rest, **options)
        return self.answer

    def _send_and_read(self, *parts: Any) -> requests.Response:
        self.has_sent = True
        return super()._send_and_read(*parts)


def _order_path(broker_order_id: str) -> str:
    return f"/orders/{quote(broker_order_id, safe='')}"


def _not_found(answer: requests.Response) -> NotFound | ContractBroken:
    """A 404 in Alpaca's own words means that there is none; a page of somebody on the way means nothing."""
    try:
        fields = Fields(exact_json(answer.content))
    except ContractBroken:
        fields = Fields(None)
    if fields.number("code") is None:
        return ContractBroken(f"{NAME} answered 404 without a word of its own. Check broker.url in trading.yaml.")
    return NotFound(f"{NAME}: {fields.text('message') or 'there is none'}.")
