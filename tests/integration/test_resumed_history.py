"""A vendor's history fetched in chunks: killed half-way, gone on with, refused for a gap, and asked for anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest
from standins.bar_rows import half_hours, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.ingestion.assets import bars, instruments
from trading_assets.defs.ingestion.history import REFETCH_TAG
from trading_assets.defs.resources import RESOURCES
from trading_assets.domain.market.sessions import NEW_YORK, session, sessions_between
from trading_assets.settings import TradingSettings, load_trading_settings

FIRST, LAST = date(2023, 1, 3), date(2023, 12, 29)
TODAY = date(2024, 1, 3)
HOURS = 7
CHUNKS = ["2023-01-03", "2023-04-03", "2023-07-03", "2023-10-02"]
"""The first sessions of the chunks of FIRST..LAST."""

# Its own process, so that it can be killed.
FETCH = """
from datetime import date, datetime, UTC
import dagster as dg
from trading_assets.defs.ingestion.assets import bars, instruments
from trading_assets.defs.resources import RESOURCES
class Evening:
    def now(self):
        return datetime(2024, 1, 3, 22, tzinfo=UTC)
dg.materialize(
    [instruments, bars],
    instance=dg.DagsterInstance.ephemeral(),
    resources={**RESOURCES, "clock": Evening()},
    tags={"dagster/asset_partition_range_start": "2023-01-03", "dagster/asset_partition_range_end": "2023-12-29"},
)
"""


class Evening:
    def now(self) -> datetime:
        return datetime(2024, 1, 3, 22, tzinfo=UTC)


class Alpaca:
    """A vendor with bars of every session's half hours; it lacks those `missing`, and `raised` ones cost more."""

    def __init__(self, standin: VendorStandIn) -> None:
        self.standin = standin
        self.histories: list[str] = []
        self.missing: set[date] = set()
        self.raised: set[date] = set()
        self.before_answering: Callable[[int], None] = lambda _count: None
        standin.routes["/v2/stocks/bars"] = self.answer
        asset = {"class": "us_equity", "exchange": "NASDAQ", "status": "active", "tradable": True, "shortable": True}
        for symbol in ("AAPL", "MSFT"):
            standin.routes[f"/v2/assets/{symbol}"] = Reply({**asset, "symbol": symbol, "name": symbol})

    def answer(self, asked: Asked) -> Reply:
        first = datetime.fromisoformat(asked.query["start"]).astimezone(NEW_YORK).date()
        names = asked.query["symbols"].split(",")
        if asked.query.get("limit") == "1":
            return Reply({"bars": {names[0]: [row(session(FIRST).opens_at)]}, "next_page_token": None})
        last = datetime.fromisoformat(asked.query["end"]).astimezone(NEW_YORK).date()
        self.histories.append(f"{first}")
        self.before_answering(len(self.histories))
        rows = [each for day in sessions_between(first, last) if day not in self.missing for each in self.rows(day)]
        return Reply({"bars": dict.fromkeys(names, rows), "next_page_token": None})

    def rows(self, day: date) -> list[dict[str, object]]:
        trading = session(day)
        rows = half_hours(trading.opens_at.isoformat(), trading.closes_at.isoformat())
        return [row(moment(each["t"]), each["c"] + 50) for each in rows] if day in self.raised else rows


@pytest.fixture
def alpaca() -> Iterator[Alpaca]:
    with VendorStandIn().running() as standin:
        yield Alpaca(standin)


