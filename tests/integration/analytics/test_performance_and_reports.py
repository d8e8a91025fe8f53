"""Performance rows and the report, from a real ledger; and the two ways of counting round trips against each other."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from trading_assets.adapters.dbt import DbtProject
from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.postgres import analytics
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.report import preview, render
from trading_assets.adapters.report_style import dollars, number, percent
from trading_assets.defs.analytics.assets import performance, performance_rows, report_data, reports
from trading_assets.domain.performance.round_trips import round_trips

UNIVERSE = ("AAA", "BBB")
LAST = date(2020, 5, 6)


class FixedClock:
    def now(self) -> datetime:
        return datetime(2024, 1, 2, 21, tzinfo=UTC)


class FixedSettings:
    universe = UNIVERSE
    is_survivorship_biased = True


@pytest.fixture
def resources(ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    return {"database": ledger, "clock": FixedClock(), "settings": FixedSettings()}


def run(resources: dict[str, object], first: str, last: str) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return dg.materialize([performance, reports], resources=resources, tags=tags)


def stored(database: Database, query: str) -> list[tuple]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()


def test_rerun_replaces_performance_and_changes_nothing(ledger: Database, resources: dict[str, object]) -> None:
    query = "select * from analytics.performance order by session_date"
    run(resources, "2020-01-02", "2020-05-06")
    once = stored(ledger, query)
    second = run(resources, "2020-01-02", "2020-05-06")
    materialization = second.asset_materializations_for_node("analytics__performance")[0]
    assert materialization.metadata["rows_written"].value == 0
    assert stored(ledger, query) == once
    assert len(once) > 80


def test_one_session_alone_writes_the_same_row_as_the_whole_range(ledger: Database) -> None:
    account = "simulated-0badcafe-2020-01-02"
    whole = {row[1]: row for row in performance_rows(ledger, account, date(2020, 1, 1), LAST)}
    (alone,) = performance_rows(ledger, account, date(2020, 3, 2), date(2020, 3, 2))
    assert alone == whole[date(2020, 3, 2)]


def test_report_is_one_file_with_its_hash_on_record(
    ledger: Database, resources: dict[str, object], tmp_path: Path
) -> None:
    result = run(resources, "2020-01-02", "2020-05-06")
    ((session, path, digest),) = stored(ledger, "select session_date, path, sha256 from analytics.reports")
    html = Path(path).read_bytes()
    assert session == LAST
    assert Path(path) == tmp_path / "reports" / "simulated-0badcafe-2020-01-02" / "2020-05-06.html"
    assert hashlib.sha256(html).hexdigest() == digest
    metadata = result.asset_materializations_for_node("analytics__reports")[0].metadata
    assert metadata["report"].value == path
    assert metadata["summary"].value.startswith("| Equity |")


def test_report_asks_nothing_of_the_network_and_says_what_it_is(ledger: Database) -> None:
    html = render(report_data(ledger, UNIVERSE, LAST))
    assert re.findall(r'(?:src|href)="(?!#)[^"]*"|@import|url\((?!#)|<script|<link', html) == []
    for text in ("Survivorship-biased", "0badcafe", "QUALITY_GATE_CLOSED", "Buy and hold", "Deepest drawdowns"):
        assert text in html
    assert html.count("<svg") == 4


def test_report_over_members_with_their_dates_is_not_labelled_as_biased(ledger: Database) -> None:
    assert "urvivorship" not in render(report_data(ledger, UNIVERSE, LAST, is_survivorship_biased=False))
    assert "Survivorship-biased.</b> The universe is a plain list" in render(report_data(ledger, UNIVERSE, LAST))


def test_report_of_the_same_data_is_the_same_bytes(ledger: Database) -> None:
    data = report_data(ledger, UNIVERSE, LAST)
    assert render(data) == render(report_data(ledger, UNIVERSE, LAST))
    assert preview(data) == preview(data)


def test_report_escapes_what_the_ledger_calls_things(ledger: Database) -> None:
    data = report_data(ledger, UNIVERSE, LAST)
    hostile = "<script>alert(1)</script>"
    html = render(
        replace(data, account_id=hostile, strategy_profit_usd={hostile: data.strategy_profit_usd["momentum"]})
    )
    assert "<script" not in html


def test_report_of_a_first_session_has_dashes_instead_of_figures(ledger: Database) -> None:
    html = render(report_data(ledger, UNIVERSE, date(2020, 1, 2)))
    assert "No trade yet." in html
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL).lower().replace("finance", "")


def test_report_before_the_account_existed_says_so(ledger: Database) -> None:
    with pytest.raises(NotFound, match="no session up to 2019-01-02"):
        report_data(ledger, UNIVERSE, date(2019, 1, 2))


def test_report_without_any_account_says_what_to_do(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(NotFound, match="execution/positions"):
        analytics.reported_account(connection)


def test_benchmark_counts_splits_and_dividends(ledger: Database) -> None:
    relatives = analytics.total_return_relatives(ledger, UNIVERSE, date(2020, 1, 2), LAST)
    assert relatives["relative"].between(0.9, 1.1).all()
    assert set(relatives["symbol"]) == set(UNIVERSE)
    assert relatives["session_date"].min() == date(2020, 1, 3)


def test_returns_make_the_equity_of_the_ledger(ledger: Database) -> None:
    data = report_data(ledger, UNIVERSE, LAST)
    rebuilt = 0.0
    for flow, value in zip(data.flows_usd, data.returns, strict=True):
        rebuilt = (rebuilt + flow) * (1 + value)
    assert rebuilt == pytest.approx(data.equity_usd[-1], rel=1e-12)
    assert np.count_nonzero(data.flows_usd) == 2


def test_round_trips_in_python_and_in_sql_are_the_same(ledger: Database, tmp_path: Path) -> None:
    assert all(result.is_ok for result in DbtProject(target=tmp_path).build(ledger.url))
    with ledger.transaction() as connection:
        ours = round_trips(analytics.ledger_records(connection, "simulated-0badcafe-2020-01-02", LAST))
    theirs = stored(
        ledger,
        "select opened_at, strategy, symbol, direction = 'long', closed_session, fill_count, entry_qty, dividends_usd, "
        "fees_usd, net_pnl_usd from analytics.fct_round_trips order by opened_at, strategy, symbol",
    )
    assert len(ours) == len(theirs) > 30
    for trip, row in zip(ours, theirs, strict=True):
        mine = (trip.opened_at, trip.strategy, trip.symbol, trip.is_long, trip.closed_session, trip.fill_count)
        assert mine == row[:6]
        assert (trip.entry_qty, trip.dividends_usd) == row[6:8]
        assert abs(trip.fees_usd - row[8]) <= Decimal("0.000002")
        assert trip.is_open or abs(trip.net_pnl_usd - row[9]) <= Decimal("0.00001")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(-0.00001, 1), "0.0 %"),
        (percent(0.1234), "12.34 %"),
        (percent(None), "–"),
        (number(-1.005, 1), "−1.0"),
        (dollars(-1234.5), "−$1,234"),
        (dollars(12.3, 2, sign=True), "+$12.30"),
    ],
)
def test_number_is_written_for_readers(text: str, expected: str) -> None:
    assert text == expected
