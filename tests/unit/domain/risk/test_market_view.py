"""What a decision may know of the market: figures beside their definitions, and nothing from after the decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trading_assets.adapters.sample import SampleSource
from trading_assets.domain import simulation
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.market.sessions import session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.market_view import MarketHistory, SessionHistory, market_timeframe
from trading_assets.domain.simulation import dealings
from trading_assets.domain.strategy.knowledge import parts
from trading_assets.domain.strategy.portfolio import SectorFact, Sectors
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Timeframe
from trading_assets.settings import RiskSettings
from trading_assets.strategies.sma_crossover import SmaCrossover

FIRST, LAST = date(2006, 1, 3), date(2006, 12, 29)
DAY = date(2006, 6, 1)
SYMBOLS = ("AAPL", "GOOG", "IBM")


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return SampleSource().bars(SYMBOLS, Timeframe.SESSION, FIRST, LAST, session(LAST).closes_at)


def history_of(bars: pd.DataFrame, until: date = LAST) -> SessionHistory:
    return SessionHistory.of_bars(
        session(FIRST).opens_at, session(until).closes_at, bars, pd.Series(1.0, index=bars.index)
    )


def view_of(history: SessionHistory, at: datetime | None = None) -> Any:
    return MarketHistory([history]).view(at or session(DAY).closes_at, DAY, {"AAPL": Decimal(5)})


def test_figures_of_a_view_are_those_of_their_definitions(bars: pd.DataFrame) -> None:
    seen = bars[bars["session_date"] <= DAY]
    closes = seen.pivot_table(index="session_date", columns="symbol", values="close")
    returns = closes.pct_change().iloc[-60:]
    dollars = (closes * seen.pivot_table(index="session_date", columns="symbol", values="volume")).iloc[-20:]
    view = view_of(history_of(bars))
    assert view.bar_volume("AAPL") == 5
    for symbol in SYMBOLS:
        market = returns.mean(axis=1)
        assert view.beta(symbol) == pytest.approx(returns[symbol].cov(market) / market.var())
        assert view.average_volume_usd(symbol) == pytest.approx(dollars[symbol].mean())
        for other in SYMBOLS:
            correlation = abs(returns[symbol].corr(returns[other]))
            assert view.is_correlated(symbol, other, correlation - 1e-9)
            assert not view.is_correlated(symbol, other, correlation + 1e-9)


def test_view_is_blind_for_what_came_after_the_decision(bars: pd.DataFrame) -> None:
    later = bars["session_date"] > DAY
    changed = bars.assign(close=bars["close"].where(~later, 1.0), volume=bars["volume"].where(~later, 1))
    views = [view_of(history_of(known)) for known in (bars, changed, bars[~later])]
    figures = [[(view.beta(symbol), view.average_volume_usd(symbol)) for symbol in SYMBOLS] for view in views]
    assert figures[0] == figures[1] == figures[2]
    own = view_of(history_of(bars), session(DAY).closes_at - timedelta(seconds=1))
    assert own.average_volume_usd("AAPL") != views[0].average_volume_usd("AAPL")


def test_hours_of_a_session_count_once_it_is_over(bars: pd.DataFrame) -> None:
    one = bars[bars["symbol"] == "AAPL"]
    halves = [
        one.assign(ts=one["ts"] + timedelta(hours=hour), close=one["close"] * factor, volume=one["volume"] / 2)
        for hour, factor in ((0, 2.0), (1, 1.0))
    ]
    history = history_of(pd.concat(halves, ignore_index=True))
    whole = history_of(one)
    assert np.array_equal(history.returns, whole.returns, equal_nan=True)
    assert np.allclose(history.dollars, whole.dollars * 1.5)
    assert view_of(history, session(DAY).opens_at + timedelta(hours=3))._end == view_of(whole)._end - 1


def test_symbols_with_fewer_than_thirty_sessions_in_common_count_as_correlated(bars: pd.DataFrame) -> None:
    days = sessions_between(FIRST, DAY)
    young = bars[(bars["symbol"] != "GOOG") | (bars["session_date"] >= days[-30])]
    view = view_of(history_of(young))
    assert view.beta("GOOG") is None
    assert view.is_correlated("AAPL", "GOOG", 0.99)
    old_enough = view_of(history_of(bars[(bars["symbol"] != "GOOG") | (bars["session_date"] >= days[-31])]))
    assert old_enough.beta("GOOG") is not None
    assert not old_enough.is_correlated("AAPL", "GOOG", 0.99)
    assert view.is_correlated("AAPL", "NEW", 0.99)
    assert view.beta("NEW") is None
    assert view.average_volume_usd("NEW") is None


def test_view_outside_of_the_parts_of_a_history_knows_nothing(bars: pd.DataFrame) -> None:
    view = view_of(history_of(bars, until=date(2006, 5, 31)))
    assert view.beta("AAPL") is None
    assert view.average_volume_usd("AAPL") is None
    assert view.is_correlated("AAPL", "GOOG", 0.99)


def test_history_is_made_of_session_bars_where_there_are_any() -> None:
    assert market_timeframe([Timeframe.HOUR, Timeframe.SESSION]) is Timeframe.SESSION
    assert market_timeframe([Timeframe.HOUR]) is Timeframe.HOUR


LIMITS = {
    "max_order_adv": 0.5,
    "max_order_bar_volume": 0.5,
    "max_net_exposure": 0.7,
    "max_beta_exposure": 0.9,
    "max_sector_exposure": 0.22,
    "max_cluster_exposure": 0.6,
    "cluster_correlation": 0.3,
    "max_strategy_exposure": 0.5,
    "max_stress_loss": 0.2,
}


def record_of(bars: pd.DataFrame, *timeframes: Timeframe) -> MarketRecord:
    """The same `bars` as those of each of the timeframes."""
    days = sessions_between(FIRST, LAST)
    (whole,) = parts(FIRST, LAST, Timeframe.SESSION, [], session(LAST).closes_at)
    sectors = [SectorFact(symbol, FIRST, None, "technology", datetime(2006, 1, 1, tzinfo=UTC)) for symbol in SYMBOLS]
    known = KnownBars(whole, bars, pd.Series(1.0, index=bars.index))
    return MarketRecord(
        first=FIRST,
        last=LAST,
        now=session(LAST).closes_at,
        members=always(SYMBOLS),
        known={timeframe: [known] for timeframe in timeframes},
        tape=Tape.of(
            bars.sort_values(["closes_at", "symbol"]), [], {(day, symbol): "open" for day in days for symbol in SYMBOLS}
        ),
        sectors=Sectors(sectors),
        facts_of=lambda strategy, part: NO_FACTS,
    )


def test_history_asks_the_timeframes_that_the_account_decides_on(bars: pd.DataFrame) -> None:
    record = record_of(bars, Timeframe.HOUR, Timeframe.SESSION)
    shorts = replace(RiskLimits.of(RiskSettings().limits()), allow_short=True)
    rules = simulation.Rules(shorts, FillModel(Decimal(5), Decimal(1)))
    by_the_hour = replace(rules, timeframes=frozenset({Timeframe.HOUR}))
    asked = [record.market_history(one) for one in (rules, by_the_hour, rules)]
    assert [(len(one.parts), len(one.prices)) for one in asked] == [(1, 2), (1, 1), (1, 2)]


def test_backtest_judges_by_the_market_as_it_was_known(bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealings, "fee_activities", lambda *_: [])
    record = record_of(bars, Timeframe.SESSION)
    crossover = ConfiguredStrategy("sma_crossover", SmaCrossover(fast=5, slow=15), Timeframe.SESSION, 0.9)
    limits = RiskLimits.of(RiskSettings(max_order_notional=1, max_position=1, **LIMITS).limits())
    rules = simulation.Rules(limits, FillModel(Decimal(5), Decimal(1)), capital={"sma_crossover": Decimal("0.9")})
    assert rules.reads_market
    shorts = replace(rules, limits=replace(limits, allow_short=True))
    assert [len(record.market_history(one).prices) for one in (rules, shorts, rules)] == [0, 1, 0]
    journal = trade(record, record.targets([crossover]), Terms("a", Decimal(100_000), rules))
    answered = {check.rule_id: check for verdict in journal.verdicts[60:] for check in verdict.checks if check.limit}
    for rule_id in ("RC-16a", "RC-16b", "RC-23a", "RC-23b", "RC-24", "RC-25", "RC-36", "RC-39"):
        assert answered[rule_id].value is not None
    reasons = {reason.value for verdict in journal.verdicts for reason in verdict.reason_codes}
    assert "SECTOR_EXPOSURE_EXCEEDS_LIMIT" in reasons
    assert "CHECK_RAISED" not in reasons

    days = sessions_between(FIRST, LAST)
    half = days[len(days) // 2]
    cut = replace(record, last=half, now=session(half).closes_at)
    earlier = trade(cut, cut.targets([crossover]), Terms("a", Decimal(100_000), rules))
    assert earlier.verdicts == [one for one in journal.verdicts if one.intent.session_date <= half]


def test_market_is_read_for_shorts_that_are_allowed_now_or_after_a_change() -> None:
    long_only = RiskLimits.of(RiskSettings().limits())
    rules = simulation.Rules(long_only, FillModel(Decimal(5), Decimal(1)))
    shorting = replace(long_only, allow_short=True)
    later = replace(rules, changes=[(session(DAY).closes_at, shorting)])
    asked = [(one.reads_market, one.allows_shorts) for one in (rules, later, replace(rules, limits=shorting))]
    assert asked == [(False, False), (True, True), (True, True)]