@pytest.fixture
def configured(alpaca: Alpaca, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TradingSettings:
    path = tmp_path / "trading.yaml"
    url = alpaca.standin.url
    path.write_text(
        "source: alpaca\nuniverse: [AAPL, MSFT]\ntimeframes: [1h]\nstrategies: {}\n"
        f"alpaca: {{data_url: '{url}', trading_url: '{url}', requests_per_minute: 60000}}\n"
    )
    for name, value in {
        "ALPACA_API_KEY": "key",
        "ALPACA_SECRET_KEY": "secret",
        "DATABASE_URL": database.url,
        "TRADING_HOME": str(tmp_path),
        "TRADING_CONFIG": str(path),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return load_trading_settings(path)


def fetch(
    database: Database,
    settings: TradingSettings,
    first: date = FIRST,
    last: date = LAST,
    tags: dict[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Materialise instruments and bars of the sessions first..last."""
    span = {"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last}"}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [instruments, bars],
            instance=instance,
            resources={**RESOURCES, "database": database, "settings": settings, "clock": Evening()},
            tags={**span, **(tags or {})},
            raise_on_error=False,
        )


def stored(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        return connection.execute(
            "select symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, volume, source "
            "from market.bars order by symbol, timeframe, ts, version"
        ).fetchall()


def gates(database: Database) -> list[tuple[object, ...]]:
    with database.transaction() as connection:
        return connection.execute(
            "select dataset, session_date, symbol, state from ops.quality_gates order by 1, 2, 3"
        ).fetchall()


def test_killed_backfill_goes_on_without_asking_again_and_ends_like_an_unbroken_one(
    alpaca: Alpaca,
    configured: TradingSettings,
    database: Database,
    new_database: Callable[[], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FETCH], env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    def kill_in_the_third_chunk(count: int) -> None:
        if count == 3:
            process.send_signal(signal.SIGKILL)
            process.wait()

    alpaca.before_answering = kill_in_the_third_chunk
    _, said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said.decode()
    assert alpaca.histories == CHUNKS[:3]
    assert len(stored(database)) == 2 * HOURS * len(sessions_between(FIRST, date(2023, 6, 30)))

    alpaca.histories.clear()
    assert fetch(database, configured).success
    assert alpaca.histories == CHUNKS[2:]

    unbroken = new_database()
    monkeypatch.setenv("DATABASE_URL", unbroken.url)
    assert fetch(unbroken, configured).success
    assert stored(database) == stored(unbroken)
    assert gates(database) == gates(unbroken)


def test_stored_history_is_asked_for_again_on_demand_and_restated_bars_arrive(
    alpaca: Alpaca, configured: TradingSettings, database: Database
) -> None:
    restated = date(2023, 5, 4)
    fetch(database, configured)
    alpaca.raised.add(restated)
    alpaca.histories.clear()

    fetch(database, configured)
    assert alpaca.histories == []
    assert fetch(database, configured, tags={REFETCH_TAG: "true"}).success
    assert alpaca.histories == CHUNKS
    with database.transaction() as connection:
        versions = connection.execute(
            "select distinct session_date, symbol from market.bars where version = 2"
        ).fetchall()
    assert sorted(versions) == [(restated, "AAPL"), (restated, "MSFT")]


def test_session_of_today_and_a_single_session_are_always_asked_for(
    alpaca: Alpaca, configured: TradingSettings, database: Database
) -> None:
    for _ in range(2):
        alpaca.histories.clear()
        assert fetch(database, configured, LAST, TODAY).success
    assert alpaca.histories == [f"{TODAY}"]

    for _ in range(2):
        alpaca.histories.clear()
        assert fetch(database, configured, LAST, LAST).success
        assert alpaca.histories == [f"{LAST}"]


def test_finished_session_without_a_bar_fails_the_run_and_keeps_the_chunks_before(
    alpaca: Alpaca, configured: TradingSettings, database: Database
) -> None:
    alpaca.missing.add(date(2023, 8, 1))
    result = fetch(database, configured)
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    assert "no 1h bar of AAPL for the finished session 2023-08-01" in str(failure.step_failure_data)
    assert alpaca.histories == CHUNKS[:3]

    alpaca.missing.clear()
    alpaca.histories.clear()
    assert fetch(database, configured).success
    assert alpaca.histories == CHUNKS[2:]


def test_progress_is_in_the_log_and_on_the_page_of_the_asset(
    alpaca: Alpaca, configured: TradingSettings, database: Database
) -> None:
    result = fetch(database, configured)
    observed = [
        event.asset_observation_data.asset_observation.metadata["progress"].value
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
    ]
    assert len(observed) == 4
    assert observed[0].startswith("1 of 4 chunks, 25 %, 868 rows, about ")
    assert observed[-1] == "4 of 4 chunks, 100 %, 3,488 rows"
