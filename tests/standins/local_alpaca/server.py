"""The local Alpaca as tests want it: it remembers what it was asked, and its switchboard says what goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from standins.http_vendor import Reply, WireHandler
from standins.local_alpaca.switchboard import Switchboard

from trading_assets.domain.execution.venue import Venue
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.local_alpaca import server
from trading_assets.local_alpaca.server import PAPER_KEY, SECRET, AlpacaHandler, Asked

__all__ = ["PAPER_KEY", "SECRET", "Asked", "LocalAlpaca"]


class _FaultyHandler(AlpacaHandler, WireHandler):
    alpaca: LocalAlpaca

    @property
    def vendor(self) -> Any:
        return self.alpaca

    def respond(self, asked: Asked, key: str | None) -> None:
        self._send(self.alpaca.reply_to(asked, key))


class LocalAlpaca(server.LocalAlpaca):
    """`asked` are all requests so far, `is_asked` is set by the first of them.

    `on_answer` sees every answer in Alpaca's own words: method, path, status and JSON value.
    """

    handler = _FaultyHandler

    def __init__(
        self,
        venue: Venue,
        actions: Sequence[CorporateAction] = (),
        on_answer: Callable[[str, str, int, Any], None] = lambda *_: None,
    ) -> None:
        super().__init__(venue, actions)
        self.on_answer = on_answer
        self.switchboard = Switchboard()
        self.asked: list[Asked] = []
        self.is_asked = threading.Event()

    def posts(self, path: str = "/v2/orders") -> list[Asked]:
        """The requests that asked for a new order."""
        return [asked for asked in self.asked if asked.method == "POST" and asked.path == path]

    def pass_on(self, message: Any) -> None:
        self.switchboard.pass_on(message, super().pass_on)

    def answer(self, asked: Asked, key: str | None) -> tuple[int, Any]:
        status, document = super().answer(asked, key)
        self.on_answer(asked.method, asked.path, status, document)
        return status, document

    def reply_to(self, asked: Asked, key: str | None) -> Reply:
        """The answer to a request, as the switchboard lets it through."""
        self.asked.append(asked)
        self.is_asked.set()
        fault = self.switchboard.take(asked.method, asked.path)
        if fault is None:
            return self._reply(asked, key)
        self.stopping.wait(fault.delay_s)
        if fault.reply is None:
            return self._reply(asked, key)
        if fault.is_after:
            self._reply(asked, key)
        return fault.reply

    def _reply(self, asked: Asked, key: str | None) -> Reply:
        status, document = self.answer(asked, key)
        return Reply(b"" if document is None else document, status)
