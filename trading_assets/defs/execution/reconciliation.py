"""Ledger against broker in the graph: the asset of comparisons, the job that compares, and when it is started.

What a comparison does belongs in adapters/reconciling.py. A simulated account has no broker beside its ledger.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.broker_opening import opened_account
from trading_assets.adapters.ports import Broker, Clock
from trading_assets.adapters.postgres.broker_accounts import broker_account_id
from trading_assets.adapters.postgres.broker_hints import stream_opened_at
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.local_view import standing_of
from trading_assets.adapters.postgres.reconciliations import Trigger, newest_comparison
from trading_assets.adapters.reconciling import Compared, Reconciler
from trading_assets.defs.execution.assets import KINDS, POSITIONS
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import markdown_table, table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market.sessions import newest_session, session
from trading_assets.settings import TradingSettings

if TYPE_CHECKING:
    import psycopg

RECONCILIATION = dg.AssetKey(["execution", "reconciliation"])
TABLE = "execution.reconciliations"
OP = "execution__reconciliation"
WITH_OPEN_ORDERS, OTHERWISE, AFTER_CLOSE = timedelta(seconds=60), timedelta(minutes=5), timedelta(minutes=15)
POLL_S = 5


@dg.asset(
    key=RECONCILIATION,
    deps=[POSITIONS],
    group_name="execution",
    kinds=KINDS,
    pool="reconciliation",
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    config_schema={
        "trigger": dg.Field(
            dg.Enum("Trigger", [dg.EnumValue(str(trigger)) for trigger in Trigger]),
            default_value=str(Trigger.DEMAND),
            description="Why the account is compared.",
        )
    },
    description=(
        "Comparisons of the ledger with the broker's records: what was booked, what is left to explain. They are of "
        "now: a session that is over is not compared again. A simulated account has none, and only the checks."
    ),
)
def reconciliation(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
    broker: dg.ResourceParam[Broker],
) -> dg.MaterializeResult:
    first, last = session_range(context, clock)
    compared = None
    if settings.broker.kind != "simulated" and last == newest_session(clock.now()):
        with one_line_failures():
            account = opened_account(database, settings, broker, clock.now())
            trigger = Trigger(context.op_execution_context.op_config["trigger"])
            compared = Reconciler(database, broker, account.account_id, clock).compare(trigger)
    result = table_result(database, TABLE, first, last, 0 if compared is None else 1)
    return dg.MaterializeResult(metadata={**result.metadata, **(_facts(compared) if compared else {})})


def _facts(compared: Compared) -> dict[str, dg.MetadataValue]:
    done = compared.comparison
    rows = [[one.kind, one.subject, one.symbol, one.ours, one.theirs, one.remedy] for one in compared.breaks]
    return {
        "account": dg.MetadataValue.text(done.account_id),
        "is_clean": dg.MetadataValue.bool(done.is_clean),
        "booked": dg.MetadataValue.int(done.booked_count),
        "breaks": dg.MetadataValue.md(markdown_table(["kind", "subject", "symbol", "ours", "theirs", "to do"], rows)),
    }


reconcile_trades_job = dg.define_asset_job(
    "reconcile_trades_job",
    selection=dg.AssetSelection.assets(RECONCILIATION).without_checks(),
    tags={"dagster/max_runtime": "300"},
    description="Compare the ledger with the broker's records now: book what is missing, report what is left.",
)


@dg.sensor(
    job=reconcile_trades_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Compares an account at a broker every minute while orders are open, every five minutes otherwise, at the "
        "start, after its stream was opened anew, and a quarter of an hour after the close."
    ),
)
def reconciliation_sensor(
    database: dg.ResourceParam[Database], settings: dg.ResourceParam[TradingSettings], clock: dg.ResourceParam[Clock]
) -> dg.RunRequest | dg.SkipReason:
    if settings.broker.kind == "simulated":
        return dg.SkipReason("A simulated account has no broker beside its ledger.")
    now, account_id = clock.now(), broker_account_id(settings.broker.venue, settings.broker.account or "")
    with database.transaction() as connection:
        trigger = _due(connection, account_id, now)
    if trigger is None:
        return dg.SkipReason("The account was compared lately.")
    return dg.RunRequest(
        # A run that failed is tried again a minute later.
        run_key=f"{account_id} {trigger} {now:%Y-%m-%dT%H:%M}",
        partition_key=newest_session(now).isoformat(),
        run_config={"ops": {OP: {"config": {"trigger": str(trigger)}}}},
    )


def _due(connection: "psycopg.Connection", account_id: str, now: datetime) -> Trigger | None:
    newest, standing = newest_comparison(connection, account_id), standing_of(connection, account_id)
    if newest is None or standing is None:
        return Trigger.START
    opened_at = stream_opened_at(connection, account_id)
    if opened_at is not None and opened_at > newest.began_at:
        return Trigger.STREAM
    after_close = session(newest_session(now)).closes_at + AFTER_CLOSE
    if newest.began_at < after_close <= now:
        return Trigger.AFTER_CLOSE
    age = now - newest.began_at
    if standing.live and age >= WITH_OPEN_ORDERS:
        return Trigger.OPEN_ORDERS
    return Trigger.INTERVAL if age >= OTHERWISE else None
