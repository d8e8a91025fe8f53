"""The stream of trade updates: a WebSocket on the connection that an HTTP request came in on."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

POLL_S = 0.05


class StreamClient:
    """One connected client. Messages go out in binary frames, as on Alpaca's paper accounts."""

    def __init__(
        self,
        connection: socket.socket,
        path: str,
        headers: list[tuple[str, str]],
        login: dict[str, str],
        is_heard: threading.Event,
    ) -> None:
        self._connection, self._login, self._is_heard = connection, login, is_heard
        self._protocol = ServerProtocol()
        self._lock = threading.Lock()
        self.is_listening = False
        # The HTTP server has read the request already: it is told once more, to whom it is meant for.
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._protocol.receive_data("\r\n".join(lines).encode())
        (request,) = self._protocol.events_received()
        assert isinstance(request, Request)  # noqa: S101  it was read as one already
        self._protocol.send_response(self._protocol.accept(request))
        self._flush()

    def serve(self, stopping: threading.Event) -> None:
        """Answer the client until it goes, or `stopping` is set."""
        self._connection.settimeout(POLL_S)
        while not stopping.is_set() and not self._protocol.close_expected():
            try:
                received = self._connection.recv(65536)
            except TimeoutError:
                continue
            if not received:
                return
            with self._lock:
                self._protocol.receive_data(received)
                events = self._protocol.events_received()
                self._flush()
            for event in events:
                if isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.BINARY}:
                    self._answer(json.loads(bytes(event.data)))

    def send(self, message: Any) -> None:
        with self._lock:
            self._put(message)

    def _put(self, message: Any) -> None:
        self._protocol.send_binary(json.dumps(message).encode())
        self._flush()

    def drop(self) -> None:
        """End the connection without a word."""
        self._connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, message: dict[str, Any]) -> None:
        if message.get("action") == "authenticate":
            status = "authorized" if message.get("data") == self._login else "unauthorized"
            self.send({"stream": "authorization", "data": {"action": "authenticate", "status": status}})
        elif message.get("action") == "listen":
            streams = message.get("data", {}).get("streams", [])
            with self._lock:
                # Whatever is sent from now on comes after the confirmation.
                self.is_listening = "trade_updates" in streams
                self._put({"stream": "listening", "data": {"streams": streams}})
            self._is_heard.set()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._connection.sendall(data)
