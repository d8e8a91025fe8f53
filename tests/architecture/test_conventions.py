"""Conventions no linter knows: names, docstrings, who reads the environment and the clock, and what a lock may hold.

Every rule is a function of a folder, so that a planted violation can show it red.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base"}
CLOCK_CALLS = {"now", "today", "utcnow", "time", "time_ns", "monotonic"}
CLOCK_OWNERS = {"datetime", "date", "time", "Timestamp"}
RANDOM_IDS = {"uuid1", "uuid4", "token_hex", "token_urlsafe"}


def modules(package: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(package.rglob("*.py")):
        yield path, ast.parse(path.read_text(), filename=str(path))


def nameless_modules(package: Path) -> list[str]:
    """Files and folders whose name does not say what belongs in them."""
    return [str(path) for path in sorted(package.rglob("*")) if path.stem in NAMELESS]


def modules_without_docstring(package: Path) -> list[str]:
    return [str(path) for path, tree in modules(package) if tree.body and not ast.get_docstring(tree)]


def readers_of_the_environment(package: Path) -> list[str]:
    """Modules other than settings/environment.py that touch os.environ or os.getenv."""
    return [
        f"{path}:{node.lineno}"
        for path, tree in modules(package)
        if path != package / "settings" / "environment.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    ]


def unrepeatable_calls(package: Path) -> list[str]:
    """Calls in the domain or a strategy that give something else each time: the clock, random ids."""
    found = []
    for folder in ("domain", "strategies"):
        for path, tree in modules(package / folder):
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    owner, name = node.value.id, node.attr
                    if (owner in CLOCK_OWNERS and name in CLOCK_CALLS) or name in RANDOM_IDS:
                        found.append(f"{path}:{node.lineno}")
    return found


RULES = (nameless_modules, modules_without_docstring, readers_of_the_environment, unrepeatable_calls)


@pytest.mark.parametrize("rule", RULES)
def test_rule_over_the_package_finds_nothing(rule: Callable[[Path], list[str]]) -> None:
    assert rule(PROJECT / "trading_assets") == []


@pytest.mark.parametrize(
    ("rule", "file", "code"),
    [
        (nameless_modules, "domain/utils.py", '"""Things."""\n'),
        (modules_without_docstring, "domain/orders.py", "x = 1\n"),
        (readers_of_the_environment, "adapters/vendor.py", '"""A."""\nimport os\n\nKEY = os.environ["KEY"]\n'),
        (unrepeatable_calls, "domain/orders.py", '"""A."""\nfrom datetime import datetime\n\nx = datetime.now()\n'),
        (unrepeatable_calls, "strategies/mine.py", '"""A."""\nimport uuid\n\nx = uuid.uuid4()\n'),
    ],
)
def test_rule_with_a_planted_violation_finds_it(
    tmp_path: Path, rule: Callable[[Path], list[str]], file: str, code: str
) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(code)
    findings = rule(tmp_path)
    assert len(findings) == 1
    assert str(planted) in findings[0]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-bootstrap.lock"])
def test_lock_names_no_address_and_hashes_everything(name: str) -> None:
    lock = (PROJECT / name).read_text()
    pins = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert "://" not in lock
    assert pins
    assert all(pin.endswith("\\") for pin in pins), "a pin without a hash"


def test_lock_pins_every_declared_dependency() -> None:
    import re
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (PROJECT / "requirements.lock").read_text()
    pinned = {re.split(r"[\[=]", line)[0] for line in lock.splitlines() if "==" in line and line[0].isalpha()}
    names = {re.split(r"[\[;<>=! ]", requirement)[0].lower() for requirement in declared}
    assert names - pinned == set()
