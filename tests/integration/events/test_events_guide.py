"""The program that docs/guides/events.md shows works as it stands, and its lists are complete."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pytest

from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.event_relay import relay_events
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.redis import CACHE_PREFIX, CHANNEL_PREFIX, STREAM, RedisEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.values import Timeframe

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "events.md").read_text()


@pytest.mark.parametrize("has_redis", [True, False])
def test_the_guides_program_prints_the_bars_that_were_stored(
    database: Database,
    redis_server: EmbeddedRedis,
    bus: RedisEventBus,
    monkeypatch: pytest.MonkeyPatch,
    has_redis: bool,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", redis_server.url if has_redis else "redis://127.0.0.1:1/0")
    program = ModuleType("listener")
    exec(re.findall(r"^```python\n(.*?)^```$", GUIDE, re.M | re.S)[0], program.__dict__)  # noqa: S102  our own documentation
    day, now = date(2010, 11, 24), datetime(2010, 11, 25, tzinfo=UTC)
    frame = SampleSource().bars(["AAPL", "IBM"], Timeframe.SESSION, day, day, now)
    with database.transaction() as connection:
        store_bars(connection, frame)
    relay_events(database, bus)

    assert next(program.newest_closes(after=0)) == (1, dict(zip(frame["symbol"], frame["close"], strict=True)))


def test_the_guide_lists_every_topic_and_key() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", GUIDE, re.M)
    topics, keys = rows[: len(Topic)], rows[len(Topic) :]
    assert topics == sorted(Topic)
    assert keys == [STREAM, CHANNEL_PREFIX + "<topic>", CACHE_PREFIX + "bars:<timeframe>", CACHE_PREFIX + "quotes"]
