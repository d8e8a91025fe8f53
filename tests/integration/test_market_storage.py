"""Schema `market` against a real PostgreSQL: versions, what was known when, and the quality gates."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from trading_assets.adapters.postgres import bar_arrays
from trading_assets.adapters.postgres import database as postgres
from trading_assets.adapters.postgres.corporate_actions import actions_as_of, store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import first_sessions, store_instruments
from trading_assets.adapters.postgres.market import (
    bars_as_of,
    store_bars,
    tape,
)
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.values import Timeframe

SOURCE = SampleSource()
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
THANKSGIVING_WEEK = (date(2010, 11, 22), date(2010, 11, 29))


def daily(symbols: list[str], first: date, last: date) -> pd.DataFrame:
    return SOURCE.bars(symbols, Timeframe.SESSION, first, last, FAR_FUTURE)


def store(database: Database, frame: pd.DataFrame) -> int:
    with database.transaction() as connection:
        return store_bars(connection, frame)


def gates(database: Database) -> dict[tuple[date, str], str]:
    with database.transaction() as connection:
        rows = connection.execute("select session_date, symbol, state from ops.quality_gates")
        return {(session, symbol): state for session, symbol, state in rows}


def open_all_gates(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("update ops.quality_gates set state = 'open'")


def test_bars_stored_twice_second_time_writes_nothing_and_leaves_the_gates(database: Database) -> None:
    frame = daily(["AAPL", "IBM"], *THANKSGIVING_WEEK)

    assert store(database, frame) == 10
    assert set(gates(database).values()) == {"pending"}
    open_all_gates(database)

    assert store(database, frame) == 0
    assert set(gates(database).values()) == {"open"}


def test_bars_read_back_equal_what_was_stored(database: Database) -> None:
    frame = daily(["IBM", "AAPL"], *THANKSGIVING_WEEK)
    store(database, frame)

    stored = bars_as_of(database, FAR_FUTURE, ["AAPL", "IBM"], Timeframe.SESSION, *THANKSGIVING_WEEK)

    pd.testing.assert_frame_equal(stored, frame, check_dtype=False)
    assert tuple(stored.columns) == BAR_COLUMNS


def test_changed_bar_becomes_version_2_and_each_time_sees_what_was_known(database: Database) -> None:
    frame = daily(["AAPL", "IBM"], *THANKSGIVING_WEEK)
    store(database, frame)
    open_all_gates(database)
    between = datetime.now(UTC)
    corrected = frame.copy()
    corrected.loc[0, "close"] += 1.0

    assert store(database, corrected) == 1

    old = bars_as_of(database, between, ["AAPL"], Timeframe.SESSION)
    new = bars_as_of(database, datetime.now(UTC) + timedelta(minutes=1), ["AAPL"], Timeframe.SESSION)
    assert old["close"].iloc[0] == frame["close"].iloc[0]
    assert new["close"].iloc[0] == corrected["close"].iloc[0]
    changed = {pair for pair, state in gates(database).items() if state == "pending"}
    assert changed == {(date(2010, 11, 22), "AAPL")}


def test_bar_that_has_not_ended_is_unknown(database: Database) -> None:
    frame = daily(["AAPL"], *THANKSGIVING_WEEK)
    store(database, frame)
    half_day_close = datetime(2010, 11, 26, 18, 0, tzinfo=UTC)

    just_before = bars_as_of(database, half_day_close - timedelta(seconds=1), ["AAPL"], Timeframe.SESSION)
    at_the_close = bars_as_of(database, half_day_close, ["AAPL"], Timeframe.SESSION)

    assert just_before["session_date"].max() == date(2010, 11, 24)
    assert at_the_close["session_date"].max() == date(2010, 11, 26)


def test_tape_takes_hours_where_they_exist_and_sessions_elsewhere(database: Database) -> None:
    hours = SOURCE.bars(["MSFT"], Timeframe.HOUR, date(2022, 4, 19), date(2022, 4, 20), FAR_FUTURE)
    session = hours.iloc[[0]].assign(timeframe="1d", closes_at=hours["closes_at"].iloc[6])
    other = session.assign(symbol="AAPL")
    store(database, pd.concat([hours, session, other]))

    result = tape(database, ["AAPL", "MSFT"], date(2022, 4, 19), date(2022, 4, 20), FAR_FUTURE)

    assert result.loc[result["symbol"] == "MSFT", "timeframe"].tolist() == ["1h"] * 14
    assert result.loc[result["symbol"] == "AAPL", "timeframe"].tolist() == ["1d"]
    order = list(zip(result["closes_at"], result["symbol"], strict=True))
    assert order == sorted(order)


def test_tape_sees_no_bar_after_the_knowledge_time(database: Database) -> None:
    store(database, SOURCE.bars(["MSFT"], Timeframe.HOUR, date(2022, 4, 19), date(2022, 4, 20), FAR_FUTURE))
    at = datetime(2022, 4, 19, 15, 30, tzinfo=UTC)

    assert len(tape(database, ["MSFT"], date(2022, 4, 19), date(2022, 4, 20), at)) == 2


def test_actions_stored_twice_second_time_writes_nothing(database: Database) -> None:
    actions = SOURCE.corporate_actions(["AAPL"], date(2000, 1, 1), date(2013, 3, 1))
    with database.transaction() as connection:
        assert store_actions(connection, actions, "sample") == 5
        assert store_actions(connection, actions, "sample") == 0

    assert actions_as_of(database, FAR_FUTURE, ["AAPL", "IBM"]) == actions


def test_action_counts_from_its_ex_date_and_its_correction_from_when_it_was_stored(database: Database) -> None:
    wrong = CorporateAction("KO", date(2010, 5, 10), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("4.40"))
    right = CorporateAction("KO", date(2010, 5, 10), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.44"))
    with database.transaction() as connection:
        store_actions(connection, [wrong], "vendor")
    between = datetime.now(UTC)
    with database.transaction() as connection:
        store_actions(connection, [right], "vendor")

    assert actions_as_of(database, datetime(2010, 5, 10, 3, 59, tzinfo=UTC), ["KO"]) == []
    assert actions_as_of(database, datetime(2010, 5, 10, 4, 0, tzinfo=UTC), ["KO"]) == [wrong]
    assert actions_as_of(database, between, ["KO"]) == [wrong]
    assert actions_as_of(database, FAR_FUTURE, ["KO"]) == [right]


def test_instruments_stored_twice_second_time_writes_nothing(database: Database) -> None:
    instruments = SOURCE.instruments(["AAPL", "FB"])
    with database.transaction() as connection:
        assert store_instruments(connection, instruments, "sample") == 2
        assert store_instruments(connection, instruments, "sample") == 0

    assert first_sessions(database, ["AAPL", "FB", "XOM"]) == {"AAPL": date(2000, 3, 1), "FB": date(2012, 5, 18)}


@pytest.mark.parametrize("statement", ["update market.bars set close = 1", "delete from market.bars"])
def test_stored_bars_refuse_to_be_rewritten(database: Database, statement: str) -> None:
    store(database, daily(["AAPL"], *THANKSGIVING_WEEK))
    with pytest.raises(Exception, match="append-only"), database.transaction() as connection:
        connection.execute(statement)


def test_two_runs_that_store_the_same_bars_at_once_add_one_version(database: Database) -> None:
    frame = daily(["AAPL", "IBM"], *THANKSGIVING_WEEK)

    with ThreadPoolExecutor(2) as pool:
        written = list(pool.map(lambda _: store(database, frame), range(2)))

    assert sorted(written) == [0, 10]


@pytest.mark.parametrize("looked_up_rows", [0, 20_000])
def test_history_of_a_table_with_many_versions_still_compares_with_the_newest(
    database: Database, monkeypatch: pytest.MonkeyPatch, looked_up_rows: int
) -> None:
    monkeypatch.setattr(postgres, "LOOKED_UP_ROWS", looked_up_rows)
    frame = daily(["AAPL"], date(2010, 11, 24), date(2010, 11, 24))
    for close in (1.0, 2.0, 1.0):
        assert store(database, frame.assign(close=close)) == 1

    assert store(database, frame.assign(close=1.0)) == 0
    with database.transaction() as connection:
        versions = connection.execute("select version, close from market.bars order by version").fetchall()
    assert versions == [(1, 1.0), (2, 2.0), (3, 1.0)]


@pytest.mark.parametrize("looked_up_rows", [0, 20_000])
def test_new_changed_and_known_bars_together_add_only_what_differs(
    database: Database, monkeypatch: pytest.MonkeyPatch, looked_up_rows: int
) -> None:
    monkeypatch.setattr(postgres, "LOOKED_UP_ROWS", looked_up_rows)
    monkeypatch.setattr(bar_arrays, "CHUNK_ROWS", 4)
    whole = daily(["AAPL", "IBM", "MSFT"], *THANKSGIVING_WEEK)
    is_hole = (whole["symbol"] == "IBM") & (whole["session_date"] == date(2010, 11, 24))
    store(database, whole[(whole["symbol"] != "MSFT") & ~is_hole])
    open_all_gates(database)
    corrected = whole.copy()
    corrected.loc[1, "volume"] += 1

    assert store(database, corrected.sample(frac=1, random_state=1)) == 1 + 1 + 5

    pending = {pair for pair, state in gates(database).items() if state == "pending"}
    weekdays = sorted(set(whole["session_date"]))
    assert pending == {(weekdays[1], "AAPL"), (date(2010, 11, 24), "IBM"), *((day, "MSFT") for day in weekdays)}
    read = bars_as_of(database, datetime.now(UTC) + timedelta(minutes=1), ["AAPL", "IBM", "MSFT"], Timeframe.SESSION)
    pd.testing.assert_frame_equal(read, corrected, check_dtype=False)


@pytest.mark.parametrize("looked_up_rows", [0, 20_000])
def test_price_that_is_not_a_number_is_stored_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, looked_up_rows: int
) -> None:
    monkeypatch.setattr(postgres, "LOOKED_UP_ROWS", looked_up_rows)
    frame = daily(["AAPL"], *THANKSGIVING_WEEK).assign(high=float("nan"))

    assert store(database, frame) == 5
    assert store(database, frame) == 0


def test_bar_that_comes_twice_is_refused_and_nothing_is_stored(database: Database) -> None:
    frame = daily(["AAPL"], *THANKSGIVING_WEEK)

    with pytest.raises(ValueError, match="comes twice"):
        store(database, pd.concat([frame, frame.iloc[[2]].assign(close=1.0)]))

    assert bars_as_of(database, FAR_FUTURE, ["AAPL"], Timeframe.SESSION).empty


def test_no_bars_store_nothing(database: Database) -> None:
    assert store(database, daily(["AAPL"], *THANKSGIVING_WEEK).iloc[:0]) == 0
    assert gates(database) == {}
