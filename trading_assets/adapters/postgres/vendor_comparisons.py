"""market.vendor_comparisons: stored bars beside another vendor's. What the numbers mean belongs in the domain."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from trading_assets.adapters.postgres.database import copy_rows
from trading_assets.domain.market.vendor_comparison import COMPARISON_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def replace_comparisons(
    connection: psycopg.Connection, compared: pd.DataFrame, vendor: str, first: date, last: date, compared_at: datetime
) -> int:
    """Put these rows (COMPARISON_COLUMNS) in the place of all of `vendor` in first..last; returns how many."""
    connection.execute(
        "delete from market.vendor_comparisons where vendor = %s and session_date between %s and %s",
        (vendor, first, last),
    )
    rows = ((*row, compared_at) for row in compared[COMPARISON_COLUMNS].itertuples(index=False))
    return copy_rows(
        connection, sql.Identifier("market", "vendor_comparisons"), (*COMPARISON_COLUMNS, "compared_at"), rows
    )
