"""A local Alpaca whose market and clock are those of the platform, and whose account outlives a restart.

How a rehearsal is begun, and what the platform must be told for it, belongs in `beginning`.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.ports import Clock
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.values import Timeframe
from trading_assets.local_alpaca.journal import Journal, Line
from trading_assets.local_alpaca.market import Market
from trading_assets.local_alpaca.server import PAPER_KEY, Asked, LocalAlpaca
from trading_assets.local_alpaca.stored_market import StoredMarket

READING = "GET"


class RehearsedAlpaca(LocalAlpaca):
    """Before it answers anything it brings its market up to the time of `clock`.

    What has happened according to `journal` has happened here too. Raises ContractBroken for a broken journal.
    """

    def __init__(self, journal: Journal, stored: StoredMarket, finest: Timeframe, clock: Clock, port: int = 0) -> None:
        super().__init__(journal.beginning().venue(), port=port)
        self._journal, self._stored, self._time = journal, stored, clock
        self._market = Market(self.venue, journal, finest, stored)
        journal.repeat(self._market.advance, self._repeat, self._market.trade, self._market.list_instruments)

    def follow(self) -> None:
        """Bring the market up to the time of the clock. Raises AdapterError."""
        with self.lock:
            self._market.follow(self._time.now())

    def now(self) -> datetime:
        return self._time.now()

    def corporate_actions(self) -> list[CorporateAction]:
        return self._stored.actions(self.now())

    def answer(self, asked: Asked, key: str | None) -> tuple[int, Any]:
        try:
            return super().answer(asked, key)
        except AdapterError as error:
            return 503, {"code": 50310000, "message": str(error)}

    def route(self, asked: Asked, key: str | None) -> tuple[int, Any]:
        self.follow()
        at = self.venue.now
        status, document = super().route(asked, key)
        if asked.method != READING and 200 <= status < 300:
            self._journal.add_request(at, asdict(asked))
        return status, document

    def _repeat(self, request: Line) -> None:
        super().route(Asked(**request), PAPER_KEY)
