"""Years of bars packed into one row: a read through them is the read of the rows, to the last bit, at any time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trading_assets.adapters.postgres.bar_histories import pack_histories
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.market import bars_as_of, store_bars
from trading_assets.domain.market.sessions import NEW_YORK

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
SYMBOLS = ["BRK.B", "AAPL", "ZZ"]
DAYS = [date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 2), date(2020, 6, 1), date(2021, 1, 4), date(2021, 1, 5)]
INSERT = (
    "insert into market.bars (symbol, timeframe, ts, version, closes_at, session_date, open, high, low, close, volume, "
    "source) values ('AAPL', '1d', '2020-01-02 14:30+00', 2, '2020-01-02 21:00+00', '2020-01-02', 1, 1, 1, 1, 1, 'x')"
)


def bar(symbol: str, timeframe: str, day: date, close: float, source: str, hours: float = 6.5) -> dict[str, object]:
    ts = datetime.combine(day, time(14, 30), UTC)
    return {
        "symbol": symbol,
        "timeframe": timeframe,
        "ts": ts,
        "closes_at": ts + timedelta(hours=hours),
        "session_date": day,
        "open": close,
        "high": close,
        "low": -0.0,
        "close": close,
        "volume": 1.0,
        "source": source,
    }


def store(database: Database, bars: list[dict[str, object]]) -> int:
    with database.transaction() as connection:
        return store_bars(connection, pd.DataFrame(bars))


def years_of_two_symbols(database: Database) -> None:
    store(database, [bar(symbol, "1d", day, 10.0, "vendor") for symbol in ("AAPL", "ZZ") for day in DAYS])
    assert pack_histories(database, SYMBOLS, ["1d", "1h"]) == 4


def packed_years(database: Database) -> list[tuple[str, int]]:
    with database.transaction() as connection:
        return connection.execute("select symbol, year from market.bar_histories order by symbol, year").fetchall()


def rows_as_of(
    database: Database, at: datetime, timeframe: str, first: date | None = None, last: date | None = None
) -> pd.DataFrame:
    begin = datetime.combine(first or date(1900, 1, 1), time(), NEW_YORK)
    end = datetime.combine((last or date(2199, 1, 1)) + timedelta(days=1), time(), NEW_YORK)
    return database.frame(
        "select symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume, source "
        "from market.bars_as_of(%(at)s) where symbol = any(%(symbols)s) and timeframe = %(timeframe)s "
        "and ts >= %(begin)s and ts < %(end)s order by symbol, ts",
        at=at,
        symbols=SYMBOLS,
        timeframe=timeframe,
        begin=begin,
        end=end,
    )


def assert_reads_equal_rows(
    database: Database, at: datetime, timeframe: str = "1d", first: date | None = None, last: date | None = None
) -> None:
    rows = rows_as_of(database, at, timeframe, first, last)
    read = bars_as_of(database, at, SYMBOLS, timeframe, first, last)
    pd.testing.assert_frame_equal(read, rows, check_exact=True)
    for name in ("open", "low", "close"):
        assert read[name].to_numpy().tobytes() == rows[name].to_numpy().tobytes()


bars_of_a_vendor = st.lists(
    st.builds(
        bar,
        st.sampled_from(SYMBOLS[:2]),
        st.sampled_from(["1d", "1h"]),
        st.sampled_from(DAYS),
        st.sampled_from([1.0, 2.0, math.nan, math.inf, 5e-324]),
        st.sampled_from(["alpaca", "yahoo"]),
        st.sampled_from([1.0, 6.5, 24.0 * 400]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda one: (one["symbol"], one["timeframe"], one["ts"]),
)
steps = st.lists(st.one_of(bars_of_a_vendor, st.just("pack"), st.just("roll back")), min_size=2, max_size=5)
moments = st.one_of(
    st.sampled_from([datetime.combine(day, time(hour), UTC) for day in DAYS for hour in (15, 21)]), st.just(FAR_FUTURE)
)
sessions = st.one_of(st.none(), st.sampled_from(DAYS))


def test_reads_of_any_history_at_any_time_equal_the_rows(new_database: Callable[[], Database]) -> None:
    database = new_database()

    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    @given(steps=steps, moment=moments, first=sessions, last=sessions)
    def check(steps: list[object], moment: datetime, first: date | None, last: date | None) -> None:
        forget_everything(database)
        known = [moment, FAR_FUTURE]
        for step in steps:
            if step == "pack":
                pack_histories(database, SYMBOLS, ["1d", "1h"])
            elif step == "roll back":
                roll_back_a_change(database)
            else:
                store(database, step)  # type: ignore[arg-type]
            known.append(datetime.now(UTC))
        for at in {*known[:2], known[len(known) // 2]}:
            for timeframe in ("1d", "1h"):
                assert_reads_equal_rows(database, at, timeframe, first, last)

    check()


def forget_everything(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("alter table market.bars disable trigger append_only")
        connection.execute("truncate market.bars")
        connection.execute("alter table market.bars enable trigger append_only")


def roll_back_a_change(database: Database) -> None:
    with database.transaction() as connection:
        store_bars(connection, pd.DataFrame([bar("AAPL", "1d", day, 99.0, "vendor") for day in DAYS]))
        connection.rollback()


def test_years_but_the_newest_are_packed_once(database: Database) -> None:
    years_of_two_symbols(database)

    assert packed_years(database) == [("AAPL", 2019), ("AAPL", 2020), ("ZZ", 2019), ("ZZ", 2020)]
    assert pack_histories(database, SYMBOLS, ["1d", "1h"]) == 0


def test_packed_years_are_what_is_read_and_readable_in_sql(database: Database) -> None:
    years_of_two_symbols(database)
    with database.transaction() as connection:
        # No reader ever does this: it shows that the rows were not asked.
        connection.execute("update market.bar_histories set close = array_fill(7.0, array[cardinality(close)])")
        unpacked = connection.execute(
            "select session_date, close from market.packed_bars where symbol = 'ZZ' order by ts"
        ).fetchall()

    read = bars_as_of(database, FAR_FUTURE, ["ZZ"], "1d")

    assert read["close"].tolist() == [7.0, 7.0, 7.0, 7.0, 10.0, 10.0]
    assert unpacked == [(day, 7.0) for day in DAYS[:4]]


def test_corrected_bar_unpacks_its_year_and_old_knowledge_stays_readable(database: Database) -> None:
    years_of_two_symbols(database)
    before = datetime.now(UTC)

    assert store(database, [bar("AAPL", "1d", DAYS[2], 11.0, "vendor")]) == 1
    assert packed_years(database) == [("AAPL", 2019), ("ZZ", 2019), ("ZZ", 2020)]

    assert pack_histories(database, SYMBOLS, ["1d"]) == 1
    for at in (before, FAR_FUTURE):
        assert_reads_equal_rows(database, at)
    assert bars_as_of(database, before, ["AAPL"], "1d")["close"].tolist() == [10.0] * 6


def test_same_bars_again_leave_the_packed_years(database: Database) -> None:
    years_of_two_symbols(database)

    assert store(database, [bar("AAPL", "1d", day, 10.0, "vendor") for day in DAYS]) == 0
    assert len(packed_years(database)) == 4


def test_store_that_is_rolled_back_leaves_the_packed_years(database: Database) -> None:
    years_of_two_symbols(database)

    roll_back_a_change(database)

    assert len(packed_years(database)) == 4
    assert_reads_equal_rows(database, FAR_FUTURE)


@pytest.mark.parametrize(
    "statement",
    [INSERT, "delete from market.bars where symbol = 'ZZ'", "update market.bars set close = 1", "truncate market.bars"],
)
def test_change_by_anybody_else_unpacks_everything(database: Database, statement: str) -> None:
    years_of_two_symbols(database)

    with database.transaction() as connection:
        connection.execute("alter table market.bars disable trigger append_only")
        connection.execute(statement)  # type: ignore[arg-type]

    assert packed_years(database) == []
    assert_reads_equal_rows(database, FAR_FUTURE)


def test_insert_after_store_bars_in_one_transaction_unpacks_everything(database: Database) -> None:
    years_of_two_symbols(database)

    with database.transaction() as connection:
        store_bars(connection, pd.DataFrame([bar("ZZ", "1d", DAYS[-1], 12.0, "vendor")]))
        connection.execute(INSERT)

    assert packed_years(database) == []


def test_change_under_an_old_snapshot_is_refused(database: Database) -> None:
    with database.transaction() as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(psycopg.Error, match="read committed only"):
            connection.execute(INSERT)


def test_packing_while_somebody_stores_bars_packs_nothing(database: Database) -> None:
    store(database, [bar("AAPL", "1d", day, 10.0, "vendor") for day in DAYS])
    stored, packed = threading.Event(), threading.Event()

    def store_slowly() -> None:
        with database.transaction() as connection:
            store_bars(connection, pd.DataFrame([bar("AAPL", "1d", DAYS[0], 11.0, "vendor")]))
            stored.set()
            packed.wait(30)

    writer = threading.Thread(target=store_slowly)
    writer.start()
    assert stored.wait(30)
    assert pack_histories(database, SYMBOLS, ["1d"]) == 0
    packed.set()
    writer.join()

    assert pack_histories(database, SYMBOLS, ["1d"]) == 2
    assert_reads_equal_rows(database, FAR_FUTURE)
