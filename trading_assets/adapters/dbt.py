"""The dbt project: what it defines, read without loading dbt, and one build of it in this process.

What its models mean is written in dbt_project/; how they appear as assets is the graph's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.database import Database
from trading_assets.settings import temporary_environment

PROJECT_DIRECTORY = Path(__file__).parents[2] / "dbt_project"
_GENERATED = frozenset({"target", "logs", ".user.yml"})
_PARSED = "partial_parse.msgpack"
_KEPT_FIELDS = (
    "name", "resource_type", "schema", "identifier", "description", "columns", "config", "meta", "attached_node",
    "raw_code", "checksum", "original_file_path",
)  # fmt: skip
_RESOURCES = frozenset({"model", "test", "source"})


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or test. `failures` counts the rows a test found, `row_count` those a table holds."""

    unique_id: str
    status: str
    message: str
    failures: int | None
    row_count: int | None
    seconds: float
    compiled_sql: str | None

    @property
    def is_ok(self) -> bool:
        return self.status in {"success", "pass"}


@dataclass(frozen=True)
class DbtProject:
    """The project in `directory`; what dbt generates goes to `target`, which one build at a time may use."""

    directory: Path = PROJECT_DIRECTORY
    target: Path = PROJECT_DIRECTORY / "target"

    def sources_hash(self) -> str:
        """SHA-256 over the names and contents of the project's own files."""
        digest = hashlib.sha256()
        for path in sorted(self.directory.rglob("*")):
            relative = path.relative_to(self.directory)
            if path.is_file() and relative.parts[0] not in _GENERATED:
                digest.update(f"{relative.as_posix()}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()

    def nodes(self) -> dict[str, Any]:
        """Models, tests and sources by dbt's unique id, each with its `parents`.

        Kept in `target` under the hash of the sources; when they changed, `dbt parse` runs in a process of its own,
        which takes some seconds and needs no database. Raises ContractBroken with dbt's words when it does not parse.
        """
        kept = self.target / f"nodes-{self.sources_hash()[:16]}.json"
        if not kept.exists():
            print(f"dbt: reading {self.directory}, because its files changed since the last time", file=sys.stderr)
            self._read_project(kept)
        nodes: dict[str, Any] = json.loads(kept.read_text())
        return nodes

    def _read_project(self, kept: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            manifest = self._parsed_manifest(Path(scratch))
            self.target.mkdir(parents=True, exist_ok=True)
            for stale in self.target.glob("nodes-*.json"):
                stale.unlink(missing_ok=True)
            _write_at_once(kept, json.dumps(_reduced(manifest)).encode())
            # With it the next build reads only what changes from now on.
            _write_at_once(self.target / _PARSED, (Path(scratch) / _PARSED).read_bytes())

    def _parsed_manifest(self, target: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "dbt.cli.main", "--quiet", "parse", *self._locations(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ContractBroken(
                f"dbt cannot read {self.directory}: {(done.stdout + done.stderr).strip()[-2000:]} "
                "Correct the file it names; `dbt parse` shows the same message."
            )
        manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text())
        return manifest

    def build(self, url: str, select: Sequence[str] = ()) -> list[NodeResult]:
        """`dbt build` against the database at `url` (postgresql://...), in this process.

        `select`: names of models and tests; none means everything except unit tests, which test code and not data.
        A failed test is a result, not an exception. Raises Unreachable without a database, and ContractBroken when dbt
        could not run at all.
        """
        selection = ["--select", *select, "--indirect-selection", "empty"] if select else []
        return self._run(url, "build", "--exclude-resource-type", "unit_test", *selection)

    def unit_test(self, url: str) -> list[NodeResult]:
        """Run the unit tests; they need the tables of a build for their column types."""
        return self._run(url, "test", "--select", "test_type:unit")

    def _run(self, url: str, command: str, *options: str) -> list[NodeResult]:
        from dbt.cli.main import dbtRunner

        _ensure_reachable(url)
        arguments = ["--no-use-colors", "--log-level", "warn", command, *self._locations(self.target), *options]
        with temporary_environment(connection_environment(url)):
            outcome = dbtRunner().invoke(arguments)
        if outcome.exception is not None or outcome.result is None:
            raise ContractBroken(f"dbt {command} could not run: {outcome.exception}") from outcome.exception
        return [_node_result(result) for result in outcome.result]

    def _locations(self, target: Path) -> list[str]:
        directory = str(self.directory)
        return [
            "--project-dir", directory, "--profiles-dir", directory,
            "--target-path", str(target), "--log-path", str(target),
        ]  # fmt: skip


def connection_environment(url: str) -> dict[str, str]:
    """The variables that profiles.yml reads, from a postgresql:// URL; without what the URL does not name."""
    from psycopg.conninfo import conninfo_to_dict

    names = {
        "host": "DBT_PG_HOST",
        "port": "DBT_PG_PORT",
        "user": "DBT_PG_USER",
        "password": "DBT_ENV_SECRET_PG_PASSWORD",
        "dbname": "DBT_PG_DBNAME",
        "sslmode": "DBT_PG_SSLMODE",
    }
    parts = conninfo_to_dict(url)
    return {variable: str(parts[name]) for name, variable in names.items() if parts.get(name)}


def _write_at_once(path: Path, content: bytes) -> None:
    """No reader sees a part of it."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def _ensure_reachable(url: str) -> None:
    """dbt wraps a refused connection into several exceptions; this raises Unreachable, which says what to do."""
    with Database(url).transaction():
        pass


def _reduced(manifest: Mapping[str, Any]) -> dict[str, Any]:
    everything = {**manifest["nodes"], **manifest["sources"]}
    return {
        unique_id: {name: node[name] for name in _KEPT_FIELDS if name in node}
        | {"parents": manifest["parent_map"].get(unique_id, [])}
        for unique_id, node in sorted(everything.items())
        if node["resource_type"] in _RESOURCES
    }


def _node_result(result: Any) -> NodeResult:
    response = result.adapter_response or {}
    is_table = result.node.resource_type == "model" and result.node.config.materialized == "table"
    return NodeResult(
        unique_id=result.node.unique_id,
        status=str(result.status),
        message=result.message or "",
        failures=result.failures,
        row_count=response.get("rows_affected") if is_table else None,
        seconds=result.execution_time,
        compiled_sql=getattr(result.node, "compiled_code", None),
    )
