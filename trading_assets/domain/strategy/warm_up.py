"""Proof that a strategy says how many bars a decision needs: with that many before it, more of them change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.histories import History
from trading_assets.domain.strategy.indicators import symbol_slices
from trading_assets.domain.strategy.proofs import (
    SEED,
    WARM_UP,
    Difference,
    Progress,
    Proof,
    described,
    first_difference,
    sampled,
    unproven,
)
from trading_assets.domain.strategy.stateful import StateAfter, StatefulStrategy, decide_from
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, StrategyError, answer

if TYPE_CHECKING:
    import pandas as pd

TIMES = 50
VALUE_TOLERANCE = 1e-9
"""Relative difference up to which two values of an indicator are one value, rounded on different ways to it."""
SIGNAL_TOLERANCE = 1e-6
"""A millionth of a position is no other decision, where an indicator still carries a trace of its first bar."""


def prove_warm_up(
    configured: ConfiguredStrategy,
    history: History,
    times: int = TIMES,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Proof:
    """Whether decisions at `times` random closes agree with n, 2n and 4n bars before them and with the whole history.

    A strategy declares two numbers, and each has its proof:

    - `memory`, the bars that the rule itself looks back on. The graph hands a strategy no more than these, with the
      indicators that are stored. Here n is the memory, and signal and reason must be the same bytes.
    - `warm_up`, the bars until the indicators have values. Here n is warm_up + memory and the indicators are computed
      anew from n bars: each must have a value. A recursive one (EMA, RSI, ATR) has another value for every first bar,
      for ever: 14 bars after its first value an RSI of 14 still owes a third to its beginning. For that reason the
      graph computes indicators from a symbol's first stored bar, and no decision depends on the range asked for. What
      remains to be known is how long that first bar matters. So n is doubled until all signals agree with those of the
      whole history to within SIGNAL_TOLERANCE, and keep agreeing: `bars_needed` is how many bars to store before the
      first decision worth trusting. A strategy whose signals never settle depends on when its data begin, and fails.
      Signals that differ while the indicators agree to within VALUE_TOLERANCE are a tie that rounding decides: equal.

    A stateful strategy remembers by its state instead: every decision must follow from the state before it.
    """
    strategy, declared = configured.strategy, _declared(configured)
    moments = np.unique(history.closes())
    if len(moments) < (needed := closes_needed(configured)):
        finding = f"The proof needs {needed} closes of bars and there are {len(moments)}: fetch more bars."
        return unproven(WARM_UP, history, finding)
    chosen = sampled(moments[4 * declared :], times, seed)
    try:
        return _judged(_Trial(configured, history, chosen, progress), strategy.memory, declared)
    except StrategyError as error:
        return unproven(WARM_UP, history, str(error))


def closes_needed(configured: ConfiguredStrategy) -> int:
    """With fewer bar closes than these the proof of the warm-up cannot be led."""
    return 4 * _declared(configured) + 1


def _declared(configured: ConfiguredStrategy) -> int:
    return max(configured.strategy.warm_up + configured.strategy.memory, 1)


def _judged(trial: _Trial, memory: int, declared: int) -> Proof:
    if isinstance(trial.configured.strategy, StatefulStrategy):
        # What it remembers is its stored state: neither a number of bars nor where they begin.
        if hidden := trial.compare([0], going_on).difference:
            return trial.proof(f"It remembers more than its state: {hidden}.")
        return trial.proof(f"{trial.decisions:,} decisions follow from the state before them.", passed=True)
    remembered = trial.compare(_doubled(memory, 4 * declared)[:3], stored_values)
    if remembered.difference:
        needed = trial.compare(_doubled(memory, trial.most_bars), stored_values).settled
        advice = "no length agrees" if needed is None else f"decisions agree from {needed} bars on"
        return trial.proof(f"Its memory of {memory} bars is too short, {advice}: {remembered.difference}.", needed)
    if names := trial.without_value(declared):
        return trial.proof(f"With the {declared} bars that it declares, {names} has no value yet.")
    settling = trial.compare(_doubled(declared, trial.most_bars), values_anew)
    if settling.settled is None:
        finding = f"Decisions do not settle within {trial.most_bars} bars: they depend on where the stored bars begin"
        return trial.proof(f"{finding}. {settling.difference}.")
    finding = f"{trial.decisions:,} decisions agree from {settling.settled} bars before them on"
    if settling.settled > declared:
        finding += f": {declared} are declared, but its indicators remember longer"
    return trial.proof(f"{finding}.", settling.settled, passed=True)


def _doubled(first: int, most: int) -> list[int]:
    """first, 2 x first, 4 x first ... up to `most`; after 0 comes 1."""
    lengths = [first]
    while (following := max(2 * lengths[-1], 1)) <= most:
        lengths.append(following)
    return lengths


@dataclass(frozen=True, slots=True)
class _Outcome:
    """`settled`: the length from which on decisions agree, None where no longer one confirms it; and a difference."""

    settled: int | None
    difference: Difference | None


Decide = Callable[["_Trial", npt.NDArray[np.int64]], "tuple[pd.DataFrame, pd.DataFrame]"]
"""The indicators and decisions of a trial on some of its rows, when there are no others."""


class _Trial:
    """Decisions at the `chosen` closes with so many bars before them, against those of the whole history."""

    def __init__(
        self,
        configured: ConfiguredStrategy,
        history: History,
        chosen: npt.NDArray[np.datetime64],
        progress: Progress | None,
    ) -> None:
        self.configured, self.history = configured, history
        self.values = history.values(configured)
        self._whole = answer(configured, history.bars, self.values, history.facts)
        self._chosen, self._progress = chosen, progress
        self._closes = history.closes()
        self._symbols = list(symbol_slices(history.bars))
        self.decisions = 0
        # Half of the closes have more bars before them, so that what agrees is not the whole history itself.
        self.most_bars = int(np.searchsorted(np.unique(self._closes), chosen[len(chosen) // 2]))

    @cached_property
    def states(self) -> list[StateAfter]:
        """What a stateful strategy knew after every close of the whole history."""
        return decide_from(self.configured, self.history.bars, self.values, None, self.history.facts)[1]

    def compare(self, lengths: Sequence[int], decide: Decide) -> _Outcome:
        settled, shown = None, None
        for number, length in enumerate(lengths):
            differences = (self._difference(moment, length, decide) for moment in self._chosen)
            found = next((difference for difference in differences if difference), None)
            shown = shown or found
            if found:
                settled = None
            elif settled is None:
                settled = length
            if self._progress:
                self._progress(number + 1, len(lengths))
        return _Outcome(None if settled == lengths[-1] else settled, shown)

    def without_value(self, length: int) -> str:
        """The indicators that have a value at a close, but not when there are only `length` bars before it."""
        names: set[str] = set()
        for moment in self._chosen:
            rows, own = self._rows(moment, length)
            anew = _cut(self.history, rows).values(self.configured)
            is_lost = np.isnan(_numbers(anew[own])) & ~np.isnan(_numbers(self.values.iloc[rows[own]]))
            names |= {name for number, name in enumerate(anew.columns) if np.any(is_lost[:, number])}
        return ", ".join(sorted(names))

    def proof(self, finding: str, bars_needed: int | None = None, *, passed: bool = False) -> Proof:
        proof = Proof(WARM_UP, passed, finding, len(self._chosen), bars_needed=bars_needed)
        return described(proof, self.history, self.decisions)

    def _difference(self, moment: np.datetime64, length: int, decide: Decide) -> Difference | None:
        rows, own = self._rows(moment, length)
        values, decided = decide(self, rows)
        expected, found = self._whole.iloc[rows[own]].reset_index(drop=True), decided[own].reset_index(drop=True)
        self.decisions += len(found)
        if decide is values_anew:
            is_equal = _are_close(self.values.iloc[rows[own]], values[own], found, expected)
            found.loc[is_equal, ["signal", "reason"]] = expected.loc[is_equal, ["signal", "reason"]]
        return first_difference(expected, found, f"with {length} bars before it")

    def _rows(self, moment: np.datetime64, length: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Of each symbol the bar that closes at `moment` and the `length` bars before; and which of them close then."""
        parts = []
        for symbol in self._symbols:
            closes = self._closes[symbol]
            before = symbol.start + int(np.searchsorted(closes, moment))
            end = symbol.start + int(np.searchsorted(closes, moment, side="right"))
            parts.append(np.arange(max(before - length, symbol.start), end))
        rows = np.concatenate(parts)
        return rows, np.asarray(self._closes[rows] == moment)


