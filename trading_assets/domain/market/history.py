"""How a long history is cut into chunks that are fetched and stored one by one, and how far that has come.

Which chunks are stored already is remembered elsewhere; asking a vendor is the adapters' business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from trading_assets.domain.market.sessions import sessions_between
from trading_assets.domain.values import Timeframe

SYMBOLS_A_CHUNK = 20
MONTHS_A_CHUNK = {Timeframe.SESSION: 24, Timeframe.HOUR: 3}
"""Both make 5,000 to 40,000 rows for twenty symbols: a few pages of a vendor, seconds to store, little to lose."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bars of `symbols` in one timeframe for the sessions first..last. Settled: those sessions lie on earlier days."""

    timeframe: Timeframe
    symbols: tuple[str, ...]
    first: date
    last: date
    is_settled: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """Sessions first..last of one symbol in one timeframe that are stored already."""

    symbol: str
    timeframe: Timeframe
    first: date
    last: date


def split_history(
    symbols: Sequence[str], timeframes: Sequence[Timeframe], first: date, last: date, today: date
) -> list[Chunk]:
    """The chunks of the sessions first..last: by timeframe, oldest sessions first, then by symbols.

    They are cut where calendar periods end, so that overlapping ranges share chunks. The session of `today` (a New York
    date) is in a chunk of its own, which is not settled: its bars may not have ended, or be corrected in the evening.
    """
    days = sessions_between(first, last)
    batches = [
        tuple(symbols[position : position + SYMBOLS_A_CHUNK]) for position in range(0, len(symbols), SYMBOLS_A_CHUNK)
    ]
    return [
        Chunk(timeframe, batch, period[0], period[-1], is_settled)
        for timeframe in timeframes
        for is_settled, period in _periods(days, MONTHS_A_CHUNK[timeframe], today)
        for batch in batches
    ]


def not_yet_fetched(chunks: Iterable[Chunk], fetched: Iterable[Fetched]) -> list[Chunk]:
    """The chunks that are still to be fetched, each narrowed to the symbols that are not stored whole."""
    spans: dict[tuple[str, Timeframe], list[Fetched]] = {}
    for span in fetched:
        spans.setdefault((span.symbol, span.timeframe), []).append(span)

    def is_stored(chunk: Chunk, symbol: str) -> bool:
        return chunk.is_settled and any(
            span.first <= chunk.first and chunk.last <= span.last for span in spans.get((symbol, chunk.timeframe), ())
        )

    narrowed = [
        replace(chunk, symbols=tuple(one for one in chunk.symbols if not is_stored(chunk, one))) for chunk in chunks
    ]
    return [chunk for chunk in narrowed if chunk.symbols]


@dataclass(slots=True)
class Progress:
    """How far fetching has come: `done` of `total` chunks, of which `skipped` were stored before. `now` in seconds."""

    total: int
    skipped: int
    now: Callable[[], float]
    done: int = 0
    rows: int = 0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.done = self.skipped
        self.began = self.now()

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100

    @property
    def seconds_left(self) -> float | None:
        """At the pace of the chunks fetched so far; None before the first."""
        fetched = self.done - self.skipped
        return (self.now() - self.began) / fetched * (self.total - self.done) if fetched else None

    def add(self, rows: int) -> None:
        """One more chunk is stored, with so many rows."""
        self.done += 1
        self.rows += rows

    def __str__(self) -> str:
        told = f"{self.done} of {self.total} chunks, {self.percent} %, {self.rows:,} rows"
        left = self.seconds_left
        if left is None or self.done == self.total:
            return told
        return f"{told}, about {_duration(left)} left"


def _periods(days: Sequence[date], months: int, today: date) -> list[tuple[bool, list[date]]]:
    def key(day: date) -> tuple[int, bool]:
        return (day.year * 12 + day.month - 1) // months, day < today

    return [(is_settled, list(period)) for (_, is_settled), period in groupby(days, key)]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
