"""PostgreSQL or Redis is killed while orders are sent, and fifty processes send at once: each order leaves once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import psycopg
import pytest
import redis
from conftest import MakeDatabase, databases_on, fastest_folder, template_on
from standins.account_truth import untruths
from standins.dying_desks import DECIDED_AT, Cut, End, MortalAccount, mortal_account, prepared_databases
from standins.platform import InProcessPlatform
from standins.rehearsed_account import DAY, SETTINGS, rows

from trading_assets.adapters.embedded import EmbeddedPostgres
from trading_assets.adapters.embedded.processes import Access, free_port
from trading_assets.adapters.embedded.redis import EmbeddedRedis
from trading_assets.adapters.event_relay import recorded_events
from trading_assets.adapters.postgres import broker_orders
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.adapters.redis import RedisEventBus
from trading_assets.defs.ingestion.sensors import relay_events_sensor

BOTH = {"FILLED": 2}
RUNS = 50
CONNECTIONS = 3 * RUNS
"""Each run needs one for its transactions and one that waits for the lock."""


def kill(main_process: int) -> None:
    """A server and its children, at once and without a last word."""
    parent = psutil.Process(main_process)
    family = [parent, *parent.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)


def start_on_a_port_of_its_own(server: EmbeddedPostgres | EmbeddedRedis) -> None:
    """Another test's server may take the usual port while this one is away."""
    server.stop()
    Access(free_port(0), Access.load(server.access_file).password).save(server.access_file)
    server.start()


# PostgreSQL ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server as the platform runs it: what is committed outlives it."""
    with fastest_folder(tmp_path_factory) as folder:
        server = EmbeddedPostgres(folder)
        with psycopg.connect(server.start(), autocommit=True) as connection:
            connection.execute(f"alter system set max_connections = {CONNECTIONS}")
        start_on_a_port_of_its_own(server)
        yield server
        server.stop()


@pytest.fixture(scope="module")
def databases_there(server: EmbeddedPostgres) -> Iterator[MakeDatabase]:
    with template_on(server.url) as template, databases_on(server.url, template) as make:
        yield make


@pytest.fixture(scope="module")
def prepared_there(databases_there: MakeDatabase, known_strategies: None) -> dict[str, Database]:
    return prepared_databases(databases_there)


@pytest.fixture
def decided(prepared_there: dict[str, Database], databases_there: MakeDatabase) -> Iterator[MortalAccount]:
    with mortal_account(databases_there(like=prepared_there["decided"])) as account:
        yield account


def kill_postgres(server: EmbeddedPostgres) -> None:
    kill(int((server.data / "postmaster.pid").read_text().split()[0]))
    assert not server.is_running()


def start_again(server: EmbeddedPostgres) -> None:
    address = server.url
    assert server.start() == address


def run_while_it_restarts(account: MortalAccount, server: EmbeddedPostgres, phase: str, cut: Cut) -> End:
    """The process waits at the cut until the server is back."""

    def restart() -> None:
        kill_postgres(server)
        start_again(server)

    (end,) = account.run((phase, cut), meanwhile=restart)
    return end


def run_while_it_is_away(account: MortalAccount, server: EmbeddedPostgres, phase: str, cut: Cut) -> End:
    """The process goes on at the cut without a server, which is back when the process has given up."""
    (end,) = account.run((phase, cut), meanwhile=lambda: kill_postgres(server))
    start_again(server)
    return end


