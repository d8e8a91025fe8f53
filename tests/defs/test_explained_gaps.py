"""Missing bars with a reason through the graph: halts and half days leave the gate open, holes beside them do not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.trading_halts import known_halts, store_halts
from trading_assets.defs.checks import evaluate
from trading_assets.defs.ingestion.checks import load_bars
from trading_assets.defs.ingestion.halts import (
    COMPLETE_HALF_DAYS,
    HALF_DAY_CHECK,
    sessions_without_trading,
    trading_halts,
)
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.halts import TradingHalt
from trading_assets.domain.market.regrid import grid_of
from trading_assets.domain.values import Timeframe
from trading_assets.quality.suites import BARS as BARS_SUITE
from trading_assets.settings import TradingSettings

DAY, HALF_DAY = date(2024, 7, 2), date(2024, 7, 3)
NOW = datetime(2024, 8, 1, tzinfo=UTC)
HEADER = "symbol,halted_at,resumed_at,reason\n"
HALT = "X,2024-07-02T14:30:00Z,2024-07-02T15:30:00Z,LUDP\n"


def settings_of(**more: Any) -> TradingSettings:
    facts = {"source": "yahoo", "universe": ["X", "Y"], "timeframes": ["1h"], "strategies": {}}
    return TradingSettings.model_validate(facts | more)


def store_hours(database: Database, lost: list[int], symbol: str = "X", source: str = "yahoo") -> None:
    """Seven hours of the session and four of the half day for X and Y; `symbol` lacks those at the places `lost`."""
    grid = grid_of([DAY, HALF_DAY], Timeframe.HOUR)
    frames = []
    for number, name in enumerate("XY"):
        # No bar may repeat another one.
        prices = pd.Series(range(len(grid)), dtype=float) / 10 + 100 + number
        values = {"open": prices, "high": prices + 1, "low": prices - 1, "close": prices, "volume": 1000.0 + grid.index}
        bars = grid.assign(symbol=name, timeframe="1h", source=source, **values)[list(BAR_COLUMNS)]
        frames.append(bars.drop(index=lost) if name == symbol else bars)
    with database.transaction() as connection:
        store_bars(connection, pd.concat(frames, ignore_index=True))


def judge(database: Database) -> dict[str, Any]:
    outcomes = evaluate(database, settings_of(), BARS_SUITE, load_bars, DAY, HALF_DAY, NOW, [HALF_DAY_CHECK])
    return {outcome.name: outcome for outcome in outcomes if not outcome.passed}


def gates(database: Database) -> dict[tuple[date, str], str]:
    with database.transaction() as connection:
        rows = connection.execute("select session_date, symbol, state from ops.quality_gates").fetchall()
    return {(day, symbol): state for day, symbol, state in rows}


def materialise_halts(database: Database, path: Path | None) -> dg.ExecuteInProcessResult:
    resources = {"database": database, "settings": settings_of(halts_file=path)}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([trading_halts], instance=instance, resources=resources, raise_on_error=False)


def test_halted_hour_leaves_the_gate_open_and_a_withdrawn_halt_closes_it(database: Database, tmp_path: Path) -> None:
    store_hours(database, lost=[1])
    path = tmp_path / "halts.csv"
    path.write_text(HEADER + HALT)

    assert list(judge(database)) == ["bars_have_no_gaps"]
    assert gates(database)[DAY, "X"] == "closed"
    assert materialise_halts(database, path).success
    assert gates(database) == {
        (DAY, "X"): "pending",
        (DAY, "Y"): "open",
        (HALF_DAY, "X"): "open",
        (HALF_DAY, "Y"): "open",
    }
    assert judge(database) == {}
    assert set(gates(database).values()) == {"open"}

    path.write_text(HEADER)
    assert materialise_halts(database, path).success
    assert gates(database)[DAY, "X"] == "pending"
    assert list(judge(database)) == ["bars_have_no_gaps"]


def test_hole_beside_a_halt_closes_the_gate(database: Database) -> None:
    store_hours(database, lost=[1, 2])
    halt = TradingHalt("X", datetime(2024, 7, 2, 14, 30, tzinfo=UTC), datetime(2024, 7, 2, 15, 30, tzinfo=UTC), "LUDP")
    with database.transaction() as connection:
        store_halts(connection, [halt], "test")
    (failed,) = judge(database).values()
    assert (failed.name, failed.unexpected_count) == ("bars_have_no_gaps", 1)
    assert gates(database)[DAY, "X"] == "closed"


def test_half_day_without_yahoos_last_hour_warns_and_leaves_the_gate_open(database: Database) -> None:
    store_hours(database, lost=[10])
    (warned,) = judge(database).values()
    assert warned.expectation == COMPLETE_HALF_DAYS
    assert warned.offenders == ({"session_date": "2024-07-03", "symbol": "X"},)
    assert set(gates(database).values()) == {"open"}


def test_half_day_without_its_last_hour_from_another_source_is_a_gap(database: Database) -> None:
    store_hours(database, lost=[10], source="alpaca")
    assert list(judge(database)) == ["bars_have_no_gaps"]
    assert gates(database)[HALF_DAY, "X"] == "closed"


def test_halt_is_versioned_and_known_on_the_days_it_lasts(database: Database) -> None:
    begin = datetime(2024, 7, 1, 20, tzinfo=UTC)
    lasting = TradingHalt("X", begin, None, "T12")
    ended = TradingHalt("X", begin, datetime(2024, 7, 2, 22, tzinfo=UTC), "T12")

    def store(halts: list[TradingHalt], source: str = "test") -> int:
        with database.transaction() as connection:
            return store_halts(connection, halts, source)

    assert [store([lasting]), store([lasting]), store([ended]), store([], "another")] == [1, 0, 1, 0]
    with database.transaction() as connection:
        assert known_halts(connection, DAY, DAY) == [ended]
        assert known_halts(connection, HALF_DAY, HALF_DAY) == []
    assert sessions_without_trading(database, DAY, HALF_DAY) == {("X", DAY)}


def test_without_a_file_nothing_is_halted_and_a_broken_one_fails_in_one_line(
    database: Database, tmp_path: Path
) -> None:
    assert materialise_halts(database, None).success
    path = tmp_path / "halts.csv"
    path.write_text(HEADER + "X,noon,,T1\n")
    result = materialise_halts(database, path)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "line 2: halted_at noon has no time zone" in str(failure.step_failure_data)
