"""The ingestion assets, materialised on an ephemeral instance with a real PostgreSQL and the bundled sample."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.event_relay import recorded_events
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import bars_as_of
from trading_assets.adapters.redis import NullEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.ingestion.assets import (
    BARS,
    CORPORATE_ACTIONS,
    INSTRUMENTS,
    bars,
    corporate_actions,
    instruments,
)
from trading_assets.domain.values import Timeframe
from trading_assets.settings import StrategySettings, TradingSettings

AFTER_THE_SAMPLE = datetime(2013, 6, 3, 12, 0, tzinfo=UTC)


class FixedClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def settings(universe: list[str], timeframes: list[str]) -> TradingSettings:
    strategy = StrategySettings(timeframe=Timeframe(timeframes[0]), capital_weight=0.5)
    return TradingSettings(
        source="sample", universe=universe, timeframes=timeframes, strategies={"sma_crossover": strategy}
    )


Materialise = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def materialise(database: Database) -> Materialise:
    def run(first: str | None = None, last: str | None = None, **changes: Any) -> dg.ExecuteInProcessResult:
        resources = {
            "database": database,
            "clock": FixedClock(AFTER_THE_SAMPLE),
            "bar_source": SampleSource(),
            "event_bus": NullEventBus(),
            "settings": settings(["AAPL", "FB"], ["1d"]),
        } | changes
        definitions = dg.Definitions(assets=[instruments, corporate_actions, bars], resources=resources)
        tags = (
            {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if first else None
        )
        job = definitions.resolve_implicit_global_asset_job_def()
        selection = [INSTRUMENTS, CORPORATE_ACTIONS, BARS] if first else [INSTRUMENTS, CORPORATE_ACTIONS]
        return job.execute_in_process(asset_selection=selection, tags=tags, raise_on_error=False)

    return run


def failure(result: dg.ExecuteInProcessResult) -> str:
    events = [event for event in result.all_events if event.is_step_failure]
    assert len(events) == 1
    error = events[0].step_failure_data
    return str(error.user_failure_data.description if error.user_failure_data else error.error)


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    event = next(event for event in result.get_asset_materialization_events() if event.asset_key == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_bars_over_a_holiday_and_a_half_day_stores_each_session_once(
    materialise: Materialise, database: Database
) -> None:
    result = materialise("2010-11-24", "2010-11-29")

    assert result.success
    materialised = [
        event.materialization.partition
        for event in result.get_asset_materialization_events()
        if event.asset_key == BARS
    ]
    assert materialised == ["2010-11-24", "2010-11-26", "2010-11-29"]
    stored = bars_as_of(database, AFTER_THE_SAMPLE, ["AAPL", "FB"], Timeframe.SESSION)
    assert stored["symbol"].tolist() == ["AAPL"] * 3
    assert stored["closes_at"].iloc[1] == pd.Timestamp("2010-11-26T18:00Z")
    topics = [event.topic for event in recorded_events(database)]
    assert sorted(topics) == ["bars_stored", "corporate_actions_stored", "instruments_changed"]


def test_bars_report_rows_columns_and_a_preview(materialise: Materialise) -> None:
    result = materialise("2010-11-24", "2010-11-29", settings=settings(["AAPL", "IBM"], ["1d"]))
    facts = metadata(result, BARS)

    counts = [
        event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == BARS
    ]
    assert counts == [2, 2, 2]
    assert facts["rows_written"] == 6
    assert "| AAPL | 1d | 2010-11-29" in facts["preview"]
    columns = {column.name: column.type for column in facts["dagster/column_schema"].columns}
    assert columns["closes_at"] == "timestamp with time zone"


def test_bars_materialised_again_write_nothing(materialise: Materialise) -> None:
    materialise("2010-11-24", "2010-11-29")

    again = metadata(materialise("2010-11-24", "2010-11-29"), BARS)

    assert (again["dagster/row_count"], again["rows_written"]) == (1, 0)


def test_bars_of_a_session_in_progress_stop_at_the_newest_closed_hour(
    materialise: Materialise, database: Database
) -> None:
    noon = datetime(2022, 5, 2, 16, 0, tzinfo=UTC)

    result = materialise("2022-05-02", "2022-05-02", clock=FixedClock(noon), settings=settings(["MSFT"], ["1h"]))

    assert result.success
    stored = bars_as_of(database, AFTER_THE_SAMPLE.replace(year=2030), ["MSFT"], Timeframe.HOUR)
    assert stored["closes_at"].tolist() == [pd.Timestamp("2022-05-02T14:30Z"), pd.Timestamp("2022-05-02T15:30Z")]


def test_bars_of_a_session_that_has_not_begun_are_refused_without_a_retry(materialise: Materialise) -> None:
    evening_before = datetime(2010, 11, 24, 23, 0, tzinfo=UTC)

    result = materialise("2010-11-24", "2010-11-26", clock=FixedClock(evening_before))

    assert not result.success
    assert failure(result) == (
        "Session 2010-11-26 has not begun: it is 2010-11-24 23:00 UTC and the session opens at 2010-11-26 14:30 UTC. "
        "The newest session to materialise is 2010-11-24."
    )


def test_bars_missing_for_a_finished_session_fail_naming_it_and_store_nothing(
    materialise: Materialise, database: Database
) -> None:
    result = materialise("2013-02-28", "2013-03-05")

    assert not result.success
    assert "no 1d bar of AAPL for the finished session 2013-03-04 (and 3 more)" in failure(result)
    assert bars_as_of(database, AFTER_THE_SAMPLE, ["AAPL"], Timeframe.SESSION).empty


def test_bars_before_a_symbol_was_listed_are_not_missing(materialise: Materialise) -> None:
    assert materialise("2012-05-16", "2012-05-18").success


def test_unknown_symbol_fails_naming_what_the_source_has(materialise: Materialise) -> None:
    result = materialise(settings=settings(["AAPL", "TSLA"], ["1d"]))

    events = [event for event in result.all_events if event.is_step_failure]
    message = str(events[0].step_failure_data.user_failure_data.description)
    assert "The sample has no TSLA; it has AAPL, FB, GOOG, IBM, MSFT" in message


def test_transient_failure_of_the_source_is_retried(materialise: Materialise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading_assets.defs.failures.RETRY_WAIT_S", 0)

    class FlakySource(SampleSource):
        failures = 1

        def bars(self, *arguments: Any) -> pd.DataFrame:
            if self.failures:
                self.failures -= 1
                raise Unreachable("the vendor does not answer")
            return super().bars(*arguments)

    result = materialise("2010-11-24", "2010-11-24", bar_source=FlakySource())

    assert result.success
    assert [event.step_key for event in result.all_events if event.is_step_up_for_retry] == ["market__bars"]


def test_corporate_actions_stop_at_the_next_session(materialise: Materialise, database: Database) -> None:
    eve_of_the_second_dividend = datetime(2012, 11, 6, 15, 0, tzinfo=UTC)

    assert materialise(clock=FixedClock(eve_of_the_second_dividend)).success

    with database.transaction() as connection:
        stored = connection.execute("select ex_date from market.corporate_actions order by 1").fetchall()
    assert [ex_date for (ex_date,) in stored] == [
        date(2000, 6, 21),
        date(2005, 2, 28),
        date(2012, 8, 9),
        date(2012, 11, 7),
    ]
