"""Ruff and mypy pass over the project with its own configuration, and each of them can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CONFIGURATION = str(PROJECT / "pyproject.toml")


def run_tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)])
def test_tool_over_the_project_finds_nothing(command: tuple[str, ...]) -> None:
    result = run_tool(*command)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("command", "code", "finding"),
    [
        (("ruff", "check", "--config", CONFIGURATION), "import os\n", "F401"),
        (("ruff", "format", "--check", "--config", CONFIGURATION), "x = {  }\n", "would be reformatted"),
        (("mypy", "--config-file", CONFIGURATION), "def total(a, b):\n    return a + b\n", "no-untyped-def"),
    ],
)
def test_tool_over_bad_code_reports_it(tmp_path: Path, command: tuple[str, ...], code: str, finding: str) -> None:
    bad = tmp_path / "bad_code.py"
    bad.write_text(code)
    result = run_tool(*command, str(bad))
    assert result.returncode != 0
    assert finding in result.stdout
