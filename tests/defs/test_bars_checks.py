"""The checks of stored bars: verdicts on the bundled history, gates for what a fault touches, and what stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from trading_assets.adapters.clock import WallClock
from trading_assets.adapters.postgres import market, quality
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.redis import NullEventBus
from trading_assets.adapters.sample import SampleSource
from trading_assets.defs.checks import evaluate
from trading_assets.defs.ingestion.assets import BARS, bars, corporate_actions, instruments
from trading_assets.defs.ingestion.checks import bars_checks, load_bars
from trading_assets.defs.partitions import SESSIONS
from trading_assets.domain.values import Timeframe
from trading_assets.quality.outcomes import ExpectationOutcome
from trading_assets.quality.suites import BARS as BARS_SUITE
from trading_assets.settings import StrategySettings, TradingSettings

SYMBOLS = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
AFTER_THE_SAMPLE = datetime(2022, 7, 1, 12, 0, tzinfo=UTC)
FIRST, LAST, FAULTY = date(2012, 11, 19), date(2012, 11, 30), date(2012, 11, 27)


def settings_of(universe: Sequence[str] = SYMBOLS, timeframe: Timeframe = Timeframe.SESSION) -> TradingSettings:
    strategies = {"sma_crossover": StrategySettings(timeframe=timeframe, capital_weight=0.5)}
    return TradingSettings(source="sample", universe=list(universe), timeframes=[timeframe], strategies=strategies)


def store(database: Database, settings: TradingSettings, first: date, last: date) -> pd.DataFrame:
    source = SampleSource()
    frame = source.bars(settings.universe, settings.timeframes[0], first, last, AFTER_THE_SAMPLE)
    with database.transaction() as connection:
        store_actions(connection, source.corporate_actions(settings.universe, first, last), source.name)
        market.store_bars(connection, frame)
    return frame


def store_again(database: Database, frame: pd.DataFrame, symbol: str, **values: float) -> None:
    """A second version of one symbol's bar of the faulty session."""
    row = frame[(frame["symbol"] == symbol) & (frame["session_date"] == FAULTY)].assign(**values)
    with database.transaction() as connection:
        market.store_bars(connection, row)


def judge(
    database: Database, settings: TradingSettings, first: date, last: date, load: Any = load_bars
) -> list[ExpectationOutcome]:
    return evaluate(database, settings, BARS_SUITE, load, first, last, AFTER_THE_SAMPLE)


def gates(database: Database, first: date = FIRST, last: date = LAST) -> dict[tuple[date, str], tuple[str, list[str]]]:
    with database.transaction() as connection:
        rows = connection.execute(
            "select session_date, symbol, state, failing_checks from ops.quality_gates "
            "where session_date between %s and %s",
            (first, last),
        ).fetchall()
    return {(day, symbol): (state, checks) for day, symbol, state, checks in rows}


@pytest.mark.parametrize(
    ("universe", "timeframe", "first", "last", "stored"),
    [
        (SYMBOLS, Timeframe.SESSION, date(2000, 3, 1), date(2013, 3, 1), 12154),
        (["MSFT"], Timeframe.HOUR, date(2022, 4, 19), date(2022, 6, 14), 40),
    ],
)
def test_bundled_history_passes_every_check_and_opens_every_gate(
    database: Database, universe: list[str], timeframe: Timeframe, first: date, last: date, stored: int
) -> None:
    settings = settings_of(universe, timeframe)
    store(database, settings, first, last)

    outcomes = judge(database, settings, first, last)

    assert [outcome.name for outcome in outcomes if not outcome.passed] == []
    states = [state for state, _ in gates(database, first, last).values()]
    assert states == ["open"] * stored


def test_fault_closes_exactly_the_gate_it_touches_and_a_corrected_bar_opens_it(database: Database) -> None:
    settings = settings_of()
    frame = store(database, settings, FIRST, LAST)
    store_again(database, frame, "IBM", high=1.0)

    judge(database, settings, FIRST, LAST)
    faulty = gates(database)
    store_again(database, frame, "IBM")
    corrected = gates(database)
    judge(database, settings, FAULTY, FAULTY)

    assert len(faulty) == 9 * len(SYMBOLS)
    assert {pair: gate for pair, gate in faulty.items() if gate[0] != "open"} == {
        (FAULTY, "IBM"): ("closed", ["bars_have_high_above_low", "bars_have_high_above_open_and_close"])
    }
    assert corrected[FAULTY, "IBM"] == ("pending", [])
    assert {state for state, _ in gates(database).values()} == {"open"}


def test_session_without_any_bar_closes_the_gates_of_the_whole_universe(database: Database) -> None:
    settings = settings_of()
    frame = SampleSource().bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, AFTER_THE_SAMPLE)
    with database.transaction() as connection:
        market.store_bars(connection, frame[frame["session_date"] != FAULTY])

    judge(database, settings, FIRST, LAST)

    closed = {pair: checks for pair, (state, checks) in gates(database).items() if state == "closed"}
    assert closed == {(FAULTY, symbol): ["bars_have_no_gaps"] for symbol in SYMBOLS}


