"""Schema `market`: instruments, the facts that sources state about them, and the symbols they had over time.

Who is who is decided in domain/market/instruments.py; here it is stored, so that nothing that was known is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from trading_assets.adapters.postgres.database import Database, Table, append_versions
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.adapters.postgres.records import select
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.instruments import (
    DAY,
    Instrument,
    SymbolPeriod,
    absorbed,
    end,
    identify,
    place,
    rename,
)
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.strategy.portfolio import SectorFact

if TYPE_CHECKING:
    import psycopg

FACTS = (
    "name",
    "asset_class",
    "exchange",
    "currency",
    "sector",
    "is_tradable",
    "is_shortable",
    "is_fractionable",
    "is_easy_to_borrow",
    "is_unqualified_partnership",
    "first_session",
    "listed_on",
    "delisted_on",
)
INSTRUMENT_FACTS = Table("market.instrument_facts", key=("instrument_id", "source"), compared=FACTS)


def store_instruments(connection: psycopg.Connection, instruments: Sequence[Instrument], source: str) -> int:
    """Store facts that are new or changed as new versions, and who has which symbol; returns how many facts."""
    _lock(connection)
    today = _today(connection)
    identified = {
        (scheme, identifier): instrument_id
        for scheme, identifier, instrument_id in connection.execute(
            "select scheme, identifier, instrument_id from market.instrument_identifiers"
        )
    }
    stored = _periods(connection)
    periods = stored
    facts = []
    for instrument in instruments:
        instrument_id = identify(instrument, source, identified, periods, today)
        names = {name: instrument_id for name in instrument.identifiers(source).items() if name not in identified}
        _store_identifiers(connection, names)
        identified |= names
        periods = place(periods, instrument_id, instrument, today)
        facts.append((instrument_id, source, *(getattr(instrument, name) for name in FACTS)))
    _store_periods(connection, stored, periods, source)
    written = append_versions(connection, INSTRUMENT_FACTS, ("instrument_id", "source", *FACTS), facts)
    if written:
        append_event(connection, Topic.INSTRUMENTS_CHANGED, {"rows_written": written, "source": source})
    return written


def follow_actions(connection: psycopg.Connection, actions: Sequence[CorporateAction], source: str) -> None:
    """Let the symbols follow the renames and delistings among `actions`."""
    _lock(connection)
    stored = _periods(connection)
    periods = stored
    for action in sorted(actions, key=lambda one: one.ex_date):
        if action.kind is ActionKind.RENAME and action.new_symbol is not None:
            before, periods = periods, rename(periods, action.symbol, action.new_symbol, action.ex_date)
            if gone := absorbed(before, periods):
                owner = next(one for one in periods if one.symbol == action.new_symbol and one.covers(action.ex_date))
                connection.execute(
                    "update market.instrument_identifiers set instrument_id = %s where instrument_id = any(%s)",
                    (owner.instrument_id, list(gone)),
                )
        elif action.kind is ActionKind.DELISTING:
            periods = end(periods, action.symbol, action.ex_date - DAY)
    _store_periods(connection, stored, periods, source)


def resolve(database: Database, symbol: str, day: date) -> str | None:
    """The instrument that `symbol` means on `day`, as far as is known now; None for nobody."""
    with database.transaction() as connection:
        row = connection.execute(
            "select instrument_id from market.instrument_symbols where superseded_at is null and symbol = %s "
            "and daterange(valid_from, valid_to, '[]') @> %s",
            (symbol, day),
        ).fetchone()
    return row[0] if row else None


def symbols_of(database: Database, instrument_id: str) -> list[SymbolPeriod]:
    """The symbols that an instrument has had, in order of time, as far as is known now."""
    with database.transaction() as connection:
        periods = _periods(connection)
    return sorted((one for one in periods if one.instrument_id == instrument_id), key=lambda one: one.valid_from)


def stored_instruments(connection: psycopg.Connection, symbols: Sequence[str]) -> list[Instrument]:
    """The instruments among `symbols` that are stored, by symbol, with the newest facts about them and no ids."""
    return select(
        connection,
        Instrument,
        "select symbol, name, exchange, is_tradable, is_shortable, asset_class, currency, sector, first_session, "
        "is_fractionable, is_easy_to_borrow, is_unqualified_partnership, listed_on, last_session as delisted_on "
        "from market.instruments where symbol = any(%(symbols)s) order by symbol",
        symbols=list(symbols),
    )


def first_sessions(database: Database, symbols: Sequence[str]) -> dict[str, date | None]:
    """The first session of each stored instrument among `symbols`; None where its source cannot tell."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select symbol, first_session from market.instruments where symbol = any(%s)", (list(symbols),)
        ).fetchall()
    return dict(rows)


