"""Reads the tape (domain/tape.py) from the database: bars, corporate actions and quality gates of some sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.corporate_actions import actions_as_of
from trading_assets.adapters.postgres.market import BARS_DATASET, tape
from trading_assets.adapters.postgres.quality import read_gates
from trading_assets.domain.market.sessions import session_before, sessions_between
from trading_assets.domain.tape import Tape

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.postgres.database import Database
    from trading_assets.domain.risk.standings import Standings


def read_tape(
    database: Database,
    connection: psycopg.Connection,
    universe: Sequence[str],
    first: date,
    last: date,
    now: datetime,
    standings: Standings,
    earlier: int = 0,
) -> Tape:
    """The tape of the sessions first..last as known at `now` (UTC); gates as `connection` sees them.

    It has the bars of so many `earlier` sessions too, which the regime is computed from.
    """
    bars = tape(database, universe, session_before(first, earlier), last, now)
    actions = actions_as_of(database, now, universe)
    gates = read_gates(connection, BARS_DATASET, sessions_between(first, last), universe)
    return Tape.of(bars, actions, gates, standings)
