"""The ingestion assets with `source: yahoo`, against a Yahoo on 127.0.0.1: bars, actions, statements and facts."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from standins.http_vendor import Reply, VendorStandIn
from standins.yahoo_chart import chart, dividend, figure, refusal, rows_of, split, statement

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.redis import NullEventBus
from trading_assets.defs.ingestion.assets import bars, corporate_actions, instruments
from trading_assets.defs.ingestion.fundamentals import financials, fundamentals
from trading_assets.defs.resources import RESOURCES
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

DAY = date(2024, 7, 2)
ASSETS = [instruments, corporate_actions, bars, financials, fundamentals]


class Evening:
    def now(self) -> datetime:
        return datetime(2024, 7, 2, 22, tzinfo=UTC)


@pytest.fixture
def yahoo() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        events = {"splits": split("2024-07-02", 2), "dividends": dividend("2024-06-03", 0.1)}
        charts = {
            str(timeframe): Reply(chart(rows_of(date(2024, 6, 28), DAY, timeframe), timeframe, events))
            for timeframe in Timeframe
        }
        standin.routes["/v1/test/getcrumb"] = Reply("crumbled")
        standin.routes["/v8/finance/chart/X"] = lambda asked: charts[asked.query["interval"]]
        standin.routes["/v10/finance/quoteSummary/X"] = Reply(
            {"quoteSummary": {"result": [{"summaryProfile": {"sector": "Energy"}, "financialData": {"totalDebt": 3}}]}}
        )
        standin.routes["/ws/fundamentals-timeseries/v1/finance/timeseries/X"] = Reply(
            statement(annualTotalRevenue=[figure("2023-12-31", 5)])
        )
        yield standin


def run(
    database: Database, yahoo: VendorStandIn, assets: list[dg.AssetsDefinition], **more: object
) -> dg.ExecuteInProcessResult:
    settings = {
        "source": "yahoo",
        "yahoo": {"base_url": yahoo.url, "requests_per_minute": 60_000},
        "universe": ["X"],
        "timeframes": ["1d", "1h"],
        "strategies": {},
    }
    resources = {
        "settings": TradingSettings.model_validate(settings),
        "database": database,
        "bar_source": RESOURCES["bar_source"],
        "fundamentals_source": RESOURCES["fundamentals_source"],
        "clock": Evening(),
        "event_bus": NullEventBus(),
    } | more
    return dg.materialize(
        assets, resources=resources, partition_key=str(DAY) if bars in assets else None, raise_on_error=False
    )


def test_everything_yahoo_knows_is_stored_with_its_response(
    database: Database, yahoo: VendorStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    for _ in range(2):
        assert run(database, yahoo, ASSETS).success
    with database.transaction() as connection:
        stored = {
            name: connection.execute(f"select count(*), count(distinct source) from market.{name}").fetchone()
            for name in ("instruments", "bars", "corporate_actions", "financials", "fundamentals")
        }
        sources = connection.execute("select distinct timeframe, source, session_date from market.bars").fetchall()
        facts = connection.execute("select sector, first_session from market.instruments").fetchone()
        dividends = connection.execute(
            "select amount_usd from market.corporate_actions where kind = 'cash_dividend'"
        ).fetchall()
    # The same lines answer the questions for all three statements.
    assert stored == {
        "instruments": (1, 1),
        "bars": (8, 1),
        "corporate_actions": (2, 1),
        "financials": (3, 1),
        "fundamentals": (1, 1),
    }
    assert sorted(sources) == [("1d", "yahoo", DAY), ("1h", "yahoo", DAY)]
    assert facts == ("Energy", date(2010, 6, 29))
    assert dividends == [(0.2,)]


def test_unknown_symbol_fails_in_one_line_without_a_retry(
    database: Database, yahoo: VendorStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    yahoo.routes["/v8/finance/chart/X"] = Reply(refusal("No data found, symbol may be delisted", "Not Found"), 404)
    result = run(database, yahoo, [instruments])
    (event,) = [event for event in result.all_events if event.is_step_failure]
    assert "symbol may be delisted" in (event.step_failure_data.user_failure_data.description or "")


@pytest.mark.parametrize("asset", [financials, fundamentals])
def test_source_that_knows_no_companies_stores_nothing_and_says_so(
    database: Database, asset: dg.AssetsDefinition
) -> None:
    settings = TradingSettings(source="sample", universe=("AAPL",), timeframes=(Timeframe.SESSION,), strategies={})
    resources = {
        "settings": settings,
        "database": database,
        "fundamentals_source": RESOURCES["fundamentals_source"],
        "event_bus": NullEventBus(),
    }
    result = dg.materialize([asset], resources=resources)
    (event,) = result.get_asset_materialization_events()
    facts = {name: event.materialization.metadata[name].value for name in ("asked", "rows_written")}
    assert facts == {"asked": "nobody: sample knows no companies, see `fundamentals`", "rows_written": 0}
