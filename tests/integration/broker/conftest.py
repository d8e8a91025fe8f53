"""What tests of an account at a broker copy: databases of an account that is about to decide, or to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from standins import rehearsed_account
from standins.dying_desks import prepared_databases
from standins.rehearsed_account import SETTINGS

from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution import desk


@pytest.fixture(scope="module")
def known_strategies() -> Iterator[None]:
    """Looking for strategies in the installed packages takes longer than all else, and finds the same every time."""
    found = load_strategies(SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        for module in (desk, rehearsed_account):
            patched.setattr(module, "load_strategies", lambda _settings: found)
        yield


@pytest.fixture(scope="module")
def prepared(new_module_database: Callable[..., Database], known_strategies: None) -> dict[str, Database]:
    return prepared_databases(new_module_database)
