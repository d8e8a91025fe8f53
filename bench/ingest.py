"""Storing and reading bars by the hour, beside what PostgreSQL and its Arrow driver do with the same rows alone.

BENCH_BARS says how many rows, a million by default. Each symbol has 20,000 hours, eleven years.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from bench.measure import Result, fresh_database, median, seconds_of

if TYPE_CHECKING:
    import pandas as pd

    from trading_assets.adapters.postgres.database import Database

BENCH_BARS = "BENCH_BARS"
HOURS, HOURS_A_SESSION, SYMBOLS_A_DAY = 20_000, 7, 500
SESSIONS_STORED = 7
"""One takes less than a tenth of a second, and the server's processor time is counted in hundredths."""
FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
BARE_TABLE = """
create table bare_bars (like market.bars including all);
alter table bare_bars add foreign key (response_id) references market.vendor_responses;
"""
RESPONSE = """
insert into market.vendor_responses (fetch_id, vendor, dataset, question, method, url, status,
    requested_at, received_at, body_bytes, body_sha256, body_gzip)
values (gen_random_uuid(), 'bench', 'bars/1h', '{}', 'GET', '', 200, now(), now(), 0, sha256(''), '')
returning response_id
"""


def run(rows: int | None = None, rounds: int = 4) -> list[Result]:
    """Loads of `rows` bars, a session's upsert and reads, the latter as medians of `rounds`."""
    rows = rows or int(os.environ.get(BENCH_BARS, 1_000_000))
    with fresh_database() as database:
        with database.transaction() as connection:
            connection.execute(BARE_TABLE)
            [(response_id,)] = connection.execute(RESPONSE).fetchall()
        hours = min(HOURS, rows)
        frame = hourly_bars(rows // hours, hours, date(2010, 1, 4)).assign(response_id=response_id)
        days = [
            hourly_bars(SYMBOLS_A_DAY, HOURS_A_SESSION, date(2030, 1, 7 + number)).assign(response_id=response_id)
            for number in range(SESSIONS_STORED)
        ]
        return [*_loads(database, frame), *_days(database, days), *_reads(database, frame, rounds)]


def hourly_bars(symbols: int, hours: int, first: date) -> pd.DataFrame:
    """Made-up bars on every weekday from `first` on, seven hours each: BAR_COLUMNS, by symbol and ts."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng(7)
    sessions = np.busday_offset(np.datetime64(first), np.arange(-(-hours // HOURS_A_SESSION)), roll="forward")
    days = np.repeat(sessions, HOURS_A_SESSION)[:hours]
    opens_at = np.timedelta64(14 * 60 + 30, "m") + np.arange(hours) % HOURS_A_SESSION * np.timedelta64(1, "h")
    ts = pd.Series(np.tile(days.astype("datetime64[us]") + opens_at, symbols)).dt.tz_localize("UTC")
    close = (100 * np.exp(random.normal(0, 0.002, (symbols, hours)).cumsum(axis=1))).round(2).ravel()
    return pd.DataFrame(
        {
            "symbol": np.repeat([f"S{number:04d}" for number in range(symbols)], hours),
            "timeframe": "1h",
            "ts": ts,
            "closes_at": ts + pd.Timedelta(hours=1),
            "session_date": np.tile(days.astype(object), symbols),
            "open": close,
            "high": close + 0.5,
            "low": close - 0.5,
            "close": close,
            "volume": random.integers(1_000, 1_000_000, symbols * hours).astype(float),
            "source": "bench",
        }
    )


class _Cost(NamedTuple):
    """What a write costs: seconds that pass, seconds of processor here and in the server's process, bytes of WAL."""

    seconds: float
    processor_seconds: float
    wal_bytes: int


def _compared(what: str, ours: _Cost, beside: str, theirs: _Cost, rounds: int = 1) -> list[Result]:
    """Time that passes depends on what else the machine does, processor time hardly."""
    return [
        Result(what, ours.seconds, beside, theirs.seconds, rounds),
        Result(f"{what}, processor", ours.processor_seconds, beside, theirs.processor_seconds, rounds),
    ]


def _loads(database: Database, frame: pd.DataFrame) -> list[Result]:
    """The first load, the same again, and one percent changed, each beside the server's own COPY from a file."""
    first = _store(database, frame)
    bare = _bare_copy(database)
    again = _store(database, frame)
    changed = frame.copy()
    changed.loc[::100, "close"] += 0.01
    restated = _store(database, changed)
    beside = f"server-side COPY of the same {len(frame):,} rows"
    wal_mb_per_million_rows = again.wal_bytes / len(frame)
    return [
        *_compared("first load", first, beside, bare),
        *_compared(f"the same again, {wal_mb_per_million_rows:.2f} MB of WAL a million rows", again, beside, bare),
        *_compared("with 1 % changed", restated, beside, bare),
    ]


def _store(database: Database, frame: pd.DataFrame) -> _Cost:
    from trading_assets.adapters.postgres.market import store_bars

    return _cost(database, lambda connection: store_bars(connection, frame))


def _bare_copy(database: Database) -> _Cost:
    """The server's COPY of the stored bars from a file of its own into a table with the same keys and constraints."""
    with database.transaction() as connection:
        [(folder,)] = connection.execute("select current_setting('data_directory')").fetchall()
        file = f"{folder}/bench_bars.copy"
        ordered = "select * from market.bars order by symbol, timeframe, ts"
        connection.execute(f"copy ({ordered}) to '{file}' (format binary)")
    return _cost(database, lambda connection: connection.execute(f"copy bare_bars from '{file}' (format binary)"))


def _cost(database: Database, write: Callable[[psycopg.Connection], object]) -> _Cost:
    """What `write` and the commit after it cost."""
    _settle(database)
    before = _wal_position(database)
    began = time.perf_counter()
    with database.transaction() as connection:
        processor = _processor_seconds(connection, lambda: write(connection))
    return _Cost(time.perf_counter() - began, processor, _wal_position(database) - before)


def _processor_seconds(connection: psycopg.Connection, call: Callable[[], object]) -> float:
    """Seconds of processor that `call` takes here and in the server's process of the connection."""
    import psutil

    process = psutil.Process(connection.info.backend_pid)
    here, there = time.process_time(), process.cpu_times()
    call()
    now = process.cpu_times()
    return time.process_time() - here + now.user - there.user + now.system - there.system


def _days(database: Database, days: list[pd.DataFrame]) -> list[Result]:
    """A session of 500 symbols by the hour, from a frame into as many rows, by us and by SQLAlchemy's upsert."""
    ours, theirs = [], []
    with _sqlalchemy_upsert(database) as upsert:
        for day in days:
            theirs.append(upsert(day.assign(known_at=datetime.now(UTC), version=1)))
            ours.append(_store(database, day))
    what = f"{len(days[0]):,} rows of a session"
    return _compared(what, _median(ours), "SQLAlchemy's upsert", _median(theirs), len(days))


def _median(costs: list[_Cost]) -> _Cost:
    seconds, processor, wal = zip(*costs, strict=True)
    return _Cost(median(seconds), median(processor), int(median(wal)))


@contextmanager
def _sqlalchemy_upsert(database: Database) -> Iterator[Callable[[pd.DataFrame], _Cost]]:
    import sqlalchemy
    from sqlalchemy.dialects.postgresql import insert

    engine = sqlalchemy.create_engine("postgresql+psycopg://" + database.url.split("://", 1)[1])
    table = sqlalchemy.Table("bare_bars", sqlalchemy.MetaData(), autoload_with=engine)
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    values = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    statement = statement.on_conflict_do_update(index_elements=key, set_=values)

    def upsert(day: pd.DataFrame) -> _Cost:
        _settle(database)
        began = time.perf_counter()
        with engine.begin() as connection:
            driver: Any = connection.connection.driver_connection
            processor = _processor_seconds(driver, lambda: connection.execute(statement, day.to_dict("records")))
        return _Cost(time.perf_counter() - began, processor, 0)

    try:
        yield upsert
    finally:
        engine.dispose()


def _reads(database: Database, frame: pd.DataFrame, rounds: int) -> list[Result]:
    """All bars as a frame: their rows, and as known at a time through the packed years; beside the Arrow driver."""
    from trading_assets.adapters.postgres.bar_histories import pack_histories
    from trading_assets.adapters.postgres.market import bars_as_of
    from trading_assets.domain.market.bars import BAR_COLUMNS

    symbols = frame["symbol"].unique().tolist()
    last = (frame["ts"].max() + timedelta(days=1)).to_pydatetime()
    columns = ", ".join(BAR_COLUMNS)
    all_rows = f"select {columns} from bare_bars where ts < '{last}'"  # noqa: S608  constants of this module
    known = f"select {columns} from market.bars_as_of('{FAR_FUTURE}') where ts < '{last}' order by symbol, ts"  # noqa: S608
    packing = seconds_of(lambda: pack_histories(database, symbols, ["1h"]))
    _settle(database)
    calls: list[Callable[[], object]] = [
        lambda: _adbc_frame(database, all_rows),
        lambda: database.frame(all_rows),  # type: ignore[arg-type]
        lambda: _adbc_frame(database, known),
        lambda: bars_as_of(database, FAR_FUTURE, symbols, "1h", last=last.date()),
    ]
    bare, rows, bare_known, history = _median_seconds(calls, rounds)
    return [
        Result("rows into a frame", rows, "ADBC", bare, rounds),
        Result("history as known at a time", history, "ADBC, the rows of bars_as_of", bare_known, rounds),
        Result("history as known at a time", history, "ADBC, rows in any order", bare, rounds),
        Result("packing the history, once", packing, "reading it packed", history),
    ]


def _median_seconds(calls: list[Callable[[], object]], rounds: int) -> list[float]:
    """Of each call; every round begins with another one, because the first pays for what the others left behind."""
    samples: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        for place in range(len(calls)):
            turn = (number + place) % len(calls)
            samples[turn].append(seconds_of(calls[turn]))
    return [median(seconds) for seconds in samples]


def _adbc_frame(database: Database, query: str) -> pd.DataFrame:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(database.url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table().to_pandas()


def _wal_position(database: Database) -> int:
    with database.transaction() as connection:
        [(position,)] = connection.execute("select (pg_current_wal_lsn() - '0/0')::bigint").fetchall()
    return int(position)


def _settle(database: Database) -> None:
    """What the server does in the background sooner or later, so that it falls into nobody's time."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) market.bars, bare_bars, market.bar_histories")
        connection.execute("checkpoint")
