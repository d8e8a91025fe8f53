"""Start the order jobs when the ledger says there is something to do. They poll tables: the table is the state."""

import hashlib
from datetime import datetime

import dagster as dg

from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import ledger, reviews
from trading_assets.adapters.postgres.broker_accounts import configured_account
from trading_assets.adapters.postgres.broker_hints import newest_hint
from trading_assets.adapters.postgres.broker_orders import has_live_orders
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.trading_states import state_changes
from trading_assets.defs.execution.jobs import execute_trades_job, manage_orders_job
from trading_assets.domain.market.sessions import newest_session
from trading_assets.domain.simulation import SIMULATED
from trading_assets.settings import TradingSettings

# The daemon looks no more often than that.
POLL_S = 5
TRY_AGAIN_S = 20
"""After that an approval that a broker's desk could not send yet, as legs or a comparison kept it, is worth a run."""
FOLLOW_EVERY_S = 60
"""How often open orders are asked for when nothing is heard of them: a message of the broker can be lost."""


@dg.sensor(
    job=execute_trades_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Approvals that no order has used yet start the job that sends them; the same approvals start it once.",
)
def execution_sensor(
    database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock], settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        account = configured_account(connection, settings)
        waiting = reviews.unsent_approvals(connection, account.account_id) if account else []
    if not waiting or account is None:
        return dg.SkipReason("No approval waits to be sent.")
    now = clock.now()
    ready = [verdict.intent.intent_id for verdict, approval in waiting if approval.expires_at >= now]
    if not ready:
        return dg.SkipReason("Every approval that waits has expired.")
    key = hashlib.sha256("".join(ready).encode()).hexdigest()
    return dg.RunRequest(
        run_key=key if account.broker == SIMULATED else f"{key} {_every(TRY_AGAIN_S, now)}",
        partition_key=newest_session(now).isoformat(),
    )


@dg.sensor(
    job=manage_orders_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "A checked bar that is news to an account with open orders starts the job that takes its fills; at a broker "
        "so do a message of its stream, a change of the trading state, and every minute with open orders."
    ),
)
def order_sensor(
    database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock], settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        account = configured_account(connection, settings)
        if account is None:
            return dg.SkipReason("No account has traded yet.")
        now = clock.now()
        closes_at = ledger.newest_unseen_close(connection, account.account_id, now)
        is_followed = account.broker != SIMULATED and has_live_orders(connection, account.account_id)
        heard_at = newest_hint(connection, account.account_id) if is_followed else None
        ordered = len(state_changes(connection)) if is_followed else 0
    news = [] if closes_at is None else [closes_at.isoformat()]
    if is_followed:
        news += [_every(FOLLOW_EVERY_S, now), str(heard_at), str(ordered)]
    if not news:
        return dg.SkipReason("No open order has a new bar.")
    return dg.RunRequest(
        run_key=f"{account.account_id} {' '.join(news)}", partition_key=newest_session(now).isoformat()
    )


def _every(seconds: int, now: datetime) -> str:
    """The same words for so many seconds."""
    return str(int(now.timestamp()) // seconds)