def sector_facts(database: Database, symbols: Sequence[str]) -> list[SectorFact]:
    """What was ever said about the sectors of the instruments that the `symbols` have meant."""
    with database.transaction() as connection:
        return select(
            connection,
            SectorFact,
            "select held.symbol, held.valid_from as first_day, held.valid_to as last_day, facts.sector, facts.known_at "
            "from market.instrument_symbols as held join market.instrument_facts as facts using (instrument_id) "
            "where held.superseded_at is null and facts.sector is not null and held.symbol = any(%(symbols)s) "
            "order by held.symbol, facts.known_at, facts.sector",
            symbols=list(symbols),
        )


def sessions_after_the_last(
    database: Database, symbols: Sequence[str], sessions: Sequence[date]
) -> set[tuple[str, date]]:
    """The (symbol, session) pairs in which a symbol is not listed any more, or has become another one."""
    with database.transaction() as connection:
        rows = connection.execute(
            "select symbol, last_session from market.instruments where symbol = any(%s) and last_session is not null",
            (list(symbols),),
        ).fetchall()
    return {(symbol, day) for symbol, last in rows for day in sessions if day > last}


def _periods(connection: psycopg.Connection) -> list[SymbolPeriod]:
    return select(
        connection,
        SymbolPeriod,
        "select symbol, valid_from, valid_to, instrument_id from market.instrument_symbols "
        "where superseded_at is null order by symbol, valid_from",
    )


def _store_periods(
    connection: psycopg.Connection, stored: Sequence[SymbolPeriod], periods: Sequence[SymbolPeriod], source: str
) -> None:
    for one in set(stored) - set(periods):
        connection.execute(
            "update market.instrument_symbols set superseded_at = clock_timestamp() "
            "where symbol = %s and valid_from = %s and superseded_at is null",
            (one.symbol, one.valid_from),
        )
    for one in sorted(set(periods) - set(stored), key=lambda one: (one.symbol, one.valid_from)):
        connection.execute(
            "insert into market.instrument_symbols (instrument_id, symbol, valid_from, valid_to, source) "
            "values (%s, %s, %s, %s, %s)",
            (one.instrument_id, one.symbol, one.valid_from, one.valid_to, source),
        )


def _store_identifiers(connection: psycopg.Connection, identifiers: dict[tuple[str, str], str]) -> None:
    for (scheme, identifier), instrument_id in identifiers.items():
        connection.execute(
            "insert into market.instrument_identifiers (scheme, identifier, instrument_id) values (%s, %s, %s)",
            (scheme, identifier, instrument_id),
        )


def _lock(connection: psycopg.Connection) -> None:
    """Two runs at once would both give the same symbol to what they have seen."""
    connection.execute("select pg_advisory_xact_lock(hashtext('market.instrument_symbols'))")


def _today(connection: psycopg.Connection) -> date:
    row = connection.execute("select (clock_timestamp() at time zone %s)::date", (str(NEW_YORK),)).fetchone()
    assert row is not None  # noqa: S101  a select without from always answers one row
    today: date = row[0]
    return today
