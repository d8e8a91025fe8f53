"""Alpaca's REST API and its stream on one port of 127.0.0.1, over a venue whose time somebody else moves.

What it answers is the venue's word in Alpaca's JSON.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qs, unquote, urlsplit

from trading_assets.adapters.embedded.processes import LOOPBACK
from trading_assets.adapters.simulated_broker import clock_at
from trading_assets.domain.execution.broker_records import BrokerOrder, OrderUpdate
from trading_assets.domain.execution.orders import TERMINAL
from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.execution.venue_rules import Refusal, RefusalKind
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import is_session, next_session, sessions_between
from trading_assets.local_alpaca import alpaca_json
from trading_assets.local_alpaca.trade_updates import StreamClient

PAPER_KEY = "PKLOCALALPACA0000000"
SECRET = "not-a-secret"  # noqa: S105
LOGIN = {"key_id": PAPER_KEY, "secret_key": SECRET}


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]


class AlpacaHandler(BaseHTTPRequestHandler):
    """One connection: requests, or the stream."""

    alpaca: LocalAlpaca
    protocol_version = "HTTP/1.1"
    # Head and body are sent one after the other: with Nagle's algorithm the body would wait for 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/stream":
            self._serve_stream()
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.respond(Asked(self.command, unquote(parts.path), query, body), self.headers.get("APCA-API-KEY-ID"))

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def respond(self, asked: Asked, key: str | None) -> None:
        """Send the answer to a request of `key`."""
        status, document = self.alpaca.answer(asked, key)
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _serve_stream(self) -> None:
        client = StreamClient(self.connection, self.path, list(self.headers.items()), LOGIN, self.alpaca.is_heard)
        self.alpaca.connect(client)
        self.close_connection = True
        client.serve(self.alpaca.stopping)

    def handle(self) -> None:
        # A client that goes in the middle of a word is no concern of the others.
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class LocalAlpaca:
    """`venue` is to be touched with `lock` held, while the server runs. `is_heard` is set once anybody listens.

    `port` 0 takes a free one. Raises OSError for one that is taken.
    """

    handler: ClassVar[type[AlpacaHandler]] = AlpacaHandler

    def __init__(self, venue: Venue, actions: Sequence[CorporateAction] = (), port: int = 0) -> None:
        self.venue, self.actions = venue, actions
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.is_heard = threading.Event()
        self._clients: list[StreamClient] = []
        venue.listeners.append(self._tell)
        self._server = ThreadingHTTPServer((LOOPBACK, port), type("Handler", (self.handler,), {"alpaca": self}))
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def now(self) -> datetime:
        """What its clock shows, UTC."""
        return self.venue.now

    def corporate_actions(self) -> Sequence[CorporateAction]:
        """All that are known."""
        return self.actions

    # The stream -------------------------------------------------------------------------------------

    def connect(self, client: StreamClient) -> None:
        self._clients.append(client)

    def disconnect_streams(self) -> None:
        """End every stream's connection without a word."""
        clients, self._clients = self._clients, []
        for client in clients:
            client.drop()

    def _tell(self, update: OrderUpdate) -> None:
        self.pass_on(alpaca_json.update_json(update, self._asset_id(update.order.symbol)))

    def pass_on(self, message: Any) -> None:
        """Send a message to everybody who listens."""
        for client in self._clients:
            if client.is_listening:
                with contextlib.suppress(OSError):
                    client.send(message)

    # The REST API -----------------------------------------------------------------------------------

    def answer(self, asked: Asked, key: str | None) -> tuple[int, Any]:
        """The answer in Alpaca's own words: status and JSON value, None for no content."""
        try:
            with self.lock:
                return self.route(asked, key)
        except Refusal as refusal:
            return alpaca_json.error_json(refusal)

    def route(self, asked: Asked, key: str | None) -> tuple[int, Any]:
        """The answer of what is asked for, with `lock` held. Raises Refusal."""
        if key != PAPER_KEY:
            return 401, {"code": 40110000, "message": "request is not authorized"}
        for method, pattern, answer in ROUTES:
            found = re.fullmatch(pattern, asked.path)
            if found and method == asked.method:
                return answer(self, asked, *map(unquote, found.groups()))
        return 404, {"code": 40410000, "message": "endpoint not found"}

    def _account(self, _asked: Asked) -> tuple[int, Any]:
        return 200, alpaca_json.account_json(self.venue.account(), self.venue.positions())

    def _configurations(self, asked: Asked) -> tuple[int, Any]:
        if "suspend_trade" in asked.body:
            self.venue.is_suspended = asked.body["suspend_trade"]
        return 200, alpaca_json.configurations_json(self.venue.is_suspended)

    def _clock(self, _asked: Asked) -> tuple[int, Any]:
        return 200, alpaca_json.clock_json(clock_at(self.now()))

    def _calendar(self, asked: Asked) -> tuple[int, Any]:
        first, last = date.fromisoformat(asked.query["start"]), date.fromisoformat(asked.query["end"])
        days = sessions_between(first, last)
        if first == last and not is_session(first):
            days = [next_session(first)]  # asked about a holiday, Alpaca may answer with the next session
        return 200, [alpaca_json.calendar_day_json(day) for day in days]

    def _assets(self, _asked: Asked) -> tuple[int, Any]:
        return 200, [alpaca_json.asset_json(one) for one in self.venue.instruments.values()]

    def _asset(self, _asked: Asked, symbol: str) -> tuple[int, Any]:
        instrument = self.venue.instruments.get(symbol.replace(".", "-"))
        if instrument is None:
            raise Refusal(RefusalKind.NOT_FOUND, f"asset not found for {symbol}")
        return 200, alpaca_json.asset_json(instrument)

    def _positions(self, _asked: Asked) -> tuple[int, Any]:
        rows = self.venue.positions()
        return 200, [alpaca_json.position_json(row, self.venue.instruments[row.symbol]) for row in rows]

    def _new_order(self, asked: Asked) -> tuple[int, Any]:
        request = alpaca_json.request_of(asked.body, self._generated_id())
        return 200, self._shown(self.venue.submit(request))

    def _replace_order(self, asked: Asked, broker_order_id: str) -> tuple[int, Any]:
        replacement = alpaca_json.replacement_of(asked.body, self._generated_id())
        return 200, self._shown(self.venue.replace(broker_order_id, replacement))

    def _cancel_order(self, _asked: Asked, broker_order_id: str) -> tuple[int, Any]:
        self.venue.cancel(broker_order_id)
        return 204, None

    def _cancel_orders(self, _asked: Asked) -> tuple[int, Any]:
        results = []
        for order in self.venue.orders():
            if order.status not in TERMINAL:
                with contextlib.suppress(Refusal):
                    self.venue.cancel(order.broker_order_id)
                    results.append({"id": order.broker_order_id, "status": 200})
        return 207, results

    def _one_order(self, _asked: Asked, broker_order_id: str) -> tuple[int, Any]:
        return 200, self._shown(self.venue.order(broker_order_id))

    def _order_by_client_id(self, asked: Asked) -> tuple[int, Any]:
        return 200, self._shown(self.venue.order_by_client_id(asked.query["client_order_id"]))

    def _orders(self, asked: Asked) -> tuple[int, Any]:
        query = asked.query
        wanted = {"open": (False,), "closed": (True,), "all": (False, True)}[query.get("status", "open")]
        orders = [order for order in self.venue.orders() if (order.status in TERMINAL) in wanted]
        after, until = (alpaca_json.moment_of(query[name]) if name in query else None for name in ("after", "until"))
        orders = [
            order
            for order in orders
            if (after is None or _submitted(order) > after) and (until is None or _submitted(order) < until)
        ]
        if query.get("nested") == "true":
            legs = {leg.broker_order_id for order in orders for leg in self._with_legs(order).legs}
            orders = [self._with_legs(order) for order in orders if order.broker_order_id not in legs]
        if symbols := query.get("symbols"):
            orders = [order for order in orders if order.symbol.replace("-", ".") in symbols.split(",")]
        if query.get("direction", "desc") == "desc":
            orders.reverse()
        rows = [self._shown(order) for order in orders]
        return 200, _page(rows, query.get("after_order_id"), int(query.get("limit", 50)), 500)

    def _activities(self, asked: Asked, kind: str = "") -> tuple[int, Any]:
        query = asked.query
        kinds = [kind] if kind else [word for word in query.get("activity_types", "").split(",") if word]
        after = alpaca_json.moment_of(query["after"]) if "after" in query else datetime.min.replace(tzinfo=UTC)
        rows = [alpaca_json.activity_json(at, record) for at, record in self.venue.activities() if at > after]
        rows = [row for row in rows if not kinds or row["activity_type"] in kinds]
        if query.get("direction", "desc") == "desc":
            rows.reverse()
        return 200, _page(rows, query.get("page_token"), int(query.get("page_size", 100)), 100)

    def _corporate_actions(self, asked: Asked) -> tuple[int, Any]:
        first, last = (date.fromisoformat(asked.query[name]) for name in ("start", "end"))
        symbols = asked.query["symbols"].split(",")
        found = [
            action
            for action in self.corporate_actions()
            if action.symbol.replace("-", ".") in symbols and first <= action.ex_date <= last
        ]
        return 200, alpaca_json.corporate_actions_json(found)

    def _quotes(self, asked: Asked) -> tuple[int, Any]:
        last_prices = self.venue.ledger.last_prices
        symbols = [symbol for symbol in asked.query["symbols"].split(",") if symbol.replace(".", "-") in last_prices]
        at = self.now()
        return 200, {
            "quotes": {symbol: alpaca_json.quote_json(last_prices[symbol.replace(".", "-")], at) for symbol in symbols}
        }

    def _shown(self, order: BrokerOrder) -> Any:
        return alpaca_json.order_json(order, self._asset_id(order.symbol))

    def _with_legs(self, order: BrokerOrder) -> BrokerOrder:
        return self.venue.order(order.broker_order_id)

    def _asset_id(self, symbol: str) -> str:
        return str(self.venue.instruments[symbol].source_id)

    def _generated_id(self) -> str:
        return self.venue.ledger.new_id("client", len(self.venue.orders()))


