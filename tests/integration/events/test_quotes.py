"""Quotes with the real SDK against a stand-in on 127.0.0.1, from the asset to the cache."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.alpaca import AlpacaSource
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.event_relay import recorded_events
from trading_assets.adapters.latest import latest_quotes
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.quotes import store_quotes
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses
from trading_assets.adapters.redis import RedisEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.vendor_gateway import RetryPolicy, VendorGateway, json_object
from trading_assets.defs.ingestion.quotes import fetch_quotes_schedule, quotes
from trading_assets.domain.market.quotes import Quote
from trading_assets.settings import TradingSettings

NOWHERE = Database("postgresql://nobody@127.0.0.1:1/x")
AT = "2024-05-06T14:30:00.123456789Z"


def row(at: str = AT, **changes: Any) -> dict[str, Any]:
    return {"t": at, "bp": 183.1, "bs": 2, "bx": "V", "ap": 183.2, "as": 5, "ax": "V", "c": ["R"], "z": "C"} | changes


@pytest.fixture
def vendor() -> Iterator[VendorStandIn]:
    with VendorStandIn().running() as standin:
        yield standin


@pytest.fixture
def source(database: Database, vendor: VendorStandIn) -> AlpacaSource:
    bucket = SharedTokenBucket(database, "alpaca:test", capacity=1000, per_minute=60_000)
    policy = RetryPolicy(attempts=1, first_wait_s=0.01, patience_s=2.0, read_timeout_s=5, total_timeout_s=5)
    gateway = VendorGateway("alpaca", bucket, StoredResponses(database), policy, check=json_object)
    return AlpacaSource(gateway, "KEYID", "SECRETKEY", feed="iex", data_url=vendor.url, trading_url=vendor.url)


def answer(vendor: VendorStandIn, rows: dict[str, Any]) -> None:
    def reply(asked: Asked) -> Reply:
        assert asked.query["feed"] == "iex"
        return Reply({"quotes": {name: rows[name] for name in asked.query["symbols"].split(",") if name in rows}})

    vendor.routes["/v2/stocks/quotes/latest"] = reply


def test_quotes_are_read_with_their_own_times_and_names(source: AlpacaSource, vendor: VendorStandIn) -> None:
    answer(vendor, {"BRK.B": row(), "AAPL": row(bp=0, bs=0)})

    aapl, brk = source.latest_quotes(["BRK-B", "AAPL", "GONE"])

    assert (brk.symbol, brk.bid, brk.bid_size, brk.ask, brk.ask_size) == ("BRK-B", 183.1, 2, 183.2, 5)
    assert brk.quoted_at == datetime(2024, 5, 6, 14, 30, 0, 123456, tzinfo=UTC)
    assert (aapl.symbol, aapl.bid, aapl.bid_size, aapl.ask) == ("AAPL", None, None, 183.2)


def test_hundreds_of_symbols_are_asked_for_a_hundred_at_a_time(source: AlpacaSource, vendor: VendorStandIn) -> None:
    names = [f"S{number}" for number in range(250)]
    answer(vendor, {name: row() for name in names})
    assert [quote.symbol for quote in source.latest_quotes(names)] == sorted(names)
    assert len(vendor.asked) == 3


@pytest.mark.parametrize(
    "broken", [row(bp=-1), row(ap="much"), row(t="noon"), row(t="0001-01-01T00:00:00+02:00"), [], None]
)
def test_broken_quote_is_set_aside_and_the_others_are_kept(
    source: AlpacaSource, vendor: VendorStandIn, database: Database, broken: Any
) -> None:
    answer(vendor, {"AAPL": broken, "IBM": row()})

    assert [quote.symbol for quote in source.latest_quotes(["AAPL", "IBM"])] == ["IBM"]
    with database.transaction() as connection:
        assert connection.execute("select section from market.quarantined_rows").fetchall() == [("AAPL",)]


@pytest.mark.parametrize("body", [{}, {"quotes": None}, {"quotes": []}])
def test_answer_without_quotes_is_refused(source: AlpacaSource, vendor: VendorStandIn, body: dict[str, Any]) -> None:
    vendor.routes["/v2/stocks/quotes/latest"] = Reply(body)
    with pytest.raises(ContractBroken, match="no quotes in the answer"):
        source.latest_quotes(["AAPL"])


def materialise(database: Database, source: object, bus: RedisEventBus) -> dg.ExecuteInProcessResult:
    settings = TradingSettings(source="sample", universe=["AAPL", "IBM"], timeframes=["1d"], strategies={})
    resources = {"database": database, "bar_source": source, "event_bus": bus, "settings": settings}
    return dg.materialize([quotes], resources=resources, raise_on_error=False)


def test_quotes_reach_the_cache_and_a_repeated_one_is_stored_once(
    database: Database, source: AlpacaSource, vendor: VendorStandIn, bus: RedisEventBus
) -> None:
    answer(vendor, {"AAPL": row(), "IBM": row()})
    assert materialise(database, source, bus).success
    answer(vendor, {"AAPL": row(), "IBM": row("2024-05-06T14:31:00Z", ap=184.0)})
    assert materialise(database, source, bus).success

    newest = latest_quotes(NOWHERE, bus.cache, ["AAPL", "IBM"])
    assert {symbol: quote.ask for symbol, quote in newest.items()} == {"AAPL": 183.2, "IBM": 184.0}
    assert newest == latest_quotes(database, RedisEventBus(None).cache, ["AAPL", "IBM"])
    assert [(event.topic, event.facts["symbols"]) for event in recorded_events(database)] == [
        ("quotes_stored", ["AAPL", "IBM"]),
        ("quotes_stored", ["IBM"]),
    ]


def test_source_that_does_not_quote_fails_naming_one_that_does(database: Database, bus: RedisEventBus) -> None:
    result = materialise(database, SampleSource(), bus)

    (failure,) = (event for event in result.all_events if event.is_step_failure)
    assert "Source sample does not quote: choose alpaca" in str(failure.step_failure_data.user_failure_data.description)


def test_nothing_to_store_writes_nothing(database: Database) -> None:
    one_sided = Quote("IBM", datetime(2024, 5, 6, tzinfo=UTC), None, None, None, None)
    with database.transaction() as connection:
        assert store_quotes(connection, [], "alpaca") == 0
        assert store_quotes(connection, [one_sided, one_sided], "alpaca") == 1


@pytest.mark.parametrize(
    ("at", "asks"),
    [
        ("2024-05-06T13:29Z", False),
        ("2024-05-06T13:30Z", True),
        ("2024-05-06T20:00Z", True),
        ("2024-05-06T20:01Z", False),
        ("2024-07-03T17:30Z", False),
        ("2024-05-27T15:00Z", False),
    ],
)
def test_schedule_asks_while_the_exchange_is_open(at: str, asks: bool) -> None:
    context = dg.build_schedule_context(scheduled_execution_time=datetime.fromisoformat(at))
    answered = fetch_quotes_schedule.evaluate_tick(context)
    assert bool(answered.run_requests) is asks
    assert asks or "The exchange is closed at" in answered.skip_message
