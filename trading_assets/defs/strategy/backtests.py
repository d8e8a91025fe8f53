"""The asset strategy/backtests: one partition a named backtest, run by run_backtest_job over what is stored.

A name that ran before, here or by `trading backtest`, runs again with the same changes unless others are given.
"""

from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from trading_assets.adapters.backtests import Result, plan_backtest, run_backtest
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.ports import Clock
from trading_assets.adapters.postgres.backtests import newest_overrides, store_backtest
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record, traded_sessions
from trading_assets.defs.failures import one_line_failures
from trading_assets.settings import TradingSettings

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
    figures = result.summary.figures
    return dg.MaterializeResult(
        metadata={
            "backtest_id": result.backtest_id,
            "is_new": bool(is_new),
            "sessions": f"{result.plan.first} to {result.plan.last}",
            "final_equity_usd": float(figures.final_equity_usd),
            **{
                name: value
                for name in ("total_return_pct", "max_drawdown_pct", "sharpe", "psr", "fills", "denied", "trades")
                if (value := getattr(figures, name)) is not None
            },
            "overrides": dg.MetadataValue.json(dict(result.plan.overrides)),
        }
    )


def _run(
    database: Database, settings: TradingSettings, clock: Clock, name: str, config: BacktestConfig
) -> tuple[Result, int]:
    stored = traded_sessions(database, settings)
    if stored is None:
        raise NotFound("No bars of the universe are stored: materialise market/bars first.")
    with database.transaction() as connection:
        before = newest_overrides(connection, name)
    overrides = config.overrides or (dict(before[0]) if before else {})
    begin, end = before[1:] if before else stored
    first = date.fromisoformat(config.first) if config.first else begin
    last = date.fromisoformat(config.last) if config.last else end
    record = read_market_record(database, settings, first, last, clock.now())
    result = run_backtest(plan_backtest(settings, record, overrides, name), record, data_hash(record))
    with database.transaction() as connection:
        return result, store_backtest(connection, result)


run_backtest_job = dg.define_asset_job(
    "run_backtest_job",
    selection=dg.AssetSelection.assets(BACKTESTS),
    description="One named backtest over what is stored; its changes to trading.yaml are the run's configuration.",
)
