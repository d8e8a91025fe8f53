"""The outbox as an asset: materialising it delivers what waits."""

import dagster as dg

from trading_assets.adapters.delivery import drain
from trading_assets.adapters.ports import Notifier
from trading_assets.adapters.postgres import notification
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.materialization import table_result

SOURCES = (["market", "bars"], ["risk", "approved_orders"], ["risk", "alerts"], ["execution", "fills"])


@dg.asset(
    key=["notification", "messages"],
    group_name="notification",
    kinds={"postgres"},
    description="What people were told: denials, fills, limits that came near, breakers, closed gates, failed runs.",
    deps=[dg.AssetDep(dg.AssetKey(key), partition_mapping=dg.LastPartitionMapping()) for key in SOURCES],
)
def messages(
    context, database: dg.ResourceParam[Database], notifiers: dg.ResourceParam[list[Notifier]]
) -> dg.MaterializeResult:
    drained = [drain(database, notifier) for notifier in notifiers]
    for each in drained:
        context.log.info("%s: %s sent, %s failed", each.channel, each.sent, each.failed)
    with database.transaction() as connection:
        counts = notification.delivery_counts(connection)
    result = table_result(database, "notification.messages", None, None, sum(each.sent for each in drained))
    deliveries = {f"{channel} {state}": count for (channel, state), count in counts.items()}
    return dg.MaterializeResult(metadata={**(result.metadata or {}), "deliveries": deliveries})
