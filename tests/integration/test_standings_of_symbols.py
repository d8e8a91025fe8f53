"""What is stored of instruments, halts, actions and lists is the standing of a symbol, and `restrict` changes it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from click.testing import CliRunner

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.postgres.corporate_actions import store_actions
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.restrictions import restrict, restrictions
from trading_assets.adapters.postgres.standings import read_standings
from trading_assets.adapters.postgres.trading_halts import store_halts
from trading_assets.cli import trading
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.halts import TradingHalt
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.risk.standings import Condition, RestrictionKind
from trading_assets.settings import TradingSettings

NOON = datetime(2024, 6, 10, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["IBM", "MSFT", "GONE", "KD", "ET"],
        "timeframes": ["1d"],
        "strategies": {},
        "risk": {"watch": ["MSFT"]},
    }
)
ORDINARY = {Condition.LISTED, Condition.TRADABLE}
NOT_LENT = {Condition.NOT_SHORTABLE, Condition.HARD_TO_BORROW}


def test_stored_facts_are_the_standing_of_a_symbol(database: Database) -> None:
    first = date(2010, 1, 4)
    instruments = [
        Instrument("IBM", "IBM", "NYSE", True, True, is_easy_to_borrow=True, first_session=first),
        Instrument("MSFT", "Microsoft", "NASDAQ", True, True, is_easy_to_borrow=True, first_session=first),
        Instrument("GONE", "Gone", "NYSE", False, first_session=first, delisted_on=date(2024, 6, 7)),
        Instrument("ET", "Energy", "NYSE", True, True, is_unqualified_partnership=True, first_session=first),
    ]
    spin_off = CorporateAction(
        "IBM", date(2024, 6, 12), ActionKind.SPIN_OFF, new_symbol="KD", share_ratio=Decimal("0.2")
    )
    with database.transaction() as connection:
        store_instruments(connection, instruments, "test")
        store_halts(connection, [TradingHalt("IBM", NOON, NOON + HOUR, "T1")], "file")
        store_actions(connection, [spin_off], "test")
        restrict(connection, "ibm", RestrictionKind.RESTRICTED, "Ada", "talks", NOON + 2 * HOUR)
        restrict(connection, "IBM", RestrictionKind.FREE, "Ada", "over", NOON + 3 * HOUR)
        standings = read_standings(connection, SETTINGS)

    def stood(symbol: str, after: timedelta) -> set[Condition]:
        return set(standings.of(symbol, NOON + after))

    assert stood("IBM", -HOUR) == ORDINARY
    assert stood("IBM", timedelta(0)) == ORDINARY | {Condition.HALTED}
    assert stood("IBM", HOUR) == ORDINARY
    assert stood("IBM", 2 * HOUR) == ORDINARY | {Condition.RESTRICTED}
    assert stood("IBM", 3 * HOUR) == ORDINARY
    assert stood("IBM", timedelta(days=2)) == ORDINARY | {Condition.UNRESOLVED_ACTION}
    assert stood("MSFT", timedelta(0)) == ORDINARY | {Condition.WATCHED}
    assert stood("GONE", -timedelta(days=3)) == ORDINARY | NOT_LENT
    assert stood("ET", -HOUR) == ORDINARY | {Condition.HARD_TO_BORROW, Condition.UNQUALIFIED_PARTNERSHIP}
    assert Condition.TRADABLE not in stood("GONE", timedelta(0))
    assert stood("KD", timedelta(0)) == set()


@pytest.mark.parametrize(("by", "why"), [("", "talks"), ("Ada", " ")])
def test_list_is_changed_by_a_person_with_a_reason(by: str, why: str, database: Database) -> None:
    with database.transaction() as connection:
        with pytest.raises(ContractBroken, match="--by and --why"):
            restrict(connection, "IBM", RestrictionKind.RESTRICTED, by, why, NOON)
        assert restrictions(connection) == []


def test_symbol_that_is_on_no_list_cannot_be_taken_off(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(ContractBroken, match="IBM is on no list"):
        restrict(connection, "IBM", RestrictionKind.FREE, "Ada", "over", NOON)


def test_restrict_command_changes_and_shows_the_lists(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    run = CliRunner().invoke

    assert run(trading, ["restrict"]).output == "Nobody has put a symbol on a list.\n"
    put = run(trading, ["restrict", "ibm", "--watch", "--by", "Ada", "--why", "talks"])
    shown = run(trading, ["restrict"])

    assert put.output.startswith("IBM is watched from ")
    assert shown.output.strip().endswith("UTC  IBM watched by Ada: talks")
    assert "not both" in run(trading, ["restrict", "IBM", "--watch", "--lift"]).output