_ID = r"([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", "/v2/account", LocalAlpaca._account),
    ("GET", "/v2/account/configurations", LocalAlpaca._configurations),
    ("PATCH", "/v2/account/configurations", LocalAlpaca._configurations),
    ("GET", "/v2/account/activities", LocalAlpaca._activities),
    ("GET", f"/v2/account/activities/{_ID}", LocalAlpaca._activities),
    ("GET", "/v2/clock", LocalAlpaca._clock),
    ("GET", "/v2/calendar", LocalAlpaca._calendar),
    ("GET", "/v2/assets", LocalAlpaca._assets),
    ("GET", f"/v2/assets/{_ID}", LocalAlpaca._asset),
    ("GET", "/v2/positions", LocalAlpaca._positions),
    ("POST", "/v2/orders", LocalAlpaca._new_order),
    ("GET", "/v2/orders", LocalAlpaca._orders),
    ("DELETE", "/v2/orders", LocalAlpaca._cancel_orders),
    ("GET", "/v2/orders:by_client_order_id", LocalAlpaca._order_by_client_id),
    ("GET", f"/v2/orders/{_ID}", LocalAlpaca._one_order),
    ("PATCH", f"/v2/orders/{_ID}", LocalAlpaca._replace_order),
    ("DELETE", f"/v2/orders/{_ID}", LocalAlpaca._cancel_order),
    ("GET", "/v1/corporate-actions", LocalAlpaca._corporate_actions),
    ("GET", "/v2/stocks/quotes/latest", LocalAlpaca._quotes),
]


def _page(rows: list[Any], after_id: str | None, size: int, most: int) -> list[Any]:
    """The rows after the one with the id, as many as a page holds."""
    ids = [row["id"] for row in rows]
    begin = ids.index(after_id) + 1 if after_id in ids else 0
    return rows[begin : begin + min(size, most)]


def _submitted(order: BrokerOrder) -> datetime:
    assert order.submitted_at is not None  # noqa: S101  a venue's order always has been
    return order.submitted_at
