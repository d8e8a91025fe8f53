"""The job that measures the book, and the sensor that starts it: after fills, and at least every quarter of an hour."""

from datetime import datetime, timedelta

import dagster as dg

from trading_assets.adapters.broker_link import RISK_WATCH
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres import portfolio_risk as store
from trading_assets.adapters.postgres.broker_accounts import configured_account
from trading_assets.adapters.postgres.broker_orders import saw
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.risk.assets import ALERTS, DASHBOARD, PORTFOLIO_RISK
from trading_assets.domain.market.sessions import newest_session, previous_session, session
from trading_assets.settings import TradingSettings

POLL_S = 5
# A little less than the quarter of an hour that is promised: the sensor and the run take their time.
MEASURE_EVERY = timedelta(minutes=14)

monitor_risk_job = dg.define_asset_job(
    "monitor_risk_job",
    selection=dg.AssetSelection.assets(PORTFOLIO_RISK, ALERTS, DASHBOARD),
    tags={"dagster/max_runtime": "600"},
    description="Measures the risk of the book now, tells of limits that came near, and shows it all on one page.",
)


@dg.sensor(
    job=monitor_risk_job,
    minimum_interval_seconds=POLL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Measures the book after every fill, and every quarter of an hour while the exchange is open.",
)
def risk_sensor(
    database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock], settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    with database.transaction() as connection:
        account = configured_account(connection, settings)
        if account is None:
            return dg.SkipReason("No account has traded yet.")
        account_id, now = account.account_id, clock.now()
        today = newest_session(now)
        newest = store.newest_measurement(connection, account_id)
        filled_at = store.newest_fill(connection, account_id, today)
        if _is_watched(newest and newest[0], now):
            saw(connection, account_id, RISK_WATCH, now)
    if account.session_date is None or account.session_date < previous_session(today):
        return dg.SkipReason(f"Account {account_id} has not lived in session {previous_session(today)} yet.")
    if filled_at is not None and (newest is None or filled_at > newest[1]):
        # By the fill, so that a fill that left the book as it was is measured once.
        return dg.RunRequest(run_key=f"{account_id} filled {filled_at.isoformat()}", partition_key=today.isoformat())
    if not session(today).opens_at <= now <= session(today).closes_at:
        return dg.SkipReason("No fill is new, and the exchange is closed.")
    if newest is not None and now - newest[0] < MEASURE_EVERY:
        return dg.SkipReason(f"Measured at {newest[0]:%H:%M:%S} UTC.")
    return dg.RunRequest(run_key=f"{account_id} due {_minute(now)}", partition_key=today.isoformat())


def _is_watched(measured_at: datetime | None, now: datetime) -> bool:
    """Whether the measurements keep up: of a book that should have been measured long ago nobody knows the risk."""
    trading = session(newest_session(now))
    if not trading.opens_at <= now <= trading.closes_at:
        return True
    return now - max(measured_at or trading.opens_at, trading.opens_at) <= 2 * MEASURE_EVERY


def _minute(now: datetime) -> str:
    """A run that failed is tried again in the next minute."""
    return f"{now:%Y-%m-%dT%H:%M}"
