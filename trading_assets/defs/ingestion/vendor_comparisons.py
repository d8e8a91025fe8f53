"""The stored bars beside those of other vendors, once a day after the close, and a check that they agree.

It warns people and changes nothing: which of two vendors is right, no program can tell. Off until trading.yaml names
vendors to compare with.
"""

from typing import TYPE_CHECKING

import dagster as dg

from trading_assets.adapters.ports import BarSource, Clock
from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.ingestion.assets import BARS
from trading_assets.defs.materialization import table_result
from trading_assets.defs.partitions import SESSIONS, session_range
from trading_assets.domain.market.sessions import NEW_YORK, is_session
from trading_assets.settings import ComparisonSettings, TradingSettings

if TYPE_CHECKING:
    import pandas as pd

VENDOR_COMPARISONS = dg.AssetKey(["market", "vendor_comparisons"])
WORST_ROWS = 20
CHECK = "vendors_agree"


@dg.asset(
    key=VENDOR_COMPARISONS,
    group_name="ingestion",
    kinds={"postgres"},
    partitions_def=SESSIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[BARS],
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=VENDOR_COMPARISONS,
            description=(
                "Every stored bar and every bar of the vendors in `comparison` has its counterpart within the "
                "tolerance. Warns beyond it; a close beyond a multiple of it is an error. It closes no gate."
            ),
        )
    ],
    description=(
        "The stored bars beside the same bars of each vendor in `comparison`: differences of prices in basis points, "
        "of volume in percent, and bars that one side lacks. Comparing again replaces the rows of the sessions."
    ),
)
def vendor_comparisons(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
    comparison_sources: dg.ResourceParam[list[BarSource]],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    import pandas as pd

    from trading_assets.adapters.postgres.vendor_comparisons import replace_comparisons
    from trading_assets.domain.market.vendor_comparison import COMPARISON_COLUMNS, compare_bars

    first, last = session_range(context, clock)
    now = clock.now()
    tables, written = [pd.DataFrame(columns=COMPARISON_COLUMNS)], 0
    with one_line_failures():
        for vendor in comparison_sources:
            pairs = [
                (
                    market.bars_as_of(database, now, settings.universe, timeframe, first, last),
                    vendor.bars(settings.universe, timeframe, first, last, now),
                )
                for timeframe in settings.timeframes
            ]
            compared = [compare_bars(stored, theirs, vendor.name) for stored, theirs in pairs]
            tables += [table for table in compared if not table.empty]
            with database.transaction() as connection:
                written += replace_comparisons(connection, pd.concat(compared), vendor.name, first, last, now)
        result = table_result(database, "market.vendor_comparisons", first, last, written)
    verdict = vendors_agree(pd.concat(tables, ignore_index=True), settings.comparison)
    return dg.MaterializeResult(metadata=result.metadata, check_results=[verdict])


def vendors_agree(compared: "pd.DataFrame", comparison: ComparisonSettings) -> dg.AssetCheckResult:
    """The verdict on compared bars, with the worst of them. Without vendors it passes and says so."""
    from trading_assets.domain.market.vendor_comparison import PRICE_DIFFERENCES, Tolerance, beyond_tolerance

    if not comparison.vendors:
        reason = "not compared: trading.yaml names no vendor in comparison.vendors"
        return dg.AssetCheckResult(passed=True, check_name=CHECK, metadata={"observed": reason})
    tolerance = Tolerance(comparison.tolerance_bps, comparison.error_multiple, comparison.volume_tolerance_pct)
    worst = beyond_tolerance(compared, tolerance)
    shown = ["vendor", "symbol", "timeframe", "ts", "outcome", *PRICE_DIFFERENCES, "volume_diff_pct"]
    metadata: dict[str, dg.MetadataValue | str | int] = {
        "observed": f"{len(compared)} bars compared with {', '.join(comparison.vendors)}",
        "beyond_tolerance": len(worst),
        "beyond_error_limit": int(worst["is_error"].sum()),
    }
    if not worst.empty:
        metadata["worst_offenders"] = dg.MetadataValue.table(
            records=[
                dg.TableRecord({name: _shown(row[name]) for name in shown})
                for row in worst.head(WORST_ROWS).to_dict("records")
            ],
            schema=dg.TableSchema([dg.TableColumn(name, "string") for name in shown]),
        )
    return dg.AssetCheckResult(
        passed=worst.empty,
        check_name=CHECK,
        severity=dg.AssetCheckSeverity.ERROR if worst["is_error"].any() else dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def _shown(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


compare_vendors_job = dg.define_asset_job(
    "compare_vendors_job",
    selection=dg.AssetSelection.assets(VENDOR_COMPARISONS),
    description="The stored bars of a session beside those of the vendors in `comparison`.",
)


@dg.schedule(
    job=compare_vendors_job,
    cron_schedule="30 17 * * 1-5",
    execution_timezone=str(NEW_YORK),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="After the close, when every vendor has its final bars; it skips without vendors to compare with.",
)
def compare_vendors_schedule(
    context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[TradingSettings]
) -> dg.RunRequest | dg.SkipReason:
    if not settings.comparison.vendors:
        return dg.SkipReason("trading.yaml names no vendor in comparison.vendors.")
    if settings.clock == "replay":
        return dg.SkipReason("In a rehearsal (trading.yaml: `clock: replay`) the wall's time starts nothing.")
    today = context.scheduled_execution_time.astimezone(NEW_YORK).date()
    if not is_session(today):
        return dg.SkipReason(f"{today} is no trading session.")
    return dg.RunRequest(run_key=f"{today}", partition_key=f"{today}")
