"""A vendor on 127.0.0.1: answers what a test prepared, misbehaves when told to, and remembers what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it arrived. `query` has the last value of every parameter."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer: `body` as bytes, text or something for JSON. `misbehaves` is a fault of the wire: see WireHandler."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    misbehaves: str | None = None

    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


RESET = Reply(misbehaves="reset")
SILENCE = Reply(misbehaves="silence")
TRICKLE = Reply(body=b" " * 10_000, misbehaves="trickle")
HTML_PAGE = Reply("<html><head><title>Maintenance</title></head><body>Back soon</body></html>", 200, {})


def cut_short(body: Any) -> Reply:
    """Half of the body, then the connection ends."""
    return Reply(body, misbehaves="cut")


def _nothing_here(asked: Asked) -> Reply:
    return Reply({"message": f"no {asked.path} here"}, 404)


class VendorStandIn:
    """`routes` maps a path to its Reply or to a function of the request, `otherwise` answers for all other paths.

    `faults` are used up first, one a request.
    """

    def __init__(self) -> None:
        self.routes: dict[str, Reply | Callable[[Asked], Reply]] = {}
        self.otherwise: Callable[[Asked], Reply] = _nothing_here
        self.faults: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.stopping = threading.Event()
        handler = type("Handler", (WireHandler,), {"vendor": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def reply_to(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.faults:
            return self.faults.popleft()
        route = self.routes.get(asked.path, self.otherwise)
        return route(asked) if callable(route) else route

    @contextmanager
    def running(self) -> Iterator[VendorStandIn]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class WireHandler(BaseHTTPRequestHandler):
    vendor: VendorStandIn
    protocol_version = "HTTP/1.1"
    # Head and body are sent one after the other: with Nagle's algorithm the body would wait for 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.vendor.reply_to(Asked(self.command, parts.path, query, headers)))

    def do_POST(self) -> None:
        self.do_GET()

    def _send(self, reply: Reply) -> None:
        body = reply.payload()
        if reply.misbehaves == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if reply.misbehaves == "silence":
            self.vendor.stopping.wait(30)
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if reply.misbehaves == "trickle":
            for position in range(len(body)):
                if self.vendor.stopping.is_set():
                    break
                self.wfile.write(body[position : position + 1])
                time.sleep(0.02)
            self.close_connection = True
        elif reply.misbehaves == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
