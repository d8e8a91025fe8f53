"""Old months leave the database for Parquet files and come back bit for bit, whatever happens on the way."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from trading_assets.adapters import archive as archiving
from trading_assets.adapters.archive import (
    MonthReport,
    archive_old_data,
    manifest_path,
    restore_archive,
    verify_archive,
)
from trading_assets.adapters.errors import ContractBroken, NotFound, Transient
from trading_assets.adapters.postgres import archives as storage
from trading_assets.adapters.postgres.bar_histories import pack_histories, read_bars
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import StoredResponses, stored_fetches
from trading_assets.adapters.vendor_gateway import VendorResponse

NOW = datetime(2026, 3, 10, tzinfo=UTC)
YEAR = {"market.vendor_responses": 365, "market.quarantined_rows": 365, "market.bars": None}
EVERYTHING = dict.fromkeys(("market.vendor_responses", "market.quarantined_rows", "market.bars"), 365)
AGES = (430, 425, 395, 394, 3)
"""Days: two in January 2025, two in February, one in this month."""
JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)
WORDS = 'Größe → "quoted", with \\ and a\nnew line'


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days, microseconds=123457)


def answer(received_at: datetime, body: bytes = b"{}", fetch: int = 1, **question: Any) -> VendorResponse:
    return VendorResponse(
        UUID(int=fetch), "acme", "bars/1d", {"symbols": ["X"], "rate": 0.1, "text": WORDS, **question}, "GET",
        "https://acme.example/bars", 200, {"date": "today"}, body, received_at - timedelta(seconds=1), received_at,
    )  # fmt: skip


@pytest.fixture
def filled(database: Database) -> Database:
    """Answers, set-aside rows and bars of two old months and of a new one."""
    responses = StoredResponses(database)
    ids = [
        responses.store(answer(days_ago(days), bytes(range(256)) * (number + 1), fetch=number))
        for number, days in enumerate(AGES)
    ]
    with database.transaction() as connection:
        for response_id, days in zip(ids, AGES, strict=True):
            connection.execute(
                "insert into market.quarantined_rows values (%s, 'X', 0, %s, '[1, null]', %s)",
                (response_id, WORDS, days_ago(days)),
            )
            for version, price in ((1, float("nan")), (2, 0.1 + 0.2), (3, -0.0)):
                ts = days_ago(days)
                connection.execute(
                    "insert into market.bars values ('X', '1d', %s, %s, %s, %s, %s, 'Infinity', '-Infinity', 5e-324, "
                    "1e308, 'acme', %s, %s)",
                    (ts, version, ts + timedelta(hours=1), ts.date(), price, days_ago(1), response_id),
                )
    return database


def contents(database: Database) -> list[Any]:
    """A hash and a count of each table, and the rows as text."""
    found: list[Any] = []
    with database.transaction() as connection:
        for name, table in storage.archivable_tables(connection).items():
            columns = [column.name for column in storage.columns_of(connection, table)]
            found.append(
                connection.execute("select * from ops.rows_sha256(%s::regclass, %s)", (name, columns)).fetchone()
            )
            found.append(connection.execute(f"select t::text from {name} as t order by t::text").fetchall())
    return found


def archives(database: Database) -> list[storage.Archive]:
    with database.transaction() as connection:
        return storage.recorded_archives(connection)


def run(database: Database, folder: Path, retention: dict[str, int | None] | None = None) -> list[MonthReport]:
    return archive_old_data(database, folder, retention or YEAR, NOW)


def one(database: Database, query: str, *parameters: Any) -> Any:
    with database.transaction() as connection:
        row = connection.execute(query, parameters).fetchone()
    return row[0] if row and len(row) == 1 else row


# Moving out --------------------------------------------------------------------------------------


def test_old_months_leave_and_the_newer_ones_stay(filled: Database, tmp_path: Path) -> None:
    reports = run(filled, tmp_path)

    assert [(report.table, report.month, report.rows) for report in reports] == [
        (table, month, 2)
        for table in ("market.quarantined_rows", "market.vendor_responses")
        for month in (JANUARY, FEBRUARY)
    ]
    assert one(filled, "select count(*), count(body_gzip) from market.vendor_responses") == (5, 1)
    assert one(filled, "select count(*) from market.quarantined_rows") == 1
    assert one(filled, "select count(*) from market.bars") == 15
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()) == [
        f"{table}/{month}.{kind}"
        for table in ("market.quarantined_rows", "market.vendor_responses")
        for month in ("2025-01", "2025-02")
        for kind in ("json", "parquet")
    ]
    assert run(filled, tmp_path) == []


def test_bar_still_leads_to_the_answer_and_the_answer_to_its_file(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path)
    path = one(
        filled,
        "select path from market.bars join market.vendor_responses using (response_id) "
        "join ops.archives on archive_id = archived_in order by ts limit 1",
    )
    assert (tmp_path / path).is_file()
    # What cannot be read whole is not read at all.
    assert len(list(stored_fetches(filled, "acme", "bars/1d"))) == 1


def test_manifest_beside_the_file_says_what_the_database_says(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path, EVERYTHING)
    for archive in archives(filled):
        manifest = json.loads(manifest_path(tmp_path / archive.path).read_text())
        assert manifest["file_sha256"] == archive.file_sha256.hex()
        assert manifest["rows_sha256"] == archive.rows.sha256.hex()
        assert manifest["row_count"] == archive.rows.row_count
        assert [(column["name"], column["type"]) for column in manifest["columns"]] == [
            (column.name, column.type) for column in archive.columns
        ]
        assert set(manifest["key_range"]) == set(
            one(filled, "select key_columns from ops.archivable_tables where table_name = %s", archive.table)
        )


# Coming back -------------------------------------------------------------------------------------


def test_restored_rows_are_the_originals_in_every_column(filled: Database, tmp_path: Path) -> None:
    before = contents(filled)
    run(filled, tmp_path, EVERYTHING)
    assert contents(filled) != before

    restored = [restore_archive(filled, tmp_path, archive) for archive in archives(filled)]

    assert all(restored)
    assert contents(filled) == before
    assert [restore_archive(filled, tmp_path, archive) for archive in archives(filled)] == [0] * len(restored)
    assert contents(filled) == before
    assert {archive.state for archive in archives(filled)} == {"restored"}


def test_restored_month_leaves_again_into_the_same_file(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    for archive in archives(filled):
        restore_archive(filled, tmp_path, archive)
    assert sum(report.rows for report in run(filled, tmp_path)) == 8
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == files


def test_late_rows_of_an_archived_month_get_a_part_of_their_own(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path)
    StoredResponses(filled).store(answer(days_ago(394), b"late", fetch=9))
    before = one(filled, "select body_gzip from market.vendor_responses where fetch_id = %s", UUID(int=9))

    (report,) = run(filled, tmp_path)

    assert report.path.endswith("-2.parquet")
    for archive in archives(filled):
        restore_archive(filled, tmp_path, archive)
    assert one(filled, "select body_gzip from market.vendor_responses where fetch_id = %s", UUID(int=9)) == before


def damage_file(archive: storage.Archive, folder: Path) -> Path:
    path = folder / archive.path
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))
    return path


def damage_manifest(archive: storage.Archive, folder: Path) -> Path:
    path = manifest_path(folder / archive.path)
    path.write_text(path.read_text().replace('"row_count": ', '"row_count":  '))
    return path


@pytest.mark.parametrize("damage", [damage_file, damage_manifest])
def test_damaged_file_or_manifest_is_refused_by_name_and_hashes(
    filled: Database, tmp_path: Path, damage: Callable[[storage.Archive, Path], Path]
) -> None:
    run(filled, tmp_path)
    (archive, *_) = archives(filled)
    path = damage(archive, tmp_path)
    expected = archive.file_sha256 if path.suffix == ".parquet" else archive.manifest_sha256
    before = contents(filled)
    for refuse in (lambda: restore_archive(filled, tmp_path, archive), lambda: verify_archive(tmp_path, archive)):
        with pytest.raises(ContractBroken) as refused:
            refuse()
        assert str(path) in str(refused.value)
        assert expected.hex() in str(refused.value)
        assert archiving._sha256(path).hex() in str(refused.value)
    assert contents(filled) == before


def test_missing_file_is_refused_by_name(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path)
    (archive, *_) = archives(filled)
    (tmp_path / archive.path).unlink()
    with pytest.raises(NotFound, match=r"\.parquet is missing"):
        restore_archive(filled, tmp_path, archive)


def test_rows_that_took_the_place_of_archived_ones_stop_the_restoring(filled: Database, tmp_path: Path) -> None:
    run(filled, tmp_path, EVERYTHING)
    archive = next(each for each in archives(filled) if each.table == "market.bars")
    with filled.transaction() as connection:
        ts = days_ago(430)
        connection.execute(
            "insert into market.bars values ('X', '1d', %s, 1, %s, %s, 1, 1, 1, 1, 1, 'other')",
            (ts, ts + timedelta(hours=1), ts.date()),
        )
    with pytest.raises(ContractBroken, match=r"other rows stand in market\.bars"):
        restore_archive(filled, tmp_path, archive)
    assert one(filled, "select count(*) from market.bars") == 3 + 1


def test_packed_histories_follow_the_bars_out_and_back(filled: Database, tmp_path: Path) -> None:
    def known() -> int:
        begin, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
        return len(read_bars(filled, end, ["X"], "1d", begin, end))

    pack_histories(filled, ["X"], ["1d"])
    assert known() == 5
    run(filled, tmp_path, EVERYTHING)
    assert known() == 1
    pack_histories(filled, ["X"], ["1d"])
    for archive in archives(filled):
        restore_archive(filled, tmp_path, archive)
    assert known() == 5


# What may not leave ------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["market.vendor_responses", "market.quarantined_rows", "market.bars"])
def test_plain_delete_and_update_stay_refused(filled: Database, tmp_path: Path, table: str) -> None:
    run(filled, tmp_path, EVERYTHING)
    column = one(filled, "select time_column from ops.archivable_tables where table_name = %s", table)
    for statement in (f"delete from {table}", f"update {table} set {column} = {column}", f"truncate {table} cascade"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="append-only"):
            one(filled, statement)


def test_body_cannot_be_left_out_of_a_new_answer(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="body_is_here_or_archived"):
        one(
            database,
            "insert into market.vendor_responses (fetch_id, vendor, dataset, question, method, url, status, "
            "requested_at, received_at, body_bytes, body_sha256) values "
            "(gen_random_uuid(), 'a', 'b', '{}', 'GET', 'u', 200, now(), now(), 0, sha256(''))",
        )


def test_nothing_leaves_without_a_verified_archive(filled: Database) -> None:
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="no verified archive 1"):
        one(filled, "select ops.remove_archived(1)")


def test_rows_that_changed_after_the_file_was_made_do_not_leave(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = storage.remove_archived

    def store_first(connection: psycopg.Connection, archive: storage.Archive) -> int:
        StoredResponses(filled).store(answer(days_ago(394), fetch=8))
        return remove(connection, archive)

    monkeypatch.setattr(storage, "remove_archived", store_first)
    with pytest.raises(ContractBroken, match=r"is not what archive \d+ holds: nothing was removed"):
        run(filled, tmp_path, {"market.vendor_responses": 365})
    assert one(filled, "select count(*) from market.vendor_responses where received_at > '2025-02-01'") == 5
    assert one(filled, "select count(*) from market.vendor_responses where archived_in is not null") == 2


def test_file_that_does_not_hold_the_rows_is_never_recorded(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = archiving._rows_in
    monkeypatch.setattr(archiving, "_rows_in", lambda path: list(read(path))[1:])
    with pytest.raises(ContractBroken, match="does not hold what was written"):
        run(filled, tmp_path)
    assert archives(filled) == []


HOLDS = {
    "an open order": "insert into execution.accounts values ('a', 'simulated', 'f', '2025-01-02', 1);"
    "insert into risk.verdicts (intent_id, account_id, strategy, strategy_version, symbol, side, purpose, decision_at, "
    "session_date, target_weight, requested_qty, approved_qty, outcome) values "
    "('i', 'a', 's', '1', 'X', 'buy', 'p', '{day}', '{day}', 0, 1, 1, 'approved');"
    "insert into risk.approvals values ('i', 1, '{day}', '{day}'::date + 1);"
    "insert into execution.orders (client_order_id, intent_id, account_id, strategy, strategy_version, symbol, side, "
    "qty, order_type, time_in_force, submitted_at, session_date) values "
    "('o', 'i', 'a', 's', '1', 'X', 'buy', 1, 'market', 'gtc', '{day}', '{day}');"
    "insert into execution.order_events values ('o', 1, 'SUBMITTING', 1, '{day}', '{day}');",
    "an open incident": "insert into execution.accounts values ('a', 'alpaca-paper', 'f', '2025-01-02', 1);"
    "insert into execution.incidents (incident_id, account_id, kind, subject, symbol, at, session_date) "
    "values ('i', 'a', 'LATE_EXECUTION', 'e', 'X', '{day}', '{day}');",
    "a tripped breaker": "insert into execution.accounts values ('a', 'simulated', 'f', '2025-01-02', 1);"
    "insert into risk.breaker_events values ('a', 'drawdown', 1, 'tripped', '{day}', '{day}');",
    "a closed gate": "insert into ops.quality_gates values ('market/bars', '{day}', 'X', 'closed');",
}


@pytest.mark.parametrize("hold", HOLDS)
def test_month_that_something_open_refers_to_stays(filled: Database, tmp_path: Path, hold: str) -> None:
    with filled.transaction() as connection:
        connection.execute(HOLDS[hold].format(day=days_ago(394).date()).encode())
    reports = run(filled, tmp_path, EVERYTHING)
    assert {(report.month, bool(report.held), report.rows) for report in reports if report.table != "market.bars"} == {
        (JANUARY, False, 2),
        (FEBRUARY, True, 0),
    }
    assert one(filled, "select count(*) from market.bars where ts >= '2025-02-01'") == 9


def test_month_leaves_once_its_incident_is_closed(filled: Database, tmp_path: Path) -> None:
    with filled.transaction() as connection:
        connection.execute(HOLDS["an open incident"].format(day=days_ago(394).date()).encode())
        connection.execute("insert into execution.incident_closings values ('i', now(), 'Ada', 'seen')")
    assert [report.held for report in run(filled, tmp_path, EVERYTHING) if report.held] == []


def test_answer_that_a_held_session_came_from_stays_even_if_it_is_of_another_month(
    filled: Database, tmp_path: Path
) -> None:
    """The bar of a session long past can come from an answer of today."""
    with filled.transaction() as connection:
        connection.execute(
            "insert into market.bars select 'X', '1d', '2020-01-02', 1, '2020-01-03', '2020-01-02', 1, 1, 1, 1, 1, "
            "'a', now(), min(response_id) from market.vendor_responses"
        )
        connection.execute("insert into ops.quality_gates values ('market/bars', '2020-01-02', 'X', 'closed')")
    january, february = run(filled, tmp_path, {"market.vendor_responses": 365})
    assert january.held == "the gate of market/bars for X is closed since session 2020-01-02"
    assert (february.held, february.rows) == ("", 2)


def test_month_that_is_held_after_its_file_was_made_does_not_leave(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = storage.remove_archived

    def close_gate_first(connection: psycopg.Connection, archive: storage.Archive) -> int:
        one(filled, "insert into ops.quality_gates values ('market/bars', '2025-01-06', 'X', 'closed') returning 1")
        return remove(connection, archive)

    monkeypatch.setattr(storage, "remove_archived", close_gate_first)
    with pytest.raises(ContractBroken, match=r"2025-01 of market\.bars stays: the gate of market/bars"):
        run(filled, tmp_path, {"market.bars": 365})
    assert one(filled, "select count(*) from market.bars") == 15


def test_newest_event_stays_for_it_numbers_the_next_one(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        connection.execute(
            "insert into ops.events select n, 'bars_stored', '{}', null, null, '2020-01-01'::timestamptz + n * "
            "interval '20 days' from generate_series(1, 4) as n"
        )
    reports = run(database, tmp_path, {"ops.events": 365})
    assert [(f"{report.month:%Y-%m}", report.rows, report.held) for report in reports] == [
        ("2020-01", 1, ""),
        ("2020-02", 1, ""),
        ("2020-03", 0, "event 4 is the newest or was not announced yet"),
    ]


def test_two_runs_at_once_do_not_meet(filled: Database, tmp_path: Path) -> None:
    with filled.transaction() as connection:
        storage.hold_archives(connection)
        with pytest.raises(Transient, match="Another run"):
            run(filled, tmp_path)


# Interrupted -------------------------------------------------------------------------------------

STEPS = {
    "the file is half written": (archiving, "_to_disk", 1),
    "the file has its name": (archiving, "_prove", 1),
    "the file is proven": (archiving, "manifest_path", 1),
    "the manifest is half written": (archiving, "_to_disk", 3),
    "the manifest lies there": (storage, "record_archive", 1),
    "the archive is recorded": (storage, "remove_archived", 1),
}


def _run_until(url: str, folder: Path, module: Any, name: str, calls: int) -> None:
    """Run the archive and die, as by SIGKILL, at the `calls`-th call of a function."""
    original, left = getattr(module, name), [calls]

    def die(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    setattr(module, name, die)
    archive_old_data(Database(url), folder, EVERYTHING, NOW)


@pytest.mark.parametrize("step", STEPS)
def test_killed_run_is_finished_by_the_next_one(
    filled: Database, new_database: Callable[[], Database], tmp_path: Path, step: str
) -> None:
    before = contents(filled)
    process = multiprocessing.get_context("fork").Process(
        target=_run_until, args=(filled.url, tmp_path / "killed", *STEPS[step])
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL

    run(filled, tmp_path / "killed", EVERYTHING)

    names = sorted(path.name for path in (tmp_path / "killed").rglob("*.*") if path.is_file())
    assert not [name for name in names if name.endswith(".unfinished")]
    assert len(names) == 2 * len(archives(filled))
    assert one(filled, "select count(*) from ops.archive_moves") == len(archives(filled))
    for archive in archives(filled):
        assert restore_archive(filled, tmp_path / "killed", archive) == archive.rows.row_count
    assert contents(filled) == before


def test_killed_restoring_changes_nothing(filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(filled)
    run(filled, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(storage, "restore_staged", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        for archive in archives(filled):
            with pytest.raises(KeyboardInterrupt):
                restore_archive(filled, tmp_path, archive)
    for archive in archives(filled):
        restore_archive(filled, tmp_path, archive)
    assert contents(filled) == before
