"""Opens the account that trading.yaml allows at a real broker, with what the broker says is in it.

What that becomes in the ledger belongs in postgres/broker_accounts.py.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.broker_accounts import (
    Found,
    broker_account,
    broker_account_id,
    open_broker_account,
)

if TYPE_CHECKING:
    from trading_assets.adapters.ports import Broker
    from trading_assets.adapters.postgres.database import Database
    from trading_assets.settings import TradingSettings

SEEN_BEFORE = timedelta(days=2)
"""Records this old, and younger ones, that an account's opening cash contains are never booked again."""


def opened_account(
    database: Database, settings: TradingSettings, broker: Broker, now: datetime
) -> ledger.AccountRecord:
    """The account at `broker`, opened at `now` (UTC) when it is first asked for.

    Raises AdapterError when the broker does not answer, or its key belongs to another account than the allowed one.
    """
    found, venue = broker.account(), settings.broker.venue
    account_id = broker_account_id(venue, found.account_number)
    with database.transaction() as connection:
        if record := broker_account(connection, account_id):
            return record
    # Records first: what is booked in between is in the cash already, and would be counted twice.
    records = broker.activities_since(now - SEEN_BEFORE)
    found, positions = broker.account(), broker.positions()
    if broker.activities_since(now - SEEN_BEFORE) != records:
        return opened_account(database, settings, broker, now)
    with database.transaction() as connection:
        ledger.lock_ledger(connection)
        contents = Found(found, positions, records)
        record = open_broker_account(connection, account_id, venue, settings.fingerprint(), contents, now)
        ledger.use_account(connection, account_id)
        return record
