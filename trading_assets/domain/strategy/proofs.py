"""Proofs that a strategy decides on what was known: what they work on, what they answer, and that it never looks ahead.

The proof of the warm-up is in `warm_up`. A proof runs the functions of the graph itself; where its history comes from
and where its answer is kept belongs in the adapters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.histories import MUTATIONS, History, utc
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, StrategyError

if TYPE_CHECKING:
    import pandas as pd

LOOK_AHEAD = "decisions_do_not_look_ahead"
WARM_UP = "warm_up_is_long_enough"
PROOFS = (LOOK_AHEAD, WARM_UP)

TIMES = 200
SEED = 20_040_131

Progress = Callable[[int, int], None]
"""Told how many of how many times are done."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that came out otherwise. `cause` says what had been changed; `decision_at` is UTC."""

    symbol: str
    decision_at: datetime
    cause: str
    signal: float
    reason: str
    other_signal: float
    other_reason: str

    def __str__(self) -> str:
        return (
            f"{self.symbol} at {self.decision_at:%Y-%m-%d %H:%M} UTC is {self.signal:g} ({self.reason}), "
            f"but {self.other_signal:g} ({self.other_reason}) {self.cause}"
        )


@dataclass(frozen=True, slots=True)
class Proof:
    """The answer of a proof. `finding` is one sentence; `decisions` is how many were compared, at how many `times`.

    `bars`, `first` and `last` say on how many bars of which sessions. `bars_needed` is how many bars a decision must
    have before it, where the proof looked for that number.
    """

    name: str
    passed: bool
    finding: str
    times: int = 0
    decisions: int = 0
    bars: int = 0
    first: date | None = None
    last: date | None = None
    difference: Difference | None = None
    bars_needed: int | None = None

    def evidence(self) -> dict[str, Any]:
        """All but name, verdict and finding as JSON knows it; NaN as text."""
        facts = dataclasses.asdict(self)
        for name in ("name", "passed", "finding"):
            del facts[name]
        facts["first"], facts["last"] = (day and day.isoformat() for day in (self.first, self.last))
        if self.difference:
            facts["difference"]["decision_at"] = self.difference.decision_at.isoformat()
            for name in ("signal", "other_signal"):
                number = facts["difference"][name]
                facts["difference"][name] = number if np.isfinite(number) else str(number)
        return facts


def prove_no_look_ahead(
    configured: ConfiguredStrategy,
    history: History,
    times: int = TIMES,
    seed: int = SEED,
    progress: Progress | None = None,
) -> Proof:
    """Whether decisions keep their bytes when all that became known later is removed, noise, or NaN.

    At each of `times` random closes T, three histories are made that agree with the whole one in what was known at T:
    bars that close until T, actions with an ex-date until its session, versions of figures that count until then, and
    memberships as far as they had begun or ended. Indicators and signals are computed anew by the functions of the
    graph; every signal and every reason up to T must be that of the whole history. So what passes cannot have used a
    later bar, the whole sample's mean, a restated figure or a coming member, in whatever way its code is written.

    A strategy may refuse to compute with NaN: numbers that are no numbers do not come from the future in the graph.
    """
    try:
        whole = history.decisions(configured)
    except StrategyError as error:
        return unproven(LOOK_AHEAD, history, str(error))
    closes = history.closes()
    moments = sampled(np.unique(closes)[:-1], times, seed)
    compared = 0
    for number, moment in enumerate(moments):
        is_known = closes <= moment
        expected = whole[is_known]
        for place, mutation in enumerate(MUTATIONS):
            random = np.random.default_rng((seed, number, place))
            mutated = mutation.apply(history, moment, random)
            try:
                decided = mutated.decisions(configured)
            except StrategyError as error:
                if mutation.may_be_refused:
                    continue
                finding = f"With all later than {utc(moment):%Y-%m-%d %H:%M} UTC {mutation.name}: {error}"
                return described(Proof(LOOK_AHEAD, passed=False, finding=finding, times=number + 1), history, compared)
            found = decided[mutated.closes() <= moment]
            compared += len(expected)
            cause = f"when all that became known after {utc(moment):%Y-%m-%d %H:%M} UTC is {mutation.name}"
            if difference := first_difference(expected, found, cause):
                proof = Proof(LOOK_AHEAD, passed=False, finding=f"{difference}.", times=number + 1)
                return described(dataclasses.replace(proof, difference=difference), history, compared)
        if progress:
            progress(number + 1, len(moments))
    if not compared:
        return unproven(LOOK_AHEAD, history, "There are not two closes of bars to compare: fetch more bars.")
    finding = f"{compared:,} decisions are the same bytes, whatever comes after them."
    return described(Proof(LOOK_AHEAD, passed=True, finding=finding, times=len(moments)), history, compared)


def sampled(moments: npt.NDArray[np.datetime64], count: int, seed: int) -> npt.NDArray[np.datetime64]:
    """At most `count` of the `moments`, drawn at random without doubles, in order."""
    random = np.random.default_rng(seed)
    return np.sort(random.choice(moments, size=min(count, len(moments)), replace=False))


def first_difference(expected: pd.DataFrame, found: pd.DataFrame, cause: str) -> Difference | None:
    """The earliest of two equally long frames of signals' rows whose signal or reason is not the same bytes."""
    signals = [frame["signal"].to_numpy(dtype=np.float64) for frame in (expected, found)]
    reasons = [frame["reason"].to_numpy(dtype=object) for frame in (expected, found)]
    is_other = signals[0].view(np.int64) != signals[1].view(np.int64)
    is_other |= np.asarray(reasons[0] != reasons[1], dtype=bool)
    if not is_other.any():
        return None
    rows = np.flatnonzero(is_other)
    row = int(rows[np.argmin(expected["closes_at"].to_numpy(dtype="datetime64[us]")[rows])])
    return Difference(
        symbol=str(expected["symbol"].iloc[row]),
        decision_at=expected["closes_at"].iloc[row].to_pydatetime(),
        cause=cause,
        signal=float(signals[0][row]),
        reason=str(reasons[0][row]),
        other_signal=float(signals[1][row]),
        other_reason=str(reasons[1][row]),
    )


def unproven(name: str, history: History, finding: str) -> Proof:
    """A proof that could not be led: nothing was compared."""
    return described(Proof(name, passed=False, finding=finding), history, 0)


def described(proof: Proof, history: History, decisions: int) -> Proof:
    """The proof with what it rests on."""
    days = history.bars["session_date"]
    first, last = (None, None) if days.empty else (days.min(), days.max())
    return dataclasses.replace(proof, decisions=decisions, bars=len(days), first=first, last=last)


def newest_bars(bars: pd.DataFrame, most_rows: int, least_closes: int) -> pd.DataFrame:
    """The newest bars of all symbols: at most `most_rows`, unless `least_closes` closes of bars are more."""
    if len(bars) <= most_rows:
        return bars
    closes = bars["closes_at"].to_numpy(dtype="datetime64[us]")
    moments = np.unique(closes)
    begin = min(np.sort(closes)[-most_rows], moments[max(len(moments) - least_closes, 0)])
    newest: pd.DataFrame = bars[closes >= begin].reset_index(drop=True)
    return newest
