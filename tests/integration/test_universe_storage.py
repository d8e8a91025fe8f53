"""Universes through time in a real PostgreSQL: written once, asked for a day."""

from datetime import date

from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.universe import store_members, stored_members, universe_as_of
from trading_assets.domain.market.universe import Membership, universe_id

MEMBERS = (Membership("AAPL", date(1982, 11, 30)), Membership("LEH", date(1994, 5, 31), date(2008, 9, 16)))


def test_universe_is_stored_once_and_answers_for_each_day(database: Database) -> None:
    with database.transaction() as connection:
        assert store_members(connection, MEMBERS) == 2
        assert store_members(connection, MEMBERS) == 0
        assert store_members(connection, MEMBERS[:1]) == 1
    name = universe_id(MEMBERS)
    assert tuple(stored_members(database, name)) == MEMBERS
    assert universe_as_of(database, name, date(2008, 9, 16)) == {"AAPL", "LEH"}
    assert universe_as_of(database, name, date(2008, 9, 17)) == {"AAPL"}
    assert universe_as_of(database, universe_id(MEMBERS[:1]), date(2000, 1, 3)) == {"AAPL"}
    assert universe_as_of(database, "unknown", date(2000, 1, 3)) == frozenset()
