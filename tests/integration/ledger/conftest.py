"""Accounts with a life behind them, recorded and not."""

from __future__ import annotations

import pytest
from standins.recorded_life import PROTECTED, Life

from trading_assets.adapters.postgres.database import Database


@pytest.fixture
def life(database: Database) -> Life:
    return Life(database)


@pytest.fixture
def recorded(life: Life, database: Database) -> Life:
    life.record(database)
    return life


@pytest.fixture
def protected(database: Database) -> Life:
    """A recorded account whose entries carry protective exits."""
    life = Life(database, PROTECTED)
    life.record(database)
    return life
