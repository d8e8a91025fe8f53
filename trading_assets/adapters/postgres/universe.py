"""Schema `market`: the members of universes through time. Which universe is traded is in trading.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, append_once
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.market.universe import Membership, members_on, universe_id

if TYPE_CHECKING:
    import psycopg

MEMBERS = Table("market.universe_members", key=("universe_id", "symbol", "valid_from"), compared=("valid_to",))


def store_members(connection: psycopg.Connection, members: Sequence[Membership]) -> int:
    """Record the memberships of a universe; returns how many are new. The same universe again writes nothing."""
    name = universe_id(members)
    rows = ((name, one.symbol, one.valid_from, one.valid_to) for one in members)
    return append_once(connection, MEMBERS, (*MEMBERS.key, "valid_to"), rows)


def stored_members(database: Database, name: str) -> list[Membership]:
    """The memberships of the universe with the id `name`; empty when it was never stored."""
    with database.transaction() as connection:
        return select(
            connection,
            Membership,
            "select symbol, valid_from, valid_to from market.universe_members "
            "where universe_id = %(name)s order by symbol, valid_from",
            name=name,
        )


def universe_as_of(database: Database, name: str, day: date) -> frozenset[str]:
    """The symbols that belonged to the universe `name` on `day`."""
    return members_on(stored_members(database, name), day)
