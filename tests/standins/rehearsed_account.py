"""A database with bars and targets, and an account at a broker that a test moves: what the broker's desk works on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from standins.broker_rehearsals import ACCOUNT, MONDAY, Rehearsal, bar, new_york

from trading_assets.adapters.plugins import load_strategies, source_sha256
from trading_assets.adapters.postgres.broker_hints import store_opening
from trading_assets.adapters.postgres.broker_orders import saw
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.events import Topic, append_event
from trading_assets.adapters.postgres.instruments import store_instruments
from trading_assets.defs.execution.broker_desk import BrokerDesk
from trading_assets.domain.market.bars import Bar
from trading_assets.domain.market.instruments import Instrument
from trading_assets.settings import TradingSettings

SYMBOLS = ("AAA", "BBB")
ACCOUNT_ID = f"alpaca-paper-{ACCOUNT}"
SETTINGS = TradingSettings.model_validate(
    {
        "source": "sample",
        "universe": list(SYMBOLS),
        "timeframes": ["1h"],
        "strategies": {"buy_and_hold": {"capital_weight": 1.0, "timeframe": "1h"}},
        "risk": {
            "max_position": 0.5,
            "max_order_notional": 0.5,
            "max_gross_exposure": 0.9,
            "rebalance_band": 0.0,
        },
        "broker": {"kind": "alpaca", "environment": "paper", "account": ACCOUNT},
    }
)
DELAY = timedelta(seconds=5)


@dataclass
class PassingClock:
    """A wall clock that passes only while somebody sleeps."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class RehearsedAccount:
    """`at` sets the graph's clock and the broker's; bars are stored, and told to the broker when they trade."""

    database: Database
    rehearsal: Rehearsal
    settings: TradingSettings = SETTINGS
    clock: PassingClock = field(default_factory=lambda: PassingClock(new_york("12:00")))
    wall: PassingClock = field(default_factory=lambda: PassingClock(new_york("12:00")))
    told: list[str] = field(default_factory=list)
    is_prepared: bool = False
    """Whether the database is a copy of one that an account was rehearsed on."""

    def __post_init__(self) -> None:
        (self.strategy,) = load_strategies(self.settings)
        if self.is_prepared:
            return
        listed = [Instrument(symbol, symbol, "XNYS", is_tradable=True) for symbol in SYMBOLS]
        with self.database.transaction() as connection:
            store_instruments(connection, listed, "test")
            for stage in ("paper",):
                connection.execute(
                    "insert into strategy.promotions (strategy, strategy_version, source_sha256, stage, evidence, "
                    "promoted_by, why) values (%s, %s, %s, %s, '{}', 'Ada', 'rehearsed')",
                    (self.strategy.name, self.strategy.version, source_sha256(type(self.strategy.strategy)), stage),
                )

    def desk(self, **others: Any) -> BrokerDesk:
        return BrokerDesk(
            self.database,
            self.settings,
            self.clock.now(),
            self.rehearsal.broker,
            self.clock,
            "a run",
            self.told.append,
            self.wall,
            self.wall.sleep,
            **others,
        )

    def at(self, moment: datetime) -> None:
        self.clock.at = self.wall.at = moment
        self.rehearsal.advance(moment)
        if rows(self.database, "select from execution.accounts"):
            with self.database.transaction() as connection:
                saw(connection, ACCOUNT_ID, "risk", moment)
                store_opening(connection, ACCOUNT_ID, moment)

    def open(self) -> None:
        """Let the account begin with what is in it, and be looked after."""
        self.desk().replay(MONDAY, MONDAY)
        self.at(self.clock.at)

    def bars(self, begins: str, **values: Any) -> list[Bar]:
        return [bar(begins, symbol=symbol, **values) for symbol in SYMBOLS]

    def close(self, begins: str, weights: Mapping[str, float] | None = None, **values: Any) -> datetime:
        """Let an hour of all symbols trade and end, with what the strategy wants at its close; returns that."""
        bars = self.bars(begins, **values)
        self.rehearsal.trade(*bars)
        for one in bars:
            self.store(one)
        closes_at = bars[0].closes_at
        with self.database.transaction() as connection:
            for symbol, weight in (weights or {}).items():
                connection.execute(
                    "insert into strategy.targets (strategy, strategy_version, symbol, decision_at, session_date, "
                    "signal, capital_weight, target_weight) values (%s, %s, %s, %s, %s, 1, 1, %s)",
                    (self.strategy.name, self.strategy.version, symbol, closes_at, bars[0].session_date, weight),
                )
        self.at(closes_at + DELAY)
        return closes_at

    def store(self, one: Bar) -> None:
        prices = [float(price) for price in (one.open, one.high, one.low, one.close, one.volume)]
        with self.database.transaction() as connection:
            connection.execute(
                "insert into market.bars (symbol, timeframe, ts, closes_at, session_date, open, high, low, close, "
                "volume, source) values (%s, '1h', %s, %s, %s, %s, %s, %s, %s, %s, 'test')",
                (one.symbol, one.ts, one.closes_at, one.session_date, *prices),
            )
            facts = {"symbols": [one.symbol], "timeframes": ["1h"], "rows_written": 1}
            append_event(connection, Topic.BARS_STORED, facts, one.session_date, one.session_date)
            connection.execute(
                "insert into ops.quality_gates (dataset, session_date, symbol, state) "
                "values ('market/bars', %s, %s, 'open') on conflict do nothing",
                (one.session_date, one.symbol),
            )

    def with_settings(self, **risk: Any) -> RehearsedAccount:
        values = self.settings.model_copy(update={"risk": self.settings.risk.model_copy(update=risk)})
        return replace(self, settings=values)


def rows(database: Database, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query, parameters).fetchall()


DAY = MONDAY
