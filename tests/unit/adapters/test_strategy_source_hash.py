"""The hash of the files that a strategy is made from: what a promotion holds it to."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading_assets.adapters.plugins import source_sha256
from trading_assets.adapters.strategy_files import strategies_in
from trading_assets.settings import PROJECT_ROOT
from trading_assets.strategies.buy_and_hold import BuyAndHold

DERIVED = """from {base} import BuyAndHold


class Mine(BuyAndHold):
    name = "mine"
"""


def sha256(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_source_of_a_built_in_is_its_file() -> None:
    assert source_sha256(BuyAndHold) == sha256(PROJECT_ROOT / "trading_assets" / "strategies" / "buy_and_hold.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which `base_of_mine` can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("base_of_mine", None)


def test_source_holds_the_file_and_that_of_its_base_class(folder: Path) -> None:
    base, mine = folder / "base_of_mine.py", folder / "mine.py"
    base.write_text(
        "from trading_assets.strategies.buy_and_hold import BuyAndHold as Held\n\n\nclass BuyAndHold(Held): ..."
    )
    mine.write_text(DERIVED.format(base="base_of_mine"))
    (found,) = strategies_in(mine)
    built_in = PROJECT_ROOT / "trading_assets" / "strategies" / "buy_and_hold.py"
    before = source_sha256(found.strategy)
    assert before == sha256(mine, base, built_in)
    base.write_text(base.read_text() + "  # changed\n")
    assert source_sha256(found.strategy) == sha256(mine, base, built_in) != before
