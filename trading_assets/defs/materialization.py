"""What every asset reports about the table it wrote: rows, columns and a preview, readable in the Dagster UI."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.tables import Column, columns_of, count_rows, count_rows_by_session, preview_rows

PREVIEW_ROWS = 10


def table_result(
    database: Database, table: str, first: date | None, last: date | None, written: int
) -> dg.MaterializeResult:
    """The result of an asset that wrote `written` rows into `table` ("schema.name") for the sessions first..last.

    The row count and the preview cover the sessions of the run; with `first` and `last` None, the whole table.
    """
    columns = columns_of(database, table)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": count_rows(database, table, first, last),
            "dagster/table_name": table,
            "dagster/column_schema": column_schema(columns),
            "rows_written": written,
            "preview": dg.MetadataValue.md(
                markdown_table(
                    [column.name for column in columns], preview_rows(database, table, first, last, PREVIEW_ROWS)
                )
            ),
        }
    )


def report_rows_by_session(
    context: dg.AssetExecutionContext, database: Database, table: str, first: date, last: date
) -> None:
    """Give each partition of the run over first..last its own row count, where `table_result` has that of the range."""
    counts = count_rows_by_session(database, table, first, last)
    for partition in context.partition_keys:
        rows = counts.get(date.fromisoformat(partition), 0)
        context.add_asset_metadata({"dagster/row_count": rows}, partition_key=partition)


def markdown_table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """A table for metadata; a cell without a value is empty."""
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += [
        "| " + " | ".join("" if cell is None else cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines)


def column_schema(columns: list[Column]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.type,
                description=column.comment,
                constraints=dg.TableColumnConstraints(nullable=column.is_nullable),
            )
            for column in columns
        ]
    )
