"""The mart of compared vendors, on rows that were compared in two ways."""

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pandas as pd

from trading_assets.adapters.dbt import DbtProject
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_comparisons import replace_comparisons
from trading_assets.defs.analytics.dbt import dbt_models
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.market.vendor_comparison import compare_bars
from trading_assets.domain.values import Timeframe

DAY = date(2024, 5, 6)


def hours(source: str, close: float) -> pd.DataFrame:
    values = {"open": 100.0, "high": 102.0, "low": 99.0, "close": close, "volume": 1000.0}
    grid = grid_of([DAY], Timeframe.HOUR)
    return grid.assign(symbol="X", timeframe="1h", source=source, **values)[list(BAR_COLUMNS)]


def test_disagreement_is_summed_up_by_vendor_and_symbol(database: Database, tmp_path: Path) -> None:
    theirs = hours("yahoo", 100.0)
    theirs.loc[1, "close"], theirs.loc[2, "low"] = 99.5, 98.01
    with database.transaction() as connection:
        compared = compare_bars(hours("alpaca", 100.0), theirs.iloc[:-1], "yahoo")
        replace_comparisons(connection, compared, "yahoo", DAY, DAY, datetime(2024, 5, 7, tzinfo=UTC))

    models = dbt_models(DbtProject(target=tmp_path))
    selected = ["analytics/stg_market__vendor_comparisons", "analytics/fct_vendor_agreement"]
    run = dg.materialize([models], selection=selected, resources={"database": database})

    assert run.success
    with database.transaction() as connection:
        rows = connection.execute(
            "select vendor, symbol, bars_compared, bars_missing_at_vendor, bars_missing_here, median_close_diff_bps, "
            "largest_close_diff_bps, largest_other_diff_bps, median_volume_diff_pct "
            "from analytics.fct_vendor_agreement"
        ).fetchall()
    (row,) = rows
    assert row[:6] == ("yahoo", "X", 6, 1, 0, 0.0)
    assert [round(value, 6) for value in row[6:]] == [50.0, 100.0, 0.0]
