"""The SQL of the dbt project passes sqlfluff with the project's configuration, and sqlfluff can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def lint(*paths: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", "--config", "pyproject.toml", *paths]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_models_and_tests_have_no_finding() -> None:
    result = lint("dbt_project/models", "dbt_project/tests")
    assert result.returncode == 0, result.stdout


def test_badly_written_model_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("SELECT a,b from {{ ref('x') }} where A=1\n")
    result = lint(str(tmp_path))
    assert result.returncode != 0
    assert "CP01" in result.stdout
