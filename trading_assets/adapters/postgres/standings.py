"""Reads how symbols stood when: instruments, halts, corporate actions and the lists that persons keep.

What the facts mean for an order, and since when they count, is said in domain/risk/standings.py.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, LiteralString

from trading_assets.adapters.postgres.records import rows, select
from trading_assets.adapters.postgres.restrictions import restrictions
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.risk.standings import (
    ActionVersion,
    Condition,
    HaltVersion,
    ListingFact,
    Span,
    Standings,
    action_spans,
    halt_spans,
    listing_spans,
    restriction_spans,
)

if TYPE_CHECKING:
    import psycopg

    from trading_assets.settings import TradingSettings


def read_standings(connection: psycopg.Connection, settings: TradingSettings) -> Standings:
    """The standings of the universe's symbols at all times, as far as is known now."""
    symbols = list(settings.universe)
    listings = select(connection, ListingFact, _LISTINGS, symbols=symbols)
    halts = select(connection, HaltVersion, _HALTS)
    return Standings(
        [
            *listing_spans(listings),
            *halt_spans(halts),
            *action_spans(_actions(connection, symbols)),
            *restriction_spans(restrictions(connection)),
            *_always(settings.risk.restricted, Condition.RESTRICTED),
            *_always(settings.risk.watch, Condition.WATCHED),
        ]
    )


def _always(symbols: Collection[str], condition: Condition) -> list[Span]:
    return [Span(symbol, condition) for symbol in symbols]


def _actions(connection: psycopg.Connection, symbols: list[str]) -> list[ActionVersion]:
    versions = []
    for row in rows(connection, _ACTIONS, symbols=symbols):
        known_at, kind, reason = row.pop("known_at"), ActionKind(row.pop("kind")), row.pop("reason")
        action = CorporateAction(**row, kind=kind, reason=reason and DelistingReason(reason))
        versions.append(ActionVersion(action, known_at))
    return versions


_LISTINGS: LiteralString = """
    select held.symbol, held.valid_from as first_day, held.valid_to as last_day, facts.is_tradable, facts.asset_class,
           facts.exchange, facts.delisted_on, facts.known_at, facts.is_shortable,
           coalesce(facts.is_easy_to_borrow, false) as is_easy_to_borrow,
           coalesce(facts.is_unqualified_partnership, false) as is_unqualified_partnership
    from market.instrument_symbols as held
    join market.instrument_facts as facts using (instrument_id)
    where held.superseded_at is null and held.symbol = any(%(symbols)s)
    order by held.symbol, held.valid_from, facts.known_at, facts.version, facts.source
"""

_HALTS: LiteralString = """
    select symbol, halted_at, resumed_at, reason, is_withdrawn, known_at
    from market.trading_halts
    order by symbol, halted_at, version
"""

_ACTIONS: LiteralString = """
    select symbol, ex_date, kind, split_ratio::numeric, amount_usd::numeric, pay_date, new_symbol,
           share_ratio::numeric, value_usd::numeric, reason, known_at
    from market.corporate_actions
    where symbol = any(%(symbols)s)
      and kind in ('split', 'stock_dividend', 'spin_off', 'rename', 'delisting')
    order by symbol, ex_date, kind, distributed_symbol, version
"""
