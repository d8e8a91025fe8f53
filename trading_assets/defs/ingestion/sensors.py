"""Passes on what ingestion and the checks have recorded. It starts no run: what it did is the reason it shows."""

import dagster as dg

from trading_assets.adapters.event_relay import try_to_relay
from trading_assets.adapters.ports import EventBus
from trading_assets.adapters.postgres.database import Database

POLL_S = 5


@dg.sensor(
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Passes events that Redis lacks on to its stream and keeps its newest bars new. It launches no run: the reason "
        "of each tick says how far it has come, or why it can not."
    ),
)
def relay_events_sensor(database: dg.ResourceParam[Database], event_bus: dg.ResourceParam[EventBus]) -> dg.SkipReason:
    return dg.SkipReason(try_to_relay(database, event_bus))
