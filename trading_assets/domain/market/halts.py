"""Halts of trading: when a symbol was not traded during a session, and which bars are therefore no gaps.

A halt explains a bar only when it covers all of it: an hour with one traded minute has a bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe

FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TradingHalt:
    """A halt from `halted_at` to `resumed_at`, both UTC; None: not resumed yet. `reason`: a code such as LUDP or T1."""

    symbol: str
    halted_at: datetime
    resumed_at: datetime | None
    reason: str


class AbsentBar(NamedTuple):
    """A bar that nobody should expect. `ts` is its start, UTC."""

    symbol: str
    timeframe: str
    ts: datetime


def halted_bars(
    halts: Iterable[TradingHalt], timeframes: Sequence[Timeframe], first: date, last: date
) -> frozenset[AbsentBar]:
    """The bars of the sessions first..last that lie in halts from their start to their end.

    Halts that overlap or follow each other without trading between them count as one.
    """
    return frozenset(
        AbsentBar(symbol, str(timeframe), bounds.ts)
        for symbol, begin, end in _spans(halts)
        for day in _sessions_of(begin, end, first, last)
        for timeframe in timeframes
        for bounds in bar_bounds(day, timeframe)
        if begin <= bounds.ts and bounds.closes_at <= end
    )


def halted_sessions(halts: Iterable[TradingHalt], first: date, last: date) -> frozenset[tuple[str, date]]:
    """The (symbol, session) pairs in first..last without a moment of trading."""
    return frozenset(
        (symbol, day)
        for symbol, begin, end in _spans(halts)
        for day in _sessions_of(begin, end, first, last)
        if begin <= session(day).opens_at and session(day).closes_at <= end
    )


def _spans(halts: Iterable[TradingHalt]) -> Iterator[tuple[str, datetime, datetime]]:
    by_symbol: dict[str, list[TradingHalt]] = defaultdict(list)
    for halt in halts:
        by_symbol[halt.symbol].append(halt)
    for symbol, of_symbol in by_symbol.items():
        begin, *others = sorted(of_symbol, key=lambda halt: halt.halted_at)
        start, end = begin.halted_at, begin.resumed_at or FOR_EVER
        for halt in others:
            if halt.halted_at > end:
                yield symbol, start, end
                start, end = halt.halted_at, halt.resumed_at or FOR_EVER
            else:
                end = max(end, halt.resumed_at or FOR_EVER)
        yield symbol, start, end


def _sessions_of(begin: datetime, end: datetime, first: date, last: date) -> list[date]:
    begins_on = begin.astimezone(NEW_YORK).date()
    ends_on = last if end == FOR_EVER else end.astimezone(NEW_YORK).date()
    return sessions_between(max(first, begins_on), min(last, ends_on))
