"""A latched breaker is cleared by a person with a reason; the clearing survives, and a replay lives through it too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.breakers import clear_breaker, outside_events, tripped_breakers
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.journal import BreakerEvent, BreakerState, Journal

AT = datetime(2012, 6, 1, 20, tzinfo=UTC)
DAY = date(2012, 6, 1)
LATER = AT + timedelta(hours=1)


@pytest.fixture
def account_id(database: Database) -> str:
    """An account whose drawdown breaker tripped at AT."""
    with database.transaction() as connection:
        opened = ledger.open_account(connection, "simulated", "0" * 8, DAY, Decimal(100_000))
        tripped = BreakerEvent(opened.account_id, "drawdown", 1, BreakerState.TRIPPED, AT, DAY, {"change": "-0.16"})
        ledger.record(connection, Journal(breaker_events=[tripped]))
    return opened.account_id


def test_breaker_cleared_by_a_person_is_no_longer_latched(database: Database, account_id: str) -> None:
    with database.transaction() as connection:
        assert set(tripped_breakers(connection, account_id, LATER)) == {"drawdown"}
        clear_breaker(connection, account_id, "drawdown", "Ada", "limits reviewed", LATER, DAY)
    with database.transaction() as connection:
        assert tripped_breakers(connection, account_id, LATER) == {}
        assert set(tripped_breakers(connection, account_id, AT)) == {"drawdown"}
        (cleared,) = outside_events(connection, account_id, AT, LATER)
    assert (cleared.cleared_by, cleared.why, cleared.event_no) == ("Ada", "limits reviewed", 2)


@pytest.mark.parametrize(("by", "why"), [("", "reviewed"), (" ", "reviewed"), ("Ada", ""), ("time rule: mine", "x")])
def test_breaker_without_a_name_or_a_reason_stays_latched(
    database: Database, account_id: str, by: str, why: str
) -> None:
    with pytest.raises(ContractBroken, match="give --by and --why"), database.transaction() as connection:
        clear_breaker(connection, account_id, "drawdown", by, why, LATER, DAY)
    with database.transaction() as connection:
        assert set(tripped_breakers(connection, account_id, LATER)) == {"drawdown"}


def test_breaker_that_is_not_tripped_cannot_be_cleared(database: Database, account_id: str) -> None:
    refusal = pytest.raises(NotFound, match=r"daily_loss .* is not tripped\. Tripped: drawdown")
    with refusal, database.transaction() as connection:
        clear_breaker(connection, account_id, "daily_loss", "Ada", "reviewed", LATER, DAY)
