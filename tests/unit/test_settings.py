"""trading.yaml and the environment: what is accepted, and what a mistake is told."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trading_assets.domain.values import Timeframe
from trading_assets.settings import (
    PROJECT_ROOT,
    Environment,
    SettingsError,
    TradingSettings,
    load_environment,
    load_trading_settings,
    overridden,
)

VALID = """\
source: sample
universe: [MSFT, AAPL]
timeframes: [1d]
strategies:
  sma_crossover:
    timeframe: 1d
    capital_weight: 0.5
    parameters: {fast: 20}
risk:
  max_position: 0.1
broker:
  opening_cash_usd: 100000
"""


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRADING_CONFIG", "DATABASE_URL", "REDIS_URL", "SMTP_URL", "TRADING_HOME", "TRADING_PG_BIN"):
        monkeypatch.delenv(name, raising=False)


def load(tmp_path: Path, text: str) -> TradingSettings:
    path = tmp_path / "trading.yaml"
    path.write_text(text)
    return load_trading_settings(path)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, text)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/trading.yaml")
    return message.removeprefix(f"{tmp_path}/trading.yaml")


def test_valid_file_is_read_with_defaults_for_what_it_leaves_out(tmp_path: Path) -> None:
    settings = load(tmp_path, VALID)
    assert settings.universe == ("AAPL", "MSFT")
    assert settings.timeframes == (Timeframe.SESSION,)
    assert settings.broker.opening_cash_usd == Decimal(100_000)
    assert settings.risk.max_gross_exposure == 0.8
    assert settings.clock == "wall"


def test_the_projects_own_file_is_valid() -> None:
    assert load_trading_settings(PROJECT_ROOT / "trading.yaml").strategies


def test_configured_path_comes_before_the_working_folder_before_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_trading_settings() == load_trading_settings(PROJECT_ROOT / "trading.yaml")
    (tmp_path / "trading.yaml").write_text(VALID.replace("[MSFT, AAPL]", "[IBM]"))
    assert load_trading_settings().universe == ("IBM",)
    (tmp_path / "mine.yaml").write_text(VALID.replace("[MSFT, AAPL]", "[GOOG]"))
    monkeypatch.setenv("TRADING_CONFIG", str(tmp_path / "mine.yaml"))
    assert load_trading_settings().universe == ("GOOG",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "max_position: 0.1",
            "max_positon: 0.1",
            ":10: risk.max_positon is not a setting. Did you mean max_position? "
            "Accepted here: max_order_qty, max_order_notional, max_position, ",
        ),
        ("    capital_weight", "    wieght", ":7: strategies.sma_crossover.wieght is not a setting."),
        ("source: sample", "sauce: sample", ":1: sauce is not a setting. Did you mean source?"),
        (
            "broker:",
            "notifications: {email: {form: a@b.c}}\nbroker:",
            ":11: notifications.email.form is not a setting. Accepted here: sender, recipients, min_severity.",
        ),
        (
            "source: sample",
            "source: yahu",
            ":1: source: input should be 'sample', 'folder', 'alpaca', 'polygon' or 'yahoo', got 'yahu'.",
        ),
        (
            "source: sample",
            "source: alpaca\nfallbacks: [sample]",
            ":2: fallbacks.0: input should be 'alpaca', 'polygon' or 'yahoo', got 'sample'.",
        ),
        (
            "source: sample",
            "source: alpaca\nfallbacks: [yahoo, alpaca]",
            ":2: fallbacks: alpaca is listed twice; `source` is asked first.",
        ),
        (
            "source: sample",
            "source: sample\nfallbacks: [yahoo]",
            ":2: fallbacks: source: sample is not a vendor and has no fall-back.",
        ),
        ("[MSFT, AAPL]", "[]", ":2: universe is empty"),
        ("[MSFT, AAPL]", "[MSFT, aapl]", ":2: universe.1: 'aapl' does not match"),
        ("[MSFT, AAPL]", "[MSFT, MSFT]", ":2: universe: MSFT is listed twice."),
        ("[MSFT, AAPL]", "MSFT", ":2: universe: input should be a valid tuple, got 'MSFT'."),
        ("timeframes: [1d]", "timeframes: [5m]", ":3: timeframes.0: input should be '1h' or '1d', got '5m'."),
        (
            "timeframe: 1d",
            "timeframe: 1h",
            ":4: strategies: sma_crossover asks for timeframe 1h; timeframes lists only 1d.",
        ),
        ("0.5", "half", ":7: strategies.sma_crossover.capital_weight: input should be a valid number"),
        (
            "0.5",
            "1.5",
            ":7: strategies.sma_crossover.capital_weight: input should be less than or equal to 1, got 1.5.",
        ),
        (
            "    capital_weight",
            "    position_size: {method: fixed_risk}\n    capital_weight",
            ":7: strategies.sma_crossover.position_size: fixed_risk sizes a position by its stop: "
            "set exits.stop_loss of the strategy.",
        ),
        (
            "    capital_weight",
            "    position_size: {method: atr, multipel: 3}\n    capital_weight",
            ":7: strategies.sma_crossover.position_size.multipel is not a setting. Did you mean multiple? "
            "Accepted here: method, risk, multiple, period, target.",
        ),
        ("100000", "-1", ":12: broker.opening_cash_usd: input should be greater than 0, got -1."),
        ("max_position: 0.1", "max_position: [", ":12: not valid YAML: "),
        (
            "source: sample",
            "source: folder",
            ":1: folder: source: folder needs the folder of your Parquet or CSV files.",
        ),
        ("timeframes: [1d]", "source: sample", ":3: not valid YAML: key source appears twice."),
        (
            "{fast: 20}",
            "{fast: 20}\n    exits: {}",
            ":9: strategies.sma_crossover.exits: give at least one of stop_loss, take_profit and trailing_stop, or",
        ),
        (
            "{fast: 20}",
            "{fast: 20}\n    exits: {stop_loss: 5}",
            ":9: strategies.sma_crossover.exits.stop_loss: input should be less than 1, got 5.",
        ),
        (
            "{fast: 20}",
            "{fast: 20}\n    exits: {stoploss: 0.05}",
            ":9: strategies.sma_crossover.exits.stoploss is not a setting. Did you mean stop_loss?",
        ),
        (
            "{fast: 20}",
            "{fast: 20}\n    entry: {order_type: limit}",
            ":9: strategies.sma_crossover.entry: order_type limit needs limit_offset_bps, and no other order",
        ),
        (
            "{fast: 20}",
            "{fast: 20}\n    entry: {time_in_force: opg}",
            ":9: strategies.sma_crossover.entry: time_in_force opg is taken from 19:00 to 9:28 New York time, when",
        ),
        (
            "{fast: 20}",
            "{fast: 20}\n    entry: {time_in_force: cls}",
            ":9: strategies.sma_crossover.entry: time_in_force cls needs timeframe 1h: a bar of a session closes with",
        ),
    ],
)
def test_mistake_is_one_line_with_file_line_key_and_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in complaint(tmp_path, VALID.replace(old, new, 1))


def test_capital_weights_above_the_whole_account_are_refused(tmp_path: Path) -> None:
    second = VALID.replace("risk:", "  rsi_reversion: {capital_weight: 0.51}\nrisk:")
    assert "the capital weights sum to 1.01" in complaint(tmp_path, second)


def test_capital_weights_of_exactly_the_whole_account_are_accepted(tmp_path: Path) -> None:
    lines = "".join(f"  s{number}: {{capital_weight: 0.1}}\n" for number in range(10))
    assert len(load(tmp_path, VALID.split("  sma")[0] + lines).strategies) == 10


def test_empty_file_names_the_expected_keys(tmp_path: Path) -> None:
    assert "expected keys such as source, fallbacks, folder, alpaca" in complaint(tmp_path, "# nothing yet\n")


def test_missing_file_names_the_way_to_choose_another(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.yaml cannot be read \(No such file.*TRADING_CONFIG"):
        load_trading_settings(tmp_path / "gone.yaml")


def test_tickers_that_yaml_takes_for_booleans_stay_tickers(tmp_path: Path) -> None:
    assert load(tmp_path, VALID.replace("[MSFT, AAPL]", "[ON, NO, Y]")).universe == ("NO", "ON", "Y")


@pytest.mark.parametrize(
    ("sources", "vendor"),
    [
        ("source: sample", None),
        ("source: alpaca", None),
        ("source: polygon", "polygon"),
        ("source: yahoo\nfallbacks: [polygon]", "yahoo"),
        ("source: alpaca\nfallbacks: [polygon, yahoo]", "polygon"),
        ("source: sample\nfundamentals: yahoo", "yahoo"),
        ("source: polygon\nfundamentals: yahoo", "yahoo"),
    ],
)
def test_company_vendor_is_the_named_one_or_the_first_that_knows_companies(
    tmp_path: Path, sources: str, vendor: str | None
) -> None:
    assert load(tmp_path, VALID.replace("source: sample", sources)).company_vendor == vendor


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[MSFT, AAPL]", "[AAPL, MSFT]"),
        ("100000", "100000.00"),
        ("broker:", "clock: replay\nbroker:"),
        ("broker:", "folder: ~/bars\nbroker:"),
        ("broker:", "fundamentals: polygon\nbroker:"),
        ("broker:", "yahoo: {requests_per_minute: 5}\nbroker:"),
        ("broker:", "comparison: {vendors: [yahoo], tolerance_bps: 5}\nbroker:"),
        ("broker:", "halts_file: ~/halts.csv\nbroker:"),
        ("broker:", "risk_monitor: {benchmark: SPY, max_value_at_risk: 0.02}\nbroker:"),
        ("broker:", "notifications: {email: {sender: a@example.com, recipients: [b@example.com]}}\nbroker:"),
        ("  max_position: 0.1", "  max_position: 0.10\n  allow_short: false"),
    ],
)
def test_fingerprint_ignores_what_moves_no_order(tmp_path: Path, old: str, new: str) -> None:
    assert load(tmp_path, VALID.replace(old, new)).fingerprint() == load(tmp_path, VALID).fingerprint()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[MSFT, AAPL]", "[MSFT]"),
        ("timeframes: [1d]", "timeframes: [1d, 1h]"),
        ("0.5", "0.4"),
        ("{fast: 20}", "{fast: 21}"),
        ("{fast: 20}", "{fast: 20}\n    exits: {stop_loss: 0.05}"),
        ("{fast: 20}", "{fast: 20}\n    entry: {order_type: limit, limit_offset_bps: 10}"),
        ("{fast: 20}", "{fast: 20}\n    sizing: equal_weight"),
        ("{fast: 20}", "{fast: 20}\n    max_sector_weight: 0.3"),
        ("max_position: 0.1", "max_position: 0.2"),
        ("100000", "100001"),
    ],
)
def test_fingerprint_changes_with_what_decides_trading(tmp_path: Path, old: str, new: str) -> None:
    changed = load(tmp_path, VALID.replace(old, new)).fingerprint()
    assert changed != load(tmp_path, VALID).fingerprint()
    assert len(changed) == 8


def test_sizing_that_changes_no_weight_leaves_the_fingerprint(tmp_path: Path) -> None:
    same = VALID.replace(
        "{fast: 20}", "{fast: 20}\n    sizing: universe_share\n    sizing_lookback: 90\n    risk_aversion: 2"
    )
    assert load(tmp_path, same).fingerprint() == load(tmp_path, VALID).fingerprint()


def test_exits_that_are_not_chosen_leave_no_trace_in_the_facts(tmp_path: Path) -> None:
    with_stop = VALID.replace("{fast: 20}", "{fast: 20}\n    exits: {stop_loss: 0.05}")

    assert "exits" not in load(tmp_path, VALID).strategies["sma_crossover"].facts()
    assert load(tmp_path, with_stop).strategies["sma_crossover"].facts()["exits"] == {"stop_loss": 0.05}


def test_auction_at_the_close_is_for_hourly_strategies_without_exits(tmp_path: Path) -> None:
    hourly = VALID.replace("timeframes: [1d]", "timeframes: [1h]").replace("timeframe: 1d", "timeframe: 1h")
    at_close = hourly.replace("{fast: 20}", "{fast: 20}\n    entry: {time_in_force: cls}")
    with_exits = at_close.replace("{fast: 20}", "{fast: 20}\n    exits: {stop_loss: 0.05}")

    assert load(tmp_path, at_close).strategies["sma_crossover"].facts()["entry"] == {
        "order_type": "market",
        "time_in_force": "cls",
    }
    assert "no broker takes legs with an auction" in complaint(tmp_path, with_exits)


def test_fingerprint_knows_the_feed_of_alpaca_and_not_its_address(tmp_path: Path) -> None:
    alpaca = VALID.replace("source: sample", "source: alpaca\nalpaca: {feed: sip}")
    changed = load(tmp_path, alpaca).fingerprint()
    assert changed != load(tmp_path, alpaca.replace("sip", "iex")).fingerprint()
    assert changed == load(tmp_path, alpaca.replace("feed: sip", "feed: sip, delay_minutes: 15")).fingerprint()


@pytest.mark.parametrize("vendors", ["[yahoo]", "[alpaca, alpaca]"])
def test_comparison_with_the_source_itself_or_twice_is_refused(tmp_path: Path, vendors: str) -> None:
    text = VALID.replace("source: sample", f"source: yahoo\ncomparison: {{vendors: {vendors}}}")
    with pytest.raises(SettingsError, match="is the source itself or is listed twice"):
        load(tmp_path, text)


def test_environment_without_variables_is_the_embedded_default() -> None:
    environment = load_environment()
    assert environment == Environment()
    assert environment.home == Path(".trading")
    with pytest.raises(SettingsError, match="DATABASE_URL is not set"):
        environment.required_database_url()


def test_postgres_scheme_is_accepted_and_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:pw@host:5432/trading")
    assert load_environment().required_database_url() == "postgresql://me:pw@host:5432/trading"


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("DATABASE_URL", "postgresql:// or postgres://"), ("REDIS_URL", "redis://"), ("SMTP_URL", "smtp:// or smtps://")],
)
def test_url_of_another_kind_is_refused_without_showing_it(
    name: str, accepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "mysql://me:hunter2@host/db")
    with pytest.raises(SettingsError) as error:
        load_environment()
    assert str(error.value).startswith(f"{name} must start with {accepted}")
    assert "hunter2" not in str(error.value)


def test_secrets_never_show_in_text_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@host/db")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@host")
    monkeypatch.setenv("SMTP_URL", "smtps://me:hunter2@host")
    for name in ("ALPACA_API_KEY", "ALPACA_SECRET_KEY", "POLYGON_API_KEY"):
        monkeypatch.setenv(name, "hunter2")
    environment = load_environment()
    shown = f"{environment} {environment!r} {environment.model_dump_json()} {environment.model_dump()}"
    assert "hunter2" not in shown


MEMBERS = "symbol,from,to\nLEH,1994-05-31,2008-09-16\nAAPL,1982-11-30,\n"


def with_members(tmp_path: Path, members: str = MEMBERS, universe: str = "") -> Path:
    (tmp_path / "members.csv").write_text(members, encoding="utf-8")
    lines = [line for line in VALID.splitlines() if not line.startswith("universe:")]
    path = tmp_path / "trading.yaml"
    path.write_text("\n".join([*lines, f"universe_file: {tmp_path / 'members.csv'}", universe]), encoding="utf-8")
    return path


def test_universe_from_a_file_has_every_symbol_that_was_ever_a_member(tmp_path: Path) -> None:
    settings = load_trading_settings(with_members(tmp_path))
    assert settings.universe == ("AAPL", "LEH")
    assert settings.members[1].valid_to == date(2008, 9, 16)
    assert not settings.is_survivorship_biased


def test_dates_of_members_decide_the_fingerprint_and_the_name_of_their_file_does_not(tmp_path: Path) -> None:
    before = load_trading_settings(with_members(tmp_path)).fingerprint()
    (tmp_path / "elsewhere").mkdir()
    assert load_trading_settings(with_members(tmp_path / "elsewhere")).fingerprint() == before
    changed = MEMBERS.replace("2008-09-16", "2008-09-15")
    assert load_trading_settings(with_members(tmp_path, changed)).fingerprint() != before


@pytest.mark.parametrize(
    ("members", "universe", "complaint"),
    [
        ("symbol,from,to\nA,soon,\n", "", "universe_file: .*members.csv, line 2: from 'soon' is no date"),
        (MEMBERS, "universe: [AAPL]", "universe: give the symbols here or the members in universe_file, not both"),
        ("symbol,from,to\naapl,2020-01-02,\n", "", "universe.*'aapl' does not match"),
    ],
)
def test_universe_that_cannot_be_used_is_refused(tmp_path: Path, members: str, universe: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_trading_settings(with_members(tmp_path, members, universe))


def test_only_what_a_size_reads_decides_trading(tmp_path: Path) -> None:
    settings = load(tmp_path, VALID)

    def of(size: dict[str, object]) -> str:
        return overridden(settings, {"strategies.sma_crossover.position_size": size}).fingerprint()

    assert of({"method": "fixed_fractional", "risk": 0.02}) == settings.fingerprint()
    assert of({"method": "kelly", "risk": 0.02}) == of({"method": "kelly"}) != settings.fingerprint()
    assert of({"method": "atr", "target": 0.5}) == of({"method": "atr"}) != of({"method": "atr", "period": 20})
