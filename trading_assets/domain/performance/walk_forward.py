"""Walk-forward windows: choose on the past, trade what comes after, with a gap between so that nothing leaks.

Pardo (1992), Design, Testing and Optimization of Trading Systems; purge and embargo after Lopez de Prado (2018),
Advances in Financial Machine Learning, chapter 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class WalkForward:
    """Lengths in sessions. The gap between a training window and its test window is `purge` + `embargo`.

    `purge`: as long as a position may be held, so that none of a training window's results happened in the test window.
    `embargo`: further sessions, for what markets remember. Raises ValueError.
    """

    train: int
    test: int
    embargo: int = 0
    purge: int = 0

    def __post_init__(self) -> None:
        for name, least in (("train", 2), ("test", 2), ("embargo", 0), ("purge", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least {least} sessions")

    def windows(self, sessions: Sequence[date]) -> list[Window]:
        """The windows in `sessions`, the test windows without a hole between them; the last one may be shorter.

        Raises ValueError when the sessions do not reach for one test window.
        """
        gap = self.purge + self.embargo
        begins = range(self.train + gap, len(sessions) - 1, self.test)
        if not begins:
            needed = self.train + gap + 2
            raise ValueError(f"the range has {len(sessions)} sessions, walk-forward needs at least {needed}")
        return [
            Window(
                train_first=sessions[begin - gap - self.train],
                train_last=sessions[begin - gap - 1],
                test_first=sessions[begin],
                test_last=sessions[min(begin + self.test, len(sessions)) - 1],
            )
            for begin in begins
        ]


@dataclass(frozen=True, slots=True)
class Window:
    """A training window and the test window behind it; the first and the last session of each belong to it."""

    train_first: date
    train_last: date
    test_first: date
    test_last: date


def best(sharpes: Sequence[float | None]) -> int:
    """The index of the highest Sharpe ratio, the first among equals; one without a value is worse than any."""
    return max(range(len(sharpes)), key=lambda at: (_known(sharpes[at]), -at))


def _known(sharpe: float | None) -> float:
    return float("-inf") if sharpe is None else sharpe
