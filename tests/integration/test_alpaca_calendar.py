"""Alpaca's calendar through the real SDK, against a stand-in on 127.0.0.1, and how it is kept."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from standins.http_vendor import HTML_PAGE, RESET, Reply, VendorStandIn

from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.bar_sources import FallbackSource, build_bar_source, calendar_source, calendar_vendor
from trading_assets.adapters.errors import AuthFailed, ContractBroken, RateLimited, Transient, Unreachable
from trading_assets.adapters.postgres.broker_sessions import store_calendar, stored_calendar
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_document
from trading_assets.domain.market.broker_calendar import BrokerSession, CalendarFault, calendar_differences
from trading_assets.settings import Environment, TradingSettings

PAYLOADS = Path(os.environ.get("TRADING_TEST_PAYLOADS", "/nonexistent"))
WEDNESDAY, FRIDAY, SATURDAY = date(2025, 7, 2), date(2025, 7, 4), date(2025, 7, 5)
LISTED = [
    {"date": "2025-07-02", "open": "09:30", "close": "16:00", "session_open": "0400", "session_close": "2000"},
    {"date": "2025-07-03", "open": "09:30", "close": "13:00", "session_open": "0400", "session_close": "1700"},
]


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        standin.routes["/v2/calendar"] = Reply(LISTED)
        yield standin


@pytest.fixture
def source(database: Database, vendor: VendorStandIn) -> AlpacaSource:
    gateway = VendorGateway(
        "alpaca",
        SharedTokenBucket(database, "alpaca:test", capacity=1000, per_minute=60_000),
        StoredResponses(database),
        RetryPolicy(attempts=2, first_wait_s=0.01, patience_s=2.0),
        check=json_document,
        sleep=lambda _seconds: None,
    )
    return AlpacaSource(gateway, "KEYID", "SECRETKEY", data_url=vendor.url, trading_url=vendor.url)


def test_every_day_of_the_range_comes_back_with_its_hours_in_utc(source: AlpacaSource, vendor: VendorStandIn) -> None:
    days = source.calendar(WEDNESDAY, SATURDAY)

    assert days == [
        BrokerSession(WEDNESDAY, datetime(2025, 7, 2, 13, 30, tzinfo=UTC), datetime(2025, 7, 2, 20, tzinfo=UTC), 1),
        BrokerSession(
            date(2025, 7, 3), datetime(2025, 7, 3, 13, 30, tzinfo=UTC), datetime(2025, 7, 3, 17, tzinfo=UTC), 1
        ),
        BrokerSession(FRIDAY, None, None, 1),
        BrokerSession(SATURDAY, None, None, 1),
    ]
    assert calendar_differences(days, WEDNESDAY, SATURDAY) == []
    (asked,) = vendor.asked
    assert (asked.query["start"], asked.query["end"]) == ("2025-07-02", "2025-07-05")


def test_next_session_that_alpaca_gives_for_a_holiday_is_not_taken_for_it(source: AlpacaSource) -> None:
    assert source.calendar(FRIDAY, FRIDAY) == [BrokerSession(FRIDAY, None, None, 1)]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reply({"message": "forbidden."}, 403), AuthFailed),
        (Reply({"message": "too many requests."}, 429), RateLimited),
        (Reply(b"", 503), Transient),
        (RESET, Unreachable),
        (HTML_PAGE, ContractBroken),
        (Reply({"message": "hello"}), ContractBroken),
        (Reply([{"date": "2025-07-02", "open": "09:30"}]), ContractBroken),
        (Reply([{"date": "2025-07-02", "open": 930, "close": "16:00"}]), ContractBroken),
        (Reply([{"date": "2025-07-02", "open": "09:30", "close": "25:00"}]), ContractBroken),
        (Reply([{"date": "02.07.2025", "open": "09:30", "close": "16:00"}]), ContractBroken),
        (Reply([{"date": "2025-07-02", "open": "16:00", "close": "09:30"}]), ContractBroken),
        (Reply([LISTED[0], {**LISTED[0], "close": "13:00"}]), ContractBroken),
    ],
)
def test_fault_is_one_of_the_known_errors(
    source: AlpacaSource, vendor: VendorStandIn, fault: Reply, error: type[Exception]
) -> None:
    vendor.faults.extend([fault] * 5)
    with pytest.raises(error) as raised:
        source.calendar(WEDNESDAY, SATURDAY)
    assert type(raised.value) is error
    assert "SECRETKEY" not in str(raised.value)


def test_changed_day_is_a_new_version_and_makes_its_gates_wait(
    source: AlpacaSource, vendor: VendorStandIn, database: Database
) -> None:
    def keep() -> int:
        with database.transaction() as connection:
            return store_calendar(connection, source.calendar(WEDNESDAY, SATURDAY), source.name)

    assert (keep(), keep()) == (4, 0)
    with database.transaction() as connection:
        connection.execute(
            "insert into ops.quality_gates (dataset, session_date, symbol, state) "
            "select 'market/bars', day, 'AAPL', 'open' from unnest(%s::date[]) as day",
            ([WEDNESDAY, date(2025, 7, 3)],),
        )
    vendor.routes["/v2/calendar"] = Reply(LISTED[:1])

    assert keep() == 1

    with database.transaction() as connection:
        assert stored_calendar(connection, "alpaca", date(2025, 7, 3), date(2025, 7, 3)) == [
            BrokerSession(date(2025, 7, 3), None, None, 3)
        ]
        states = connection.execute("select session_date, state from ops.quality_gates order by 1").fetchall()
        assert states == [(WEDNESDAY, "open"), (date(2025, 7, 3), "pending")]
        assert stored_calendar(connection, "another broker", WEDNESDAY, SATURDAY) == []


@pytest.mark.parametrize(
    ("facts", "broker"),
    [
        ({"source": "alpaca"}, "alpaca"),
        ({"source": "yahoo", "fallbacks": ["polygon", "alpaca"]}, "alpaca"),
        ({"source": "yahoo"}, None),
        ({"source": "sample"}, None),
    ],
)
def test_settings_name_the_broker_that_the_source_really_has(
    database: Database, facts: dict[str, Any], broker: str | None
) -> None:
    settings = TradingSettings.model_validate({"universe": ["AAPL"], "timeframes": ["1d"], "strategies": {}, **facts})
    keys = {"alpaca_api_key": "K", "alpaca_secret_key": "S", "polygon_api_key": "P"}
    built = calendar_source(build_bar_source(settings, Environment.model_validate(keys), database))

    assert calendar_vendor(settings) == broker
    assert (built.name if built else None) == broker


def test_calendar_of_a_fallback_is_found_behind_a_source_without_one(source: AlpacaSource) -> None:
    assert calendar_source(FallbackSource([SampleSource(), source])) is source


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="TRADING_TEST_PAYLOADS names no folder of recordings")
def test_recorded_month_of_alpaca_has_the_sessions_of_the_exchange(source: AlpacaSource, vendor: VendorStandIn) -> None:
    recording = json.loads((PAYLOADS / "alpaca/vcr_ruby/calendar__returns_Calendar_objects.json").read_text())
    vendor.routes["/v2/calendar"] = Reply(recording["response"]["body_raw"])
    first, last = date(2019, 6, 1), date(2019, 7, 1)

    days = source.calendar(first, last)

    assert calendar_differences(days, first, last) == []
    days = [day for day in days if day.session_date != date(2019, 6, 14)]
    assert [each.fault for each in calendar_differences(days, first, last)] == [CalendarFault.UNKNOWN]
