"""What is heard of a broker at a moment, and what is recorded of those who watch an account there, as the review asks.

Judging belongs to the rules: what is missing here is None, and denies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.broker_hints import stream_seen_at
from trading_assets.adapters.postgres.broker_orders import seen_at
from trading_assets.adapters.postgres.reconciliations import newest_agreement, open_breaks
from trading_assets.domain.execution.broker_records import BrokerAccount
from trading_assets.domain.risk.circumstances import BrokerLink
from trading_assets.domain.values import decimal_of

if TYPE_CHECKING:
    import psycopg

    from trading_assets.adapters.ports import Broker, Clock

QUOTED_WITHIN = timedelta(seconds=60)
"""An older quote counts as none."""
RISK_WATCH = "risk"


@dataclass(frozen=True, slots=True)
class Heard:
    """The broker's answers at `at` (UTC, by our clock). `refusal`: why the broker lets the account not trade."""

    at: datetime
    clock_skew_ms: int
    refusal: str | None
    venue: str
    account_number: str
    quotes: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)


def hear(broker: Broker, clock: Clock, symbols: Sequence[str]) -> Heard:
    """Ask the broker for its time, its word on the account, and quotes of `symbols`. Raises AdapterError."""
    before, said, after = clock.now(), broker.clock().now, clock.now()
    skew = before + (after - before) / 2 - said
    quotes = {
        one.symbol: (decimal_of(one.bid), decimal_of(one.ask))
        for one in broker.quotes(symbols)
        if one.bid is not None and one.ask is not None and said - one.quoted_at <= QUOTED_WITHIN
    }
    account, skew_ms = broker.account(), round(skew / timedelta(milliseconds=1))
    return Heard(clock.now(), skew_ms, _refusal(account), broker.key_venue, account.account_number, quotes)


def link_of(connection: psycopg.Connection, account_id: str, heard: Heard) -> BrokerLink:
    """What the review may know of the broker of an account."""
    streamed_at = stream_seen_at(connection, account_id)
    return BrokerLink(
        venue=heard.venue,
        account_number=heard.account_number,
        clock_skew_ms=heard.clock_skew_ms,
        heartbeat_at=seen_at(connection, account_id, RISK_WATCH),
        reconciled_at=newest_agreement(connection, account_id),
        connected_at=None if streamed_at is None else min(streamed_at, heard.at),
        quotes=heard.quotes,
        open_breaks=open_breaks(connection, account_id),
    )


def _refusal(account: BrokerAccount) -> str | None:
    if account.may_trade:
        return None
    flags = {
        "trading_blocked": account.is_trading_blocked,
        "account_blocked": account.is_account_blocked,
        "trade_suspended_by_user": account.is_suspended_by_user,
    }
    said = [f"status {account.status}", *(f"{name}: {value}" for name, value in flags.items() if value is not False)]
    return f"the broker does not let account {account.account_number} trade ({', '.join(said)})"
