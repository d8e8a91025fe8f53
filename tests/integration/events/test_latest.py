"""The newest bars through the cache: filled by the relay, never older than before, put right where they are broken."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
import redis

from trading_assets.adapters.event_relay import relay_events
from trading_assets.adapters.latest import LatestBar, bars_of, latest_bars, refresh, stored_latest
from trading_assets.adapters.ports import CacheEntry
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.redis import NullEventBus, RedisEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.values import Timeframe

SYMBOLS = ["AAPL", "IBM"]
KEY = "trading:latest:bars:1d"
NOWHERE = Database("postgresql://nobody@127.0.0.1:1/x")


@pytest.fixture
def frame() -> pd.DataFrame:
    return SampleSource().bars(
        SYMBOLS, Timeframe.SESSION, date(2010, 11, 22), date(2010, 11, 29), datetime.fromisoformat("2011-01-01T00:00Z")
    )


def store(database: Database, frame: pd.DataFrame) -> None:
    with database.transaction() as connection:
        store_bars(connection, frame)


def stored(database: Database) -> dict[str, LatestBar]:
    with database.transaction() as connection:
        return stored_latest(connection, bars_of("1d"), SYMBOLS)


def entry(client: redis.Redis, symbol: str) -> CacheEntry:
    return CacheEntry(*client.hget(KEY, symbol).split(" ", 2))


def test_relayed_bars_are_read_without_postgresql(database: Database, bus: RedisEventBus, frame: pd.DataFrame) -> None:
    store(database, frame)
    relay_events(database, bus)

    bars = latest_bars(NOWHERE, bus.cache, SYMBOLS, Timeframe.SESSION)

    assert bars == stored(database)
    assert bars["IBM"].session_date == date(2010, 11, 29)
    assert bars["IBM"].close == frame[frame["symbol"] == "IBM"]["close"].iloc[-1]


def test_corrected_bar_replaces_the_cached_one_when_it_is_relayed(
    database: Database, bus: RedisEventBus, frame: pd.DataFrame
) -> None:
    store(database, frame)
    relay_events(database, bus)
    store(database, frame.assign(close=frame["close"] + 1))
    relay_events(database, bus)

    bar = latest_bars(NOWHERE, bus.cache, ["IBM"], Timeframe.SESSION)["IBM"]

    assert bar.version == 2
    assert bar.close == frame[frame["symbol"] == "IBM"]["close"].iloc[-1] + 1


def test_without_redis_the_bars_come_from_postgresql(database: Database, frame: pd.DataFrame) -> None:
    store(database, frame)
    for bus in (NullEventBus(), RedisEventBus("redis://127.0.0.1:1/0")):
        assert latest_bars(database, bus.cache, SYMBOLS, Timeframe.SESSION) == stored(database)


def test_symbol_without_a_bar_has_no_entry(database: Database, bus: RedisEventBus, frame: pd.DataFrame) -> None:
    store(database, frame[frame["symbol"] == "IBM"])
    assert list(latest_bars(database, bus.cache, ["AAPL", "IBM"], Timeframe.SESSION)) == ["IBM"]
    assert latest_bars(database, bus.cache, [], Timeframe.SESSION) == {}


def test_price_that_is_no_number_survives_the_cache(
    database: Database, bus: RedisEventBus, frame: pd.DataFrame
) -> None:
    store(database, frame.assign(close=float("nan")))
    relay_events(database, bus)
    bar = latest_bars(NOWHERE, bus.cache, ["IBM"], Timeframe.SESSION)["IBM"]
    assert bar.close != bar.close


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        ({"ts": timedelta(days=-1), "version": 7}, False),
        ({"version": -1}, False),
        ({}, True),
        ({"version": 1}, True),
        ({"ts": timedelta(days=1), "version": -1}, True),
    ],
)
def test_write_of_an_older_bar_is_refused(
    database: Database,
    bus: RedisEventBus,
    client: redis.Redis,
    frame: pd.DataFrame,
    change: dict[str, object],
    is_taken: bool,
) -> None:
    store(database, frame)
    store(database, frame.assign(close=1.0))
    relay_events(database, bus)
    before = entry(client, "IBM")
    bar = stored(database)["IBM"]
    later = replace(bar, **{name: getattr(bar, name) + by for name, by in change.items()}, volume=-1.0)

    written = bus.cache.write("bars:1d", {"IBM": bars_of("1d").entry(later)})

    assert written == int(is_taken)
    assert (entry(client, "IBM") != before) is is_taken


BROKEN = [
    "",
    "nothing of ours",
    "bar0 99999999999999999999999 {}",
    "bar1 99999999999999999999999 {}",
    "bar1 99999999999999999999999 no JSON",
    "bar1 99999999999999999999999 []",
    b"bar1 99999999999999999999999 \xff\xfe\xfd",
]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_entry_is_read_in_postgresql_and_put_right(
    database: Database, bus: RedisEventBus, client: redis.Redis, frame: pd.DataFrame, broken: str | bytes
) -> None:
    store(database, frame)
    relay_events(database, bus)
    right = client.hgetall(KEY)
    client.hset(KEY, "IBM", broken)

    assert latest_bars(database, bus.cache, SYMBOLS, Timeframe.SESSION) == stored(database)
    assert client.hgetall(KEY) == right
    assert latest_bars(NOWHERE, bus.cache, SYMBOLS, Timeframe.SESSION) == stored(database)


def test_entry_of_another_symbol_or_version_than_it_claims_is_put_right(
    database: Database, bus: RedisEventBus, client: redis.Redis, frame: pd.DataFrame
) -> None:
    store(database, frame)
    relay_events(database, bus)
    right = client.hgetall(KEY)
    ibm = entry(client, "IBM")
    client.hset(KEY, "AAPL", right["IBM"])
    client.hset(KEY, "IBM", f"{ibm.schema} {ibm.version} {json.dumps(json.loads(ibm.content) | {'version': 2})}")

    assert latest_bars(database, bus.cache, SYMBOLS, Timeframe.SESSION) == stored(database)
    assert client.hgetall(KEY) == right


def test_key_that_somebody_else_has_taken_is_an_outage_of_the_cache_only(
    database: Database, bus: RedisEventBus, client: redis.Redis, frame: pd.DataFrame
) -> None:
    store(database, frame)
    client.set(KEY, "a text")
    assert latest_bars(database, bus.cache, SYMBOLS, Timeframe.SESSION) == stored(database)


def test_healing_never_undoes_a_newer_entry_written_meanwhile(
    database: Database, bus: RedisEventBus, client: redis.Redis, frame: pd.DataFrame
) -> None:
    store(database, frame)
    old = bars_of("1d").entry(stored(database)["IBM"])
    seen = CacheEntry("bar1", "9" * 23, "no JSON")
    store(database, frame.assign(close=1.0))
    with database.transaction() as connection:
        refresh(connection, bus.cache, bars_of("1d"), ["IBM"])
    newer = entry(client, "IBM")

    bus.cache.write("bars:1d", {"IBM": old}, broken={"IBM": seen})

    assert entry(client, "IBM") == newer
