"""What tests of an account at a broker copy: databases of an account that is about to decide, or to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from standins import rehearsed_account
from standins.broker_rehearsals import simulated
from standins.dying_desks import prepare
from standins.rehearsed_account import DAY, SETTINGS, RehearsedAccount, rows

from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution import desk

WANTED = (0.2, 0.3)


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
    """Databases of an account whose strategy `wants` two symbols at the newest close, and when that is `decided`."""
    wants = new_module_database()
    with simulated() as rehearsal:
        prepare(RehearsedAccount(wants, rehearsal), WANTED)
        decided = RehearsedAccount(new_module_database(like=wants), rehearsal, is_prepared=True)
        decided.at(rehearsal.venue.now)
        decided.desk().decide(DAY)
    assert rows(decided.database, "select count(*) from risk.approvals") == [(2,)]
    return {"wants": wants, "decided": decided.database}
