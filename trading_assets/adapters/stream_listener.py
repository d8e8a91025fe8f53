"""Keeps a broker's stream of order updates open and writes down that something was heard. It books and decides nothing.

Whoever works with what is written here must come to the same result without it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from trading_assets.adapters.ports import Broker, Clock
from trading_assets.adapters.postgres import broker_hints
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.execution.broker_records import Hint, OrderUpdate, StreamOpened

logger = logging.getLogger(__name__)

DAY_S = 86_400


@dataclass(frozen=True)
class StreamListener:
    """Hears the stream of one account; `clock` is the graph's."""

    broker: Broker
    database: Database
    clock: Clock
    account_id: str

    def listen(self, stopping: threading.Event) -> None:
        """Write down every hint until `stopping` is set. Raises AdapterError."""
        forgotten_at = None
        for hint in self.broker.order_updates(stopping):
            self._store(hint)
            if forgotten_at is None or time.monotonic() - forgotten_at > DAY_S:
                forgotten_at = time.monotonic()
                with self.database.transaction() as connection:
                    broker_hints.forget_old_hints(connection)

    def _store(self, hint: Hint) -> None:
        at = self.clock.now()
        with self.database.transaction() as connection:
            if isinstance(hint, StreamOpened):
                logger.info("The stream of account %s is open (attempt %s).", self.account_id, hint.attempt)
                broker_hints.store_opening(connection, self.account_id, at)
                return
            if isinstance(hint, OrderUpdate):
                broker_hints.store_update(connection, self.account_id, hint, at)
            broker_hints.store_sign_of_life(connection, self.account_id, at)
