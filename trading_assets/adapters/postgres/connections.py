"""Connections that a process keeps from one use to the next: to log in takes longer than most of what is asked then."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from select import POLLIN, poll
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import psycopg

from trading_assets.adapters.errors import Unreachable
from trading_assets.adapters.postgres.roles import become

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection as ArrowConnection

CONNECT_TIMEOUT_S = 5
# Of each sort; one more use at the same time opens one more connection, which is closed afterwards.
MOST_KEPT = 4


class DatabaseConnection(Protocol):
    """What a keeper needs of a connection (PEP 249)."""

    def rollback(self) -> None: ...

    def close(self) -> None: ...


Key = TypeVar("Key", bound=Hashable)
Connection = TypeVar("Connection", bound=DatabaseConnection)


class Keeper(Generic[Key, Connection]):
    """Lends connections, each to one user at a time, and keeps the sound ones of those that come back.

    `finish` ends the work of a block that raised nothing; `is_sound` says whether a connection that was kept can still
    be used. Threads may share a keeper; a forked child begins with an empty one and leaves its parent's connections
    alone.
    """

    def __init__(
        self,
        opened: Callable[[Key], Connection],
        is_sound: Callable[[Connection], bool],
        finish: Callable[[Connection], None],
    ) -> None:
        self._opened, self._is_sound, self._finish = opened, is_sound, finish
        self._inherited: list[object] = []
        self._begin()
        os.register_at_fork(after_in_child=self._begin_in_child)

    @contextmanager
    def lend(self, key: Key) -> Iterator[Connection]:
        """A connection for the block. After an exception in it, its work is undone and the connection closed."""
        connection = self._kept_one(key) or self._opened(key)
        try:
            yield connection
            self._finish(connection)
        except BaseException:
            # What is lost has nothing to undo, and what happened first is what shall be heard of.
            with suppress(Exception):
                connection.rollback()
            connection.close()
            raise
        self._keep(key, connection)

    def _kept_one(self, key: Key) -> Connection | None:
        while True:
            with self._lock:
                position = next((at for at, (kept, _) in enumerate(self._kept) if kept == key), None)
                if position is None:
                    return None
                _, connection = self._kept.pop(position)
            if self._is_sound(connection):
                return connection
            connection.close()

    def _keep(self, key: Key, connection: Connection) -> None:
        with self._lock:
            self._kept.insert(0, (key, connection))
            surplus = self._kept[MOST_KEPT:]
            del self._kept[MOST_KEPT:]
        for _, other in surplus:
            other.close()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[tuple[Key, Connection]] = []

    def _begin_in_child(self) -> None:
        # To let go of them would end them at the server, under the parent's hands.
        self._inherited.append(self._kept)
        self._begin()


def _open(key: tuple[str, str | None]) -> psycopg.Connection:
    url, role = key
    try:
        connection = psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"PostgreSQL does not answer ({str(error).strip().splitlines()[-1]}). "
            "Start it with `make up`, or correct DATABASE_URL; `trading doctor` shows what is reachable."
        ) from error
    if role:
        become(connection, role)
        connection.commit()
    return connection


def _is_silent(connection: psycopg.Connection) -> bool:
    """Whether the server said nothing since the last use; its last word would be that the connection is over."""
    if connection.closed:
        return False
    waiting = poll()
    waiting.register(connection.fileno(), POLLIN)
    return not waiting.poll(0)


def _commit(connection: psycopg.Connection) -> None:
    connection.commit()
    connection.read_only = connection.isolation_level = None


def _open_arrow(url: str) -> ArrowConnection:
    import adbc_driver_postgresql.dbapi as adbc

    return adbc.connect(url)


def _answers(connection: ArrowConnection) -> bool:
    import adbc_driver_postgresql.dbapi as adbc

    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except adbc.Error:
        return False
    return True


def _end_reading(connection: ArrowConnection) -> None:
    # A transaction that stayed open would go on seeing the past.
    connection.rollback()


# By the address and the role in whose hands the work is.
TRANSACTIONS = Keeper(_open, _is_silent, finish=_commit)
# By the address. Their driver reads the catalogue of types at every login.
ARROW_READS = Keeper(_open_arrow, _answers, finish=_end_reading)
