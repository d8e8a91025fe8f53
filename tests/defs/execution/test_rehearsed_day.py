"""A day on a local Alpaca through the real jobs and sensors: decided, sent, filled at the next bar, booked, and the
same at the broker as in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from standins.led_platform import DELAY, LedPlatform

from trading_assets.adapters.broker_link import RISK_WATCH
from trading_assets.adapters.brokers import build_broker
from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.adapters.ports import Broker
from trading_assets.adapters.postgres.broker_accounts import broker_account_id
from trading_assets.adapters.postgres.broker_hints import store_opening, store_sign_of_life
from trading_assets.adapters.postgres.broker_orders import saw
from trading_assets.adapters.postgres.database import Database
from trading_assets.defs.execution.assets import APPROVED_ORDERS, FILLS, POSITIONS
from trading_assets.defs.execution.sensors import execution_sensor, order_sensor
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.market.sessions import bar_bounds, previous_session, session
from trading_assets.domain.values import Side, Timeframe
from trading_assets.local_alpaca.beginning import prepare
from trading_assets.local_alpaca.journal import Journal
from trading_assets.local_alpaca.rehearsal import RehearsedAlpaca
from trading_assets.local_alpaca.stored_market import StoredMarket
from trading_assets.settings import load_environment, load_trading_settings

WARM_UP, DAY = date(2022, 4, 22), date(2022, 4, 28)
HOURS = [bar.closes_at for bar in bar_bounds(DAY, Timeframe.HOUR)]
OPENING_CASH = Decimal(100_000)
MODEL = FillModel(slippage_bps=Decimal(5), volume_limit=Decimal("0.025"))
SETTINGS = """
source: sample
universe: [MSFT]
timeframes: [1h]
strategies:
  buy_and_hold: {timeframe: 1h, capital_weight: 0.5}
risk: {max_order_notional: 0.3, max_position: 0.6}
clock: replay
"""


class RehearsingPlatform(LedPlatform):
    """Its broker is a local Alpaca on the bars that it stores and at the time that it has."""

    broker: Broker
    ran: set[str]

    def promote(self) -> None:
        """Let the strategies trade on paper."""
        with self.database.transaction() as connection:
            for one in load_strategies(self.settings):
                connection.execute(
                    "insert into strategy.promotions (strategy, strategy_version, source_sha256, stage, evidence, "
                    "promoted_by, why) values (%s, %s, %s, 'paper', '{}', 'Ada', 'rehearsed')",
                    (one.name, one.version, source_sha256(type(one.strategy))),
                )

    def open_account(self) -> None:
        """Let the account begin in the evening before, with what is in it at the broker."""
        self.run("manage_orders_job", previous_session(DAY))
        with self.database.transaction() as connection:
            store_opening(connection, self.account_id, self.clock.at)

    def live_hour(self, at: datetime) -> None:
        """One bar close: risk is watched and the stream well, the decision, and what the sensors start."""
        self.clock.at = at + DELAY
        with self.database.transaction() as connection:
            saw(connection, self.account_id, RISK_WATCH, self.clock.at)
            store_sign_of_life(connection, self.account_id, self.clock.at)
        self.run("hourly_tick_job", DAY, assets=[APPROVED_ORDERS])
        self.react_once()

    def react_once(self) -> None:
        """Run what the sensors ask for, each key once, as the daemon does."""
        for sensor, job in ((execution_sensor, "execute_trades_job"), (order_sensor, "manage_orders_job")):
            for request in self.ask(sensor):
                if request.run_key not in self.ran:
                    self.ran.add(str(request.run_key))
                    self.run(job, date.fromisoformat(str(request.partition_key)))

    @property
    def account_id(self) -> str:
        return broker_account_id(self.settings.broker.venue, self.settings.broker.account or "")


@pytest.fixture
def platform(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RehearsingPlatform]:
    config = tmp_path / "trading.yaml"
    config.write_text(SETTINGS)
    monkeypatch.setenv("TRADING_CONFIG", str(config))
    begin = session(DAY).opens_at - timedelta(hours=1)
    prepared = prepare(tmp_path, load_trading_settings(), begin)
    for name, value in prepared.variables().items():
        monkeypatch.setenv(name, value)
    settings = load_trading_settings()
    with dg.DagsterInstance.ephemeral() as instance:
        platform = RehearsingPlatform(database, settings, begin, instance=instance)
        platform.store_data(WARM_UP, DAY)
        platform.promote()
        platform.clock.at = begin
        market = StoredMarket(database, settings.universe)
        alpaca = RehearsedAlpaca(Journal(prepared.journal), market, Timeframe.HOUR, platform.clock, prepared.port)
        with alpaca.running():
            platform.ran = set()
            platform.broker = build_broker(settings, load_environment(), database)
            yield platform


@pytest.mark.timeout(600)
def test_day_on_a_local_alpaca_is_the_same_at_the_broker_and_in_the_ledger(platform: RehearsingPlatform) -> None:
    platform.open_account()
    for at in HOURS[:3]:
        platform.live_hour(at)
    platform.clock.at = session(DAY).closes_at + timedelta(minutes=15)
    platform.run("end_of_day_job", DAY, assets=[FILLS, POSITIONS])

    # Decided at an hour's end, filled at the open of the next one.
    fills = platform.rows(
        "select fills.side, fills.qty, fills.price, bars.open::text, verdicts.decision_at from execution.fills "
        "join execution.orders using (client_order_id) join risk.verdicts using (intent_id) "
        "join market.bars on bars.symbol = fills.symbol and bars.ts = verdicts.decision_at order by decision_at"
    )
    assert [decided_at for *_, decided_at in fills] == HOURS[:2]
    for side, _, price, opened_at, _ in fills:
        assert price == MODEL.slipped(Decimal(opened_at), Side(side))

    (held,) = platform.broker.positions()
    bought = sum(qty for _, qty, *_ in fills)
    assert platform.rows("select symbol, qty from execution.held_now") == [("MSFT", bought)]
    assert (held.symbol, held.qty) == ("MSFT", bought)

    equity = platform.rows("select equity_usd from execution.equity order by at")
    account = platform.broker.account()
    assert equity[0] == (OPENING_CASH,)
    assert equity[-1] == (account.equity_usd,)
    assert account.equity_usd != OPENING_CASH

    named = platform.rows("select client_order_id, status from execution.order_states order by client_order_id")
    at_broker = platform.broker.orders_since(session(DAY).opens_at)
    assert named == sorted((order.client_order_id, str(order.status)) for order in at_broker)
    assert platform.rows("select count(*) from execution.breaks") == [(0,)]
    assert platform.rows("select count(*) from execution.incidents") == [(0,)]
