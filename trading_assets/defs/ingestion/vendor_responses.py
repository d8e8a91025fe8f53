"""What vendors answered, as an asset: it fetches nothing, shows the stored answers, and checks that nothing was lost.

An answer belongs to the day on which it came, and may be about ten years of sessions: the asset has no partitions, and
a backfill shows its answers once.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.response_statistics import AnswerCount, SetAside, answer_counts, newest_set_aside
from trading_assets.adapters.postgres.tables import columns_of, count_rows
from trading_assets.adapters.reparse import Report, Scope, reparse
from trading_assets.defs.failures import one_line_failures
from trading_assets.defs.ingestion.assets import BARS, CORPORATE_ACTIONS
from trading_assets.defs.materialization import column_schema, markdown_table

VENDOR_RESPONSES = dg.AssetKey(["market", "vendor_responses"])
CHECK = "answers_were_used_completely"
SHOWN = timedelta(days=7)
SHOWN_ROWS = 10
MOST_QUARANTINED = 0.01
"""Share of the rows of answers; more of them is a warning, as is the next one."""
MOST_REFUSED = 0.1
"""Share of answers with a status of 400 or above."""


@dg.asset(
    key=VENDOR_RESPONSES,
    group_name="ingestion",
    kinds={"postgres"},
    deps=[CORPORATE_ACTIONS, dg.AssetDep(BARS, partition_mapping=dg.LastPartitionMapping())],
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=VENDOR_RESPONSES,
            description=(
                "Every row in the answers of this run is in a table or in the quarantine: reading them again finds "
                "nothing else. Warns when much was set aside, or many requests were refused."
            ),
        )
    ],
    # After everything that a decision waits for.
    op_tags={"dagster/priority": "-10"},
    description=(
        "What vendors answered in the last seven days, by day, vendor, dataset and status, with bytes and latencies, "
        "and the newest rows that were set aside. Written while other assets fetch; empty without a vendor."
    ),
)
def vendor_responses(context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    now = datetime.now(UTC)
    with one_line_failures():
        with database.transaction() as connection:
            counts = answer_counts(connection, now - SHOWN)
            aside = newest_set_aside(connection, now - SHOWN, SHOWN_ROWS)
        record = context.instance.get_run_record_by_id(context.run_id)
        begun_at = record.create_timestamp.astimezone(UTC) if record else now
        verdict = judge(database, begun_at)
        metadata: dict[str, Any] = {
            "dagster/row_count": count_rows(database, "market.vendor_responses"),
            "dagster/table_name": "market.vendor_responses",
            "dagster/column_schema": column_schema(columns_of(database, "market.vendor_responses")),
            "answers": sum(count.answers for count in counts),
            "body_bytes": sum(count.body_bytes for count in counts),
            "quarantined_rows": sum(count.quarantined_rows for count in counts),
            "by_day": _table(AnswerCount, counts),
            "set_aside": _table(SetAside, aside),
            "preview": dg.MetadataValue.md(_markdown(AnswerCount, counts[:SHOWN_ROWS])),
        }
    return dg.MaterializeResult(metadata=metadata, check_results=[_check_result(verdict)])


@dataclass(frozen=True)
class Verdict:
    """`report`: what reading the answers again found, None without answers. Shares are between 0 and 1."""

    answers: int
    report: Report | None
    quarantined_share: float
    refused_share: float

    @property
    def is_complete(self) -> bool:
        return self.report is None or not (self.report.differs or self.report.unreadable)

    @property
    def is_usual(self) -> bool:
        return self.quarantined_share <= MOST_QUARANTINED and self.refused_share <= MOST_REFUSED


def judge(database: Database, since: datetime) -> Verdict:
    """Read the answers from `since` (UTC) on again, without storing anything, and compare."""
    with database.transaction() as connection:
        counts = answer_counts(connection, since)
    answers = sum(count.answers for count in counts)
    if not answers:
        return Verdict(0, None, 0.0, 0.0)
    report = reparse(database, Scope(since=since), apply=False)
    aside = report.tables["market.quarantined_rows"].read if "market.quarantined_rows" in report.tables else 0
    read = sum(table.read for table in report.tables.values())
    refused = sum(count.answers for count in counts if count.status >= 400)
    return Verdict(answers, report, aside / read if read else 0.0, refused / answers)


def _check_result(verdict: Verdict) -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {
        "observed": f"{verdict.answers} answers of this run" if verdict.answers else "no vendor was asked in this run",
        "quarantined_share": verdict.quarantined_share,
        "refused_share": verdict.refused_share,
    }
    if verdict.report is not None:
        metadata["unreadable_questions"] = verdict.report.unreadable
        metadata["tables"] = dg.MetadataValue.md(
            markdown_table(
                ["table", "read", "not stored", "stored otherwise", "not read any more"],
                [
                    [each.table, *map(str, (each.read, each.added, each.changed, each.vanished))]
                    for each in verdict.report.tables.values()
                ],
            )
        )
        if complaints := [*verdict.report.complaints, *_examples(verdict.report)]:
            metadata["first_offenders"] = "\n".join(complaints)
    return dg.AssetCheckResult(
        passed=verdict.is_complete and verdict.is_usual,
        check_name=CHECK,
        severity=dg.AssetCheckSeverity.WARN if verdict.is_complete else dg.AssetCheckSeverity.ERROR,
        metadata=metadata,
    )


def _examples(report: Report) -> list[str]:
    return [f"{table.table}: {example}" for table in report.tables.values() for example in table.examples]


def _cells(rows: Sequence[Any]) -> list[list[str]]:
    return [[str(value) for value in astuple(row)] for row in rows]


def _markdown(kind: type, rows: Sequence[Any]) -> str:
    return markdown_table([each.name for each in fields(kind)], _cells(rows))


def _table(kind: type, rows: Sequence[Any]) -> dg.TableMetadataValue:
    names = [each.name for each in fields(kind)]
    return dg.MetadataValue.table(
        records=[dg.TableRecord(dict(zip(names, cells, strict=True))) for cells in _cells(rows)],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in names]),
    )
