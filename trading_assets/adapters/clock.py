"""Where the time comes from: the wall, or the row that a rehearsal sets. The domain receives it as an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database

if TYPE_CHECKING:
    from trading_assets.settings import TradingSettings


class WallClock:
    def now(self) -> datetime:
        """The current time, tz-aware UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class ReplayClock:
    """The time of a rehearsal: it stands still until somebody sets it."""

    database: Database

    def now(self) -> datetime:
        """The time last set, tz-aware UTC. Raises NotFound when it was never set."""
        with self.database.transaction() as connection:
            row = connection.execute("select now_at from ops.replay_clock").fetchone()
        if row is None:
            raise NotFound(
                "The replay clock is not set (trading.yaml says clock: replay). "
                "Set it: trading clock set 2022-05-02T15:30Z; or write clock: wall."
            )
        now: datetime = row[0]
        return now.astimezone(UTC)


def set_replay_clock(database: Database, at: datetime) -> None:
    """Set the rehearsal's time. Raises ValueError for a time without a time zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: write it as {at:%Y-%m-%dT%H:%M}Z for UTC.")
    with database.transaction() as connection:
        connection.execute(
            "insert into ops.replay_clock (now_at) values (%s) "
            "on conflict (is_only_row) do update set now_at = excluded.now_at",
            (at,),
        )


def clock_of(settings: TradingSettings, database: Database) -> WallClock | ReplayClock:
    """The clock that trading.yaml names."""
    return ReplayClock(database) if settings.clock == "replay" else WallClock()