def stored_values(trial: _Trial, rows: npt.NDArray[np.int64]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """With the indicators of the whole history, as the graph reads them."""
    bars, values = (frame.iloc[rows].reset_index(drop=True) for frame in (trial.history.bars, trial.values))
    return values, answer(trial.configured, bars, values, trial.history.facts)


def going_on(trial: _Trial, rows: npt.NDArray[np.int64]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """On the rows of one close, from the state after the close before, as the graph does with a stored state."""
    bars, values = (frame.iloc[rows].reset_index(drop=True) for frame in (trial.history.bars, trial.values))
    before = [one.state for one in trial.states if one.decision_at < bars["closes_at"].iloc[0]]
    return values, decide_from(trial.configured, bars, values, before[-1] if before else None, trial.history.facts)[0]


def values_anew(trial: _Trial, rows: npt.NDArray[np.int64]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """With indicators that begin at the first of the rows."""
    cut = _cut(trial.history, rows)
    values = cut.values(trial.configured)
    return values, answer(trial.configured, cut.bars, values, cut.facts)


def _cut(history: History, rows: npt.NDArray[np.int64]) -> History:
    return replace(history, bars=history.bars.iloc[rows].reset_index(drop=True))


def _numbers(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    return np.asarray(frame.to_numpy(dtype=np.float64))


def _are_close(
    values: pd.DataFrame, other_values: pd.DataFrame, decided: pd.DataFrame, expected: pd.DataFrame
) -> npt.NDArray[np.bool_]:
    signal, expected_signal = _numbers(decided[["signal"]]), _numbers(expected[["signal"]])
    is_equal = np.isclose(signal, expected_signal, rtol=0, atol=SIGNAL_TOLERANCE, equal_nan=True)[:, 0]
    if values.columns.empty:
        return np.asarray(is_equal)
    is_close = np.isclose(_numbers(values), _numbers(other_values), rtol=VALUE_TOLERANCE, atol=0, equal_nan=True)
    return np.asarray(is_equal | is_close.all(axis=1))
