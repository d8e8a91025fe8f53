"""Start the order jobs when the ledger says there is something to do. They poll tables: the table is the state."""

import hashlib

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.jobs import execute_trades_job, manage_orders_job
from trading_assets.domain.market.sessions import newest_session

# The daemon looks no more often than that.
POLL_S = 5


@dg.sensor(
    job=execute_trades_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Approvals that no order has used yet start the job that sends them; the same approvals start it once.",
)
def execution_sensor(
    database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        account_id = ledger.current_account(connection)
        waiting = ledger.unsent_approvals(connection, account_id) if account_id else []
    if not waiting:
        return dg.SkipReason("No approval waits to be sent.")
    now = clock.now()
    ready = [verdict.intent.intent_id for verdict, approval in waiting if approval.expires_at >= now]
    if not ready:
        return dg.SkipReason("Every approval that waits has expired.")
    return dg.RunRequest(
        run_key=hashlib.sha256("".join(ready).encode()).hexdigest(),
        partition_key=newest_session(now).isoformat(),
    )


@dg.sensor(
    job=manage_orders_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A checked bar that is news to an account with open orders starts the job that takes its fills.",
)
def order_sensor(database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        account_id = ledger.current_account(connection)
        if account_id is None:
            return dg.SkipReason("No account has traded yet.")
        now = clock.now()
        closes_at = ledger.newest_unseen_close(connection, account_id, now)
    if closes_at is None:
        return dg.SkipReason("No open order has a new bar.")
    return dg.RunRequest(run_key=f"{account_id} {closes_at.isoformat()}", partition_key=newest_session(now).isoformat())
