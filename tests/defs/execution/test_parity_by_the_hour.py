"""Sixty sessions by the hour: one range, session by session, hour by hour through the sensors, and a backtest.

It takes a quarter of an hour of one processor, so `make nightly` runs it. tests/defs/strategy/test_backtest_parity.py
says the same of sixty sessions of daily bars every time.
"""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pytest
from standins.led_platform import AFTERWARDS, LedPlatform
from standins.parity import open_gates, recorded_hash, signals_of, stored_signals
from standins.random_bars import random_bars

from trading_assets.adapters.backtests import plan_backtest, run_journal
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.adapters.postgres.ledger_hash import ledger_hash
from trading_assets.adapters.postgres.market import store_bars
from trading_assets.adapters.postgres.market_record import read_market_record
from trading_assets.defs.execution.assets import APPROVED_ORDERS
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe
from trading_assets.settings import TradingSettings

SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": ["AAA", "BBB"],
        "timeframes": ["1h"],
        "strategies": {
            "sma_crossover": {"timeframe": "1h", "capital_weight": 0.5, "parameters": {"fast": 2, "slow": 6}},
            "rsi_reversion": {
                "timeframe": "1h",
                "capital_weight": 0.4,
                "parameters": {"period": 3, "entry": 40, "exit": 55, "max_hold": 5},
            },
        },
        "risk": {"max_order_notional": 0.3, "max_position": 0.4, "stop_all_drawdown": 0.9, "stop_all_daily_loss": 0.5},
        # Some hundred shares an hour: orders fill in parts, wait over the night, and expire.
        "broker": {"volume_limit": 0.02},
        "clock": "replay",
    }
)
FIRST, LAST = date(2010, 1, 6), date(2010, 4, 1)
BARS_A_SESSION, WARM_UP = 7, 2


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_sixty_sessions_by_the_hour_come_out_the_same_in_four_ways(
    database: Database, new_database: Callable[..., Database]
) -> None:
    sessions = sessions_between(FIRST, LAST)
    assert len(sessions) >= 60
    bars = random_bars(["AAA", "BBB"], BARS_A_SESSION * (len(sessions) + WARM_UP), Timeframe.HOUR)
    with database.transaction() as connection:
        store_instruments(
            connection, [Instrument(symbol, symbol, "NYSE", is_tradable=True) for symbol in SETTINGS.universe], "random"
        )
        store_bars(connection, bars)
    open_gates(database, bars, AFTERWARDS)
    turns, live = new_database(database), new_database(database)

    def platform(of: Database) -> LedPlatform:
        return LedPlatform(of, SETTINGS, AFTERWARDS, instance=instance)

    with dg.DagsterInstance.ephemeral() as instance:
        at_once = platform(database)
        record = read_market_record(database, SETTINGS, FIRST, LAST, AFTERWARDS)
        at_once.run("refresh_data_job", FIRST, LAST, assets=at_once.strategy_assets())
        at_once.replay(FIRST, LAST)
        expected, decided = ledger_hash(database), stored_signals(database, FIRST, LAST)

        in_turn = platform(turns)
        for day in sessions:
            in_turn.run("refresh_data_job", day, assets=in_turn.strategy_assets())
            in_turn.replay(day, day)
        assert stored_signals(turns, FIRST, LAST) == decided
        assert ledger_hash(turns) == expected

        led = platform(live)
        led.live(FIRST, LAST, [*led.strategy_assets(), APPROVED_ORDERS])
        assert stored_signals(live, FIRST, LAST) == decided
        assert ledger_hash(live) == expected

    plan = plan_backtest(SETTINGS, record, {})
    journal = run_journal(plan, record)
    assert len(journal.fills) > 200
    assert signals_of(record, plan) == decided
    assert recorded_hash(new_database(), plan, journal) == expected
