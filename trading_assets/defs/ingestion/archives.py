"""Moving old rows out of the database into files, once a month or when asked. How, is said in adapters/archive.py."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from trading_assets.adapters.archive import MonthReport, archive_old_data
from trading_assets.adapters.postgres.archives import archive_totals
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.tables import columns_of, count_rows
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.materialization import column_schema, markdown_table
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.settings import TradingSettings, load_environment

ARCHIVES = dg.AssetKey(["ops", "archives"])


@dg.asset(
    key=ARCHIVES,
    group_name="operations",
    kinds={"postgres", "parquet"},
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=63), warn_window=timedelta(days=35)),
    description=(
        "Months that are older than `archive` in trading.yaml says, as Parquet files that were read back before their "
        "rows left the database. A month that an open order, a tripped breaker or a closed gate refers to stays."
    ),
)
def archives(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    settings: dg.ResourceParam[TradingSettings],
) -> dg.MaterializeResult:
    folder = settings.archive.folder or load_environment().home / "archive"
    with one_line_failures():
        reports = archive_old_data(database, folder, settings.archive.retention_days(), datetime.now(UTC))
        totals = archive_totals(database)
        for report in reports:
            context.log.info("%s %s: %s", report.table, report.month, report.held or f"{report.rows} rows moved")
        metadata: dict[str, Any] = {
            "dagster/row_count": count_rows(database, "ops.archives"),
            "dagster/table_name": "ops.archives",
            "dagster/column_schema": column_schema(columns_of(database, "ops.archives")),
            "folder": dg.MetadataValue.path(str(folder.resolve())),
            "rows_moved": sum(report.rows for report in reports),
            "bytes_written": sum(report.file_bytes for report in reports),
            "months": dg.MetadataValue.md(_months(reports)),
            "in_the_archive": dg.MetadataValue.md(
                markdown_table(
                    ["table", "state", "files", "rows", "bytes"],
                    [list(map(str, total)) for total in totals],
                )
            ),
        }
    return dg.MaterializeResult(metadata=metadata)


archive_old_data_job = dg.define_asset_job(
    "archive_old_data_job",
    selection=dg.AssetSelection.assets(ARCHIVES),
    tags={"dagster/max_runtime": "14400"},
    description="Moves months that are old enough into verified Parquet files; after an interruption it goes on.",
)


@dg.schedule(
    job=archive_old_data_job,
    cron_schedule="0 3 2 * *",
    execution_timezone=str(NEW_YORK),
    description="On the second of a month, at night. Start it when archive.folder lies on a disk that is backed up.",
)
def archive_old_data_schedule() -> dg.RunRequest:
    return dg.RunRequest()


def _months(reports: Sequence[MonthReport]) -> str:
    rows = [
        [report.table, f"{report.month:%Y-%m}", str(report.rows), str(report.file_bytes), report.path or report.held]
        for report in reports
    ]
    return markdown_table(["table", "month", "rows", "bytes", "file, or why it stays"], rows)
