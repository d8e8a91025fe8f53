"""From trading.yaml to a broker: what must be declared, what must agree, and what the graph does not do yet."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from standins.broker_rehearsals import ACCOUNT, new_venue
from standins.local_alpaca.server import PAPER_KEY, SECRET, LocalAlpaca

from trading_assets.adapters.brokers import build_broker
from trading_assets.adapters.errors import AuthFailed
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.database import Database
from trading_assets.settings import (
    Environment,
    SettingsError,
    TradingSettings,
    load_trading_settings,
    overridden,
)

PAPER = {"broker.kind": "alpaca", "broker.environment": "paper", "broker.account": ACCOUNT}
KEYS = Environment(alpaca_api_key=SecretStr(PAPER_KEY), alpaca_secret_key=SecretStr(SECRET))


@pytest.fixture
def bundled() -> TradingSettings:
    return load_trading_settings(Path(__file__).parents[2] / "trading.yaml")


def test_configured_broker_trades_and_its_answers_are_kept(bundled: TradingSettings, database: Database) -> None:
    with LocalAlpaca(new_venue()).running() as alpaca:
        settings = overridden(bundled, {**PAPER, "broker.url": alpaca.url})
        account = build_broker(settings, KEYS, database).account()

    assert account.account_number == ACCOUNT
    with database.transaction() as connection:
        kept = connection.execute("select vendor, dataset, status from market.vendor_responses").fetchall()
    assert kept == [("alpaca-broker", "broker/account", 200)]


@pytest.mark.parametrize("missing", ["broker.environment", "broker.account"])
def test_alpaca_without_its_declaration_is_refused(bundled: TradingSettings, missing: str) -> None:
    declared = {key: value for key, value in PAPER.items() if key != missing}

    with pytest.raises(SettingsError, match=f"kind: alpaca needs {missing.removeprefix('broker.')}"):
        overridden(bundled, declared)


def test_simulated_broker_with_an_environment_is_refused(bundled: TradingSettings) -> None:
    with pytest.raises(SettingsError, match="kind: simulated has no environment"):
        overridden(bundled, {"broker.environment": "live"})


def test_simulated_broker_is_no_broker_to_ask(bundled: TradingSettings) -> None:
    with pytest.raises(SettingsError, match="no account at a broker"):
        build_broker(bundled, KEYS, Database("postgresql://127.0.0.1:1/none"))


def test_broker_without_its_keys_is_refused(bundled: TradingSettings) -> None:
    with pytest.raises(AuthFailed, match="ALPACA_API_KEY"):
        build_broker(overridden(bundled, PAPER), Environment(), Database("postgresql://127.0.0.1:1/none"))


def test_live_configuration_with_a_paper_key_is_refused(bundled: TradingSettings) -> None:
    live = overridden(bundled, {**PAPER, "broker.environment": "live"})

    with pytest.raises(AuthFailed, match=r"broker\.environment: live"):
        build_broker(live, KEYS, Database("postgresql://127.0.0.1:1/none"))


def test_environment_and_account_make_another_configuration_and_an_address_does_not(bundled: TradingSettings) -> None:
    paper = overridden(bundled, PAPER)
    live = overridden(bundled, {**PAPER, "broker.environment": "live"})
    elsewhere = overridden(bundled, {**PAPER, "broker.url": "http://127.0.0.1:8080"})

    assert len({bundled.fingerprint(), paper.fingerprint(), live.fingerprint()}) == 3
    assert elsewhere.fingerprint() == paper.fingerprint()
    assert "environment" not in bundled.trading_facts()["broker"]


def test_account_at_alpaca_is_not_opened_for_the_simulation(bundled: TradingSettings, database: Database) -> None:
    paper = overridden(bundled, PAPER)

    with pytest.raises(SettingsError, match="is not opened here"), database.transaction() as connection:
        ledger.open_account(connection, paper.broker.kind, paper.fingerprint(), date(2012, 11, 26), Decimal(100_000))
