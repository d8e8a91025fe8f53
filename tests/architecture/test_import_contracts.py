"""The walls of the house: import-linter keeps them, and each of them is shown red by a planted import."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINT_IMPORTS), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_walls_of_the_project_are_kept() -> None:
    result = lint(PROJECT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [
        ("Glue over the graph over adapters over the domain", "adapters/ports.py", "import trading_assets.defs"),
        ("The domain runs against the data", "domain/market/bars.py", "import trading_assets.domain.risk"),
        ("The graph runs against the data", "defs/ingestion/assets.py", "import trading_assets.defs.execution"),
        ("Only the graph and the glue know Dagster", "settings/section.py", "import dagster"),
        ("Only the graph and the glue know Dagster", "local_alpaca/server.py", "import dagster"),
        ("The domain knows no vendor, no network and no database", "domain/values.py", "import yfinance"),
    ],
)
def test_wall_with_a_forbidden_import_is_broken(tmp_path: Path, contract: str, module: str, line: str) -> None:
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    package = tmp_path / "trading_assets"
    shutil.copytree(PROJECT / "trading_assets", package, ignore=shutil.ignore_patterns("__pycache__"))
    target = package / module
    target.write_text(target.read_text() + f"\n{line}\n")

    result = lint(tmp_path)

    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout
