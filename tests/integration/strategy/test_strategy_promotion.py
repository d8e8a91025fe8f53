"""Promotion by command: what it asks for, what it records as evidence, and that a change ends it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg.types.json import Jsonb

from trading_assets.adapters.backtests import plan_backtest, run_backtest
from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.adapters.postgres import ledger
from trading_assets.adapters.postgres.backtests import store_backtest
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.market_record import data_hash, read_market_record
from trading_assets.adapters.postgres.promotions import PromotionRefused, order_refusal, promote, promotions_of
from trading_assets.adapters.postgres.proofs import record_proof
from trading_assets.adapters.sample import SampleSource
from trading_assets.cli import trading
from trading_assets.domain.market.sessions import session
from trading_assets.domain.risk.verdicts import Intent, Purpose
from trading_assets.domain.strategy.promotions import Stage, may_trade
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, PROOFS, WARM_UP, Proof
from trading_assets.domain.strategy.strategy import ConfiguredStrategy
from trading_assets.domain.values import Side, Timeframe
from trading_assets.settings import TradingSettings, load_trading_settings

SOURCE = '''"""Long, always."""

from pydantic import Field

from trading_assets.domain.strategy.parameters import StrategyParameters
from trading_assets.domain.strategy.strategy import Strategy


class Always(Strategy):
    name = "always"
    version = "1"

    class Parameters(StrategyParameters):
        level: float = Field(0.5, ge=0, le=1, description="signal")

    def indicators(self):
        return ()

    def signals(self, view):
        return view.signals([self.parameters.level] * len(view.bars), ["always"] * len(view.bars))
'''
FIRST, LAST = date(2012, 5, 1), date(2012, 5, 8)
NOW = datetime(2013, 6, 3, tzinfo=UTC)


class Desk:
    """A folder with a strategy, the command, and what the strategy has to show."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.file = folder / "mine" / "always.py"
        self.file.parent.mkdir()
        self.file.write_text(SOURCE)
        self.configure(level=0.5)

    def configure(self, level: float) -> None:
        (self.folder / "trading.yaml").write_text(
            "source: sample\nuniverse: [IBM]\ntimeframes: [1d]\nstrategies_folder: mine\n"
            f"strategies: {{always: {{capital_weight: 0.5, parameters: {{level: {level}}}}}}}\n"
        )

    @property
    def settings(self) -> TradingSettings:
        return load_trading_settings()

    @property
    def configured(self) -> ConfiguredStrategy:
        (one,) = load_strategies(self.settings)
        return one

    def prove(self, *proofs: str, passed: bool = True) -> None:
        for proof in proofs:
            with self.database.transaction() as connection:
                source = source_sha256(type(self.configured.strategy))
                record_proof(connection, self.configured, source, Proof(proof, passed, "found"))

    def backtest(self) -> str:
        record = read_market_record(self.database, self.settings, FIRST, LAST, NOW)
        result = run_backtest(plan_backtest(self.settings, record, {}), record, data_hash(record))
        with self.database.transaction() as connection:
            store_backtest(connection, result)
        return result.backtest_id

    def open_account(self, broker: str) -> str:
        """An account at `broker` for the present configuration, which traded last."""
        account_id = f"{broker}-1"
        with self.database.transaction() as connection:
            connection.execute(
                "insert into execution.accounts (account_id, broker, fingerprint, inception_session, opening_cash_usd) "
                "values (%s, %s, %s, %s, 100000)",
                (account_id, broker, self.settings.fingerprint(), FIRST),
            )
            ledger.use_account(connection, account_id)
            connection.execute(
                "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, signal, "
                "capital_weight, target_weight) values (%s, %s, 'IBM', %s, %s, 1, 0.5, 0.05)",
                (self.configured.name, self.configured.version, session(FIRST).closes_at, FIRST),
            )
        return account_id

    def promote(self, stage: str, *more: str) -> Result:
        return self.command("promote", "always", "--to", stage, "--by", "Ada", "--why", "it earned it", *more)

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(trading, ["strategy", *arguments])

    def reason(self, stage: Stage) -> str | None:
        """Why the present code may not trade at `stage`."""
        one = self.configured
        with self.database.transaction() as connection:
            return may_trade(
                stage, promotions_of(connection, [one.name]), one.version, source_sha256(type(one.strategy))
            )


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRADING_CONFIG", raising=False)
    monkeypatch.setenv("DATABASE_URL", database.url)
    source = SampleSource()
    with database.transaction() as connection:
        store_instruments(connection, source.instruments(["IBM"]), source.name)
        store_bars(connection, source.bars(["IBM"], Timeframe.SESSION, FIRST, LAST, NOW))
        connection.execute("update ops.quality_gates set state = 'open'")
    return Desk(tmp_path, database)


def refused(result: Result, told: str) -> None:
    assert result.exit_code == 1
    assert told in result.output
    assert result.output.count("\n") == 1


def test_version_with_proofs_and_a_backtest_goes_to_paper_and_then_to_live(desk: Desk) -> None:
    desk.prove(*PROOFS)
    backtest_id = desk.backtest()
    one, source = desk.configured, source_sha256(type(desk.configured.strategy))
    assert desk.command("list").output.startswith(f"research always ({one.version}): enabled")

    told = f"Strategy always ({one.version}, source {source[:12]}) is promoted to"
    assert desk.promote("paper").output == f"{told} paper.\n"
    assert desk.command("list").output.startswith(f"paper    always ({one.version}): enabled")
    assert desk.reason(Stage.PAPER) is None
    assert "not promoted to live" in (desk.reason(Stage.LIVE) or "")

    assert desk.promote("live").output == f"{told} live.\n"
    assert desk.command("list").output.startswith(f"live     always ({one.version}): enabled")
    assert desk.reason(Stage.LIVE) is None

    with desk.database.transaction() as connection:
        promotions = promotions_of(connection, ["always", "another"])
        ids = {
            (proof, proved_at.isoformat())
            for proof, proved_at in connection.execute("select proof, proved_at from strategy.proofs").fetchall()
        }
    assert [one.stage for one in promotions] == [Stage.PAPER, Stage.LIVE]
    for promotion in promotions:
        assert (promotion.strategy_version, promotion.source_sha256) == (one.version, source)
        assert (promotion.promoted_by, promotion.why) == ("Ada", "it earned it")
        assert promotion.evidence["backtests"] == [backtest_id]
        assert {(proof["proof"], proof["proved_at"]) for proof in promotion.evidence["proofs"]} == ids


def test_version_without_its_proofs_is_refused(desk: Desk) -> None:
    desk.backtest()
    refused(desk.promote("paper"), f"has not passed {LOOK_AHEAD}, {WARM_UP}. Run `trading prove always`.")
    desk.prove(LOOK_AHEAD)
    refused(desk.promote("paper"), f"has not passed {WARM_UP}. Run")
    desk.prove(WARM_UP)
    desk.prove(LOOK_AHEAD, passed=False)
    refused(desk.promote("paper"), f"has not passed {LOOK_AHEAD}. Run")
    desk.prove(LOOK_AHEAD)
    assert desk.promote("paper").exit_code == 0


def test_proofs_of_other_parameters_do_not_count(desk: Desk) -> None:
    desk.prove(*PROOFS)
    desk.configure(level=0.25)
    desk.backtest()
    refused(
        desk.promote("paper"),
        f"version {desk.configured.version} of this source has not passed {LOOK_AHEAD}, {WARM_UP}.",
    )


def test_version_without_a_backtest_of_its_own_is_refused(desk: Desk) -> None:
    desk.configure(level=0.25)
    desk.backtest()
    desk.configure(level=0.5)
    desk.prove(*PROOFS)
    refused(desk.promote("paper"), f"no backtest of version {desk.configured.version} of this source is stored.")


def test_walk_forward_account_is_no_backtest_of_a_version(desk: Desk) -> None:
    desk.configure(level=0.25)
    other = desk.backtest()
    desk.configure(level=0.5)
    desk.prove(*PROOFS)
    with desk.database.transaction() as connection:
        connection.execute(
            "insert into strategy.sweeps (sweep_id, name, method, parameters, trials, left_out, first_session, "
            "last_session, started_at, finished_at) values ('s', 's', 'grid', '{}', 1, 0, %s, %s, now(), now())",
            (FIRST, LAST),
        )
        connection.execute(
            "insert into strategy.backtests select (jsonb_populate_record(backtest, %s)).* "
            "from strategy.backtests as backtest where backtest_id = %s",
            (
                Jsonb(
                    {
                        "backtest_id": "w",
                        "kind": "walk_forward",
                        "sweep_id": "s",
                        "code_versions": {"always": desk.configured.version},
                    }
                ),
                other,
            ),
        )
    refused(desk.promote("paper"), f"no backtest of version {desk.configured.version} of this source is stored.")


