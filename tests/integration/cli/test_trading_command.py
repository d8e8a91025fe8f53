"""The `trading` command as a person meets it: help, messages, exit codes, and no secret on the screen."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from trading_assets.adapters.postgres.database import Database
from trading_assets.cli.database import without_password

COMMANDS = (
    *("account", "archive", "backfill", "backtest", "breaker", "breaks", "clock", "compare", "demo", "doctor", "env"),
    *("events", "flatten", "halt", "incidents", "ledger", "limit", "listen", "migrate", "new", "prove", "reconcile"),
    *("reduce", "reparse", "restrict", "resume", "sql", "status", "strategy", "sweep", "up", "whatif"),
)
# A port of the range that is never given out: nothing listens there.
STOPPED = "postgresql://trading:hunter2@127.0.0.1:1/trading"
STOPPED_REDIS = "redis://127.0.0.1:1/0"


def trading(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.run(
        [sys.executable, "-m", "trading_assets.cli", *arguments],
        cwd=home,
        env={**inherited, "TRADING_HOME": str(home / ".trading"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_lists_every_command_and_is_quick(tmp_path: Path) -> None:
    began = time.monotonic()
    result = trading(tmp_path, "--help")
    assert result.returncode == 0
    assert [line.split()[0] for line in result.stdout.split("Commands:")[1].splitlines() if line] == list(COMMANDS)
    assert time.monotonic() - began < 5


def test_help_loads_neither_dagster_nor_the_database_driver(tmp_path: Path) -> None:
    program = "import sys, trading_assets.cli; print({'dagster', 'psycopg', 'pandas', 'pydantic'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "arguments",
    [("ledger", "hash"), ("account", "list"), ("migrate",), ("backfill", "--from", "2012-01-03", "--to", "2012-01-04")],
)
def test_stopped_database_is_one_line_with_advice(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = trading(tmp_path, *arguments, DATABASE_URL=STOPPED, REDIS_URL=STOPPED_REDIS)
    complaint = result.stderr + result.stdout
    assert result.returncode == 1
    assert "PostgreSQL does not answer" in complaint
    assert "trading doctor" in complaint
    assert "Traceback" not in complaint
    assert "hunter2" not in complaint


def test_database_that_was_never_made_is_not_made_by_a_question(tmp_path: Path) -> None:
    result = trading(tmp_path, "ledger", "hash")
    assert result.returncode == 1
    assert "There is no database" in result.stderr
    assert not (tmp_path / ".trading" / "postgres").exists()


def test_broken_configuration_is_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "trading.yaml").write_text("source: sample\nuniverse: [MSFT]\nstrategie: {}\n")
    result = trading(tmp_path, "demo")
    assert result.returncode == 1
    assert "trading.yaml:3: strategie is not a setting" in result.stderr
    assert "Traceback" not in result.stderr


def test_range_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    result = trading(tmp_path, "backfill", "--from", "2012-01-04", "--to", "2012-01-03")
    assert result.returncode == 2
    assert "ends on 2012-01-03, before it begins on 2012-01-04" in result.stderr


def test_up_on_a_taken_port_names_it_and_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = trading(tmp_path, "up", "--port", str(port))
    assert result.returncode == 1
    assert f"Port {port} on 127.0.0.1 can not be used" in result.stderr
    assert f"make up PORT={port + 1}" in result.stderr
    assert not (tmp_path / ".trading").exists()


def test_second_up_in_one_folder_is_refused(tmp_path: Path) -> None:
    from trading_assets.services import sole_holder

    with sole_holder(tmp_path / ".trading", "up"):
        result = trading(tmp_path, "up", "--port", "0")
    assert result.returncode == 1
    assert "Another `trading up` is at work" in result.stderr


def test_doctor_in_a_new_folder_finds_nothing_failed(tmp_path: Path) -> None:
    result = trading(tmp_path, "doctor", TRADING_CONFIG=str(Path(__file__).parents[3] / "trading.yaml"))
    assert result.returncode == 0, result.stdout
    states = {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()}
    assert states["configuration"] == "ok"
    assert states["postgresql"] == "missing"
    assert "`make demo` or `make up` makes one" in result.stdout


def test_doctor_names_a_configured_strategy_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "trading.yaml").write_text(
        "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\n"
        "strategies: {sma_crossover: {capital_weight: 0.5, parameters: {fast: 0}}}\n"
    )
    result = trading(tmp_path, "doctor", TRADING_CONFIG=str(tmp_path / "trading.yaml"))
    assert result.returncode == 1
    assert "failed  configuration  trading.yaml: strategies.sma_crossover.parameters: " in result.stdout


def test_doctor_with_what_is_broken_says_so_and_hides_the_password(tmp_path: Path) -> None:
    result = trading(tmp_path, "doctor", DATABASE_URL=STOPPED, REDIS_URL="redis://:hunter2@127.0.0.1:1/0")
    states = {line.split()[1]: line.split()[0] for line in result.stdout.splitlines()}
    assert result.returncode == 1
    assert states["postgresql"] == states["schema"] == states["redis"] == "failed"
    assert "hunter2" not in result.stdout + result.stderr


def test_doctor_with_an_unmigrated_database_asks_for_the_migration(tmp_path: Path, database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("update public.schema_version set version_num = '0001'")
    result = trading(tmp_path, "doctor", DATABASE_URL=database.url)
    assert result.returncode == 1
    assert "run `trading migrate`" in result.stdout


def test_migrate_makes_both_schemas_and_a_second_time_changes_nothing(tmp_path: Path, database: Database) -> None:
    for _ in range(2):
        result = trading(tmp_path, "migrate", DATABASE_URL=database.url, REDIS_URL="redis://127.0.0.1:1/0")
        assert result.returncode == 0, result.stderr
    with psycopg.connect(database.url) as connection:
        tables = connection.execute("select to_regclass('dagster.event_logs'), to_regclass('market.bars')").fetchone()
    assert tables == ("dagster.event_logs", "market.bars")
    assert (tmp_path / ".trading" / "dagster" / "dagster.yaml").exists()


def test_env_hides_passwords_unless_they_are_asked_for(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": STOPPED, "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0"}
    hidden = trading(tmp_path, "env", **variables)
    shown = trading(tmp_path, "env", "--show-secrets", **variables)
    assert "hunter2" not in hidden.stdout
    assert f"export DATABASE_URL={STOPPED}" in shown.stdout


def test_account_list_on_a_narrow_terminal_shows_the_whole_id(tmp_path: Path, database: Database) -> None:
    account = "simulated-01234567-2010-03-01"
    with database.transaction() as connection:
        connection.execute(
            "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
            "values (%s, 'simulated', '01234567', '2010-03-01', 100000)",
            (account,),
        )
    wide = trading(tmp_path, "account", "list", DATABASE_URL=database.url, COLUMNS="80")
    narrow = trading(tmp_path, "account", "list", DATABASE_URL=database.url, COLUMNS="50")
    assert account in wide.stdout
    first_column = "".join(line.split("│")[1].strip() for line in narrow.stdout.splitlines() if line.startswith("│"))
    assert first_column == account


@pytest.mark.parametrize("at", ["2022-05-02T15:30Z", "2022-05-02T15:30", "2022-05-02 15:30"])
def test_clock_takes_the_times_that_its_messages_show(tmp_path: Path, database: Database, at: str) -> None:
    project = Path(__file__).parents[3] / "trading.yaml"
    (tmp_path / "trading.yaml").write_text(project.read_text().replace("clock: wall", "clock: replay"))
    variables = {"DATABASE_URL": database.url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    unset = trading(tmp_path, "clock", "show", **variables)
    assert "trading clock set 2022-05-02T15:30Z" in unset.stderr
    assert trading(tmp_path, "clock", "set", at, **variables).returncode == 0
    assert trading(tmp_path, "clock", "show", **variables).stdout == "2022-05-02T15:30:00+00:00 (rehearsal)\n"


def test_sql_shows_a_table_without_needless_zeros_or_cut_values(tmp_path: Path, database: Database) -> None:
    question = "select 'simulated-[b]01234567[/b]-2010-03-01' as account, 1.500000::numeric as qty, null as nothing"
    result = trading(tmp_path, "sql", question, DATABASE_URL=database.url)
    assert result.returncode == 0, result.stderr
    cells = [cell.strip() for cell in result.stdout.splitlines()[3].strip("│").split("│")]
    assert cells == ["simulated-[b]01234567[/b]-2010-03-01", "1.5", ""]


def test_sql_shows_times_in_utc(tmp_path: Path, database: Database) -> None:
    question = "select '2022-05-02 11:30-04'::timestamptz as at, '2022-05-02'::date as day"
    result = trading(tmp_path, "sql", question, DATABASE_URL=database.url)
    cells = [cell.strip() for cell in result.stdout.splitlines()[3].strip("│").split("│")]
    assert cells == ["2022-05-02 15:30:00 UTC", "2022-05-02"]


def test_sql_of_many_rows_says_that_it_stops(tmp_path: Path, database: Database) -> None:
    result = trading(tmp_path, "sql", "select generate_series(1, 1000)", DATABASE_URL=database.url)
    assert "200" in result.stdout
    assert "201" not in result.stdout
    assert "The first 200 rows" in result.stderr


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        ("create table trades ()", "cannot execute CREATE TABLE in a read-only transaction"),
        ("select trades", 'column "trades" does not exist'),
    ],
)
def test_sql_that_would_change_something_or_is_wrong_is_refused(
    tmp_path: Path, database: Database, question: str, complaint: str
) -> None:
    result = trading(tmp_path, "sql", question, DATABASE_URL=database.url)
    assert result.returncode == 1
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db?sslmode=require", "postgresql://me:***@host:5432/db?sslmode=require"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("postgresql:///local", "postgresql:///local"),
    ],
)
def test_url_without_password_keeps_the_rest(url: str, shown: str) -> None:
    assert without_password(url) == shown


# Old data and stored answers ----------------------------------------------------------------------


def old_answer(database: Database) -> None:
    from datetime import UTC, datetime
    from uuid import UUID

    from trading_assets.adapters.postgres.vendor_responses import StoredResponses
    from trading_assets.adapters.vendor_gateway import VendorResponse

    at = datetime(2020, 1, 2, tzinfo=UTC)
    question = {"symbols": ["X"], "timeframe": "1d", "first": "2020-01-02", "last": "2020-01-02", "until": f"{at}"}
    body = b'{"bars": {"X": [{"t": "2019-12-31T05:00:00Z"}]}}'
    StoredResponses(database).store(
        VendorResponse(UUID(int=1), "alpaca", "bars/1d", question, "GET", "u", 200, {}, body, at, at)
    )


def test_archive_moves_lists_verifies_and_restores(tmp_path: Path, database: Database) -> None:
    def archive(*arguments: str) -> subprocess.CompletedProcess[str]:
        return trading(tmp_path, "archive", *arguments, DATABASE_URL=database.url)

    assert "Nothing of that is archived" in archive("list").stderr
    old_answer(database)
    assert "2020-01 1 rows moved" in archive("run").stdout
    assert "market.vendor_responses/2020-01.parquet" in archive("list").stdout
    assert archive("verify").stdout == "1 of 1 files are what was recorded.\n"
    assert archive("restore").returncode == 2
    assert "1 rows restored" in archive("restore", "--month", "2020-01").stdout
    (file,) = (tmp_path / ".trading" / "archive").rglob("*.parquet")
    file.write_bytes(b"damaged")
    damaged = archive("verify")
    assert (damaged.returncode, damaged.stdout) == (1, "0 of 1 files are what was recorded.\n")
    assert f"{file.name} is damaged" in damaged.stderr


def test_reparse_shows_what_differs_and_stores_it_when_told_to(tmp_path: Path, database: Database) -> None:
    old_answer(database)
    compared = trading(tmp_path, "reparse", "--vendor", "alpaca", DATABASE_URL=database.url)
    assert compared.returncode == 1
    assert "market.quarantined_rows" in compared.stdout
    assert "Nothing was stored" in compared.stderr
    for _ in range(2):
        applied = trading(tmp_path, "reparse", "--apply", DATABASE_URL=database.url)
        assert applied.returncode == 0, applied.stderr
    assert trading(tmp_path, "reparse", DATABASE_URL=database.url).returncode == 0


def test_reparse_offers_the_vendors_and_datasets_that_can_be_read() -> None:
    from trading_assets.adapters import answer_readers
    from trading_assets.cli import stored_answers

    assert stored_answers.VENDORS == answer_readers.VENDORS
    assert stored_answers.DATASETS == answer_readers.DATASETS
