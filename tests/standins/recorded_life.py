"""The life of an account that the tests of the ledger record: thin bars with holes, a split, a dividend, a crash."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from trading_assets.adapters.postgres import ledger, market
from trading_assets.adapters.postgres.database import Database
from trading_assets.domain.execution.exits import ExitPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.bars import BAR_COLUMNS, Bar
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import bar_bounds, session, sessions_between
from trading_assets.domain.risk.breakers import Breaker, BreakerRule
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.protections import Protection, ProtectionKind
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Account, Moment, Rules, open_book, walk
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import Timeframe, decimal_of

D = Decimal
FIRST, LAST = date(2012, 11, 19), date(2012, 11, 29)
CRASH, DIVIDEND_ON, SPLIT_ON, PAID_ON = date(2012, 11, 28), date(2012, 11, 21), date(2012, 11, 26), date(2012, 11, 27)
SYMBOLS = ("IBM", "MSFT")
LIMITS = RiskLimits(
    max_order_qty=D(10_000),
    max_order_notional=D("0.4"),
    max_position=D("0.5"),
    max_gross_exposure=D("0.9"),
    cash_buffer=D("0.05"),
    stop_new_daily_loss=D("0.02"),
    stop_all_daily_loss=D("0.05"),
    stop_all_drawdown=D("0.15"),
    rebalance_band=D("0.02"),
    approval_ttl=timedelta(minutes=2),
    allow_short=False,
)
RULES = Rules(LIMITS, FillModel(slippage_bps=D(5), volume_limit=D("0.1")))
PROTECTED = replace(
    RULES, exits={"s": ExitPlan(D("0.02"), D("0.03"), D("0.025")), "t": ExitPlan(trailing_stop=D("0.015"))}
)
# Whatever an account remembers of its past has a say here.
MINDFUL = replace(
    PROTECTED,
    limits=replace(LIMITS, max_session_orders=12, max_session_turnover=D(3), max_session_reversals=2),
    breakers={Breaker.CONSECUTIVE_LOSSES: BreakerRule(3, clears_after_sessions=1)},
    protections=[
        Protection(ProtectionKind.STOPLOSS_GUARD, 2, 4, timeframe=Timeframe.HOUR),
        Protection(ProtectionKind.MAX_DRAWDOWN, 2, 4, max_drawdown=D("0.01"), timeframe=Timeframe.HOUR),
    ],
)
SMALL = 20_000
"""USD, too few to day trade as often as one likes."""
ACTIONS = [
    CorporateAction("IBM", DIVIDEND_ON, ActionKind.CASH_DIVIDEND, amount_usd=D("0.55"), pay_date=PAID_ON),
    CorporateAction("MSFT", SPLIT_ON, ActionKind.SPLIT, split_ratio=D("1.5")),
]


def hourly_bars() -> pd.DataFrame:
    """Two symbols by the hour over a holiday and a half day; thin, with holes, a split and a crash."""
    random = np.random.default_rng(11)
    rows = []
    for symbol in SYMBOLS:
        close = 100.0
        for day in sessions_between(FIRST, LAST):
            if symbol == "MSFT" and day == SPLIT_ON:
                close /= 1.5
            for number, bounds in enumerate(bar_bounds(day, Timeframe.HOUR)):
                open_, close = close, round(close * float(np.exp(random.normal(0, 0.01))), 2)
                if day == CRASH and number == 2:
                    close = round(close * 0.85, 2)
                volume = float(random.integers(0, 3_000))
                if symbol == "IBM" or random.random() > 0.3:
                    high, low = max(open_, close), min(open_, close)
                    rows.append((symbol, "1h", *bounds, day, open_, high, low, close, volume, "test"))
    return pd.DataFrame(rows, columns=list(BAR_COLUMNS))


def moments(frame: pd.DataFrame) -> list[Moment]:
    random = np.random.default_rng(12)
    history, standings = [], always_tradable(SYMBOLS)
    for (day, at), group in frame.groupby(["session_date", "closes_at"]):
        closed_at = at.to_pydatetime()
        bars = [
            Bar(row.symbol, row.ts.to_pydatetime(), closed_at, day, *map(decimal_of, row[6:11]))
            for row in group.itertuples()
        ]
        targets = [
            Target(strategy, "1", symbol, closed_at, day, D(int(random.integers(0, 6))) / 20)
            for strategy in ("s", "t")
            for symbol in SYMBOLS
        ]
        due = [action for action in ACTIONS if action.ex_date == day]
        gates = dict.fromkeys(SYMBOLS, "open" if random.random() > 0.1 else "closed")
        history.append(Moment(closed_at, session(day), bars, due, targets, gates, standings=standings))
    return history


class Life:
    """An account that lived through the bars, with a copy of it at every close."""

    def __init__(self, database: Database, rules: Rules = RULES, cash: int = 100_000) -> None:
        self.frame = hourly_bars()
        with database.transaction() as connection:
            market.store_bars(connection, self.frame)
            record = ledger.open_account(connection, "simulated", "0badcafe", FIRST, D(cash))
        self.account_id = record.account_id
        account, self.journal = open_book(record.account_id, record.opening_cash_usd, session(FIRST))
        self.stages: list[Account] = []
        for moment in moments(self.frame):
            walk(account, [moment], rules, {}, (), self.journal)
            self.stages.append(deepcopy(account))

    def record(self, database: Database, journal: Journal | None = None) -> dict[str, int]:
        with database.transaction() as connection:
            ledger.lock_ledger(connection)
            written = ledger.record(connection, journal or self.journal)
            ledger.use_account(connection, self.account_id)
        return written


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return connection.execute(query).fetchall()
