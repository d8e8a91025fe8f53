"""What surrounds the review of a moment, beside the account: the market's rules of the hour, the broker, the calendar.

Facts only, and none of them is judged here. What is None is not known, and a rule that needs it denies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading_assets.domain.risk.standings import NO_STANDINGS, Standings


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """The order that an approved intent becomes. `placement`: whether it is taken at this hour (now, later, refused).

    `cut_off_at` (UTC) is the last moment to send it for what it is meant for. Prices are raw USD, None where the order
    has none; `limit_offset_bps` is the limit of an entry, beyond the reference price (order_prices.limit_beyond).
    `with_legs` are the strategies whose entries carry protective legs.
    """

    placement: str
    cut_off_at: datetime
    limit_usd: Decimal | None = None
    stop_usd: Decimal | None = None
    limit_offset_bps: Decimal | None = None
    with_legs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """What is known of a broker that is a real one, and of those who watch the account there. All times UTC.

    `quotes` are bid and ask in USD by symbol. `clock_skew_ms` is our clock less the broker's. `venue` is where the key
    in use is for (`alpaca-paper`), `account_number` whose account the broker says that it opens.
    """

    venue: str | None = None
    account_number: str | None = None
    clock_skew_ms: int | None = None
    heartbeat_at: datetime | None = None
    reconciled_at: datetime | None = None
    connected_at: datetime | None = None
    quotes: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    open_breaks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """newest_close: of the bars that are collected, the newest close due by now; reference_at: that of the reference
    prices. approved_at: when the order was approved, None while it is reviewed. link: None at a simulated broker.
    entries: the terms of orders that open or enlarge a position, by strategy, where they are not `terms`.
    configured_number: that of the one account that may trade at a real one.
    """

    account_id: str
    broker: str
    configured_broker: str
    terms: OrderTerms
    newest_close: datetime
    reference_at: datetime
    standings: Standings = NO_STANDINGS
    approved_at: datetime | None = None
    link: BrokerLink | None = None
    is_margin_account: bool = True
    entries: Mapping[str, OrderTerms] = field(default_factory=dict)
    configured_number: str | None = None