def test_closed_gate_is_told_once_for_the_same_fault(database: Database) -> None:
    settings = settings_of()
    frame = store(database, settings, FIRST, LAST)
    store_again(database, frame, "IBM", high=1.0)

    for _ in range(2):
        judge(database, settings, FIRST, LAST)

    with database.transaction() as connection:
        subjects = connection.execute("select subject from notification.messages").fetchall()
    assert subjects == [("Quality gate closed: market/bars, 2012-11-27, IBM",)]


def test_bar_stored_while_the_checks_judge_leaves_its_gate_pending(database: Database) -> None:
    settings = settings_of()
    frame = store(database, settings, FIRST, LAST)
    storing = threading.Thread(target=store_again, args=(database, frame, "IBM"), kwargs={"high": 1.0})

    def load_and_let_another_store(*arguments: Any) -> pd.DataFrame:
        loaded = load_bars(*arguments)
        storing.start()
        storing.join(0.5)
        return loaded

    judge(database, settings, FIRST, LAST, load_and_let_another_store)
    storing.join()

    assert {pair: gate for pair, gate in gates(database).items() if gate[0] != "open"} == {
        (FAULTY, "IBM"): ("pending", [])
    }


def test_read_gates_pair_without_a_row_is_closed(database: Database) -> None:
    now = datetime(2012, 11, 28, tzinfo=UTC)
    with database.transaction() as connection:
        quality.write_gates(connection, "market/bars", {(FAULTY, "IBM"): [], (FAULTY, "FB"): ["bars_are_unique"]}, now)
        states = quality.read_gates(connection, "market/bars", [FAULTY], ["IBM", "FB", "AAPL"], for_share=True)

    assert states == {(FAULTY, "IBM"): "open", (FAULTY, "FB"): "closed", (FAULTY, "AAPL"): "closed"}


# In a run -----------------------------------------------------------------------------------------


class BrokenSource(SampleSource):
    """Delivers one bar whose low lies above its high."""

    def bars(self, *arguments: Any) -> pd.DataFrame:
        frame = super().bars(*arguments)
        frame.loc[(frame["symbol"] == "IBM") & (frame["session_date"] == FAULTY), "low"] = 10_000.0
        return frame


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(database: Database) -> Run:
    @dg.asset(partitions_def=SESSIONS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[BARS])
    def reader_of_bars() -> None: ...

    def execute(source: SampleSource, selection: Any = None, *, is_partitioned: bool = True) -> Any:
        definitions = dg.Definitions(
            assets=[instruments, corporate_actions, bars, reader_of_bars],
            asset_checks=[bars_checks],
            jobs=[dg.define_asset_job("job", selection or dg.AssetSelection.all())],
            resources={
                "database": database,
                "clock": WallClock(),
                "bar_source": source,
                "event_bus": NullEventBus(),
                "settings": settings_of(),
            },
        )
        tags = {"dagster/asset_partition_range_start": f"{FIRST}", "dagster/asset_partition_range_end": f"{LAST}"}
        job = definitions.resolve_job_def("job")
        return job.execute_in_process(tags=tags if is_partitioned else None, raise_on_error=False)

    return execute


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}


def materialised(result: dg.ExecuteInProcessResult) -> set[str]:
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


def test_run_over_sound_bars_reports_every_check_and_goes_on(run: Run) -> None:
    result = run(SampleSource())

    assert result.success
    assert {expectation.name for expectation in BARS_SUITE.expectations} <= set(evaluations(result))
    assert all(evaluation.passed for evaluation in evaluations(result).values())
    assert "reader_of_bars" in materialised(result)


def test_run_over_a_faulty_bar_stops_before_the_downstream_asset(run: Run, database: Database) -> None:
    result = run(BrokenSource())

    red = evaluations(result)["bars_have_high_above_low"]
    assert not result.success
    assert "reader_of_bars" not in materialised(result)
    assert not red.passed
    assert red.blocking
    assert red.severity == dg.AssetCheckSeverity.ERROR
    assert red.metadata["unexpected_count"].value == 1
    offender = red.metadata["first_offenders"].records[0].data
    assert (offender["symbol"], offender["session_date"], offender["low"]) == ("IBM", "2012-11-27", "10000.0")
    assert gates(database)[FAULTY, "IBM"][0] == "closed"
    assert gates(database)[FAULTY, "AAPL"][0] == "open"


def test_checks_run_alone_without_a_partition_judge_everything_stored(run: Run, database: Database) -> None:
    store(database, settings_of(), FIRST, LAST)

    result = run(SampleSource(), dg.AssetSelection.checks_for_assets(BARS), is_partitioned=False)

    assert result.success
    assert evaluations(result)["bars_are_unique"].metadata["sessions"].value == "2012-11-19 to 2012-11-30"
    assert {state for state, _ in gates(database).values()} == {"open"}


def test_checks_run_alone_with_nothing_stored_fail_and_say_what_to_do(run: Run) -> None:
    result = run(SampleSource(), dg.AssetSelection.checks_for_assets(BARS), is_partitioned=False)

    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert "Nothing is stored yet" in str(failures[0].user_failure_data.description)
