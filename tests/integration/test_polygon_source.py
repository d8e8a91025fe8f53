"""PolygonSource with the real SDK, against a stand-in on 127.0.0.1 and a real database."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from standins.bar_rows import half_hours, in_milliseconds, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.errors import ContractBroken, NotFound, Transient
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.polygon_wire import actions_in, bars_in
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_object
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import Timeframe

DATA = Path(__file__).parents[1] / "data" / "polygon"
MONDAY, TUESDAY = date(2024, 5, 6), date(2024, 5, 7)
LATER = datetime(2024, 6, 1, tzinfo=UTC)
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, patience_s=2.0, read_timeout_s=0.2, total_timeout_s=0.4)
FULL_SESSION = in_milliseconds(half_hours("2024-05-06T13:30:00Z", "2024-05-06T20:00:00Z"))


class PolygonStandIn:
    """Answers any question for AAPL's bars from `rows`, `page_size` a page; the next page is named on another host."""

    def __init__(self, vendor: VendorStandIn) -> None:
        self.vendor = vendor
        self.rows: list[Any] = list(FULL_SESSION)
        self.page_size = 50_000
        self.is_adjusted = False
        vendor.otherwise = self.bars

    def bars(self, asked: Asked) -> Reply:
        begin = int(asked.query.get("cursor", "0"))
        rows = self.rows[begin : begin + self.page_size]
        answer: dict[str, Any] = {"status": "OK", "adjusted": self.is_adjusted, "resultsCount": len(rows)}
        if rows:
            answer["results"] = rows
        if begin + self.page_size < len(self.rows):
            answer["next_url"] = f"https://api.example.com{asked.path}?cursor={begin + self.page_size}"
        return Reply(answer)


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        yield standin


@pytest.fixture
def polygon(vendor: VendorStandIn) -> PolygonStandIn:
    return PolygonStandIn(vendor)


@pytest.fixture
def source(database: Database, vendor: VendorStandIn) -> PolygonSource:
    gateway = VendorGateway(
        "polygon",
        SharedTokenBucket(database, "polygon:test", capacity=1000, per_minute=60_000),
        StoredResponses(database),
        QUICK,
        check=json_object,
        sleep=lambda _seconds: None,
    )
    return PolygonSource(gateway, "APIKEY", vendor.url)


def quarantined(database: Database) -> list[tuple[str, int, str]]:
    with database.transaction() as connection:
        return connection.execute(
            "select section, position, reason from market.quarantined_rows order by response_id, section, position"
        ).fetchall()


def hours(source: PolygonSource, until: datetime = LATER) -> list[str]:
    frame = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, until)
    assert list(frame.columns) == [*BAR_COLUMNS, "response_id"]
    return [f"{ts:%H:%M}" for ts in frame["ts"]]


def test_hours_are_added_up_from_raw_half_hours(source: PolygonSource, polygon: PolygonStandIn) -> None:
    polygon.rows = in_milliseconds(half_hours("2024-05-06T08:00:00Z", "2024-05-06T23:00:00Z"))
    assert hours(source) == ["13:30", "14:30", "15:30", "16:30", "17:30", "18:30", "19:30"]
    (asked,) = polygon.vendor.asked
    begin, end = (int(moment(text).timestamp() * 1000) for text in ("2024-05-06T04:00:00Z", "2024-05-07T04:00:00Z"))
    assert asked.path == f"/v2/aggs/ticker/AAPL/range/30/minute/{begin}/{end - 1}"
    assert asked.query == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert asked.headers["authorization"] == "Bearer APIKEY"


@pytest.mark.parametrize(("until", "newest"), [("2024-05-06T16:29:59Z", "14:30"), ("2024-05-06T16:30:00Z", "15:30")])
def test_unfinished_hour_is_left_out(source: PolygonSource, polygon: PolygonStandIn, until: str, newest: str) -> None:
    assert hours(source, moment(until))[-1] == newest
    late = PolygonSource(source.gateway, "K", source.base_url, delay=timedelta(minutes=15))
    assert hours(late, moment(until) + timedelta(minutes=15))[-1] == newest


