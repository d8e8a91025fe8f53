"""What sources told differently later, and which decisions had used the old values. It reads views, writes nothing."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from trading_assets.adapters.postgres import restatements as record
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.analytics.assets import GROUP
from trading_assets.defs.execution.assets import APPROVED_ORDERS, ORDERS
from trading_assets.defs.ingestion.assets import BARS, CORPORATE_ACTIONS
from trading_assets.defs.ingestion.fundamentals import FINANCIALS, FUNDAMENTALS
from trading_assets.defs.materialization import markdown_table, table_result

RESTATEMENTS = dg.AssetKey(["analytics", "restatements"])
TARGETS = dg.AssetKey(["strategy", "targets"])
SHOWN_ROWS = 50


@dg.asset(
    key=RESTATEMENTS,
    deps=[BARS, CORPORATE_ACTIONS, FINANCIALS, FUNDAMENTALS, TARGETS, APPROVED_ORDERS, ORDERS],
    kinds={"postgres", "view"},
    group_name=GROUP,
    description=(
        "Every value of a bar, corporate action, statement or company fact that its source told differently later: "
        "column, old and new value, change, and when it was known. Who decided on the old values is in the view "
        "analytics.decisions_on_restated_values."
    ),
)
def restatements(database: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    with database.transaction() as connection:
        tables = {
            "restated_datasets": record.restated_datasets(connection),
            "preview": record.newest_restatements(connection, SHOWN_ROWS),
            "decisions_on_old_values": record.affected_decisions(connection)[:SHOWN_ROWS],
        }
    described = table_result(database, "analytics.restatements", None, None, 0).metadata
    return dg.MaterializeResult(metadata={**described, **{name: _table(found) for name, found in tables.items()}})


@dg.asset_check(
    asset=RESTATEMENTS,
    description=(
        "No stored signal, target, verdict or order used a value that was restated later. Once red it stays red: "
        "what was decided is not taken back. Judge by its table whether the change would have mattered."
    ),
)
def no_decision_used_a_restated_value(database: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
    with database.transaction() as connection:
        affected = record.affected_decisions(connection)
    return dg.AssetCheckResult(
        passed=not affected,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "affected_decisions": sum(row["decisions"] for row in affected),
            "by_strategy_and_symbol": _table(affected[:SHOWN_ROWS]),
        },
    )


def _table(found: Sequence[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    if not found:
        return dg.MetadataValue.md("none")
    cells = [[None if value is None else str(value) for value in row.values()] for row in found]
    return dg.MetadataValue.md(markdown_table(list(found[0]), cells))
