"""The job that delivers messages."""

import dagster as dg

from trading_assets.defs.notification.assets import messages

deliver_messages_job = dg.define_asset_job(
    "deliver_messages_job",
    selection=dg.AssetSelection.assets(messages),
    description="Sends what waits in the outbox.",
    # A run that a crash left behind would keep the sensor from starting the next one.
    tags={"dagster/max_runtime": "900"},
)
