"""What is stored can be made anew from the vendors' answers alone, and a mended parser becomes a restatement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from standins.bar_rows import half_hours, in_milliseconds, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn
from standins.yahoo_chart import chart, dividend, figure, profile, rows_of, split, statement

from trading_assets.adapters import alpaca, answer_readers
from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.bar_sources import COMPARISON
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.ports import CalendarSource, FundamentalsSource
from trading_assets.adapters.postgres.broker_sessions import store_calendar
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.fundamentals import store_facts, store_figures
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses
from trading_assets.adapters.reparse import Report, Scope, reparse
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.domain.values import Timeframe

DATA = Path(__file__).parents[1] / "data"
DAY, LATER = date(2024, 7, 2), datetime(2024, 8, 1, tzinfo=UTC)
HISTORY = date(2010, 1, 1)
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, patience_s=2.0)
TABLES = {
    "market.bars": "symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, volume, source, "
    "response_id",
    "market.corporate_actions": "symbol, ex_date, kind, version, split_ratio, amount_usd, pay_date, new_symbol, "
    "share_ratio, value_usd, reason, source, response_id",
    "market.financials": "symbol, statement, item, months, period_end, version, amount, currency, source, filed_at, "
    "response_id",
    "market.fundamentals": "symbol, topic, item, version, text, number, source, response_id",
    "market.broker_sessions": "source, session_date, version, opens_at, closes_at, response_id",
    "market.quarantined_rows": "response_id, section, position, reason, row_json",
    "ops.quality_gates": "dataset, session_date, symbol, state, failing_checks",
}
"""With every column but the times of storing."""


def gateway(vendor: str, database: Database, prefix: str = "") -> VendorGateway:
    limiter = SharedTokenBucket(database, vendor, capacity=1000, per_minute=60_000)
    return VendorGateway(vendor, limiter, StoredResponses(database, prefix), QUICK, sleep=lambda _seconds: None)


def alpaca_vendor(standin: VendorStandIn, database: Database, _folder: Path) -> AlpacaSource:
    def bars(asked: Asked) -> Reply:
        rows = half_hours(f"{DAY}T13:30:00Z", f"{DAY}T20:00:00Z")
        if asked.query["timeframe"] == "1Day":
            rows = [row(moment(f"{DAY}T04:00:00Z"))]
        rows[0]["c"] = rows[0]["c"] + standin.restated
        return Reply({"bars": {asked.query["symbols"].split(",")[0]: [*rows, "no row"]}, "next_page_token": None})

    def actions(_asked: Asked) -> Reply:
        rate = 0.25 + standin.restated
        return Reply(
            {"corporate_actions": {"cash_dividends": [{"symbol": "AAPL", "rate": rate, "ex_date": "2024-05-07"}]}}
        )

    standin.routes["/v2/stocks/bars"] = bars
    standin.routes["/v2/assets/AAPL"] = Reply((DATA / "alpaca" / "asset.json").read_bytes())
    standin.routes["/v1/corporate-actions"] = actions
    standin.routes["/v2/calendar"] = Reply([{"date": f"{DAY}", "open": "09:30", "close": "16:00"}])
    return AlpacaSource(gateway("alpaca", database), "K", "S", data_url=standin.url, trading_url=standin.url)


def polygon_vendor(standin: VendorStandIn, database: Database, _folder: Path) -> PolygonSource:
    def bars(asked: Asked) -> Reply:
        rows = half_hours(f"{DAY}T13:30:00Z", f"{DAY}T20:00:00Z")
        if "/1/day/" in asked.path:
            rows = [row(moment(f"{DAY}T04:00:00Z"))]
        rows[0]["c"] = rows[0]["c"] + standin.restated
        return Reply({"status": "OK", "adjusted": False, "results": [*in_milliseconds(rows), "no row"]})

    def filings(_asked: Asked) -> Reply:
        revenue = {"value": 100.0 + standin.restated, "unit": "USD"}
        filing = {
            "fiscal_period": "FY",
            "end_date": "2023-12-31",
            "financials": {"income_statement": {"revenues": revenue}},
        }
        return Reply({"status": "OK", "results": [filing, "no filing"]})

    standin.otherwise = bars
    standin.routes["/v3/reference/splits"] = Reply((DATA / "polygon" / "splits_AAPL.json").read_bytes())
    standin.routes["/v3/reference/dividends"] = Reply((DATA / "polygon" / "dividends_AAPL.json").read_bytes())
    standin.routes["/v3/reference/tickers/AAPL"] = Reply((DATA / "polygon" / "ticker_AAPL.json").read_bytes())
    standin.routes["/vX/reference/tickers/AAPL/events"] = Reply({}, 404)
    standin.routes["/vX/reference/financials"] = filings
    return PolygonSource(gateway("polygon", database), "KEY", standin.url)


def yahoo_vendor(standin: VendorStandIn, database: Database, folder: Path) -> YahooSource:
    def charts(asked: Asked) -> Reply:
        timeframe = Timeframe(asked.query["interval"])
        rows = rows_of(DAY, DAY, timeframe, 10.0 + standin.restated)
        rows.insert(0, (rows[0][0] - 86_400, 1, 1, 1, -5.0, 1))
        events = {"splits": split("2024-07-03", 4), "dividends": dividend("2024-07-02", 0.25 + standin.restated)}
        return Reply(chart(rows, timeframe, events, symbol="AAPL"))

    def lines(asked: Asked) -> Reply:
        name = "annualTotalRevenue"
        rows = [figure("2023-12-31", 100.0 + standin.restated), "no figure"]
        return Reply(statement(**{name: rows}) if name in asked.query["type"].split(",") else statement())

    def summary(asked: Asked) -> Reply:
        if asked.query["modules"] == "summaryProfile":
            return Reply(profile("Technology"))
        ended = {} if standin.restated else {"sharesShort": 5}
        facts = {"defaultKeyStatistics": {"beta": 1.0 + standin.restated, "heldPercent": 0.5, **ended}}
        return Reply({"quoteSummary": {"result": [facts]}})

    standin.routes["/"] = Reply("", 404, {"Set-Cookie": "A3=secret; Path=/"})
    standin.routes["/v1/test/getcrumb"] = Reply("crumbled", headers={"Content-Type": "text/plain"})
    standin.routes["/v8/finance/chart/AAPL"] = charts
    standin.routes["/ws/fundamentals-timeseries/v1/finance/timeseries/AAPL"] = lines
    standin.routes["/v10/finance/quoteSummary/AAPL"] = summary
    return YahooSource(gateway("yahoo", database), standin.url, folder)


VENDORS = {"alpaca": alpaca_vendor, "polygon": polygon_vendor, "yahoo": yahoo_vendor}


class RestatingVendor(VendorStandIn):
    """Adds `restated` to some of its numbers."""

    restated = 0.0


@pytest.fixture
def standin() -> Iterator[RestatingVendor]:
    with RestatingVendor().running() as vendor:
        yield vendor


def ingest(source: Any, database: Database) -> None:
    """Fetch and store everything that the source has, as the assets do."""
    found = source.instruments(["AAPL"])
    actions = source.corporate_actions(["AAPL"], HISTORY, DAY + timedelta(days=30))
    frames = [source.bars(["AAPL"], timeframe, DAY, DAY, LATER) for timeframe in Timeframe]
    with database.transaction() as connection:
        store_instruments(connection, found, source.name)
        store_actions(connection, actions, source.name)
        for frame in frames:
            store_bars(connection, frame)
    if isinstance(source, CalendarSource):
        with database.transaction() as connection:
            store_calendar(connection, source.calendar(DAY, DAY), source.name)
    if isinstance(source, FundamentalsSource):
        figures, facts = source.figures(["AAPL"]), source.facts(["AAPL"])
        with database.transaction() as connection:
            store_figures(connection, figures, source.name)
            store_facts(connection, facts, source.name)


def copy_answers(source: Database, target: Database) -> None:
    with source.transaction() as reading, target.transaction() as writing:
        cursor = reading.execute("select * from market.vendor_responses order by response_id")
        names = [column.name for column in cursor.description or ()]
        statement = sql.SQL("insert into market.vendor_responses ({}) overriding system value values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * len(names))
        )
        for values in cursor:
            writing.execute(statement, [Jsonb(value) if isinstance(value, dict) else value for value in values])


def contents(database: Database) -> dict[str, Any]:
    with database.transaction() as connection:
        found = {
            table: connection.execute(f"select {columns} from {table} order by {columns}").fetchall()
            for table, columns in TABLES.items()
        }
        # The identity of an instrument, its facts in every version, and its symbols.
        for table in ("instrument_facts", "instrument_identifiers", "instrument_symbols"):
            found[table] = connection.execute(
                f"select to_jsonb(t) - 'known_at' - 'superseded_at' from market.{table} as t order by 1"
            ).fetchall()
    return found


def only_reads_the_same(report: Report) -> bool:
    return bool(report.answers) and not report.differs and not report.unreadable


@pytest.mark.parametrize("vendor", VENDORS)
def test_tables_are_made_anew_from_the_answers_alone(
    vendor: str, standin: RestatingVendor, new_database: Callable[[], Database], tmp_path: Path
) -> None:
    first, second = new_database(), new_database()
    source = VENDORS[vendor](standin, first, tmp_path)
    for standin.restated in (0.0, 0.0, 0.125, 0.0):
        ingest(source, first)
    expected = contents(first)
    # Yahoo knows no calendar and Alpaca no companies; everything else is there, in more than one version.
    assert {name for name, rows in expected.items() if rows} >= set(expected) - {
        "market.broker_sessions", "market.financials", "market.fundamentals", "instrument_identifiers",
    }  # fmt: skip
    assert {version for *_, version in contents_of_bars(first)} == {1, 2, 3}

    assert only_reads_the_same(reparse(first, Scope(), apply=False))
    assert only_reads_the_same(reparse(first, Scope(), apply=True))
    assert contents(first) == expected

    copy_answers(first, second)
    report = reparse(second, Scope(), apply=False)
    assert report.differs
    assert not any(rows for rows in contents(second).values())
    reparse(second, Scope(vendor=vendor), apply=True)
    assert contents(second) == expected
    assert only_reads_the_same(reparse(second, Scope(), apply=True))


def contents_of_bars(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute("select symbol, ts, version from market.bars").fetchall()


def test_mended_parser_is_a_restatement_and_is_stored_once(
    standin: RestatingVendor, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(alpaca_vendor(standin, database, tmp_path), database)

    def mended(fetch: Any) -> Any:
        frame, quarantined = alpaca.bars_in(fetch)
        return frame.assign(volume=frame["volume"] * 2)[frame["ts"].dt.hour != 15], quarantined

    def doubled(fetch: Any) -> Any:
        actions, quarantined = alpaca.actions_in(fetch)
        return [replace(action, amount_usd=Decimal(1)) for action in actions], quarantined

    readers = {"bars": mended, "corporate_actions": doubled}
    monkeypatch.setattr(answer_readers, "_alpaca", lambda: readers)
    report = reparse(database, Scope(), apply=False)
    bars, actions = report.tables["market.bars"], report.tables["market.corporate_actions"]
    assert (bars.read, bars.added, bars.changed, bars.vanished) == (7, 0, 7, 1)
    assert (actions.changed, actions.examples) == (1, ["AAPL 2024-05-07 cash_dividend : amount_usd 0.25 -> 1"])
    assert "volume" in bars.examples[0]
    assert {version for *_, version in contents_of_bars(database)} == {1}

    reparse(database, Scope(), apply=True)
    again = reparse(database, Scope(), apply=True).tables["market.bars"]
    assert (again.added, again.changed, again.vanished) == (0, 0, 1)
    with database.transaction() as connection:
        gates = connection.execute("select distinct state from ops.quality_gates").fetchall()
        versions = connection.execute(
            "select version, count(*) from market.bars group by version order by 1"
        ).fetchall()
    assert gates == [("pending",)]
    assert versions == [(1, 8), (2, 7)]


def test_what_came_from_somewhere_else_is_left_alone(
    standin: RestatingVendor, database: Database, tmp_path: Path
) -> None:
    source = alpaca_vendor(standin, database, tmp_path)
    ingest(source, database)
    with database.transaction() as connection:
        frame = source.bars(["AAPL"], Timeframe.SESSION, DAY, DAY, LATER).drop(columns="response_id")
        assert store_bars(connection, frame.assign(volume=1.0, source="folder")) == 1
    report = reparse(database, Scope(), apply=True)
    assert report.tables["market.bars"].others == 1
    assert not report.differs


def test_answers_of_one_vendor_do_not_speak_against_the_newer_ones_of_another(
    standin: RestatingVendor, database: Database, tmp_path: Path
) -> None:
    ingest(alpaca_vendor(standin, database, tmp_path), database)
    with RestatingVendor().running() as other:
        other.restated = 0.5
        ingest(polygon_vendor(other, database, tmp_path), database)
    assert not reparse(database, Scope(vendor="alpaca", datasets=["bars/1d", "bars/1h"]), apply=True).differs
    assert not reparse(database, Scope(), apply=True).differs


def test_answers_that_were_only_compared_with_are_not_read_into_the_tables(
    standin: RestatingVendor, database: Database, tmp_path: Path
) -> None:
    source = alpaca_vendor(standin, database, tmp_path)
    replace(source, gateway=gateway("alpaca", database, COMPARISON)).bars(["AAPL"], Timeframe.HOUR, DAY, DAY, LATER)
    assert reparse(database, Scope(), apply=True).answers == 0
    assert contents_of_bars(database) == []


def test_answer_that_cannot_be_read_is_counted_and_says_why(
    standin: RestatingVendor, database: Database, tmp_path: Path
) -> None:
    source = alpaca_vendor(standin, database, tmp_path)
    ingest(source, database)
    standin.routes["/v2/stocks/bars"] = Reply({"bars": {"AAPL": {"no": "list"}}, "next_page_token": None})
    with pytest.raises(Exception, match="not a list of rows"):
        source.bars(["AAPL"], Timeframe.HOUR, DAY, DAY, LATER)
    report = reparse(database, Scope(), apply=True)
    assert (report.unreadable, report.differs) == (1, False)
    assert "not a list of rows" in report.complaints[0]


def test_only_answers_of_the_asked_time_are_read(standin: RestatingVendor, database: Database, tmp_path: Path) -> None:
    ingest(alpaca_vendor(standin, database, tmp_path), database)
    now = datetime.now(UTC)
    assert reparse(database, Scope(since=now), apply=False).answers == 0
    assert reparse(database, Scope(since=now - timedelta(hours=1), until=now), apply=False).answers == 6
