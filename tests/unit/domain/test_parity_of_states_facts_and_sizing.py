"""A strategy with a state, one that reads figures, and one sized jointly: a range is its sessions, to the byte.

All three share one account, and both ways are the platform's own functions. The plain strategies are in
test_parity_catches_defects.py.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pandas as pd
import pytest
from pydantic import Field
from standins.random_bars import random_bars

from trading_assets.domain import simulation
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.adjust import point_in_time_factors
from trading_assets.domain.market.fundamentals import Statement
from trading_assets.domain.market.sessions import previous_session, session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Rules
from trading_assets.domain.strategy.facts import FIGURE_COLUMNS, Facts, Figure
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.knowledge import Part, parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.strategy.stateful import StatefulStrategy, StrategyState
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Timeframe
from trading_assets.settings import RiskSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

SYMBOLS = ["AAA", "BBB", "CCC"]
INCOME = Figure(Statement.INCOME, "Net Income", 3)
BARS = random_bars(SYMBOLS, 45)
FIRST, LAST = date(2010, 2, 23), date(2010, 3, 9)
REPORTED, RESTATED = date(2010, 2, 26), date(2010, 3, 4)


class EveryOther(StatefulStrategy):
    """Long for as many bars after a high of its average as it has counted such highs."""

    name = "every_other"
    version = "1"

    class State(StrategyState):
        highest: dict[str, float] = Field(default_factory=dict)
        bars_left: dict[str, int] = Field(default_factory=dict)
        highs: int = 0

    def indicators(self):
        return (Indicator("sma", 3),)

    def initial_state(self):
        return self.State()

    def step(self, state, view):
        (average,) = self.indicators()
        highest, left, highs, signals = dict(state.highest), dict(state.bars_left), state.highs, []
        for symbol, value in zip(view.bars["symbol"], view.indicator(average), strict=True):
            left[symbol] = max(left.get(symbol, 0) - 1, 0)
            if value > highest.get(symbol, 0.0):
                highest[symbol], highs = value, highs + 1
                left[symbol] = 1 + highs % 4
            signals.append(float(left[symbol] > 0))
        reasons = [f"{highs} highs, {left[symbol]} bars left" for symbol in view.bars["symbol"]]
        return self.State(highest=highest, bars_left=left, highs=highs), view.signals(signals, reasons)


class Earning(Strategy):
    """Long in proportion to what was last reported, as it was known."""

    name = "earning"
    version = "1"

    def indicators(self):
        return ()

    def figures(self):
        return (INCOME,)

    def signals(self, view):
        earned = pd.Series(view.figure(INCOME)).fillna(0).to_numpy()
        return view.signals((earned / 10).clip(-1, 1), [f"earned {amount:g}" for amount in earned])


STRATEGIES = (
    ConfiguredStrategy("earning", Earning(), Timeframe.SESSION, 0.3),
    ConfiguredStrategy("every_other", EveryOther(), Timeframe.SESSION, 0.3),
    ConfiguredStrategy(
        "sma_crossover",
        SmaCrossover(fast=2, slow=5),
        Timeframe.SESSION,
        0.3,
        PortfolioRule(Sizing.INVERSE_VOLATILITY, lookback=20),
    ),
)
LIMITS = RiskLimits.of(RiskSettings(max_gross_exposure=0.7, max_position=0.3, max_order_notional=0.3).limits())
TERMS = Terms("parity", Decimal(100_000), Rules(LIMITS, FillModel(Decimal(5), Decimal("0.025"))))


def figures_known(at: datetime) -> Facts:
    """One report of each symbol, and a restatement of one, with which all later decisions are others."""
    rows = [
        (symbol, "income", "Net Income", 3, date(2009, 12, 31), version, amount, datetime.combine(day, time(22), UTC))
        for symbol, version, amount, day in (
            ("AAA", 1, 8.0, REPORTED),
            ("BBB", 1, 3.0, REPORTED),
            ("AAA", 2, 2.0, RESTATED),
        )
    ]
    figures = pd.DataFrame(rows, columns=list(FIGURE_COLUMNS))
    return Facts(figures[figures["counts_from"] <= at].reset_index(drop=True))


def market(first: date, last: date) -> MarketRecord:
    """The sessions first..last, and those before them for the state, each part with what was known at its end."""
    now = session(last).closes_at

    def known(part: Part) -> KnownBars:
        bars = BARS[BARS["closes_at"] <= part.knowledge_time].reset_index(drop=True)
        return KnownBars(part, bars, point_in_time_factors(bars, []))

    begin = BARS["session_date"].min()
    ranges = [(begin, previous_session(first)), (first, last)]
    traded = BARS[(BARS["session_date"] >= first) & (BARS["session_date"] <= last)]
    return MarketRecord(
        first=first,
        last=last,
        now=now,
        members=always(SYMBOLS),
        known={
            Timeframe.SESSION: [
                known(part) for start, end in ranges for part in parts(start, end, Timeframe.SESSION, [], now)
            ]
        },
        tape=Tape.of(
            traded.sort_values(["closes_at", "symbol"], ignore_index=True),
            [],
            {(day, symbol): "open" for day in sessions_between(first, last) for symbol in SYMBOLS},
            always_tradable(SYMBOLS),
        ),
        sectors=Sectors(),
        facts_of=lambda strategy, part: figures_known(part.knowledge_time),
    )


def decisions(record: MarketRecord) -> list[str]:
    columns = ["strategy", "strategy_version", "symbol", "decision_at", "session_date", "signal", "reason"]
    frame = pd.concat([record.signals(one) for one in STRATEGIES])[columns]
    return [repr(row) for row in frame.sort_values(["decision_at", "strategy", "symbol"]).itertuples(index=False)]


def contents(journal: Journal) -> dict[str, list[str]]:
    return {one.name: [repr(row) for row in getattr(journal, one.name)] for one in fields(journal)}


@pytest.fixture(scope="module")
def at_once() -> tuple[list[str], Journal]:
    record = market(FIRST, LAST)
    return decisions(record), trade(record, record.targets(STRATEGIES), TERMS)


def test_states_facts_and_joint_sizing_come_out_the_same_session_by_session(
    at_once: tuple[list[str], Journal],
) -> None:
    account, journal = simulation.open_book(TERMS.account_id, TERMS.opening_cash_usd, session(FIRST))
    decided: list[str] = []
    for day in sessions_between(FIRST, LAST):
        record = market(day, day)
        moments = record.tape.moments(record.targets(STRATEGIES), day, day, record.now)
        simulation.walk(account, moments, TERMS.rules, {}, (), journal)
        decided += decisions(record)
    assert decided == at_once[0]
    assert contents(journal) == contents(at_once[1])


def test_range_has_what_it_is_about(at_once: tuple[list[str], Journal]) -> None:
    decided, journal = at_once
    assert {fill.strategy for fill in journal.fills} == {one.name for one in STRATEGIES}
    assert any("earned 8" in row for row in decided)
    assert any("earned 2" in row for row in decided)
    weights = {
        verdict.intent.target_weight for verdict in journal.verdicts if verdict.intent.strategy == "sma_crossover"
    }
    assert len(weights) > 4, "volatilities differ, where shares of the universe would be one number"
