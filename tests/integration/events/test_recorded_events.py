"""Events in PostgreSQL: one for each change that was committed, numbered in the order of the commits, without a gap."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pytest

from trading_assets.adapters.event_relay import recorded_events
from trading_assets.adapters.postgres import quality
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic, append_event, events_after
from trading_assets.adapters.postgres.fundamentals import store_facts
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.fundamentals import ObservedFact
from trading_assets.domain.values import Timeframe

SOURCE = SampleSource()
FIRST, LAST = date(2010, 11, 24), date(2010, 11, 29)
NOW = datetime(2010, 11, 30, tzinfo=UTC)

Change = Callable[[psycopg.Connection], object]


def change_bars(connection: psycopg.Connection) -> None:
    frame = SOURCE.bars(["AAPL", "IBM"], Timeframe.SESSION, FIRST, LAST, NOW)
    store_bars(connection, frame[(frame["symbol"] == "IBM") | (frame["session_date"] > FIRST)])


def change_actions(connection: psycopg.Connection) -> None:
    dividend = CorporateAction("KO", date(2010, 11, 29), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.44"))
    store_actions(connection, [dividend], "sample")


def change_instruments(connection: psycopg.Connection) -> None:
    store_instruments(connection, SOURCE.instruments(["AAPL", "IBM"]), "sample")


def change_facts(connection: psycopg.Connection) -> None:
    store_facts(connection, [ObservedFact("IBM", "profile", "city", "Armonk", None)], "yahoo")


def change_gates(connection: psycopg.Connection) -> None:
    quality.hold_gates(connection)
    verdicts = {(FIRST, "AAPL"): [], (LAST, "AAPL"): [], (LAST, "IBM"): ["bars_are_unique"]}
    quality.write_gates(connection, "market/bars", verdicts, datetime.now(UTC))


@pytest.mark.parametrize(
    ("change", "topic", "facts", "sessions"),
    [
        (
            change_bars,
            "bars_stored",
            {"rows_written": 5, "symbols": ["AAPL", "IBM"], "timeframes": ["1d"]},
            (FIRST, LAST),
        ),
        (
            change_actions,
            "corporate_actions_stored",
            {"table": "market.corporate_actions", "rows_written": 1, "symbols": ["KO"], "source": "sample"},
            (None, None),
        ),
        (change_instruments, "instruments_changed", {"rows_written": 2, "source": "sample"}, (None, None)),
        (
            change_facts,
            "fundamentals_stored",
            {"table": "market.fundamentals", "rows_written": 1, "symbols": ["IBM"], "source": "yahoo"},
            (None, None),
        ),
        (
            change_gates,
            "gates_changed",
            {"dataset": "market/bars", "opened": 2, "closed": 0, "closed_symbols": []},
            (FIRST, LAST),
        ),
    ],
)
def test_change_is_recorded_once_and_doing_it_again_is_none(
    database: Database, change: Change, topic: str, facts: dict[str, object], sessions: tuple[date | None, date | None]
) -> None:
    for _ in range(2):
        with database.transaction() as connection:
            change(connection)

    (event,) = recorded_events(database)
    assert (event.event_no, event.topic, event.facts) == (1, topic, facts)
    assert (event.first_session, event.last_session) == sessions


def test_gate_that_closes_again_is_recorded_with_its_symbol(database: Database) -> None:
    for failing in ([], ["bars_are_unique"]):
        with database.transaction() as connection:
            quality.hold_gates(connection)
            quality.write_gates(connection, "market/bars", {(LAST, "IBM"): failing}, datetime.now(UTC))

    *_, event = recorded_events(database)
    assert event.facts == {"dataset": "market/bars", "opened": 0, "closed": 1, "closed_symbols": ["IBM"]}


def test_change_that_is_rolled_back_leaves_no_event_and_no_gap(database: Database) -> None:
    with database.transaction() as connection:
        change_actions(connection)
        connection.rollback()
    with database.transaction() as connection:
        change_actions(connection)

    assert [event.event_no for event in recorded_events(database)] == [1]


def test_event_is_numbered_when_it_is_committed_not_when_it_is_appended(database: Database) -> None:
    with database.transaction() as early:
        append_event(early, Topic.GATES_CHANGED, {"appended": "first"})
        with database.transaction() as late:
            append_event(late, Topic.GATES_CHANGED, {"appended": "second"})
        with database.transaction() as reader:
            assert [event.facts["appended"] for event in events_after(reader, 0, 10)] == ["second"]

    assert [event.facts["appended"] for event in recorded_events(database)] == ["second", "first"]


NUMBERED_AT_THE_INSERT = """
create table naive_events (event_no bigint generated always as identity primary key, written_by text not null)
"""


def test_numbers_taken_at_the_insert_would_lose_an_event(database: Database) -> None:
    """What the numbering at the commit is for: a reader of "everything after n" misses the slower transaction."""
    with database.transaction() as connection:
        connection.execute(NUMBERED_AT_THE_INSERT)
    seen: list[int] = []

    def read() -> None:
        with database.transaction() as reader:
            after = max(seen, default=0)
            query = "select event_no from naive_events where event_no > %s order by 1"
            seen.extend(number for (number,) in reader.execute(query, (after,)))

    with database.transaction() as slow:
        slow.execute("insert into naive_events (written_by) values ('slow')")
        with database.transaction() as quick:
            quick.execute("insert into naive_events (written_by) values ('quick')")
        read()
    read()

    assert seen == [2], "the event of the slow transaction, number 1, is never read"


def test_reader_beside_many_writers_sees_every_event_once_and_in_order(database: Database) -> None:
    writers, each = 4, 40
    finished = threading.Event()

    def write(writer: int) -> None:
        with psycopg.connect(database.url) as connection:
            for number in range(each):
                append_event(connection, Topic.GATES_CHANGED, {"writer": writer, "number": number})
                # Something to be slow with between the event and its commit, for every other one.
                connection.execute("select pg_sleep(%s)", (0.002 * (number % 2),))
                connection.commit()

    def read() -> list[int]:
        seen: list[int] = []
        with psycopg.connect(database.url, autocommit=True) as connection:
            while True:
                is_last = finished.is_set()
                seen += [event.event_no for event in events_after(connection, max(seen, default=0), 1000)]
                if is_last:
                    return seen

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(read)
        list(pool.map(write, range(writers)))
        finished.set()
        assert reader.result() == list(range(1, writers * each + 1))

    by_writer = {writer: [] for writer in range(writers)}
    for event in recorded_events(database):
        by_writer[event.facts["writer"]].append(event.facts["number"])
    assert all(numbers == list(range(each)) for numbers in by_writer.values())


@pytest.mark.parametrize("topic", ["", "Bars Stored"])
def test_topic_that_is_no_name_is_refused(database: Database, topic: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="topic"), database.transaction() as connection:
        append_event(connection, topic, {})
