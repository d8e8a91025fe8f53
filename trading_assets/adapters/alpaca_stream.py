"""Alpaca's stream of trade updates: hints that something happened, over a connection that is made again when lost.

What a message says is read by alpaca_broker_wire.py. Nothing is decided by a hint alone: the REST API is the authority.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.alpaca_broker_wire import read_update
from trading_assets.adapters.errors import AuthFailed, ContractBroken
from trading_assets.adapters.json_fields import exact_json
from trading_assets.domain.execution.broker_records import Hint, OrderUpdate, StreamAlive, StreamOpened

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0
LISTENING_S = 0.25
"""How long a quiet stream is waited for before it is asked whether to stop."""
LONGEST_WAIT_S = 30.0
PING_S = 3.0
"""How often the connection is asked whether it is still one: a cut cable says nothing by itself."""


@dataclass(frozen=True)
class AlpacaStream:
    """`url` such as wss://paper-api.alpaca.markets/stream; `first_wait_s` doubles with every failure in a row."""

    url: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    first_wait_s: float = 1.0

    def updates(self, stopping: threading.Event) -> Iterator[Hint]:
        """Hints until `stopping` is set. Raises AuthFailed; a lost connection only means StreamOpened once more.

        A message that cannot be read ends the connection: what it said is found by asking, as after any other loss.
        """
        from websockets.exceptions import WebSocketException

        opened = failures = 0
        while not stopping.is_set():
            try:
                with self._connected() as connection:
                    opened, failures = opened + 1, 0
                    yield StreamOpened(opened)
                    yield from _received(connection, stopping)
            except (OSError, WebSocketException, ContractBroken) as error:
                logger.warning("The stream of trade updates was lost: %s: %s", type(error).__name__, error)
                failures += 1
                stopping.wait(min(self.first_wait_s * 2.0 ** (failures - 1), LONGEST_WAIT_S))

    def _connected(self) -> ClientConnection:
        """A connection that Alpaca has said it will send updates on."""
        from websockets.sync.client import connect

        connection = connect(self.url, open_timeout=CONNECT_TIMEOUT_S, close_timeout=CONNECT_TIMEOUT_S)
        try:
            self._begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: ClientConnection) -> None:
        login = {"key_id": self.api_key, "secret_key": self.secret_key}
        connection.send(json.dumps({"action": "authenticate", "data": login}))
        if _data_of(_next_message(connection, ANSWER_TIMEOUT_S)).get("status") != "authorized":
            raise AuthFailed("alpaca does not accept the key for its stream: check ALPACA_API_KEY.")
        connection.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        if "trade_updates" not in _data_of(_next_message(connection, ANSWER_TIMEOUT_S)).get("streams", []):
            raise ContractBroken("alpaca did not confirm that it sends trade updates")


def _received(connection: ClientConnection, stopping: threading.Event) -> Iterator[OrderUpdate | StreamAlive]:
    """Updates, and a sign of life with each ping that was answered. Raises TimeoutError when one is not."""
    answered, asked_at = connection.ping(), time.monotonic()
    while not stopping.is_set():
        try:
            message = _next_message(connection, LISTENING_S)
        except TimeoutError:
            message = {}
        if message.get("stream") == "trade_updates":
            yield read_update(message.get("data"))
        waited_s = time.monotonic() - asked_at
        if answered.is_set() and waited_s >= PING_S:
            yield StreamAlive()
            answered, asked_at = connection.ping(), time.monotonic()
        elif waited_s > ANSWER_TIMEOUT_S:
            raise TimeoutError(f"no answer to a ping for {ANSWER_TIMEOUT_S:.0f} s")


def _next_message(connection: ClientConnection, timeout_s: float) -> dict[str, Any]:
    """The next message, text or binary. Raises TimeoutError, ContractBroken."""
    received = connection.recv(timeout=timeout_s)
    message = exact_json(received.encode() if isinstance(received, str) else received)
    if not isinstance(message, dict):
        raise ContractBroken(f"a message on the stream is a {type(message).__name__}, not an object")
    return message


def _data_of(message: dict[str, Any]) -> dict[str, Any]:
    data = message.get("data")
    return data if isinstance(data, dict) else {}
