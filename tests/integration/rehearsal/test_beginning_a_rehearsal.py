"""How a rehearsal begins: what it tells the platform, whom that reaches, and that trading.yaml stays as it is."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from standins.broker_rehearsals import new_york

from trading_assets.adapters.brokers import build_broker
from trading_assets.adapters.postgres.database import Database
from trading_assets.local_alpaca.beginning import prepare
from trading_assets.local_alpaca.journal import Journal
from trading_assets.services import join_rehearsal, rehearsing, sole_holder
from trading_assets.settings import (
    OVERRIDES_VARIABLE,
    PROJECT_ROOT,
    SettingsError,
    TradingSettings,
    load_environment,
    load_trading_settings,
    overridden,
    publish_environment,
    temporary_environment,
)

NOON = new_york("12:00")


@pytest.fixture
def bundled() -> TradingSettings:
    return load_trading_settings(PROJECT_ROOT / "trading.yaml")


def test_rehearsal_goes_on_where_it_was_and_begins_anew_before_that(bundled: TradingSettings, tmp_path: Path) -> None:
    first = prepare(tmp_path, bundled, NOON)
    Journal(first.journal).add_request(NOON + timedelta(hours=3), {})
    later = prepare(tmp_path, bundled, NOON + timedelta(hours=4))
    earlier = prepare(tmp_path, bundled, NOON + timedelta(hours=2))

    assert [one.is_continued for one in (first, later, earlier)] == [False, True, False]
    assert first.account_number == later.account_number != earlier.account_number
    kept = first.journal.with_name(f"{first.account_number}.jsonl")
    assert Journal(kept).beginning().account_number == first.account_number


def test_account_begins_with_what_trading_yaml_says(bundled: TradingSettings, tmp_path: Path) -> None:
    settings = overridden(bundled, {"broker.opening_cash_usd": 5000, "broker.volume_limit": 0.1})

    beginning = Journal(prepare(tmp_path, settings, NOON).journal).beginning()

    assert (beginning.at, beginning.cash_usd, beginning.volume_limit) == (NOON, Decimal(5000), Decimal("0.1"))


@pytest.mark.parametrize(
    "override", [{"source": "alpaca"}, {"source": "yahoo", "fallbacks": ["alpaca"]}, {"comparison.vendors": ["alpaca"]}]
)
def test_rehearsal_beside_data_of_alpaca_is_refused(
    bundled: TradingSettings, tmp_path: Path, override: dict[str, object]
) -> None:
    with pytest.raises(SettingsError, match="asks Alpaca for data"):
        prepare(tmp_path, overridden(bundled, override), NOON)


def test_variables_of_a_rehearsal_make_the_local_alpaca_the_broker(
    bundled: TradingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "trading.yaml"
    config.write_text((PROJECT_ROOT / "trading.yaml").read_text())
    monkeypatch.setenv("TRADING_CONFIG", str(config))
    monkeypatch.setenv("ALPACA_API_KEY", "AK-of-a-person")
    before = config.read_bytes()
    prepared = prepare(tmp_path, bundled, NOON)

    with temporary_environment(prepared.variables()):
        settings, environment = load_trading_settings(), load_environment()
        broker = build_broker(settings, environment, Database("postgresql://127.0.0.1:1/none"))

    assert (settings.broker.kind, settings.broker.environment) == ("alpaca", "paper")
    assert settings.broker.account == broker.account_number == prepared.account_number  # type: ignore[attr-defined]
    assert broker.url == settings.alpaca.data_url == prepared.url  # type: ignore[attr-defined]
    assert settings.strategies == bundled.strategies
    assert load_trading_settings().broker.kind == "simulated"
    assert config.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "complaint"), [("{", "is not JSON"), ("[1]", "by dotted key"), ('{"broker.kin": 1}', "broker.kin is not")]
)
def test_overrides_that_make_no_sense_are_one_line(monkeypatch: pytest.MonkeyPatch, text: str, complaint: str) -> None:
    monkeypatch.setenv(OVERRIDES_VARIABLE, text)

    with pytest.raises(SettingsError, match=complaint):
        load_trading_settings()


def test_named_file_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDES_VARIABLE, json.dumps({"broker.volume_limit": 1}))

    assert load_trading_settings().broker.volume_limit == 1
    assert load_trading_settings(PROJECT_ROOT / "trading.yaml").broker.volume_limit != 1


def test_commands_join_a_rehearsal_while_its_platform_runs_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDES_VARIABLE, "")
    shown = []

    def join() -> None:
        publish_environment({OVERRIDES_VARIABLE: ""})
        join_rehearsal(tmp_path)
        shown.append(load_trading_settings().broker.volume_limit)

    join()
    with sole_holder(tmp_path, "up"), rehearsing(tmp_path, {OVERRIDES_VARIABLE: '{"broker.volume_limit": 1}'}):
        join()
        left_behind = (tmp_path / "rehearsal.json").read_bytes()
    join()
    # As a platform that was killed leaves it.
    (tmp_path / "rehearsal.json").write_bytes(left_behind)
    join()

    assert [limit == 1 for limit in shown] == [False, True, False, False]
