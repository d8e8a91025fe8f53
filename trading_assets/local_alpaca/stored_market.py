"""What PostgreSQL has for the market of a rehearsal: bars, instruments and corporate actions of a universe."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import stored_instruments
from trading_assets.adapters.postgres.market import tape
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.tape import Tape

ANNOUNCED = timedelta(days=7)
"""How long before its ex-date a corporate action is told."""
_ASSETS = uuid.UUID("1c6bd1f2-5a0c-4f0e-8a44-0f7b9f0f7d53")


@dataclass(frozen=True)
class StoredMarket:
    """The market of `symbols`; see `market.Stored`."""

    database: Database
    symbols: Sequence[str]

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        with self.database.transaction() as connection:
            found = stored_instruments(connection, symbols)
        return [replace(one, source_id=str(uuid.uuid5(_ASSETS, one.symbol))) for one in found]

    def periods(self, first: date, last: date, now: datetime) -> list[list[Bar]]:
        bars = Tape.of(tape(self.database, self.symbols, first, last, now), (), {}).bars
        return [list(bars[key]) for key in sorted(bars, key=lambda key: key[1]) if key[1] <= now]

    def actions(self, now: datetime) -> list[CorporateAction]:
        """Corporate actions that took effect by `now` (UTC) or soon will."""
        return actions_as_of(self.database, now + ANNOUNCED, self.symbols)
