"""What an asset reports about the table it wrote."""

from datetime import date

import pytest

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.materialization import table_result


@pytest.fixture
def gates(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(
            "insert into ops.quality_gates (dataset, session_date, symbol, state, failing_checks) "
            "select 'market/bars', date '2010-11-01' + number, 'A|B', 'closed', '{late}' "
            "from generate_series(0, 29) as number"
        )
    return database


def facts(database: Database, first: date | None, last: date | None):
    result = table_result(database, "ops.quality_gates", first, last, written=7)
    return {name: getattr(value, "value", value) for name, value in result.metadata.items()}


def test_count_and_preview_cover_the_sessions_of_the_run(gates: Database) -> None:
    metadata = facts(gates, date(2010, 11, 2), date(2010, 11, 4))
    assert (metadata["dagster/row_count"], metadata["rows_written"]) == (3, 7)
    lines = metadata["preview"].splitlines()
    assert len(lines) == 5
    assert "2010-11-04" in lines[2]


def test_preview_of_a_whole_table_is_its_ten_newest_rows(gates: Database) -> None:
    metadata = facts(gates, None, None)
    assert metadata["dagster/row_count"] == 30
    lines = metadata["preview"].splitlines()
    assert len(lines) == 12
    assert "2010-11-30" in lines[2]


def test_bar_in_a_value_does_not_break_the_preview(gates: Database) -> None:
    assert "A\\|B" in facts(gates, None, None)["preview"]


def test_columns_carry_types_nullability_and_the_comments_of_the_schema(database: Database) -> None:
    result = table_result(database, "execution.fills", None, None, written=0)
    columns = {column.name: column for column in result.metadata["dagster/column_schema"].columns}
    assert columns["price"].type == "numeric"
    assert not columns["price"].constraints.nullable
    assert columns["booked_at"].description.startswith("When the account learnt of it")


def test_unknown_table_names_the_remedy(database: Database) -> None:
    with pytest.raises(NotFound, match=r"Table market\.nothing does not exist; `trading migrate`"):
        table_result(database, "market.nothing", None, None, written=0)
