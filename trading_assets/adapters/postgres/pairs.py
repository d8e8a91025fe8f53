"""The table strategy.pairs: what strategies found at their discoveries. A store may be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from trading_assets.adapters.postgres.database import Database, Table, merge
from trading_assets.domain.strategy.pairs import Discovery
from trading_assets.domain.strategy.strategy import ConfiguredStrategy

KEY = ("strategy", "strategy_version", "discovered_at", "symbol_y", "symbol_x")
FACTS = ("hedge_ratio", "intercept", "half_life_bars", "p_value", "reverse_p_value")
PAIRS = Table("strategy.pairs", KEY, ("session_date", *FACTS, "pairs_tested", "is_selected"))


def store_pairs(
    database: Database,
    configured: ConfiguredStrategy,
    discoveries: Sequence[Discovery],
    after: datetime,
    until: datetime,
) -> int:
    """Make `discoveries` all that the strategy found in (after, until]; returns the rows changed."""
    owner = (configured.name, configured.version)
    rows = [
        (
            *owner,
            found.discovered_at,
            pair.symbol_y,
            pair.symbol_x,
            found.session_date,
            *(getattr(pair, name) for name in FACTS),
            len(found.tested),
            pair in found.selected,
        )
        for found in discoveries
        for pair in found.tested
    ]
    found_keys = [list(column) for column in zip(*(row[2:5] for row in rows), strict=True)] or [[], [], []]
    with database.transaction() as connection:
        written = merge(connection, PAIRS, [*PAIRS.key, *PAIRS.compared], rows)
        deleted = connection.execute(
            "delete from strategy.pairs where strategy = %s and strategy_version = %s "
            "and discovered_at > %s and discovered_at <= %s and (discovered_at, symbol_y, symbol_x) "
            "not in (select * from unnest(%s::timestamptz[], %s::text[], %s::text[]))",
            (*owner, after, until, *found_keys),
        ).rowcount
        return written + deleted
