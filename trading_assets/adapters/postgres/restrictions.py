"""The restricted list and the watch list as persons keep them. What they forbid is for the rules to say."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.risk.standings import Restriction, RestrictionKind

if TYPE_CHECKING:
    import psycopg


def restrictions(connection: psycopg.Connection) -> list[Restriction]:
    """Every change of the lists, in order of time."""
    return select(
        connection,
        Restriction,
        "select symbol, kind, at, set_by, why from risk.restrictions order by at, event_no",
    )


def restrict(
    connection: psycopg.Connection, symbol: str, kind: RestrictionKind, by: str, why: str, at: datetime
) -> Restriction:
    """Put `symbol` on a list, or take it off (FREE), from `at` (UTC) on.

    Raises ContractBroken without a name or a reason, and for a symbol that is on neither list and is to be freed.
    """
    if not by.strip() or not why.strip():
        raise ContractBroken("A list is changed by a person with a reason: give --by and --why.")
    symbol = symbol.strip().upper()
    listed = {one.symbol: one.kind for one in restrictions(connection)}
    if kind is RestrictionKind.FREE and listed.get(symbol, RestrictionKind.FREE) is RestrictionKind.FREE:
        raise ContractBroken(
            f"{symbol} is on no list that was set here; what trading.yaml lists under risk.restricted or risk.watch "
            "is taken off there."
        )
    change = Restriction(symbol, kind, at, by.strip(), why.strip())
    connection.execute(
        "insert into risk.restrictions (symbol, kind, at, set_by, why) values (%s, %s, %s, %s, %s)",
        (change.symbol, change.kind.value, change.at, change.set_by, change.why),
    )
    return change
