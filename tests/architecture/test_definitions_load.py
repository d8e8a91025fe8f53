"""The graph loads in Dagster, and loading it stays cheap: heavy libraries are imported where they are used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HEAVY = ("dbt.cli", "great_expectations", "matplotlib", "numba", "quantstats", "talib", "yfinance")


def heavy_modules_after(statement: str) -> set[str]:
    """Which of HEAVY a fresh interpreter holds after `statement`."""
    program = f"import json, sys\n{statement}\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def validate(workspace: Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(workspace)]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    return subprocess.run(command, cwd=workspace.parent, env=environment, capture_output=True, text=True, check=False)


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    assert heavy_modules_after("import trading_assets.definitions") == set()


def test_importing_something_heavy_is_noticed() -> None:
    assert heavy_modules_after("import yfinance") == {"yfinance"}


def test_workspace_of_the_project_is_valid(tmp_path: Path) -> None:
    result = validate(PROJECT / "workspace.yaml", tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_workspace_with_a_broken_module_is_invalid(tmp_path: Path) -> None:
    (tmp_path / "broken_definitions.py").write_text("import no_such_module\n")
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text("load_from:\n  - python_module: {module_name: broken_definitions, working_directory: .}\n")
    result = validate(workspace, tmp_path)
    assert result.returncode != 0
    assert "no_such_module" in result.stdout + result.stderr
