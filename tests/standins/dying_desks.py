"""Desks of an account at a local Alpaca, each in a process of its own, which dies or waits at a point of choice.

The points are every line that a desk tells, the edges of every transaction and those of every call to the broker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event
from typing import Any

import psycopg
from standins.broker_rehearsals import VenueRehearsal, bar, broker_of, new_venue, new_york, simulated
from standins.local_alpaca.server import LocalAlpaca
from standins.rehearsed_account import DAY, DELAY, SYMBOLS, PassingClock, RehearsedAccount, rows

from trading_assets.adapters.errors import AdapterError
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.broker_desk import BrokerDesk

FORK = multiprocessing.get_context("fork")
DECIDED_AT = new_york("12:30") + DELAY
PATIENCE_S = 60.0
WANTED = (0.2, 0.3)


@dataclass(frozen=True)
class Cut:
    """The `nth` point whose name begins with `at`. The process dies there; if it `holds`, it waits to be let go."""

    at: str = ""
    nth: int = 1
    holds: bool = False


NEVER = Cut("never")


@dataclass(frozen=True)
class End:
    """How a process ended: where it was `cut`, None if it was not, and the failure that it ended with, if any."""

    cut: str | None
    failure: str | None


class Points:
    """Counts the points of one process, and does there what its cut says; a process that holds holds no transaction."""

    def __init__(self, cut: Cut, told: Connection, let_go: Event) -> None:
        self.cut, self.told, self.let_go = cut, told, let_go
        self.reached = self.open_transactions = 0
        self.is_cut = False

    def reach(self, name: str) -> None:
        self.reached += name.startswith(self.cut.at)
        if self.is_cut or self.reached < self.cut.nth or (self.cut.holds and self.open_transactions):
            return
        self.is_cut = True
        self.told.send(("cut", name))
        if self.cut.holds:
            self.let_go.wait(PATIENCE_S)
        else:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, line: str) -> None:
        """What a desk tells: a name, and what was done with it."""
        self.reach(f"told {line.partition(': ')[2]}")


@dataclass(frozen=True)
class PointedDatabase(Database):
    points: Points | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection]:
        assert self.points is not None
        self.points.reach("begin")
        with super().transaction() as connection:
            self.points.open_transactions += 1
            try:
                yield connection
                is_change = connection.execute("select pg_current_xact_id_if_assigned()").fetchone() != (None,)
                self.points.reach("before commit" if is_change else "end of reading")
            finally:
                self.points.open_transactions -= 1
        self.points.reach("after commit" if is_change else "read")


class PointedBroker:
    def __init__(self, broker: Any, points: Points) -> None:
        self._broker, self._points = broker, points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._broker, name)
        if not callable(method):
            return method

        def call(*arguments: Any) -> Any:
            self._points.reach(f"ask {name}")
            answer = method(*arguments)
            self._points.reach(f"answered {name}")
            return answer

        return call


@dataclass
class MortalAccount(RehearsedAccount):
    """A rehearsed account whose phases run in processes of their own, or here, as `desk` does."""

    alpaca: LocalAlpaca = field(kw_only=True)

    def run(
        self, *phases: tuple[str, Cut], patience_s: float = 1.0, meanwhile: Callable[[], object] = lambda: None
    ) -> list[End]:
        """Run phases at once, each in a process that is cut; returns how each ended.

        If the first holds, the others have `patience_s`, and `meanwhile` is done, before it is let go.
        """
        let_go = FORK.Event()
        begun = [self._begin(phases[0], let_go)]
        if phases[0][1].holds:
            wait([begun[0][1], begun[0][0].sentinel], PATIENCE_S)
            meanwhile()
        begun += [self._begin(phase, let_go) for phase in phases[1:]]
        for process, _ in begun[1:]:
            process.join(patience_s if phases[0][1].holds else PATIENCE_S)
        let_go.set()
        return [_end_of(process, heard) for process, heard in begun]

    def run_at_once(self, phase: str, count: int) -> list[End]:
        """Run a phase in `count` processes that are let go together, when each is about to ask its database first."""
        let_go = FORK.Event()
        begun = [self._begin((phase, Cut("begin", holds=True)), let_go) for _ in range(count)]
        for _, heard in begun:
            heard.poll(PATIENCE_S)
        let_go.set()
        return [_end_of(process, heard) for process, heard in begun]

    def recover(self) -> None:
        """What the next runs do: send what still waits, find out about the rest, and take the fills."""
        self.at(self.clock.at + timedelta(seconds=60))
        self.desk().submit(DAY)
        self.close("12:30")
        self.close("13:30")
        self.desk().take_fills(DAY)

    def statuses(self) -> dict[str, int]:
        """How many orders have each status."""
        return dict(Counter(status for (status,) in rows(self.database, "select status from execution.order_states")))

    def _begin(self, phase: tuple[str, Cut], let_go: Event) -> tuple[Any, Connection]:
        heard, told = FORK.Pipe(duplex=False)
        process = FORK.Process(target=self._live, args=(*phase, told, let_go))
        process.start()
        told.close()
        return process, heard

    def _live(self, phase: str, cut: Cut, told: Connection, let_go: Event) -> None:
        points = Points(cut, told, let_go)
        wall = PassingClock(self.wall.at)
        desk = BrokerDesk(
            PointedDatabase(self.database.url, points=points),
            self.settings,
            self.clock.now(),
            PointedBroker(broker_of(self.alpaca), points),  # type: ignore[arg-type]
            self.clock,
            f"run {os.getpid()}",
            points.hear,
            wall,
            wall.sleep,
        )
        failure = None
        try:
            getattr(desk, phase)(DAY)
        except AdapterError as error:
            failure = type(error).__name__
        except BaseException as error:
            failure = f"unexpected {error!r}"
        told.send(("ended", failure))


def _end_of(process: Any, heard: Connection) -> End:
    process.join(PATIENCE_S)
    said = dict[str, str | None]()
    while heard.poll():
        try:
            what, value = heard.recv()
        except EOFError:
            break
        said[what] = value
    if "ended" not in said:
        assert process.exitcode == -signal.SIGKILL, process.exitcode
    return End(said.get("cut"), said.get("ended"))


@contextmanager
def mortal_account(database: Database) -> Iterator[MortalAccount]:
    """The account of a copy of a prepared database, whose broker is at the same moment: five seconds past 12:30."""
    alpaca = LocalAlpaca(new_venue())
    before_noon(VenueRehearsal(None, alpaca.venue))  # type: ignore[arg-type]
    with alpaca.running():
        rehearsal = VenueRehearsal(broker_of(alpaca), alpaca.venue, alpaca.lock)
        clocks = PassingClock(DECIDED_AT), PassingClock(DECIDED_AT)
        yield MortalAccount(database, rehearsal, clock=clocks[0], wall=clocks[1], is_prepared=True, alpaca=alpaca)


def before_noon(rehearsal: VenueRehearsal) -> None:
    """What the market did before an account of a prepared database decides."""
    rehearsal.trade(*(bar("11:30", symbol=symbol) for symbol in SYMBOLS))
    rehearsal.advance(DECIDED_AT)


def prepare(account: RehearsedAccount, wanted: Sequence[float]) -> None:
    """Open an account and let an hour end at whose close its strategy wants these weights of SYMBOLS."""
    account.open()
    account.close("11:30", dict(zip(SYMBOLS, wanted, strict=True)))


def prepared_databases(make: Callable[..., Database]) -> dict[str, Database]:
    """Databases of an account whose strategy `wants` two symbols at the newest close, and when that is `decided`."""
    wants = make()
    with simulated() as rehearsal:
        prepare(RehearsedAccount(wants, rehearsal), WANTED)
        decided = RehearsedAccount(make(like=wants), rehearsal, is_prepared=True)
        decided.at(rehearsal.venue.now)
        decided.desk().decide(DAY)
    assert rows(decided.database, "select count(*) from risk.approvals") == [(2,)]
    return {"wants": wants, "decided": decided.database}


SOON = timedelta(seconds=30)
