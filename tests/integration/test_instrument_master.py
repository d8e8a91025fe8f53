"""Instruments against a real PostgreSQL: facts in versions, symbols through time, nothing forgotten or contradicted."""

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import (
    first_sessions,
    resolve,
    store_instruments,
    stored_instruments,
    symbols_of,
)
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction, DelistingReason
from trading_assets.domain.market.instruments import Instrument

LISTED, RENAMED = date(2012, 5, 18), date(2022, 6, 9)
RENAME = CorporateAction("FB", RENAMED, ActionKind.RENAME, new_symbol="META")


def store(database: Database, *instruments: Instrument, source: str = "alpaca") -> int:
    with database.transaction() as connection:
        return store_instruments(connection, instruments, source)


def act(database: Database, *actions: CorporateAction) -> None:
    with database.transaction() as connection:
        store_actions(connection, actions, "alpaca")


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def instrument(symbol: str, **facts: Any) -> Instrument:
    return Instrument(symbol, f"{symbol} Inc.", "NASDAQ", **{"is_tradable": True, "first_session": LISTED, **facts})


def test_facts_that_change_are_new_versions_and_the_same_ones_write_nothing(database: Database) -> None:
    easy = instrument("AAPL", is_shortable=True, is_easy_to_borrow=True, is_fractionable=True)
    assert store(database, easy) == 1
    assert store(database, easy) == 0
    assert store(database, instrument("AAPL", is_shortable=True, is_easy_to_borrow=False, is_fractionable=True)) == 1
    versions = "select version, is_easy_to_borrow from market.instrument_facts order by version"
    assert rows(database, versions) == [(1, True), (2, False)]
    current = "select symbol, is_easy_to_borrow, is_fractionable, first_session from market.instruments"
    assert rows(database, current) == [("AAPL", False, True, LISTED)]


def test_partnership_is_a_fact_like_the_others(database: Database) -> None:
    assert store(database, instrument("ET")) == 1
    assert store(database, instrument("ET", is_unqualified_partnership=False)) == 1
    assert store(database, instrument("ET", is_unqualified_partnership=True)) == 1
    assert rows(database, "select is_unqualified_partnership from market.instruments") == [(True,)]
    with database.transaction() as connection:
        (known,) = stored_instruments(connection, ["ET"])
    assert known.is_unqualified_partnership


def test_renamed_company_is_one_instrument_under_both_symbols(database: Database) -> None:
    store(database, instrument("FB", source_id="a1"))
    act(database, RENAME)
    store(database, instrument("META", source_id="a1"))
    facebook = resolve(database, "FB", RENAMED - timedelta(days=1))
    assert facebook == resolve(database, "META", RENAMED) == "alpaca:a1"
    assert resolve(database, "FB", RENAMED) is None
    assert [(one.symbol, one.valid_from, one.valid_to) for one in symbols_of(database, facebook)] == [
        ("FB", LISTED, RENAMED - timedelta(days=1)),
        ("META", RENAMED, None),
    ]
    assert first_sessions(database, ["META", "FB"]) == {"FB": LISTED, "META": RENAMED}


def test_what_was_believed_before_a_rename_was_known_stays_on_record(database: Database) -> None:
    store(database, instrument("META"))
    act(database, RENAME)
    believed = (
        "select symbol, valid_from, superseded_at is null from market.instrument_symbols order by known_at, symbol"
    )
    assert rows(database, believed) == [("META", LISTED, False), ("FB", LISTED, True), ("META", RENAMED, True)]


def test_symbol_reused_by_another_company_means_each_in_its_time(database: Database) -> None:
    store(database, instrument("X", source_id="old"))
    gone = CorporateAction("X", date(2020, 3, 3), ActionKind.DELISTING, reason=DelistingReason.WORTHLESS)
    act(database, gone)
    store(database, instrument("X", source_id="new", first_session=date(2023, 1, 3)))
    assert resolve(database, "X", date(2020, 3, 2)) == "alpaca:old"
    assert resolve(database, "X", date(2021, 1, 4)) is None
    assert resolve(database, "X", date(2023, 1, 3)) == "alpaca:new"
    assert rows(database, "select instrument_id from market.instruments") == [("alpaca:new",)]


def test_company_known_to_another_vendor_keeps_its_id(database: Database) -> None:
    store(database, instrument("AAPL", figi="BBG001S5N8V8"), source="polygon")
    store(database, instrument("AAPL", source_id="a1"))
    assert rows(database, "select scheme, instrument_id from market.instrument_identifiers order by scheme") == [
        ("alpaca", "figi:BBG001S5N8V8"),
        ("figi", "figi:BBG001S5N8V8"),
    ]
    assert rows(database, "select source from market.instrument_facts order by source") == [("alpaca",), ("polygon",)]
    assert len(rows(database, "select * from market.instruments")) == 1


@pytest.mark.parametrize(
    "change",
    [
        "insert into market.instrument_symbols (instrument_id, symbol, valid_from, source) "
        "values ('other', 'AAPL', '2020-01-01', 'test')",
        "insert into market.instrument_symbols (instrument_id, symbol, valid_from, source) "
        "select instrument_id, 'APPL', '2020-01-01', 'test' from market.instrument_symbols",
        "update market.instrument_symbols set valid_to = '2020-01-01'",
        "delete from market.instrument_symbols",
        "truncate market.instrument_symbols",
        "update market.instrument_facts set name = 'x'",
    ],
)
def test_database_refuses_contradictions_and_changes_of_the_record(database: Database, change: str) -> None:
    store(database, instrument("AAPL"))
    with pytest.raises(psycopg.errors.IntegrityError):
        rows(database, change)


TERMS = "symbol, ex_date, kind, source"


@pytest.mark.parametrize(
    "row",
    [
        f"({TERMS}) values ('X', '2024-05-06', 'tender', 's')",
        f"({TERMS}) values ('X', '2024-05-06', 'spin_off', 's')",
        f"({TERMS}) values ('X', '2024-05-06', 'stock_dividend', 's')",
        f"({TERMS}) values ('X', '2024-05-06', 'delisting', 's')",
        f"({TERMS}, new_symbol) values ('X', '2024-05-06', 'rename', 's', 'X')",
        f"({TERMS}, amount_usd, share_ratio) values ('X', '2024-05-06', 'cash_dividend', 's', 1, 1)",
        f"({TERMS}, reason, new_symbol) values ('X', '2024-05-06', 'delisting', 's', 'merger', 'Y')",
    ],
)
def test_database_refuses_an_action_whose_terms_do_not_fit_its_kind(database: Database, row: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        rows(database, f"insert into market.corporate_actions {row}")
