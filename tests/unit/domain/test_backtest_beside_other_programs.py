"""A moving-average crossover trades, to the cent, what other programs trade: a few lines of pandas, and backtrader.

Fixed fraction of equity, orders filled at the next open. Nothing of the platform computes the expected side.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from trading_assets.adapters.sample import SampleSource
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.ledger import FEE_KINDS
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.simulation import Rules, dealings
from trading_assets.domain.strategy.knowledge import parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Timeframe
from trading_assets.settings import PROJECT_ROOT, RiskSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

# Neither company split its shares or paid a dividend in these years.
SYMBOLS, FIRST, LAST = ("AAPL", "GOOG"), date(2006, 1, 3), date(2009, 12, 31)
FAST, SLOW, WEIGHT, CASH = 10, 30, 0.5, 100_000
CROSSOVER = ConfiguredStrategy("sma_crossover", SmaCrossover(fast=FAST, slow=SLOW), Timeframe.SESSION, WEIGHT)
# Nothing is ever denied or resized: what is tested here is the trading, not the review.
UNBOUND = RiskSettings(
    max_order_qty=10**9,
    max_order_notional=1,
    max_position=1,
    max_gross_exposure=1,
    cash_buffer=0,
    stop_new_daily_loss=0.97,
    stop_all_daily_loss=0.98,
    stop_all_drawdown=0.99,
    rebalance_band=0.99,
)

Trade = tuple[date, str, int, float]


def expected(bars: pd.DataFrame) -> tuple[list[Trade], pd.Series[float]]:
    """Shares bought (positive) and sold by session and symbol, and the equity at every close."""
    opens = bars.pivot_table(index="session_date", columns="symbol", values="open")
    closes = bars.pivot_table(index="session_date", columns="symbol", values="close")
    is_long = closes.rolling(FAST).mean() > closes.rolling(SLOW).mean()
    cash, held, wanted = float(CASH), dict.fromkeys(SYMBOLS, 0), dict.fromkeys(SYMBOLS, 0)
    trades, equity = [], {}
    for day in closes.index:
        for symbol in SYMBOLS:
            if shares := wanted[symbol] - held[symbol]:
                trades.append((day, symbol, shares, round(float(opens.at[day, symbol]), 4)))
                cash -= shares * opens.at[day, symbol]
                held[symbol] = wanted[symbol]
        equity[day] = cash + sum(held[symbol] * closes.at[day, symbol] for symbol in SYMBOLS)
        for symbol in SYMBOLS:
            share = WEIGHT / len(SYMBOLS) * equity[day]
            is_entry = is_long.at[day, symbol] and not held[symbol]
            size = math.floor(share / closes.at[day, symbol]) if is_entry else held[symbol]
            wanted[symbol] = size if is_long.at[day, symbol] else 0
    return trades, pd.Series(equity)


def record_of(bars: pd.DataFrame) -> MarketRecord:
    now, days = session(LAST).closes_at, sessions_between(FIRST, LAST)
    factors = pd.Series(1.0, index=bars.index)
    traded = bars.sort_values(["closes_at", "symbol"], ignore_index=True)
    (whole,) = parts(FIRST, LAST, Timeframe.SESSION, [], now)
    return MarketRecord(
        first=FIRST,
        last=LAST,
        now=now,
        members=always(SYMBOLS),
        known={Timeframe.SESSION: [KnownBars(whole, bars, factors)]},
        tape=Tape.of(
            traded, [], {(day, symbol): "open" for day in days for symbol in SYMBOLS}, always_tradable(SYMBOLS)
        ),
        sectors=Sectors(),
        facts_of=lambda strategy, part: NO_FACTS,
    )


def without_fees(*_: object) -> Sequence[object]:
    return []


def test_crossover_trades_and_ends_as_the_independent_program(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SampleSource()
    assert source.corporate_actions(SYMBOLS, FIRST, LAST) == []
    bars = source.bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, session(LAST).closes_at)
    monkeypatch.setattr(dealings, "fee_activities", without_fees)
    record = record_of(bars)
    rules = Rules(RiskLimits.of(UNBOUND.limits()), FillModel(slippage_bps=Decimal(0), volume_limit=Decimal(1)))

    journal = trade(record, record.targets([CROSSOVER]), Terms("beside-pandas", Decimal(CASH), rules))

    trades, equity = expected(bars)
    made = sorted(
        (fill.session_date, fill.symbol, int(fill.qty) * fill.side.sign, float(fill.price)) for fill in journal.fills
    )
    assert len(trades) >= 50
    assert made == trades
    assert [float(point.equity_usd) for point in journal.equity] == pytest.approx(list(equity), rel=0, abs=0.005)


def test_crossover_trades_pays_and_ends_as_backtrader_did() -> None:
    """tests/data/make_backtrader_trades.py made the record, of the same bars, with the fees on sales."""
    rows = list(csv.DictReader((PROJECT_ROOT / "tests" / "data" / "backtrader_trades.csv").open(encoding="utf-8")))
    *expected_trades, end = rows
    record = record_of(SampleSource().bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, session(LAST).closes_at))
    rules = Rules(RiskLimits.of(UNBOUND.limits()), FillModel(slippage_bps=Decimal(0), volume_limit=Decimal(1)))

    journal = trade(record, record.targets([CROSSOVER]), Terms("beside-backtrader", Decimal(CASH), rules))

    made = sorted(
        (str(fill.session_date), fill.symbol, str(int(fill.qty) * fill.side.sign), f"{fill.price:.4f}")
        for fill in journal.fills
    )
    assert len(made) >= 50
    assert made == [(row["session_date"], row["symbol"], row["shares"], row["price"]) for row in expected_trades]
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for row in expected_trades:
        paid[row["session_date"]] += Decimal(row["fee_usd"])
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for activity in journal.activities:
        if activity.kind in FEE_KINDS:
            fees[str(activity.session_date)] -= activity.amount_usd
    assert fees == {day: amount for day, amount in paid.items() if amount}
    assert round(journal.equity[-1].equity_usd, 2) == Decimal(end["price"])
