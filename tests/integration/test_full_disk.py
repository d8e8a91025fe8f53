"""A full disk: one line that says what to do, and nothing stored is lost. Needs root, to mount a small disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_assets.adapters.embedded import EmbeddedPostgres
from trading_assets.adapters.errors import OutOfSpace
from trading_assets.adapters.postgres.database import Database


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 80 MB."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "none", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_demo_on_a_full_disk_says_in_one_line_what_to_do(small_disk: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    demo = subprocess.run(
        [sys.executable, "-m", "trading_assets.cli", "demo"],
        env=environment | {"TRADING_HOME": str(small_disk)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert demo.returncode == 1
    assert len(demo.stderr.strip().splitlines()) == 1
    assert "Free some space, or set TRADING_HOME" in demo.stderr


def test_disk_that_fills_up_in_a_transaction_rolls_it_back_and_keeps_the_rest(small_disk: Path) -> None:
    server = EmbeddedPostgres(small_disk, fast=True)
    database = Database(server.start())
    try:
        with database.transaction() as connection:
            connection.execute("create table kept as select 1 as row")
            connection.execute("create table filler (content text)")
        with pytest.raises(OutOfSpace, match="Free some space and run it again"):
            _fill(database)
        with database.transaction() as connection:
            assert connection.execute("select count(*) from kept").fetchone() == (1,)
            assert connection.execute("select count(*) from filler").fetchone() == (0,)
    finally:
        server.stop()


def _fill(database: Database) -> None:
    """Store 190 MB that cannot be compressed away."""
    with database.transaction() as connection:
        connection.execute("alter table filler alter column content set storage external")
        connection.execute(
            "insert into filler select string_agg(md5(random()::text), '') "
            "from generate_series(1, 3000) as part, generate_series(1, 2000) as line group by line"
        )
