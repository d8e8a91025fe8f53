"""Companies from Polygon with the real SDK, against a stand-in on 127.0.0.1 and a real database."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.errors import NotFound
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.polygon_fundamentals import facts_in, figures_in
from trading_assets.adapters.ports import FundamentalsSource
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import facts_as_of, figures_as_of, store_facts, store_figures
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import VendorGateway, json_object

PAYLOADS = Path(os.environ.get("TRADING_TEST_PAYLOADS", "/nonexistent")) / "polygon" / "sdk_client_python"
FINANCIALS = "/vX/reference/financials"
PUBLISHED = datetime(2024, 5, 3, 4, tzinfo=UTC)


def filing(period: str, end: str, filed: str, revenues: float) -> dict[str, Any]:
    line = {"label": "Revenues", "order": 100, "unit": "USD", "value": revenues}
    financials = {"income_statement": {"revenues": line}}
    return {"fiscal_period": period, "end_date": end, "filing_date": filed, "financials": financials}


FILINGS = {
    "annual": [filing("FY", "2023-12-30", "2024-02-01", 380.0)],
    "quarterly": [filing("Q4", "2023-12-30", "2024-02-01", 110.0), filing("Q1", "2024-03-30", "2024-05-02", 90.0)],
}


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    def one_a_page(asked: Asked) -> Reply:
        filings, place = FILINGS[asked.query["timeframe"]], int(asked.query.get("cursor", "0"))
        answer: dict[str, Any] = {"status": "OK", "results": filings[place : place + 1]}
        if place + 1 < len(filings):
            timeframe = asked.query["timeframe"]
            answer["next_url"] = f"https://api.example.com{FINANCIALS}?timeframe={timeframe}&cursor={place + 1}"
        return Reply(answer)

    with VendorStandIn().running() as standin:
        standin.routes[FINANCIALS] = one_a_page
        details = {"ticker": "BRK.B", "name": "Berkshire", "total_employees": 396_500, "market_cap": 8.9e11}
        standin.routes["/v3/reference/tickers/BRK.B"] = Reply({"status": "OK", "results": details})
        yield standin


@pytest.fixture
def source(database: Database, vendor: VendorStandIn) -> PolygonSource:
    limiter = SharedTokenBucket(database, "polygon:test", capacity=1000, per_minute=60_000)
    gateway = VendorGateway("polygon", limiter, StoredResponses(database), check=json_object)
    return PolygonSource(gateway, "APIKEY", vendor.url)


def test_every_page_of_years_and_quarters_is_read(source: PolygonSource, vendor: VendorStandIn) -> None:
    assert isinstance(source, FundamentalsSource)
    figures = source.figures(["BRK-B"])
    assert [(figure.symbol, figure.months, figure.amount) for figure in figures] == [
        ("BRK-B", 12, 380.0),
        ("BRK-B", 3, 110.0),
        ("BRK-B", 3, 90.0),
    ]
    first = vendor.asked[0]
    assert first.query | {"ticker": "BRK.B", "limit": "100", "timeframe": "annual"} == first.query
    assert {asked.headers["authorization"] for asked in vendor.asked} == {"Bearer APIKEY"}


def test_history_is_known_from_each_filing_on(source: PolygonSource, database: Database) -> None:
    with database.transaction() as connection:
        assert store_figures(connection, source.figures(["BRK-B"]), source.name) == 3
        assert store_facts(connection, source.facts(["BRK-B"]), source.name) == 3
        assert store_figures(connection, source.figures(["BRK-B"]), source.name) == 0
    before = figures_as_of(database, PUBLISHED - timedelta(seconds=1), ["BRK-B"])
    after = figures_as_of(database, PUBLISHED, ["BRK-B"])
    assert before["amount"].tolist() == [110.0, 380.0]
    assert after["amount"].tolist() == [110.0, 90.0, 380.0]
    assert facts_as_of(database, PUBLISHED, ["BRK-B"]).empty


def test_stored_answers_give_the_same_again(source: PolygonSource, database: Database) -> None:
    figures, facts = source.figures(["BRK-B"]), source.facts(["BRK-B"])
    (fetch,) = stored_fetches(database, "polygon", "financials")
    assert figures_in(fetch) == (figures, [])
    (fetch,) = stored_fetches(database, "polygon", "fundamentals")
    assert facts_in(fetch) == facts


def test_fund_without_filings_has_no_figures(source: PolygonSource, vendor: VendorStandIn) -> None:
    vendor.routes[FINANCIALS] = Reply({"status": "OK", "results": [], "request_id": "x"})
    assert source.figures(["SPY"]) == []


def test_unknown_company_is_not_found(source: PolygonSource) -> None:
    with pytest.raises(NotFound):
        source.facts(["NONE"])


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="TRADING_TEST_PAYLOADS names no folder of recordings")
def test_recorded_answers_are_read_whole(source: PolygonSource, vendor: VendorStandIn, database: Database) -> None:
    def recorded(name: str) -> Reply:
        response = json.loads((PAYLOADS / name).read_text())["response"]
        return Reply(response["body_raw"], response["status"])

    filings = recorded("vX__reference__financials.json")
    nothing = Reply({"status": "OK", "results": []})
    vendor.routes[FINANCIALS] = lambda asked: filings if asked.query["timeframe"] == "quarterly" else nothing
    vendor.routes["/v3/reference/tickers/AAPL"] = recorded("v3__reference__tickers__AAPL.json")
    figures = source.figures(["NXPI"])
    assert {figure.filed_at for figure in figures} == {datetime(2022, 5, 4, 4, tzinfo=UTC)}
    assert {str(figure.statement) for figure in figures} == {"income", "balance_sheet", "cash_flow"}
    facts = {fact.item: fact.text for fact in source.facts(["AAPL"])}
    assert (facts["sic_code"], facts["total_employees"], facts["address.city"]) == ("3571", "154000", "CUPERTINO")
    with database.transaction() as connection:
        assert connection.execute("select section, reason from market.quarantined_rows").fetchall() == []
