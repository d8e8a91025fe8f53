"""Who listens to a broker's stream writes down that something was heard, over a real WebSocket that is cut and mute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from standins.broker_rehearsals import broker_of, new_venue, new_york
from standins.local_alpaca.server import LocalAlpaca
from standins.local_alpaca.switchboard import EventFault
from standins.platform import SetClock

from trading_assets.adapters import alpaca_stream
from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres import broker_hints
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.stream_listener import StreamListener
from trading_assets.domain.execution.broker_records import OrderRequest
from trading_assets.domain.values import Side
from trading_assets.local_alpaca.trade_updates import StreamClient

ACCOUNT_ID = "alpaca-paper-PA0LOCAL0001"
NOON = new_york("12:00")
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca_stream, "PING_S", 0.2)
    monkeypatch.setattr(alpaca_stream, "ANSWER_TIMEOUT_S", 1.0)


@pytest.fixture
def alpaca() -> Iterator[LocalAlpaca]:
    with LocalAlpaca(new_venue()).running() as server:
        yield server


@contextmanager
def listening(alpaca: LocalAlpaca, database: Database, clock: SetClock) -> Iterator[None]:
    stopping, broker = threading.Event(), broker_of(alpaca)
    broker.first_wait_s = 0.05
    listener = StreamListener(broker, database, clock, ACCOUNT_ID)
    thread = threading.Thread(target=listener.listen, args=(stopping,), daemon=True)
    thread.start()
    try:
        wait_for(lambda: hints(database))
        yield
    finally:
        stopping.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def wait_for(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


def hints(database: Database) -> list[tuple[Any, ...]]:
    return rows(database, "select kind, client_order_id, event from execution.broker_hints order by hint_no")


def buy(alpaca: LocalAlpaca, name: str) -> None:
    with alpaca.lock:
        alpaca.venue.submit(OrderRequest(name, "AAA", Side.BUY, Decimal(10)))


def seen_at(database: Database) -> Any:
    with database.transaction() as connection:
        return broker_hints.stream_seen_at(connection, ACCOUNT_ID)


def test_updates_are_written_down_and_nothing_else_is(alpaca: LocalAlpaca, database: Database) -> None:
    with listening(alpaca, database, SetClock(NOON)):
        buy(alpaca, "one")
        wait_for(lambda: len(hints(database)) == 3)

    assert hints(database) == [
        ("stream_opened", None, None),
        ("order_update", "one", "accepted"),
        ("order_update", "one", "new"),
    ]
    (broker_order_id,) = {name for (name,) in rows(database, "select broker_order_id from execution.broker_hints")} - {
        None
    }
    assert broker_order_id == alpaca.venue.orders()[0].broker_order_id
    assert rows(database, "select distinct account_id, at from execution.broker_hints") == [(ACCOUNT_ID, NOON)]
    assert rows(database, "select count(*) from execution.order_events") == [(0,)]


def test_quiet_stream_gives_signs_of_life_by_the_graph_s_clock(alpaca: LocalAlpaca, database: Database) -> None:
    clock = SetClock(NOON)
    with listening(alpaca, database, clock):
        for hour in (1, 2):
            clock.at = NOON + timedelta(hours=hour)
            wait_for(lambda: seen_at(database) == clock.at)

    assert [kind for kind, *_ in hints(database)] == ["stream_opened"]


def test_connection_that_was_cut_is_opened_anew_and_says_so(alpaca: LocalAlpaca, database: Database) -> None:
    with listening(alpaca, database, SetClock(NOON)):
        alpaca.disconnect_streams()
        wait_for(lambda: len(hints(database)) == 2)
        buy(alpaca, "heard")
        wait_for(lambda: len(hints(database)) == 4)

    assert [(kind, name) for kind, name, _ in hints(database)] == [
        ("stream_opened", None),
        ("stream_opened", None),
        ("order_update", "heard"),
        ("order_update", "heard"),
    ]


def test_connection_that_answers_no_ping_is_given_up(
    alpaca: LocalAlpaca, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock(NOON)
    with listening(alpaca, database, clock):
        monkeypatch.setattr(StreamClient, "_flush", lambda _client: None)
        time.sleep(0.5)
        clock.at = NOON + timedelta(hours=1)
        time.sleep(0.5)
        assert seen_at(database) == NOON
        monkeypatch.undo()
        wait_for(lambda: len(hints(database)) == 2)

    assert [kind for kind, *_ in hints(database)] == ["stream_opened", "stream_opened"]


def test_lost_and_doubled_updates_are_written_as_they_are_heard(alpaca: LocalAlpaca, database: Database) -> None:
    with listening(alpaca, database, SetClock(NOON)):
        alpaca.switchboard.events += [EventFault.LOSE, EventFault.TWICE]
        buy(alpaca, "one")
        wait_for(lambda: len(hints(database)) == 3)

    assert [event for *_, event in hints(database)] == [None, "new", "new"]


def test_newest_hint_and_health_of_an_account_nobody_listened_to_are_none(database: Database) -> None:
    with database.transaction() as connection:
        assert broker_hints.newest_hint(connection, ACCOUNT_ID) is None
        assert broker_hints.stream_seen_at(connection, ACCOUNT_ID) is None


def test_newest_hint_tells_news_though_the_graph_s_clock_stands_still(alpaca: LocalAlpaca, database: Database) -> None:
    def newest() -> Any:
        with database.transaction() as connection:
            return broker_hints.newest_hint(connection, ACCOUNT_ID)

    with listening(alpaca, database, SetClock(NOON)):
        opened = newest()
        buy(alpaca, "one")
        wait_for(lambda: newest() > opened)


def test_hints_of_a_week_ago_are_deleted(alpaca: LocalAlpaca, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.broker_hints (account_id, at, kind, heard_at) select 'old', now(), 'stream_opened', "
            "now() - make_interval(days => days) from unnest(array[6, 8]) as days"
        )
    with listening(alpaca, database, SetClock(NOON)):
        wait_for(
            lambda: rows(database, "select count(*) from execution.broker_hints where account_id = 'old'") == [(1,)]
        )


def test_listener_without_its_database_ends(alpaca: LocalAlpaca) -> None:
    nowhere = Database("postgresql://127.0.0.1:1/none")

    with pytest.raises(Unreachable):
        StreamListener(broker_of(alpaca), nowhere, SetClock(NOON), ACCOUNT_ID).listen(threading.Event())
