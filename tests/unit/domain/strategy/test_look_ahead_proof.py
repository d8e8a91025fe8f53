"""The proof against look-ahead: leaks planted one by one are caught, and what is clean passes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from standins.random_bars import FIRST, random_bars

from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.fundamentals import Statement
from trading_assets.domain.market.universe import Membership, members_on
from trading_assets.domain.strategy.facts import FIGURE_COLUMNS, Facts, Figure
from trading_assets.domain.strategy.histories import MUTATIONS, History, noise
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.proofs import LOOK_AHEAD, newest_bars, prove_no_look_ahead
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy, View
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover

SYMBOLS = ["AAA", "BBB", "CCC"]
SHARES = Figure(Statement.BALANCE_SHEET, "Shares", 3)
ACTIONS = [
    CorporateAction("AAA", date(2010, 4, 1), ActionKind.SPLIT, split_ratio=Decimal(2)),
    CorporateAction("BBB", date(2010, 3, 1), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.5")),
    CorporateAction("BBB", date(2010, 6, 1), ActionKind.CASH_DIVIDEND, amount_usd=Decimal("0.6")),
]
MEMBERS = [
    Membership("AAA", FIRST, date(2010, 5, 14)),
    Membership("AAA", date(2010, 7, 1)),
    Membership("BBB", FIRST),
    Membership("CCC", date(2010, 4, 5), date(2010, 8, 2)),
]


def figures() -> pd.DataFrame:
    """Shares of every symbol, each quarter, with a restatement forty days after."""
    rows = []
    for number, symbol in enumerate(SYMBOLS):
        for quarter in range(4):
            told = datetime(2010, 1, 20, tzinfo=UTC) + timedelta(days=60 * quarter + number)
            period_end = told.date() - timedelta(days=20)
            amount = 100.0 + 10 * quarter + 7 * number * (-1) ** quarter
            rows.append((symbol, "balance_sheet", "Shares", 3, period_end, 1, amount, told))
            rows.append((symbol, "balance_sheet", "Shares", 3, period_end, 2, 230 - amount, told + timedelta(days=40)))
    return pd.DataFrame(rows, columns=list(FIGURE_COLUMNS))


def history(timeframe: Timeframe = Timeframe.SESSION) -> History:
    return History(random_bars(SYMBOLS, 200, timeframe), ACTIONS, Facts(figures(), MEMBERS))


def of(strategy: Strategy, timeframe: Timeframe = Timeframe.SESSION) -> ConfiguredStrategy:
    return ConfiguredStrategy(strategy.name, strategy, timeframe, 1.0)


class Probe(Strategy):
    """Long where `is_long` of the view says so."""

    name = "probe"
    version = "1"

    def indicators(self) -> tuple[Indicator, ...]:
        return ()

    def figures(self) -> tuple[Figure, ...]:
        return (SHARES,)

    def is_long(self, view: View) -> pd.Series | np.ndarray:
        raise NotImplementedError

    def signals(self, view: View) -> pd.DataFrame:
        is_long = np.asarray(self.is_long(view), dtype=bool)
        return view.signals(is_long, ["long" if each else "flat" for each in is_long])


def of_each_symbol(view: View, column: str = "close"):
    return view.bars.groupby("symbol")[column]


# Leaks ---------------------------------------------------------------------------------------------


class CentredWindow(Probe):
    """Above the mean of the five bars around it, two of which come later."""

    def is_long(self, view):
        mean = of_each_symbol(view).transform(lambda close: close.rolling(5, center=True).mean())
        return view.bars["close"] > mean


class WholeSampleScaling(Probe):
    """More than the mean of all there is, a z-score above zero."""

    def is_long(self, view):
        return view.bars["close"] > of_each_symbol(view).transform("mean")


class NextBar(Probe):
    """Buys at a close what rises until the next one."""

    def is_long(self, view):
        return of_each_symbol(view).shift(-1) > view.bars["close"]


class CloseOfTheDay(Probe):
    """Decides at every hour on the close of the session, which only its last hour has."""

    def is_long(self, view):
        day_close = view.bars.groupby(["symbol", "session_date"])["close"].transform("last")
        return day_close > view.bars["open"]


class RestatedFigure(Probe):
    """Takes the newest version of what was reported, whenever that became known."""

    def is_long(self, view):
        figures = view.facts.figures.drop_duplicates(["symbol", "period_end"], keep="last")
        restated = figures.assign(counts_from=figures["counts_from"] - timedelta(days=40))
        reported = pd.merge_asof(
            view.bars.assign(row=range(len(view.bars))).sort_values("closes_at"),
            restated.sort_values("counts_from"),
            left_on="closes_at",
            right_on="counts_from",
            by="symbol",
        ).sort_values("row")
        return reported["amount"].to_numpy() > 115


class FutureUniverse(Probe):
    """Knows at every bar who will be a member at the end."""

    def is_long(self, view):
        return view.bars["symbol"].isin(members_on(view.facts.members, view.bars["session_date"].max()))


LEAKS = [
    (CentredWindow, Timeframe.SESSION),
    (WholeSampleScaling, Timeframe.SESSION),
    (NextBar, Timeframe.SESSION),
    (CloseOfTheDay, Timeframe.HOUR),
    (RestatedFigure, Timeframe.SESSION),
    (FutureUniverse, Timeframe.SESSION),
]


@pytest.mark.parametrize(("leak", "timeframe"), LEAKS, ids=[leak.__name__ for leak, _ in LEAKS])
def test_planted_leak_is_caught_with_the_first_decision_that_differs(leak: type[Probe], timeframe: Timeframe):
    proof = prove_no_look_ahead(of(leak(), timeframe), history(timeframe))
    assert not proof.passed
    difference = proof.difference
    assert difference.symbol in SYMBOLS
    assert difference.decision_at.tzinfo is not None
    assert {difference.reason, difference.other_reason} == {"long", "flat"}
    assert "became known after" in difference.cause
    assert str(difference) in proof.finding
    assert json.loads(json.dumps(proof.evidence()))["difference"]["symbol"] == difference.symbol


# What is clean -------------------------------------------------------------------------------------


class PointInTime(Probe):
    """Reads all that a view offers, the way it offers it, and ranks symbols against each other."""

    def indicators(self):
        return (Indicator("ema", 5),)

    def is_long(self, view):
        rank = view.bars.groupby("closes_at")["volume"].rank()
        return (view.bars["close"] > view.indicator(Indicator("ema", 5))) & (
            (view.figure(SHARES) > 115) | (view.is_member() & (rank > 1))
        )


CLEAN = [SmaCrossover(fast=3, slow=10), RsiReversion(period=4, entry=45, exit=55, max_hold=4), PointInTime()]


@pytest.mark.parametrize("strategy", CLEAN, ids=lambda one: one.name)
def test_clean_strategy_passes_and_says_how_much_was_compared(strategy: Strategy):
    tried = history()
    seen = []
    proof = prove_no_look_ahead(of(strategy), tried, times=25, progress=lambda *progress: seen.append(progress))
    assert proof.passed, proof.finding
    assert (proof.name, proof.times, proof.bars, proof.first) == (LOOK_AHEAD, 25, 600, FIRST)
    assert proof.decisions > 25 * len(MUTATIONS) * len(SYMBOLS)
    assert seen[-1] == (25, 25)
    assert set(tried.decisions(of(strategy))["signal"]) == {0.0, 1.0}


class RefusesNaN(Probe):
    def is_long(self, view):
        if view.bars["close"].isna().any():
            raise ValueError("a price is missing")
        return view.bars["close"] > view.bars["open"]


def test_strategy_that_refuses_what_is_no_number_is_judged_by_the_other_mutations():
    assert prove_no_look_ahead(of(RefusesNaN()), history(), times=5).passed


class NeedsAllSymbols(Probe):
    """Its code breaks on the days before the youngest symbol."""

    def is_long(self, view):
        return view.bars["close"] > view.bars["close"].iloc[150]


def test_strategy_that_raises_without_the_future_has_not_passed():
    proof = prove_no_look_ahead(of(NeedsAllSymbols()), history(), times=20)
    assert not proof.passed
    assert "removed: Strategy 'probe'" in proof.finding


def test_strategy_that_raises_anyway_has_not_passed():
    proof = prove_no_look_ahead(of(Probe()), history(), times=5)
    assert (proof.passed, proof.decisions) == (False, 0)
    assert "NotImplementedError" in proof.finding


def test_history_without_two_closes_proves_nothing():
    tried = History(random_bars(SYMBOLS, 1))
    proof = prove_no_look_ahead(of(SmaCrossover()), tried)
    assert (proof.passed, proof.finding) == (False, "There are not two closes of bars to compare: fetch more bars.")


# Mutations -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_mutation_keeps_what_was_known_and_nothing_that_became_known_later(mutation):
    tried = history()
    moment = tried.closes()[100]
    mutated = mutation.apply(tried, moment, np.random.default_rng(1))
    is_known, is_kept = tried.closes() <= moment, mutated.closes() <= moment
    pd.testing.assert_frame_equal(
        tried.bars[is_known].reset_index(drop=True), mutated.bars[is_kept].reset_index(drop=True)
    )
    later = mutated.bars[~is_kept]["close"].to_numpy()
    assert not np.isin(later, tried.bars["close"]).any()
    day = tried.bars["session_date"][100]
    assert [one for one in mutated.actions if one.ex_date <= day] == [one for one in ACTIONS if one.ex_date <= day]
    assert not {one for one in mutated.actions if one.ex_date > day} & set(ACTIONS)
    assert members_on(mutated.facts.members, day) == members_on(MEMBERS, day)
    told = mutated.facts.figures
    is_later = told["counts_from"] > pd.Timestamp(moment, tz="UTC")
    assert not np.isin(told[is_later]["amount"], figures()["amount"]).any()
    assert len(told[~is_later]) == (figures()["counts_from"] <= pd.Timestamp(moment, tz="UTC")).sum()


def test_noise_leaves_bars_that_could_be():
    tried = history()
    bars = noise(tried, tried.closes()[100], np.random.default_rng(1)).bars
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()


def test_long_history_is_cut_to_its_newest_bars_but_not_below_what_a_proof_needs():
    bars = random_bars(SYMBOLS, 100)
    assert len(newest_bars(bars, 300, 1)) == 300
    newest = newest_bars(bars, 60, 1)
    assert newest["session_date"].min() == bars["session_date"][80]
    assert len(newest) == 60
    assert len(newest_bars(bars, 60, 50)) == 150
    assert len(newest_bars(bars, 60, 1000)) == 300
