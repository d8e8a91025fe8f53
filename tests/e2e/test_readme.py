"""What README.md and the guides tell a reader to run is run here, on one small demo, and does what they say."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import psycopg
import pytest

from trading_assets.cli import trading
from trading_assets.services import dagster_variables, running_services
from trading_assets.settings import Environment

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
GUIDES = sorted((PROJECT / "docs" / "guides").glob("*.md"))
FIRST, LAST = "2010-03-01", "2010-05-28"
OUTSIDE = ("DATABASE_URL", "REDIS_URL", "DAGSTER_HOME", "DAGSTER_PG_URL", "TRADING_CONFIG")
OUTER_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")

pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Demo:
    """A state folder after `make demo`, what that printed, and its servers, kept running for all tests of this file."""

    home: Path
    output: str
    services: Environment

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OUTSIDE + OUTER_MAKE}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        return {**inherited, "TRADING_HOME": str(self.home), "PATH": programs, "COLUMNS": "200"}

    def run(self, command: str | list[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """A line of the documentation, in the project's folder."""
        arguments = shlex.split(command) if isinstance(command, str) else command
        return subprocess.run(
            arguments, cwd=PROJECT, env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )


def blocks(page: Path, kind: str) -> list[str]:
    """The fenced blocks of a page whose fence says exactly `kind`."""
    return [block.strip("\n") for block in re.findall(rf"^ *```{kind}\n(.*?)^ *```$", page.read_text(), re.M | re.S)]


def shell_lines(page: Path) -> list[str]:
    return [line for block in blocks(page, "sh") for line in block.splitlines()]


def make(*arguments: str) -> list[str]:
    """`make` with the Python that runs the tests, and without installing anything."""
    environment = Path(sys.prefix)
    return ["make", f"--old-file={environment / '.installed'}", f"VENV={environment}", *arguments]


def shape(text: str) -> list[str]:
    """Lines without what differs between two runs: numbers, accounts, folders, widths."""
    text = re.sub(r"simulated-[0-9a-f]{8}-\d{4}-\d\d-\d\d", "ACCOUNT", text)
    text = re.sub(r"/\S*/(reports|logs)/", r"HOME/\1/", text)
    text = re.sub(r"[+-]?\d[\d,]*(\.\d+)?", "N", text)
    text = re.sub(r"([━─])+", r"\1", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("readme")
    finished = Demo(home, "", Environment(home=home)).run(make("demo", f"FROM={FIRST}", f"TO={LAST}"))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    with running_services(Environment(home=home)) as running:
        yield Demo(home, finished.stdout, running)


def test_readme_shows_what_the_demo_prints(demo: Demo) -> None:
    assert shape(blocks(README, "text")[0]) == shape(demo.output)


def test_readme_shows_what_up_prints(demo: Demo) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    platform = subprocess.Popen(
        make("up", f"PORT={port}"),
        cwd=PROJECT,
        env=demo.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert platform.stdout
    printed = []
    for line in iter(platform.stdout.readline, ""):
        printed.append(line)
        if "Open http" in line:
            os.killpg(platform.pid, signal.SIGINT)
    platform.wait(120)
    assert shape("".join(printed)) == shape(blocks(README, "text")[1])


@pytest.mark.parametrize("line", [line for page in (README, *GUIDES) for line in shell_lines(page)])
def test_shell_line_of_the_documentation_works(demo: Demo, line: str) -> None:
    if line in {"make demo", "make up"}:
        return  # run by the two tests above
    if line == "make bench":
        assert "bench: " in (PROJECT / "Makefile").read_text()
        return  # run in a tiny setting by tests/e2e/test_benchmarks.py
    finished = demo.run(line)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.strip()


@pytest.mark.parametrize("question", blocks(README, "sql"))
def test_question_of_the_readme_has_an_answer(demo: Demo, question: str) -> None:
    finished = demo.run(["trading", "sql"], stdin=question)
    assert finished.returncode == 0, finished.stderr
    assert "│" in finished.stdout, f"no row answers:\n{question}\n{finished.stdout}"


def test_inline_commands_of_the_documentation_exist() -> None:
    named = {
        command
        for page in (README, *GUIDES, PROJECT / "CONTRIBUTING.md")
        for command in re.findall(r"`(trading [a-z][^`]*)`", page.read_text())
    }
    assert len(named) > 5
    for command in named:
        words = [word for word in shlex.split(command)[1:] if re.fullmatch(r"[a-z]+", word)]
        group: click.Command = trading
        while isinstance(group, click.Group) and words:
            word = words.pop(0)
            assert word in group.commands, command
            group = group.commands[word]
        known = {name for option in group.params for name in option.opts} | {"--help", "--version"}
        assert {word for word in shlex.split(command) if word.startswith("--")} <= known, command


def test_links_and_pictures_of_the_documentation_are_there() -> None:
    for page in (README, *GUIDES):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_ledger_refuses_what_the_guide_says_it_refuses(demo: Demo) -> None:
    page = PROJECT / "docs" / "guides" / "ledger.md"
    statement = blocks(page, "sql")[0]
    with psycopg.connect(demo.services.required_database_url()) as connection, pytest.raises(psycopg.Error) as refusal:
        connection.execute(statement.encode())
    assert refusal.value.diag.message_primary in page.read_text()


def test_purge_of_the_event_log_leaves_partitions_and_checks(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    import dagster as dg

    (purge,) = blocks(PROJECT / "docs" / "guides" / "operations.md", "sql purge")
    for name, value in dagster_variables(demo.services).items():
        monkeypatch.setenv(name, value)
    kept = (
        "select count(*) from dagster.event_logs "
        "where dagster_event_type in ('ASSET_MATERIALIZATION', 'ASSET_CHECK_EVALUATION')"
    )
    with dg.DagsterInstance.get() as instance, psycopg.connect(demo.services.required_database_url()) as connection:
        bars = dg.AssetKey(["market", "bars"])
        partitions = set(instance.get_materialized_partitions(bars))
        before = connection.execute(kept).fetchone()
        assert connection.execute(purge.encode()).rowcount == 0, "events of today are kept"
        connection.execute("update dagster.event_logs set timestamp = timestamp - interval '31 days'")
        assert connection.execute(purge.encode()).rowcount > 0
        connection.commit()
        assert connection.execute(kept).fetchone() == before
        assert set(instance.get_materialized_partitions(bars)) == partitions
        assert partitions