OUTAGES = {"back at once": (run_while_it_restarts, None), "back later": (run_while_it_is_away, "Unreachable")}
AROUND_THE_REQUEST = {
    "before it": "ask submit",
    "before its answer is recorded": "answered submit",
    "after": "told step 6",
}


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("moment", AROUND_THE_REQUEST)
def test_postgres_killed_around_the_request(
    moment: str, outage: str, decided: MortalAccount, server: EmbeddedPostgres
) -> None:
    run, failure = OUTAGES[outage]
    point = AROUND_THE_REQUEST[moment]

    end = run(decided, server, "submit", Cut(point, holds=True))

    assert end.cut is not None
    assert end.cut.startswith(point)
    assert end.failure == failure
    sent = [str(asked.body["client_order_id"]) for asked in decided.alpaca.posts()]
    written = rows(decided.database, "select client_order_id from execution.submissions order by recorded_at")
    assert [(name,) for name in sent] == written
    decided.recover()
    assert (untruths(decided), decided.statuses()) == ([], BOTH)
    assert len(decided.alpaca.posts()) == 2


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("moment", ["ask activities_since", "answered activities_since", "after commit"])
def test_postgres_killed_while_fills_are_booked(
    moment: str, outage: str, decided: MortalAccount, server: EmbeddedPostgres
) -> None:
    run, failure = OUTAGES[outage]
    decided.desk().submit(DAY)
    decided.close("12:30")
    decided.close("13:30")

    end = run(decided, server, "take_fills", Cut(moment, holds=True))

    assert (end.cut, end.failure) == (moment, failure)
    decided.desk().take_fills(DAY)
    assert (untruths(decided), decided.statuses()) == ([], BOTH)


# Many ---------------------------------------------------------------------------------------------


def test_fifty_processes_at_once_send_each_order_once(decided: MortalAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_orders, "WRITER_PATIENCE_S", 300)

    ends = decided.run_at_once("submit", RUNS)

    assert [(end.cut, end.failure) for end in ends] == [("begin", None)] * RUNS
    assert rows(decided.database, "select token from execution.writers") == [(RUNS,)]
    assert len(decided.alpaca.posts()) == 2
    decided.recover()
    assert (untruths(decided), decided.statuses()) == ([], BOTH)


# Redis --------------------------------------------------------------------------------------------


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path)
    server.start()
    start_on_a_port_of_its_own(server)
    yield server
    server.stop()


@dataclass
class Interrupted:
    """A broker, and what happens as soon as it has answered `method` for the first time."""

    broker: Any
    method: str
    happens: Callable[[], object]
    is_over: bool = False

    def __getattr__(self, name: str) -> Any:
        if name != self.method or self.is_over:
            return getattr(self.broker, name)
        return self._answer_and_interrupt

    def _answer_and_interrupt(self, *arguments: Any) -> Any:
        answer = getattr(self.broker, self.method)(*arguments)
        self.is_over = True
        self.happens()
        return answer


@pytest.mark.parametrize("method", ["submit", "activities_since"])
def test_redis_killed_while_a_job_sends_or_books(
    method: str, prepared: dict[str, Database], new_database: MakeDatabase, redis_server: EmbeddedRedis
) -> None:
    """What the stream lacks is passed on when Redis is back."""
    bus = RedisEventBus(redis_server.url)
    with mortal_account(new_database(like=prepared["decided"])) as account:
        broker = Interrupted(account.rehearsal.broker, method, lambda: kill(process_of(redis_server)))
        platform = InProcessPlatform(account.database, SETTINGS, DECIDED_AT, broker=broker, event_bus=bus)
        assert "Relayed" in relay(platform)

        runs = trade(account, platform)

        assert ([run.success for run in runs], broker.is_over) == ([True, True], True)
        assert (untruths(account), account.statuses()) == ([], BOTH)
        assert len(account.alpaca.posts()) == 2

        with account.database.transaction() as connection:
            append_event(connection, Topic.GATES_CHANGED, {"opened": 1})
        assert "Redis does not answer" in relay(platform)
        redis_server.start()
        assert "Relayed" in relay(platform)
        assert bus.read(0) == list(recorded_events(account.database))


def trade(account: MortalAccount, platform: InProcessPlatform) -> list[dg.ExecuteInProcessResult]:
    """Send, let the bars trade, and book, each by its job."""
    sent = platform.run("execute_trades_job", DAY)
    account.close("12:30")
    account.close("13:30")
    platform.clock.at = account.clock.at
    return [sent, platform.run("manage_orders_job", DAY)]


def relay(platform: InProcessPlatform) -> str:
    """What the relay's sensor says of its tick."""
    return str(platform.tick(relay_events_sensor).skip_message)


def process_of(server: EmbeddedRedis) -> int:
    return int(redis.Redis.from_url(server.url).info("server")["process_id"])
