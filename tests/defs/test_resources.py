"""The resources as a run builds them: lazily, from trading.yaml and the environment."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from trading_assets.adapters.alpaca_broker import AlpacaBroker
from trading_assets.adapters.bar_sources import FallbackSource
from trading_assets.adapters.clock import ReplayClock, WallClock, set_replay_clock
from trading_assets.adapters.folder import FolderSource
from trading_assets.adapters.polygon import PolygonSource
from trading_assets.adapters.ports import BarSource, Broker, Clock, EventBus, Notifier
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.redis import NullEventBus, RedisEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.defs.resources import RESOURCES
from trading_assets.settings import PROJECT_ROOT, TradingSettings


@pytest.fixture
def configured(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trading.yaml"
    path.write_text((PROJECT_ROOT / "trading.yaml").read_text())
    monkeypatch.setenv("TRADING_CONFIG", str(path))
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("REDIS_URL", raising=False)
    return path


def built() -> dict[str, object]:
    seen: dict[str, object] = {}

    @dg.asset
    def probe(
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
        bar_source: dg.ResourceParam[BarSource],
        broker: dg.ResourceParam[Broker | None],
        event_bus: dg.ResourceParam[EventBus],
        notifiers: dg.ResourceParam[list[Notifier]],
        settings: dg.ResourceParam[TradingSettings],
    ) -> None:
        seen.update(database=database, clock=clock, bar_source=bar_source, broker=broker)
        seen.update(event_bus=event_bus, notifiers=notifiers, settings=settings)

    assert dg.materialize([probe], resources=RESOURCES).success
    return seen


def test_resources_follow_the_configuration(configured: Path, database: Database) -> None:
    resources = built()
    assert resources["database"] == database
    assert isinstance(resources["clock"], WallClock)
    assert isinstance(resources["bar_source"], SampleSource)
    assert resources["broker"] is None
    assert isinstance(resources["event_bus"], NullEventBus)
    assert [notifier.channel.name for notifier in resources["notifiers"]] == ["log"]
    assert resources["settings"].source == "sample"


def test_replay_clock_and_redis_when_configured(
    configured: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.write_text(configured.read_text().replace("clock: wall", "clock: replay"))
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    set_replay_clock(database, datetime(2022, 5, 2, 15, 30, tzinfo=UTC))

    resources = built()

    assert isinstance(resources["clock"], ReplayClock)
    assert resources["clock"].now() == datetime(2022, 5, 2, 15, 30, tzinfo=UTC)
    assert isinstance(resources["event_bus"], RedisEventBus)


def test_folder_source_when_configured(configured: Path, tmp_path: Path) -> None:
    configured.write_text(configured.read_text().replace("source: sample ", f"source: folder\nfolder: {tmp_path} "))
    assert isinstance(built()["bar_source"], FolderSource)


def test_yahoo_source_when_configured(configured: Path) -> None:
    configured.write_text(configured.read_text().replace("source: sample ", "source: yahoo "))
    assert isinstance(built()["bar_source"], YahooSource)


def test_vendors_in_order_when_configured(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "POLYGON_API_KEY"):
        monkeypatch.setenv(name, "key")
    text = configured.read_text()
    configured.write_text(text.replace("source: sample ", "source: polygon "))
    assert isinstance(built()["bar_source"], PolygonSource)
    configured.write_text(text.replace("source: sample ", "source: alpaca\nfallbacks: [polygon, yahoo] "))
    source = built()["bar_source"]
    assert isinstance(source, FallbackSource)
    assert source.name == "alpaca"


def test_broker_when_configured_connects_to_nothing(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", "PK0")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "secret")
    text = configured.read_text()
    # Nothing answers at that address.
    declared = "kind: alpaca\n  environment: paper\n  account: PA0LOCAL0001\n  url: http://127.0.0.1:1"
    configured.write_text(text.replace("kind: simulated", declared))

    broker = built()["broker"]

    assert isinstance(broker, AlpacaBroker)
    assert (broker.account_number, broker.url) == ("PA0LOCAL0001", "http://127.0.0.1:1")
