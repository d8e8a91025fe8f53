"""The daily validation by Great Expectations on real tables, and when its schedule runs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.postgres import fundamentals, market
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.ingestion.checks import (
    bars_checks,
    company_checks,
    market_checks,
    validate_data_quality_job,
    validate_data_quality_schedule,
)
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement
from trading_assets.domain.values import Timeframe
from trading_assets.quality.suites import SUITES
from trading_assets.settings import StrategySettings, TradingSettings

AFTER_THE_SAMPLE = datetime(2022, 7, 1, 12, 0, tzinfo=UTC)
FIRST, LAST = date(2012, 10, 1), date(2012, 12, 14)
UNIVERSE = ["FB", "IBM"]


def settings_of(**changes: object) -> TradingSettings:
    strategies = {"sma_crossover": StrategySettings(capital_weight=0.5)}
    facts = {"source": "sample", "universe": UNIVERSE, "timeframes": ["1d"], "strategies": strategies}
    return TradingSettings(**{**facts, **changes})


@pytest.fixture
def stored(database: Database) -> Database:
    source = SampleSource()
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(UNIVERSE), source.name)
        store_actions(connection, source.corporate_actions(UNIVERSE, FIRST, LAST), source.name)
        market.store_bars(connection, source.bars(UNIVERSE, Timeframe.SESSION, FIRST, LAST, AFTER_THE_SAMPLE))
        figures = [ReportedFigure("IBM", Statement.INCOME, "TotalRevenue", 3, date(2012, 9, 30), 24.7e9, "USD")]
        fundamentals.store_figures(connection, figures, source.name)
        facts = [ObservedFact("IBM", "profile", "sector", "Technology", None)]
        fundamentals.store_facts(connection, facts, source.name)
    return database


def validate(database: Database) -> dg.ExecuteInProcessResult:
    assets = [dg.AssetSpec(key) for checks in (bars_checks, market_checks, company_checks) for key in _assets(checks)]
    definitions = dg.Definitions(
        assets=list({spec.key: spec for spec in assets}.values()),
        asset_checks=[bars_checks, market_checks, company_checks],
        jobs=[validate_data_quality_job],
        resources={"database": database, "clock": WallClock(), "settings": settings_of()},
    )
    return definitions.resolve_job_def("validate_data_quality_job").execute_in_process(raise_on_error=False)


def _assets(checks: dg.AssetChecksDefinition) -> set[dg.AssetKey]:
    return {spec.asset_key for spec in checks.check_specs}


def results(database: Database) -> dict[str, tuple[bool, date | None, date | None]]:
    with database.transaction() as connection:
        rows = connection.execute("select check_name, passed, first_session, last_session from ops.validations")
        return {name: (passed, first, last) for name, passed, first, last in rows}


def test_validation_of_sound_data_stores_a_passed_result_for_every_check(stored: Database) -> None:
    assert validate(stored).success

    found = results(stored)
    assert {each.name for suite in SUITES for each in suite.expectations} <= set(found)
    assert [name for name, (passed, _, _) in found.items() if not passed] == []
    assert found["bars_are_fresh"][1:] == (date(2012, 11, 16), LAST)
    assert found["instruments_are_active"][1:] == (None, None)


def test_validation_of_faulty_data_stores_its_offenders_and_closes_the_gate(stored: Database) -> None:
    frame = SampleSource().bars(UNIVERSE, Timeframe.SESSION, LAST, LAST, AFTER_THE_SAMPLE)
    with stored.transaction() as connection:
        market.store_bars(connection, frame.assign(high=1.0))

    result = validate(stored)

    red = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert {"bars_have_high_above_low", "bars_are_rarely_restated"} <= red
    assert red == {name for name, (passed, _, _) in results(stored).items() if not passed}
    with stored.transaction() as connection:
        ((offender,),) = connection.execute(
            "select offenders -> 0 ->> 'symbol' from ops.validations where check_name = 'bars_have_high_above_low'"
        )
        states = connection.execute(
            "select distinct state from ops.quality_gates where session_date = %s", (LAST,)
        ).fetchall()
    assert offender in UNIVERSE
    assert states == [("closed",)]


@pytest.mark.parametrize(
    ("changes", "day", "reason"),
    [
        ({"source": "alpaca"}, "2024-05-06", None),
        ({"source": "alpaca"}, "2024-07-04", "2024-07-04 is no trading session."),
        ({"source": "alpaca", "clock": "replay"}, "2024-05-06", "In a rehearsal"),
        ({}, "2024-05-06", "The bundled history does not change"),
    ],
)
def test_validation_schedule_runs_after_sessions_of_live_sources_only(
    changes: dict[str, object], day: str, reason: str | None
) -> None:
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime.fromisoformat(f"{day}T22:00:00+00:00"),
        resources={"settings": settings_of(**changes)},
    )

    tick = validate_data_quality_schedule(context)

    if reason is None:
        assert isinstance(tick, dg.RunRequest)
    else:
        assert isinstance(tick, dg.SkipReason)
        assert tick.skip_message.startswith(reason)
