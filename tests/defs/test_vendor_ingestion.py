"""The ingestion assets with `source: alpaca`, against an Alpaca on 127.0.0.1: every row leads back to an answer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from standins.bar_rows import half_hours, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.ingestion.assets import bars, corporate_actions, instruments
from trading_assets.defs.resources import RESOURCES
from trading_assets.settings import TradingSettings

DATA = Path(__file__).parents[1] / "data" / "alpaca"
DAY = "2024-05-06"


class Evening:
    def now(self) -> datetime:
        return datetime(2024, 5, 6, 22, tzinfo=UTC)


@pytest.fixture
def alpaca() -> Iterator[VendorStandIn]:
    def answer_bars(asked: Asked) -> Reply:
        hours = asked.query["timeframe"] == "30Min"
        rows = half_hours(f"{DAY}T08:00:00Z", f"{DAY}T22:00:00Z") if hours else [row(moment(f"{DAY}T04:00:00Z"))]
        return Reply({"bars": {"AAPL": rows}, "next_page_token": None})

    with VendorStandIn().running() as standin:
        standin.routes["/v2/stocks/bars"] = answer_bars
        standin.routes["/v2/assets/AAPL"] = Reply((DATA / "asset.json").read_bytes())
        standin.routes["/v1/corporate-actions"] = Reply(
            {"corporate_actions": {"cash_dividends": [{"symbol": "AAPL", "rate": 0.25, "ex_date": "2024-05-07"}]}}
        )
        yield standin


@pytest.fixture
def configured(
    alpaca: VendorStandIn, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TradingSettings:
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"):
        monkeypatch.setenv(name, "key")
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    facts = {
        "source": "alpaca",
        "alpaca": {"data_url": alpaca.url, "trading_url": alpaca.url, "requests_per_minute": 60_000},
        "universe": ["AAPL"],
        "timeframes": ["1d", "1h"],
        "strategies": {},
    }
    return TradingSettings.model_validate(facts)


def materialise(settings: TradingSettings) -> None:
    resources = {**RESOURCES, "settings": settings, "clock": Evening()}
    with dg.DagsterInstance.ephemeral() as instance:
        for assets, partition in (([instruments, corporate_actions], None), ([bars], DAY)):
            assert dg.materialize(assets, instance=instance, resources=resources, partition_key=partition).success


def test_bars_and_actions_lead_back_to_the_answers_they_came_from(
    configured: TradingSettings, database: Database
) -> None:
    materialise(configured)
    with database.transaction() as connection:
        origins = connection.execute(
            "select timeframe, count(*), min(bars.source), min(dataset), bool_and(status = 200) "
            "from market.bars join market.vendor_responses using (response_id) group by timeframe order by timeframe"
        ).fetchall()
        action = connection.execute(
            "select amount_usd, source, dataset from market.corporate_actions "
            "join market.vendor_responses using (response_id)"
        ).fetchone()
    assert origins == [("1d", 1, "alpaca", "bars/1d", True), ("1h", 7, "alpaca", "bars/1h", True)]
    assert action == (0.25, "alpaca", "corporate_actions")


def test_second_run_stores_the_answers_and_changes_no_fact(configured: TradingSettings, database: Database) -> None:
    counts = "select (select count(*) from market.bars), (select count(*) from market.corporate_actions), "
    materialise(configured)
    with database.transaction() as connection:
        before = connection.execute(counts + "(select count(*) from market.vendor_responses)").fetchone()
    materialise(configured)
    with database.transaction() as connection:
        after = connection.execute(counts + "(select count(*) from market.vendor_responses)").fetchone()
    assert before is not None
    assert after == (*before[:2], 2 * before[2])


def test_vendor_that_refuses_the_key_fails_the_run_in_one_line(
    configured: TradingSettings, alpaca: VendorStandIn, database: Database
) -> None:
    alpaca.routes["/v2/assets/AAPL"] = Reply({"message": "forbidden."}, 403)
    resources = {**RESOURCES, "settings": configured, "clock": Evening()}
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([instruments], instance=instance, resources=resources, raise_on_error=False)
        (failure,) = (event for event in result.all_events if event.is_step_failure)
    message = str(failure.step_failure_data.error.message if failure.step_failure_data.error else "")
    assert "alpaca answered 403" in f"{message}{failure.step_failure_data}"
    assert len(alpaca.asked) == 1