def test_live_without_paper_is_refused(desk: Desk) -> None:
    desk.prove(*PROOFS)
    desk.backtest()
    refused(desk.promote("live"), "was not promoted to paper, and no other version was. Run `trading strategy promote")


def test_live_after_a_changed_parameter_is_refused(desk: Desk) -> None:
    desk.prove(*PROOFS)
    desk.backtest()
    promoted = desk.configured.version
    assert desk.promote("paper").exit_code == 0
    desk.configure(level=0.25)
    desk.prove(*PROOFS)
    desk.backtest()
    refused(desk.promote("live"), f"was not promoted to paper: version {promoted} was")
    assert desk.command("list").output.startswith("research always")


def test_live_after_a_changed_source_is_refused_until_it_is_as_it_was(desk: Desk) -> None:
    desk.prove(*PROOFS)
    desk.backtest()
    assert desk.promote("paper").exit_code == 0
    desk.file.write_text(SOURCE.replace('["always"]', '["for ever"]'))
    refused(desk.promote("live"), f"of this source has not passed {LOOK_AHEAD}, {WARM_UP}.")
    desk.prove(*PROOFS)
    refused(desk.promote("live"), f"no backtest of version {desk.configured.version} of this source is stored.")
    desk.backtest()
    refused(desk.promote("live"), "has changed since it was promoted to paper: its SHA-256 was")
    assert "has changed since" in (desk.reason(Stage.PAPER) or "")
    desk.file.write_text(SOURCE)
    assert desk.reason(Stage.PAPER) is None
    assert desk.promote("live").exit_code == 0


def test_promotion_without_a_person_or_to_research_is_refused(desk: Desk) -> None:
    refused(desk.promote("paper", "--by", " "), "promoted by a person with a reason")
    refused(desk.promote("paper", "--why", ""), "promoted by a person with a reason")
    refused(
        desk.command("promote", "alway", "--to", "paper", "--by", "Ada", "--why", "because"),
        "configures no strategy 'alway'. Configured: always.",
    )
    with (
        desk.database.transaction() as connection,
        pytest.raises(PromotionRefused, match="research needs no promotion"),
    ):
        promote(connection, desk.configured, Stage.RESEARCH, "Ada", "because")


# What trades ----------------------------------------------------------------------------------------


def test_enabling_warns_on_a_simulated_account_and_is_refused_on_paper_without_proofs(desk: Desk) -> None:
    enabling = ("enable", "always", "--by", "Ada", "--why", "calm again")
    warned = desk.command(*enabling)
    lacking = f"version {desk.configured.version} of this source has not passed {LOOK_AHEAD}, {WARM_UP}."
    assert warned.exit_code == 0
    assert warned.stdout == "Strategy always is enabled.\n"
    assert warned.stderr == f"Warning: Strategy always: {lacking} Run `trading prove always`.\n"

    desk.open_account("paper")
    refused(desk.command(*enabling), f"Strategy always cannot be enabled on paper: {lacking}")
    assert desk.command("pause", *enabling[1:]).exit_code == 0
    desk.prove(*PROOFS)
    assert desk.command(*enabling).output == "Strategy always is enabled.\n"
    desk.file.write_text(SOURCE.replace('["always"]', '["for ever"]'))
    refused(desk.command(*enabling), "cannot be enabled on paper")


def test_simulated_accounts_need_no_promotion_and_live_ones_need_that_to_live(desk: Desk) -> None:
    at = session(FIRST).closes_at
    intent = Intent(
        "i", "a", "always", desk.configured.version, "IBM", Side.BUY, Purpose.OPEN, at, FIRST, Decimal(1), Decimal(1)
    )

    def reason(broker: str) -> str | None:
        with desk.database.transaction() as connection:
            return order_refusal(connection, broker, [desk.configured], intent)

    assert reason("simulated") is None
    version = desk.configured.version
    told = f"strategy always: Version {version} was not promoted to paper, and no other version was"
    assert reason("paper") == told
    desk.prove(*PROOFS)
    desk.backtest()
    assert desk.promote("paper").exit_code == 0
    assert reason("alpaca-paper") is None
    assert "not promoted to live" in (reason("alpaca") or "")
    assert desk.promote("live").exit_code == 0
    assert reason("alpaca") is None
    desk.file.write_text(SOURCE.replace('["always"]', '["for ever"]'))
    assert "has changed since it was promoted to paper" in (reason("paper") or "")
    desk.configure(level=0.25)
    assert "which decided it, is not what trading.yaml configures now" in (reason("alpaca") or "")
