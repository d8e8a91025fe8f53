"""Vendors compared through the graph: rows replaced, verdicts with the worst offenders, and nothing without vendors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from trading_assets.adapters.bar_sources import build_comparison_sources
from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres import market
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.sample import SampleSource
from trading_assets.adapters.yahoo import YahooSource
from trading_assets.definitions import defs
from trading_assets.defs.automation import backfill_job, hourly_tick_job
from trading_assets.defs.ingestion.vendor_comparisons import (
    VENDOR_COMPARISONS,
    compare_vendors_job,
    compare_vendors_schedule,
    vendor_comparisons,
)
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe
from trading_assets.settings import Environment, TradingSettings

FIRST, LAST = date(2012, 11, 26), date(2012, 11, 28)


class Evening:
    def now(self) -> datetime:
        return datetime(2012, 11, 28, 23, tzinfo=UTC)


class OtherVendor(SampleSource):
    """The bundled history as another vendor would tell it: times `factor`, without `lacking`."""

    name = "yahoo"

    def __init__(self, factor: float = 1.0, lacking: date | None = None) -> None:
        super().__init__()
        self.factor, self.lacking = factor, lacking

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        frame = super().bars(symbols, timeframe, first, last, until).assign(source=self.name)
        frame[["open", "high", "low", "close"]] *= self.factor
        return frame[frame["session_date"] != self.lacking]


class SilentVendor(SampleSource):
    name = "polygon"

    def bars(self, *asked: Any) -> pd.DataFrame:
        raise Unreachable("polygon does not answer. Try again later.")


def settings_of(*vendors: str) -> TradingSettings:
    return TradingSettings.model_validate(
        {
            "source": "sample",
            "universe": ["IBM", "MSFT"],
            "timeframes": ["1d"],
            "strategies": {},
            "comparison": {"vendors": vendors},
        }
    )


def compare(database: Database, *sources: SampleSource) -> dg.ExecuteInProcessResult:
    settings = settings_of(*(source.name for source in sources))
    frame = SampleSource().bars(settings.universe, Timeframe.SESSION, FIRST, LAST, Evening().now())
    with database.transaction() as connection:
        market.store_bars(connection, frame)
    resources = {"database": database, "clock": Evening(), "settings": settings, "comparison_sources": list(sources)}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [vendor_comparisons],
            instance=instance,
            resources=resources,
            tags={"dagster/asset_partition_range_start": f"{FIRST}", "dagster/asset_partition_range_end": f"{LAST}"},
            raise_on_error=False,
        )


def verdict(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    return found


def stored(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(
            "select vendor, outcome, count(*), round(max(close_diff_bps)::numeric, 2)::text "
            "from market.vendor_comparisons group by 1, 2 order by 1, 2"
        ).fetchall()


def test_vendors_that_agree_pass(database: Database) -> None:
    found = verdict(compare(database, OtherVendor()))
    assert found.passed
    assert found.metadata["observed"].value == "6 bars compared with yahoo"
    assert stored(database) == [("yahoo", "both", 6, "0.00")]


@pytest.mark.parametrize(
    ("factor", "severity", "errors"),
    [(1.003, dg.AssetCheckSeverity.WARN, 0), (1.02, dg.AssetCheckSeverity.ERROR, 6)],
)
def test_vendors_that_differ_warn_and_beyond_the_multiple_fail(
    database: Database, factor: float, severity: dg.AssetCheckSeverity, errors: int
) -> None:
    result = compare(database, OtherVendor(factor))
    found = verdict(result)
    assert result.success
    assert (found.passed, found.severity, found.blocking) == (False, severity, False)
    assert (found.metadata["beyond_tolerance"].value, found.metadata["beyond_error_limit"].value) == (6, errors)
    assert found.metadata["worst_offenders"].records[0].data["close_diff_bps"] == f"{(factor - 1) * 10_000:.1f}"


def test_comparing_again_replaces_the_rows_of_the_sessions(database: Database) -> None:
    compare(database, OtherVendor(1.02))
    compare(database, OtherVendor(lacking=LAST))
    assert stored(database) == [("yahoo", "both", 4, "0.00"), ("yahoo", "missing_at_vendor", 2, None)]


def test_vendor_that_does_not_answer_fails_the_run_and_keeps_what_others_said(database: Database) -> None:
    result = compare(database, OtherVendor(), SilentVendor())
    assert not result.success
    assert stored(database) == [("yahoo", "both", 6, "0.00")]


def test_without_vendors_the_check_says_that_nothing_was_compared(database: Database) -> None:
    found = verdict(compare(database))
    assert found.passed
    assert found.metadata["observed"].value.startswith("not compared")
    assert stored(database) == []


def test_sources_are_built_from_the_vendors_that_are_named(database: Database) -> None:
    (source,) = build_comparison_sources(settings_of("yahoo"), Environment(), database)
    assert isinstance(source, YahooSource)
    assert build_comparison_sources(settings_of(), Environment(), database) == []


def test_comparison_has_a_job_of_its_own_and_is_in_no_other() -> None:
    def assets_of(job: dg.UnresolvedAssetJobDefinition) -> set[dg.AssetKey]:
        return set(defs.resolve_job_def(job.name).asset_layer.executable_asset_keys)

    assert assets_of(compare_vendors_job) == {VENDOR_COMPARISONS}
    assert VENDOR_COMPARISONS not in assets_of(hourly_tick_job) | assets_of(backfill_job)


@pytest.mark.parametrize(
    ("at", "settings", "expected"),
    [
        ("2026-11-20T17:30", settings_of("yahoo"), "2026-11-20"),
        ("2026-11-20T17:30", settings_of(), "names no vendor"),
        ("2026-11-26T17:30", settings_of("yahoo"), "no trading session"),
        ("2026-11-20T17:30", settings_of("yahoo").model_copy(update={"clock": "replay"}), "rehearsal"),
    ],
)
def test_schedule_compares_each_session_once_when_vendors_are_named(
    at: str, settings: TradingSettings, expected: str
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=NEW_YORK)
    with dg.build_schedule_context(scheduled_execution_time=moment, resources={"settings": settings}) as context:
        answer = compare_vendors_schedule(context)
    assert expected in str(answer.partition_key if isinstance(answer, dg.RunRequest) else answer.skip_message)
