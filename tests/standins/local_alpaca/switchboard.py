"""What can go wrong between a client and Alpaca, by name: switched on by a test, used up by the requests that match."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from standins.http_vendor import HTML_PAGE, RESET, Reply, cut_short


@dataclass
class Fault:
    """Befalls the next `times` requests of `method` to a path that begins with `path`.

    `is_after`: the request is carried out, and only its answer is what the fault says. Without a `reply` the right
    answer comes, `delay_s` late.
    """

    reply: Reply | None = None
    is_after: bool = False
    method: str = "POST"
    path: str = "/v2/orders"
    delay_s: float = 0.0
    times: int = 1


def status(code: int) -> Reply:
    """A status whose body is a gateway's page: nothing in Alpaca's own words."""
    return Reply(f"<html>{code}</html>", code, {"Content-Type": "text/html"})


def error(code: int, alpaca_code: int, message: str) -> Reply:
    """A refusal in Alpaca's own words."""
    return Reply({"code": alpaca_code, "message": message}, code)


WIRE_FAULTS: dict[str, Reply] = {
    **{f"status {code}": status(code) for code in (408, 409, 425, 429, 500, 502, 503, 504)},
    "reset": RESET,
    "page instead of JSON": HTML_PAGE,
    "empty body": Reply(b""),
    "half of an answer": cut_short({"id": "5ca0a5f6-27e5-4c5c-9d2b-5e5d6cf3c4a1", "status": "new"}),
    "another order": Reply({"id": "1", "client_order_id": "another", "status": "new"}),
    "forbidden by somebody else": status(403),
    "not found by somebody else": status(404),
}
"""Answers that prove nothing about an order, whether it was accepted before them or not."""


class EventFault(StrEnum):
    LOSE = "lose"
    TWICE = "twice"
    SWAP = "swap"
    """Comes after the next one."""


@dataclass
class Switchboard:
    """The faults that are on. `events` are used up one an update."""

    faults: list[Fault] = field(default_factory=list)
    events: deque[EventFault] = field(default_factory=deque)
    _kept_back: list[Any] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def switch_on(self, reply: Reply | None = None, **where: Any) -> None:
        self.faults.append(Fault(reply, **where))

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that befalls this request."""
        with self._lock:
            for fault in self.faults:
                if fault.method == method and path.startswith(fault.path):
                    fault.times -= 1
                    if not fault.times:
                        self.faults.remove(fault)
                    return fault
        return None

    def pass_on(self, update: Any, send: Callable[[Any], None]) -> None:
        """Send an update as the faults have it."""
        fault = self.events.popleft() if self.events else None
        if fault is EventFault.SWAP:
            self._kept_back.append(update)
            return
        for _ in range({EventFault.LOSE: 0, EventFault.TWICE: 2}.get(fault, 1) if fault else 1):
            send(update)
        while self._kept_back:
            send(self._kept_back.pop(0))
