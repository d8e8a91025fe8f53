"""The asset strategy/backtests: one partition a named backtest, run by run_backtest_job over what is stored.

A name that ran before, here or by `trading backtest`, runs again with the same changes unless others are given. What
`trading backtest` has run becomes a partition by a sensor.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from trading_assets.adapters.backtests import Result, plan_backtest, report_path, run_backtest, tried_strategies
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.backtests import newest_overrides, sharpes_tried, store_backtest
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record, traded_sessions
from trading_assets.adapters.postgres.stored_backtests import StoredBacktest, newest_backtests, stored_backtests
from trading_assets.defs.failures import one_line_failures
from trading_assets.domain.performance.summary import Figures
from trading_assets.settings import TradingSettings, load_environment, overridden

if TYPE_CHECKING:
    from trading_assets.adapters.report import ReportData

LOOK_S = 30
LOOK_BACK = timedelta(minutes=10)
MOST_AT_ONCE = 100
BACKTESTS = dg.AssetKey(["strategy", "backtests"])
NAMES = dg.DynamicPartitionsDefinition(name="backtests")


class BacktestConfig(dg.Config):
    """What the partition's backtest is; empty: as it was run before, or trading.yaml over all that is stored."""

    first: str = Field("", description="First session, such as 2010-03-01.")
    last: str = Field("", description="Last session.")
    overrides: dict[str, Any] = Field({}, description="Other values than in trading.yaml, by dotted key.")


@dg.asset(
    key=BACKTESTS,
    # A name is of no session: it reads whatever is stored.
    deps=[
        dg.AssetDep(["market", name], partition_mapping=dg.AllPartitionMapping())
        for name in ("bars", "corporate_actions")
    ],
    partitions_def=NAMES,
    group_name="strategy",
    kinds={"python", "postgres"},
    description="Configurations traded over stored bars in memory, with the full risk review. No ledger is touched.",
)
def backtests(
    context: dg.AssetExecutionContext,
    config: BacktestConfig,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    with one_line_failures():
        result, is_new = _run(database, settings, clock, context.partition_key, config)
        data = _report_data(database, result)
    from trading_assets.adapters.backtest_report import write_report
    from trading_assets.adapters.report import preview

    write_report(data, load_environment().home)
    facts = _facts(result.backtest_id, result.summary.sessions, result.summary.figures, result.plan.overrides)
    summary = dg.MetadataValue.md(preview(data))
    return dg.MaterializeResult(metadata={**facts, "is_new": bool(is_new), "summary": summary})


def _report_data(database: Database, result: Result) -> "ReportData":
    from trading_assets.adapters.backtest_report import backtest_report
    from trading_assets.adapters.postgres.analytics import buy_and_hold_returns

    plan = result.plan
    with database.transaction() as connection:
        tried = sharpes_tried(connection, tried_strategies(plan.overrides, plan.settings.strategies))
    held = buy_and_hold_returns(database, plan.settings.universe, result.summary.sessions)
    return backtest_report(result, held, tried)


def _facts(
    backtest_id: str, sessions: Sequence[date], figures: Figures, overrides: Mapping[str, Any]
) -> dict[str, dg.MetadataValue | str | float]:
    """What the web page shows of a backtest, its report as a link where there is one."""
    report = report_path(load_environment().home, backtest_id)
    return {
        "backtest_id": backtest_id,
        "sessions": f"{sessions[0]} to {sessions[-1]}",
        "final_equity_usd": float(figures.final_equity_usd),
        **{
            name: value
            for name in ("total_return_pct", "max_drawdown_pct", "sharpe", "psr", "fills", "denied", "trades")
            if (value := getattr(figures, name)) is not None
        },
        "overrides": dg.MetadataValue.json(dict(overrides)),
        **(
            {"report": dg.MetadataValue.path(str(report)), "link": dg.MetadataValue.url(report.as_uri())}
            if report.exists()
            else {}
        ),
    }


def _run(
    database: Database, settings: TradingSettings, clock: Clock, name: str, config: BacktestConfig
) -> tuple[Result, int]:
    with database.transaction() as connection:
        before = newest_overrides(connection, name)
    overrides = config.overrides or (dict(before[0]) if before else {})
    changed = overridden(settings, overrides)
    stored = traded_sessions(database, changed)
    if stored is None:
        raise NotFound("No bars of the universe are stored: materialise market/bars first.")
    begin, end = before[1:] if before else stored
    first = date.fromisoformat(config.first) if config.first else begin
    last = date.fromisoformat(config.last) if config.last else end
    record = read_market_record(database, changed, first, last, clock.now())
    result = run_backtest(plan_backtest(settings, record, overrides, name), record, data_hash(record))
    with database.transaction() as connection:
        return result, store_backtest(connection, result)


run_backtest_job = dg.define_asset_job(
    "run_backtest_job",
    selection=dg.AssetSelection.assets(BACKTESTS),
    description="One named backtest over what is stored; its changes to trading.yaml are the run's configuration.",
)


@dg.sensor(
    minimum_interval_seconds=LOOK_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="What `trading backtest` has run and stored is a partition of strategy/backtests here too.",
)
def list_backtests_sensor(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.SensorResult | dg.SkipReason:
    # One that took long may be stored after one that finished later: look back a little.
    since = datetime.fromisoformat(context.cursor) - LOOK_BACK if context.cursor else datetime.min.replace(tzinfo=UTC)
    with database.transaction() as connection:
        found = newest_backtests(connection, since, MOST_AT_ONCE)
        shown = [
            one
            for one in stored_backtests(connection, [backtest_id for backtest_id, _ in found])
            if not _is_shown(context.instance, one)
        ]
    if not shown:
        return dg.SkipReason("Every stored backtest is shown.")
    names = sorted({one.name for one in shown})
    known = context.instance.get_dynamic_partitions(NAMES.name or "")
    return dg.SensorResult(
        cursor=found[-1][1].isoformat(),
        dynamic_partitions_requests=[NAMES.build_add_request([name for name in names if name not in known])],
        asset_events=[
            dg.AssetMaterialization(
                BACKTESTS,
                partition=one.name,
                metadata=_facts(one.backtest_id, one.sessions, one.figures, one.overrides),
            )
            for one in shown
        ],
    )


def _is_shown(instance: dg.DagsterInstance, backtest: StoredBacktest) -> bool:
    """Whether this is the newest materialisation of its name."""
    newest = instance.fetch_materializations(
        dg.AssetRecordsFilter(BACKTESTS, asset_partitions=[backtest.name]), limit=1
    ).records
    shown = newest[0].asset_materialization if newest else None
    return shown is not None and shown.metadata["backtest_id"].value == backtest.backtest_id