def test_session_bars_start_at_midnight(source: PolygonSource, polygon: PolygonStandIn) -> None:
    polygon.rows = in_milliseconds([row(moment(f"2024-05-0{day}T04:00:00Z")) for day in (6, 7)])
    frame = source.bars(["BRK-B"], Timeframe.SESSION, MONDAY, TUESDAY, moment("2024-05-07T19:00:00Z"))
    (bar,) = frame.to_dict("records")
    assert (bar["symbol"], bar["session_date"], bar["timeframe"]) == ("BRK-B", MONDAY, "1d")
    assert polygon.vendor.asked[0].path == "/v2/aggs/ticker/BRK.B/range/1/day/2024-05-06/2024-05-07"


@pytest.mark.parametrize("page_size", [1, 5, 12])
def test_pages_are_followed_to_the_very_end(source: PolygonSource, polygon: PolygonStandIn, page_size: int) -> None:
    whole = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    polygon.vendor.asked.clear()
    polygon.page_size = page_size
    paged = source.bars(["AAPL"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    assert len(polygon.vendor.asked) == -(-13 // page_size)
    assert paged.drop(columns="response_id").equals(whole.drop(columns="response_id"))


def test_empty_page_in_the_middle_is_not_the_end(source: PolygonSource, polygon: PolygonStandIn) -> None:
    next_url = "https://h/v2/aggs/ticker/AAPL/range/30/minute/0/1?cursor=0"
    polygon.vendor.faults.append(Reply({"status": "OK", "adjusted": False, "next_url": next_url}))
    assert len(hours(source)) == 7


def test_next_page_named_again_breaks_the_contract(source: PolygonSource, polygon: PolygonStandIn) -> None:
    again = {"status": "OK", "results": [], "next_url": "https://h/v2/aggs/ticker/AAPL/range/30/minute/0/1?cursor=0"}
    polygon.vendor.faults.extend([Reply(again)] * 5)
    with pytest.raises(ContractBroken, match="the same next page twice"):
        hours(source)


@pytest.mark.parametrize("empty", [{"status": "OK", "resultsCount": 0}, {"status": "DELAYED", "results": None}])
def test_no_results_is_an_empty_frame(source: PolygonSource, polygon: PolygonStandIn, empty: dict[str, Any]) -> None:
    polygon.vendor.faults.append(Reply(empty))
    assert hours(source) == []


def test_adjusted_prices_break_the_contract(source: PolygonSource, polygon: PolygonStandIn) -> None:
    polygon.is_adjusted = True
    with pytest.raises(ContractBroken, match="response 1: prices adjusted for splits, asked for raw ones"):
        hours(source)


@pytest.mark.parametrize(
    "answer",
    [
        Reply({"status": "ERROR", "error": "oops"}),
        Reply({"status": "OK", "results": 5}),
        Reply({"status": "OK", "results": [], "next_url": 5}),
        Reply({"status": "OK", "results": [], "next_url": "https://h/elsewhere"}),
    ],
)
def test_answer_of_another_shape_breaks_the_contract(
    source: PolygonSource, polygon: PolygonStandIn, answer: Reply
) -> None:
    polygon.vendor.otherwise = lambda _asked: answer
    with pytest.raises(ContractBroken):
        hours(source)


def test_bad_row_is_quarantined_and_its_hour_left_out(
    source: PolygonSource, polygon: PolygonStandIn, database: Database
) -> None:
    polygon.rows = [dict(fields) for fields in FULL_SESSION]
    polygon.rows[2] = "no row at all"
    polygon.rows[7]["t"] = "1714989600000"
    assert hours(source) == ["13:30", "15:30", "17:30", "18:30", "19:30"]
    assert [(section, position) for section, position, _ in quarantined(database)] == [("AAPL", 2), ("AAPL", 7)]


def test_actions_are_splits_and_dividends_in_usd(
    source: PolygonSource, vendor: VendorStandIn, database: Database
) -> None:
    vendor.routes["/v3/reference/splits"] = Reply((DATA / "splits_AAPL.json").read_bytes())
    vendor.routes["/v3/reference/dividends"] = Reply((DATA / "dividends_AAPL.json").read_bytes())
    assert source.corporate_actions(["AAPL"], date(2010, 1, 1), date(2024, 1, 1)) == [
        CorporateAction("AAPL", date(2014, 6, 9), ActionKind.SPLIT, split_ratio=Decimal(7)),
        CorporateAction("AAPL", date(2020, 8, 31), ActionKind.SPLIT, split_ratio=Decimal(4)),
        CorporateAction(
            "AAPL",
            date(2020, 11, 6),
            ActionKind.CASH_DIVIDEND,
            amount_usd=Decimal("1.205"),
            pay_date=date(2020, 11, 12),
        ),
    ]
    assert vendor.asked[0].query["execution_date.gte"] == "2010-01-01"
    assert vendor.asked[1].query["ex_dividend_date.lte"] == "2024-01-01"
    assert quarantined(database) == [
        ("splits", 2, "repeats row 1 of splits in response 1"),
        ("splits", 3, "4 new shares for 0 old ones is no split"),
        ("dividends", 2, "paid in CAD, not in USD"),
        ("dividends", 3, "cash_amount: Input should be a valid number"),
    ]


def test_instruments_begin_with_the_vendors_history(source: PolygonSource, vendor: VendorStandIn) -> None:
    vendor.routes["/v3/reference/tickers/AAPL"] = Reply((DATA / "ticker_AAPL.json").read_bytes())
    (instrument,) = source.instruments(["AAPL"])
    assert (instrument.name, instrument.exchange, instrument.currency) == ("Apple Inc.", "NASDAQ", "USD")
    assert (instrument.is_tradable, instrument.first_session) == (True, date(2003, 9, 10))


def test_unknown_instrument_is_not_found(source: PolygonSource) -> None:
    with pytest.raises(NotFound, match="/v3/reference/tickers/NOPE"):
        source.instruments(["NOPE"])


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ({"ticker": "MSFT", "name": "M", "market": "stocks", "active": True}, "MSFT, asked for AAPL"),
        ([], "in a ticker"),
    ],
)
def test_details_of_something_else_break_the_contract(
    source: PolygonSource, vendor: VendorStandIn, results: Any, complaint: str
) -> None:
    vendor.routes["/v3/reference/tickers/AAPL"] = Reply({"status": "OK", "results": results})
    with pytest.raises(ContractBroken, match=complaint):
        source.instruments(["AAPL"])


def test_successor_package_is_used_when_it_is_the_one_installed(
    source: PolygonSource, polygon: PolygonStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    import polygon as sdk

    monkeypatch.setitem(sys.modules, "massive", sdk)
    monkeypatch.setitem(sys.modules, "polygon", None)
    assert len(hours(source)) == 7


def test_stored_answers_read_again_give_the_same_facts(
    source: PolygonSource, polygon: PolygonStandIn, database: Database
) -> None:
    polygon.rows[4] = {**polygon.rows[4], "c": None}
    polygon.page_size = 4
    polygon.vendor.routes["/v3/reference/splits"] = Reply((DATA / "splits_AAPL.json").read_bytes())
    polygon.vendor.routes["/v3/reference/dividends"] = Reply((DATA / "dividends_AAPL.json").read_bytes())
    bars = source.bars(["AAPL", "MSFT"], Timeframe.HOUR, MONDAY, MONDAY, LATER)
    actions = source.corporate_actions(["AAPL"], date(2010, 1, 1), date(2024, 1, 1))
    before = quarantined(database)

    (fetch,) = stored_fetches(database, "polygon", "bars/1h")
    again, rows = bars_in(fetch)
    assert again.equals(bars)
    source.gateway.quarantine(rows)
    (fetch,) = stored_fetches(database, "polygon", "corporate_actions")
    assert actions_in(fetch)[0] == actions
    assert quarantined(database) == before


def test_answers_that_were_cut_off_are_not_read_again(
    source: PolygonSource, polygon: PolygonStandIn, database: Database
) -> None:
    polygon.page_size = 4

    def fails_on_the_second_page(asked: Asked) -> Reply:
        return Reply(b"", 500) if "cursor" in asked.query else polygon.bars(asked)

    polygon.vendor.otherwise = fails_on_the_second_page
    with pytest.raises(Transient):
        hours(source)
    (fetch,) = stored_fetches(database, "polygon", "bars/1h")
    with pytest.raises(ContractBroken, match="not all pages were received"):
        bars_in(fetch)
