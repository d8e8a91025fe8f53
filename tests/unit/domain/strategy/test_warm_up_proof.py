"""The proof of the warm-up: too few bars declared are found, with the number that is needed; recursion is no error."""

from __future__ import annotations

import numpy as np
import pytest
from standins.random_bars import random_bars

from trading_assets.domain.strategy.histories import History
from trading_assets.domain.strategy.indicators import Indicator
from trading_assets.domain.strategy.proofs import WARM_UP
from trading_assets.domain.strategy.stateful import StatefulStrategy, StrategyState
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy
from trading_assets.domain.strategy.warm_up import prove_warm_up
from trading_assets.domain.values import Timeframe
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover

HISTORY = History(random_bars(["AAA", "BBB"], 300))


def prove(strategy: Strategy, history: History = HISTORY, times: int = 6, **options):
    return prove_warm_up(ConfiguredStrategy(strategy.name, strategy, Timeframe.SESSION, 1.0), history, times, **options)


class AboveMean(Strategy):
    """Long above the mean of the last 20 bars before, whatever it declares."""

    name = "above_mean"
    version = "1"
    declared = 20

    def indicators(self):
        return ()

    @property
    def memory(self):
        return self.declared

    def signals(self, view):
        close, numbers = view.bars["close"].to_numpy(), view.bar_numbers().tolist()
        means = [close[row - min(number, 20) : row + 1].mean() for row, number in enumerate(numbers)]
        return view.signals(close > means, [f"mean {mean:.6f}" for mean in means])


class Rising(Strategy):
    """The further above a recursive average, the longer."""

    name = "rising"
    version = "1"

    def indicators(self):
        return (Indicator("ema", 10),)

    def signals(self, view):
        (ema,) = self.indicators()
        above = view.bars["close"] / view.indicator(ema) - 1
        return view.signals(np.clip(5 * above, -1, 1), ["ema"] * len(view.bars))


class SinceTheBeginning(Rising):
    """Turns with the balance of volume that rose and fell since whenever the data begin."""

    name = "since_the_beginning"

    def indicators(self):
        return (Indicator("obv"),)

    def signals(self, view):
        return view.signals(np.sin(view.indicator(Indicator("obv")) / 1000), ["volume"] * len(view.bars))


def test_window_that_fits_its_declaration_passes_with_the_declared_number():
    proof = prove(SmaCrossover(fast=3, slow=10))
    assert (proof.name, proof.passed, proof.bars_needed, proof.times) == (WARM_UP, True, 9, 6)
    assert proof.finding.endswith("decisions agree from 9 bars before them on.")
    assert prove(AboveMean()).passed


@pytest.mark.parametrize(("declared", "needed"), [(19, 38), (5, 20), (1, 32)])
def test_memory_that_is_too_short_fails_and_names_the_length_that_is_enough(declared: int, needed: int):
    strategy = AboveMean()
    strategy.declared = declared
    proof = prove(strategy)
    assert (proof.passed, proof.bars_needed) == (False, needed)
    assert f"Its memory of {declared} bars is too short, decisions agree from {needed} bars on" in proof.finding


def test_memory_of_the_built_in_reversion_one_bar_too_short_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(RsiReversion, "memory", 1)
    proof = prove(RsiReversion(period=4, entry=50, exit=95, max_hold=2), times=20)
    assert "Its memory of 1 bars is too short" in proof.finding


def test_recursive_indicator_passes_and_says_after_how_many_bars_its_beginning_is_forgotten():
    proof = prove(Rising())
    assert proof.passed
    assert proof.bars_needed == 72
    assert "9 are declared, but its indicators remember longer" in proof.finding


def test_decisions_that_never_forget_the_first_stored_bar_fail():
    proof = prove(SinceTheBeginning())
    assert not proof.passed
    assert "do not settle" in proof.finding


def test_indicator_that_begins_later_than_declared_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(SmaCrossover, "warm_up", 8)
    proof = prove(SmaCrossover(fast=3, slow=10))
    assert (proof.passed, proof.finding) == (
        False,
        "With the 8 bars that it declares, sma_10 has no value yet.",
    )


def test_history_too_short_for_four_times_the_declared_bars_proves_nothing():
    proof = prove(SmaCrossover(fast=3, slow=10), History(random_bars(["AAA"], 36)))
    assert (proof.passed, proof.decisions) == (False, 0)
    assert proof.finding == "The proof needs 37 closes of bars and there are 36: fetch more bars."


def test_progress_is_told_for_each_length():
    seen = []
    prove(AboveMean(), times=3, progress=lambda *progress: seen.append(progress))
    assert seen[:3] == [(1, 3), (2, 3), (3, 3)]


class Counting(StatefulStrategy):
    """Long at every third close, counted in its state, or in an attribute that nobody stores."""

    name = "counting"
    version = "1"
    hides = False

    class State(StrategyState):
        closes: int = 0

    def indicators(self):
        return ()

    def initial_state(self):
        self.hidden = 0
        return self.State()

    def step(self, state, view):
        self.hidden += 1
        closes = self.hidden if self.hides else state.closes + 1
        return self.State(closes=closes), view.signals([closes % 3 == 0] * len(view.bars), ["third"] * len(view.bars))


def test_stateful_strategy_that_keeps_all_in_its_state_passes_and_one_that_hides_some_fails():
    history = History(random_bars(["AAA", "BBB"], 60))
    proof = prove(Counting(), history)
    assert (proof.passed, proof.finding) == (True, "12 decisions follow from the state before them.")
    hiding = Counting()
    hiding.hides = True
    assert "It remembers more than its state" in prove(hiding, history).finding
