"""The one Dagster entry point: every stage's assets, checks, jobs, schedules and sensors, merged.

Loading it reads trading.yaml and nothing else: no connection, no secret, no heavy library.
"""

from datetime import timedelta

import dagster as dg

from trading_assets.defs import automation
from trading_assets.defs.analytics import assets as analytics
from trading_assets.defs.analytics.dbt import dbt_models
from trading_assets.defs.analytics.restatements import no_decision_used_a_restated_value, restatements
from trading_assets.defs.execution import assets as execution
from trading_assets.defs.execution import invariants, reconciliation
from trading_assets.defs.execution import jobs as execution_jobs
from trading_assets.defs.execution import sensors as execution_sensors
from trading_assets.defs.execution.scenarios import review_scenario_job
from trading_assets.defs.ingestion import (
    archives,
    broker_calendar,
    fundamentals,
    halts,
    quotes,
    vendor_comparisons,
    vendor_responses,
)
from trading_assets.defs.ingestion import assets as ingestion
from trading_assets.defs.ingestion import checks as ingestion_checks
from trading_assets.defs.ingestion import sensors as ingestion_sensors
from trading_assets.defs.ingestion.jobs import fetch_market_data_job
from trading_assets.defs.notification import assets as notification
from trading_assets.defs.notification import sensors as notification_sensors
from trading_assets.defs.notification.jobs import deliver_messages_job
from trading_assets.defs.resources import RESOURCES
from trading_assets.defs.risk import assets as risk
from trading_assets.defs.risk import jobs as risk_jobs
from trading_assets.defs.risk import trading_states
from trading_assets.defs.strategy import backtests
from trading_assets.defs.strategy.assets import strategy_assets
from trading_assets.defs.strategy.jobs import set_strategy_status_job
from trading_assets.defs.strategy.proofs import prove_strategies_job, prove_strategies_sensor, strategy_proofs
from trading_assets.settings import load_trading_settings

OWNERS = ["team:trading"]
# A long weekend and a holiday may lie between two sessions.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=5), warn_window=timedelta(days=4))


def _with_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
    return spec.replace_attributes(owners=OWNERS, freshness_policy=spec.freshness_policy or FRESHNESS)


defs = dg.Definitions(
    assets=[
        ingestion.instruments,
        ingestion.corporate_actions,
        ingestion.bars,
        broker_calendar.broker_sessions,
        halts.trading_halts,
        vendor_responses.vendor_responses,
        vendor_comparisons.vendor_comparisons,
        fundamentals.financials,
        fundamentals.fundamentals,
        quotes.quotes,
        *strategy_assets(load_trading_settings()),
        backtests.backtests,
        execution.trading_session,
        reconciliation.reconciliation,
        risk.portfolio_risk,
        risk.alerts,
        risk.dashboard,
        dbt_models(),
        analytics.performance,
        analytics.reports,
        restatements,
        notification.messages,
        archives.archives,
    ],
    asset_checks=[
        ingestion_checks.bars_checks,
        ingestion_checks.market_checks,
        ingestion_checks.company_checks,
        *strategy_proofs(load_trading_settings()),
        no_decision_used_a_restated_value,
        invariants.ledger_invariants,
    ],
    jobs=[
        automation.backfill_job,
        automation.refresh_data_job,
        automation.hourly_tick_job,
        automation.end_of_day_job,
        fetch_market_data_job,
        fundamentals.fetch_fundamentals_job,
        quotes.fetch_quotes_job,
        vendor_comparisons.compare_vendors_job,
        ingestion_checks.validate_data_quality_job,
        prove_strategies_job,
        backtests.run_backtest_job,
        execution_jobs.execute_trades_job,
        execution_jobs.manage_orders_job,
        execution_jobs.update_positions_job,
        reconciliation.reconcile_trades_job,
        risk_jobs.monitor_risk_job,
        review_scenario_job,
        deliver_messages_job,
        set_strategy_status_job,
        trading_states.halt_trading_job,
        trading_states.reduce_positions_job,
        trading_states.flatten_positions_job,
        trading_states.resume_trading_job,
        archives.archive_old_data_job,
    ],
    schedules=[
        automation.hourly_tick_schedule,
        automation.end_of_day_schedule,
        automation.fetch_market_data_schedule,
        fundamentals.fetch_fundamentals_schedule,
        quotes.fetch_quotes_schedule,
        vendor_comparisons.compare_vendors_schedule,
        ingestion_checks.validate_data_quality_schedule,
        archives.archive_old_data_schedule,
    ],
    sensors=[
        automation.catch_up_sensor,
        automation.tick_after_catch_up_sensor,
        ingestion_sensors.relay_events_sensor,
        prove_strategies_sensor,
        backtests.list_backtests_sensor,
        execution_sensors.execution_sensor,
        execution_sensors.order_sensor,
        reconciliation.reconciliation_sensor,
        risk_jobs.risk_sensor,
        notification_sensors.outbox_sensor,
        notification_sensors.run_failure_sensor,
    ],
    resources=RESOURCES,
    executor=dg.in_process_executor,
).map_asset_specs(func=_with_policy)
