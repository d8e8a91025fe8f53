"""The jobs that touch orders of the current session. Each is started by a sensor beside this file, or by hand."""

import dagster as dg

from trading_assets.defs.execution.assets import FILLS, ORDERS, POSITIONS

# A run that hangs must not keep the next one waiting for ever.
MAX_RUNTIME = {"dagster/max_runtime": "600"}

execute_trades_job = dg.define_asset_job(
    "execute_trades_job",
    selection=dg.AssetSelection.assets(ORDERS),
    tags=MAX_RUNTIME,
    description="Send every approval of the current session that is neither used nor expired.",
)

manage_orders_job = dg.define_asset_job(
    "manage_orders_job",
    selection=dg.AssetSelection.assets(FILLS, POSITIONS),
    tags=MAX_RUNTIME,
    description="Take the fills of open orders and bring the positions up to date.",
)

update_positions_job = dg.define_asset_job(
    "update_positions_job",
    selection=dg.AssetSelection.assets(FILLS, POSITIONS),
    tags=MAX_RUNTIME,
    description="By hand: bring fills and positions of the current session up to date, whether orders are open or not.",
)
