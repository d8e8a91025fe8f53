"""The one partitions definition of the project: trading sessions of XNYS, and the check that a session has begun.

A partition key is the session's New York date. A time window's end is not: Friday's window ends on Monday. Use the key.
"""

from datetime import date, datetime, time

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.domain.market import sessions

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
"""Tags of a run over the sessions from one to the other: one run, where a backfill by the daemon is one run a layer."""

SESSIONS = dg.TimeWindowPartitionsDefinition(
    cron_schedule="0 0 * * 1-5",
    start="2000-01-03",
    fmt="%Y-%m-%d",
    timezone="America/New_York",
    # Without it the session of today would appear only when it is over.
    end_offset=1,
    exclusions=[datetime.combine(day, time()) for day in sessions.HOLIDAYS],
)


def session_range(context: dg.AssetExecutionContext, clock: Clock) -> tuple[date, date]:
    """First and last session of the run's partitions.

    Fails, without retries, for a day without trading and for a session that has not begun: on a holiday `end_offset`
    makes the newest partition the next session, which lies in the future.
    """
    keys = context.partition_key_range
    first, last = date.fromisoformat(keys.start), date.fromisoformat(keys.end)
    now = clock.now()
    try:
        opens_at = max(sessions.session(day).opens_at for day in (first, last))
    except ValueError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    if opens_at > now:
        raise dg.Failure(
            f"Session {last} has not begun: it is {now:%Y-%m-%d %H:%M} UTC and the session opens at "
            f"{opens_at:%Y-%m-%d %H:%M} UTC. The newest session to materialise is {sessions.newest_session(now)}.",
            allow_retries=False,
        )
    return first, last
