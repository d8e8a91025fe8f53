"""The asset that shows what vendors answered, and its check, which must be red when something of it was lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg
import pytest
from standins.bar_rows import half_hours, moment, row
from standins.http_vendor import Asked, Reply, VendorStandIn

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import StoredResponses
from trading_assets.adapters.vendor_gateway import VendorResponse
from trading_assets.defs.ingestion.assets import bars, corporate_actions, instruments
from trading_assets.defs.ingestion.vendor_responses import judge, vendor_responses
from trading_assets.defs.resources import RESOURCES
from trading_assets.settings import TradingSettings

DATA = Path(__file__).parents[1] / "data" / "alpaca"
DAY = "2024-05-06"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


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
def resources(
    alpaca: VendorStandIn, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
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
    return {**RESOURCES, "settings": TradingSettings.model_validate(facts), "clock": Evening()}


def materialise(*assets: dg.AssetsDefinition, resources: dict[str, Any]) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        partition = DAY if bars in assets else None
        return dg.materialize(list(assets), instance=instance, resources=resources, partition_key=partition)


def evaluation(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    return found


def test_answers_of_a_run_are_shown_and_were_used_completely(resources: dict[str, Any], alpaca: VendorStandIn) -> None:
    alpaca.faults.append(Reply({"message": "slow down"}, 429, {"Retry-After": "0"}))
    result = materialise(instruments, corporate_actions, bars, vendor_responses, resources=resources)
    (shown,) = result.asset_materializations_for_node("market__vendor_responses")
    assert shown.metadata["answers"].value == 6
    assert shown.metadata["quarantined_rows"].value == 0
    by_day = [record.data for record in shown.metadata["by_day"].value.records]
    answered = {(line["dataset"], int(line["answers"])) for line in by_day if line["status"] == "200"}
    assert answered == {("bars/1d", 1), ("bars/1h", 1), ("corporate_actions", 1), ("instruments", 2)}
    assert [line["answers"] for line in by_day if line["status"] == "429"] == ["1"]
    check = evaluation(result)
    assert not check.passed, "one request of six was refused"
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert materialise(vendor_responses, resources=resources).success


def test_nothing_asked_is_nothing_lost(resources: dict[str, Any]) -> None:
    check = evaluation(materialise(vendor_responses, resources=resources))
    assert check.passed
    assert check.metadata["observed"].value == "no vendor was asked in this run"


def test_answer_that_no_table_took_is_an_error(resources: dict[str, Any], database: Database) -> None:
    """As when a run dies between asking and storing."""
    materialise(instruments, corporate_actions, bars, resources=resources)
    assert judge(database, LONG_AGO).is_complete
    with database.transaction() as connection:
        connection.execute("alter table market.bars disable trigger append_only")
        connection.execute("delete from market.bars where timeframe = '1h' and ts = (select max(ts) from market.bars)")
        connection.execute("alter table market.bars enable trigger append_only")
    verdict = judge(database, LONG_AGO)
    assert not verdict.is_complete
    assert verdict.report is not None
    assert verdict.report.tables["market.bars"].added == 1


def test_much_in_quarantine_is_a_warning_with_its_first_reasons(
    resources: dict[str, Any], alpaca: VendorStandIn
) -> None:
    rows = [row(moment(f"{DAY}T04:00:00Z")), {"t": f"{DAY}T05:00:00Z"}]
    alpaca.routes["/v2/stocks/bars"] = Reply({"bars": {"AAPL": rows}, "next_page_token": None})
    resources = {**resources, "settings": resources["settings"].model_copy(update={"timeframes": ("1d",)})}
    result = materialise(instruments, corporate_actions, bars, vendor_responses, resources=resources)
    (shown,) = result.asset_materializations_for_node("market__vendor_responses")
    (aside,) = (record.data for record in shown.metadata["set_aside"].value.records)
    assert (aside["section"], aside["position"], aside["reason"]) == ("AAPL", "1", "o: Field required")
    check = evaluation(result)
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["quarantined_share"].value > 0.01


def test_answer_that_breaks_its_contract_is_an_error(database: Database) -> None:
    now = datetime.now(UTC)
    question = {"symbols": ["X"], "timeframe": "1d", "first": DAY, "last": DAY, "until": "2024-05-07T00:00:00Z"}
    StoredResponses(database).store(
        VendorResponse(
            UUID(int=1), "alpaca", "bars/1d", question, "GET", "u", 200, {}, b'{"bars": 7}', now - timedelta(1), now
        )
    )
    verdict = judge(database, LONG_AGO)
    assert not verdict.is_complete
    assert verdict.report is not None
    assert "no bars in the answer" in verdict.report.complaints[0]
