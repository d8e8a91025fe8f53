"""Limits that persons set: from when they count, who must confirm, and that no recorded ledger changes by them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from trading_assets.adapters.account_terms import rules_of
from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.plugins import load_strategies
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.limits import confirm_limit, limit_changes, limits_in_force, set_limit
from trading_assets.defs.execution.trading_desk import TradingDesk
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.limit_changes import LimitChange
from trading_assets.settings import TradingSettings

NOON = datetime(2012, 6, 1, 16, tzinfo=UTC)
LATER = NOON + timedelta(days=3)
SETTINGS = TradingSettings.model_validate(
    {"source": "sample", "universe": ["IBM"], "timeframes": ["1d"], "strategies": {}}
)
LIVE = "alpaca"
BY = {"by": "Ada", "why": "a test"}


def change(database: Database, name: str, value: Any, now: datetime = NOON, **options: Any) -> LimitChange:
    with database.transaction() as connection:
        return set_limit(connection, SETTINGS, name, value, **{**BY, "now": now, **options})


def in_force(database: Database, at: datetime, broker: str = "simulated") -> Decimal:
    with database.transaction() as connection:
        return rules_of(SETTINGS, limit_changes(connection, broker)).limits_at(at).max_position


def test_tightening_counts_at_once_and_a_limit_from_a_day_on_from_then(database: Database) -> None:
    change(database, "max_position", 0.08)
    change(database, "max_position", 0.06, effective_from=LATER)
    held = [in_force(database, NOON + timedelta(minutes=at)) for at in (-1, 0, 3 * 1440 - 1, 3 * 1440)]
    assert held == [Decimal(text) for text in ("0.1", "0.08", "0.08", "0.06")]
    with database.transaction() as connection:
        assert limits_in_force(connection, SETTINGS, LATER)["max_position"] == 0.06


def test_loosening_without_money_at_stake_is_recorded_and_counts(database: Database) -> None:
    loosened = change(database, "max_position", 0.12)
    assert (loosened.is_loosening, loosened.needs_confirmation) == (True, False)
    assert in_force(database, NOON) == Decimal("0.12")


def test_loosening_with_money_at_stake_waits_for_another_person(database: Database) -> None:
    tightened = change(database, "max_position", 0.08, broker=LIVE)
    assert not tightened.needs_confirmation
    waiting = change(database, "max_position", 0.09, broker=LIVE)
    assert waiting.counts_from is None
    assert in_force(database, LATER, LIVE) == Decimal("0.08")
    for name in ("Ada", " ada ", ""):
        with pytest.raises(ContractBroken, match="another person"), database.transaction() as connection:
            confirm_limit(connection, LIVE, "max_position", name, LATER)
    with database.transaction() as connection:
        confirmed = confirm_limit(connection, LIVE, "max_position", "Grace", LATER)
    assert (confirmed.confirmed_by, confirmed.counts_from) == ("Grace", LATER)
    assert in_force(database, LATER - timedelta(seconds=1), LIVE) == Decimal("0.08")
    assert in_force(database, LATER, LIVE) == Decimal("0.09")
    assert in_force(database, LATER) == Decimal("0.1")
    with pytest.raises(NotFound, match="waits for no confirmation"), database.transaction() as connection:
        confirm_limit(connection, LIVE, "max_position", "Grace", LATER)


def test_superseded_loosening_cannot_be_confirmed(database: Database) -> None:
    change(database, "max_position", 0.2, broker=LIVE)
    change(database, "max_position", 0.05, broker=LIVE)
    with pytest.raises(NotFound, match="waits for no confirmation"), database.transaction() as connection:
        confirm_limit(connection, LIVE, "max_position", "Grace", LATER)


def test_database_itself_wants_another_person(database: Database) -> None:
    waiting = change(database, "max_position", 0.2, broker=LIVE)
    insert = (
        "insert into risk.limit_confirmations (limit_no, set_by, confirmed_by, confirmed_at) values (%s, %s, %s, now())"
    )
    for by, error in (("ADA ", "confirmed_by_another_person"), ("Grace", None)):
        with database.transaction() as connection:
            if error:
                with pytest.raises(psycopg.errors.CheckViolation, match=error):
                    connection.execute(insert, (waiting.limit_no, "Ada", by))
            else:
                # Under another setter's name there is no such change.
                with pytest.raises(psycopg.errors.ForeignKeyViolation):
                    connection.execute(insert, (waiting.limit_no, "Eve", by))


@pytest.mark.parametrize(
    ("name", "value", "options", "complaint"),
    [
        ("max_postion", 0.1, {}, "Did you mean max_position"),
        ("max_position", 1.5, {}, "max_position cannot be 1.5"),
        ("max_position", "much", {}, "max_position cannot be much"),
        ("max_position", None, {}, "max_position cannot be None"),
        ("stop_all_daily_loss", 0.01, {}, "stop_new_daily_loss"),
        ("max_position", 0.05, {"by": " "}, "give --by and --why"),
        ("max_position", 0.05, {"why": ""}, "give --by and --why"),
    ],
)
def test_limit_that_makes_no_sense_is_refused(
    database: Database, name: str, value: Any, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises((ContractBroken, NotFound), match=complaint):
        change(database, name, value, **options)
    assert in_force(database, LATER) == Decimal("0.1")


def test_limit_that_fits_now_and_not_with_one_to_come_is_refused(database: Database) -> None:
    change(database, "stop_all_daily_loss", 0.03, effective_from=LATER)
    with pytest.raises(ContractBroken, match=r"stop_new_daily_loss cannot be 0\.04"):
        change(database, "stop_new_daily_loss", 0.04)


def test_limit_never_reaches_back_into_what_an_account_has_lived_through(database: Database) -> None:
    with database.transaction() as connection:
        opened = ledger.open_account(connection, "simulated", "0" * 8, date(2012, 6, 1), Decimal(100_000))
        connection.execute(
            "insert into execution.equity select %s, %s, '2012-06-01', 1, 0, 0, 1, 0, 0, 0, 0, 1, 1",
            (opened.account_id, NOON),
        )
    with pytest.raises(ContractBroken, match=f"{opened.account_id} has lived through 2012-06-01 16:00"):
        change(database, "max_position", 0.05)
    change(database, "max_position", 0.05, effective_from=NOON + timedelta(seconds=1))
    change(database, "max_position", 0.05, broker=LIVE)


def test_limits_that_no_longer_fit_to_the_configuration_stop_trading(database: Database) -> None:
    change(database, "stop_all_daily_loss", 0.03)
    edited = SETTINGS.model_copy(update={"risk": SETTINGS.risk.model_copy(update={"stop_new_daily_loss": 0.04})})
    with database.transaction() as connection:
        changes = limit_changes(connection, "simulated")
    with pytest.raises(ContractBroken, match=r"correct trading\.yaml, or set the limit anew"):
        rules_of(edited, changes)


def test_limit_set_after_the_close_binds_the_review_and_the_submission_of_that_close(database: Database) -> None:
    day = session(date(2012, 11, 26))
    settings = TradingSettings.model_validate(
        {
            "source": "sample",
            "universe": ["IBM", "MSFT"],
            "timeframes": ["1d"],
            "strategies": {"buy_and_hold": {"capital_weight": 0.2}},
            "broker": {"volume_limit": 1},
        }
    )
    (strategy,) = load_strategies(settings)
    with database.transaction() as connection:
        listed = [Instrument(symbol, symbol, "XNYS", is_tradable=True) for symbol in settings.universe]
        store_instruments(connection, listed, "test")
        for symbol in settings.universe:
            connection.execute(
                "insert into market.bars (symbol, timeframe, ts, closes_at, session_date, open, high, low, close, "
                "volume, source) values (%s, '1d', %s, %s, %s, 50, 50, 50, 50, 1e6, 'test')",
                (symbol, day.opens_at, day.closes_at, day.date),
            )
            connection.execute(
                "insert into ops.quality_gates (dataset, session_date, symbol, state) "
                "values ('market/bars', %s, %s, 'open')",
                (day.date, symbol),
            )
            connection.execute(
                "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, signal, "
                "capital_weight, target_weight) values (%s, %s, %s, %s, %s, 1, 0.2, 0.1)",
                (strategy.name, strategy.version, symbol, day.closes_at, day.date),
            )
    desk = TradingDesk(database, settings, day.closes_at + timedelta(seconds=20))
    desk.take_fills(day.date)
    change(database, "max_position", 0.05, day.closes_at + timedelta(seconds=10))
    desk.decide(day.date)
    with database.transaction() as connection:
        approved = connection.execute(
            "select distinct approved_qty, outcome, reason_codes from risk.verdicts"
        ).fetchall()
    assert approved == [(100, "reduced", ["POSITION_EXCEEDS_LIMIT"])]

    change(database, "cash_buffer", 0.94, day.closes_at + timedelta(seconds=15))
    outcome = desk.submit(day.date)
    assert outcome.written["execution.orders"] == 1
    (refused,) = outcome.refused
    assert "RC-17 BUYING_POWER_INSUFFICIENT" in refused


def test_command_sets_and_lists_limits(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_assets.cli import trading

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    runner = CliRunner()
    tightened = runner.invoke(trading, ["limit", "set", "max_position", "0.05", "--by", "Ada", "--why", "thin market"])
    assert "max_position is 0.05, set by Ada: thin market. It counts from " in tightened.output
    listed = runner.invoke(trading, ["limit", "list"])
    assert "1. max_position is 0.05" in listed.output
    refused = runner.invoke(trading, ["limit", "confirm", "max_position", "--by", "Grace"])
    assert refused.exit_code == 1
    assert "waits for no confirmation" in refused.output
