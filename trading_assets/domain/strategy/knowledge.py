"""Cuts a range of sessions where a restated fact became known, so that every part uses its own knowledge."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, datetime
from itertools import pairwise
from typing import NamedTuple

from trading_assets.domain.market.sessions import NEW_YORK, bar_bounds, session, sessions_between
from trading_assets.domain.values import Timeframe


class Span(NamedTuple):
    """The bars that close in (after, until], UTC: from their first close to the last nothing restated became known."""

    after: datetime
    until: datetime


class Part(NamedTuple):
    """The bars of the sessions first..last that close after `after`; what is known of them is that of `knowledge_time`.

    Times are UTC.
    """

    first: date
    last: date
    after: datetime
    knowledge_time: datetime


def parts(first: date, last: date, timeframe: Timeframe, known_at: Iterable[datetime], now: datetime) -> list[Part]:
    """The `spans` of the sessions first..last that have begun by `now` (UTC); nothing is known later than `now`."""
    begun = [span for span in spans(first, last, timeframe, known_at) if span.after < now]
    days = [tuple(moment.astimezone(NEW_YORK).date() for moment in span) for span in begun]
    return [
        Part(max(begin, first), end, span.after, min(now, span.until))
        for span, (begin, end) in zip(begun, days, strict=True)
    ]


def spans(first: date, last: date, timeframe: Timeframe, known_at: Iterable[datetime]) -> list[Span]:
    """The bars of the sessions first..last in parts, in order, cut where restated facts became known.

    A part computed with the knowledge of its last close equals its bars decided upon one by one, each with the
    knowledge of its own close. `known_at` (UTC) are the times at which restated facts became known; a fact known at a
    close is known to the decision at that close.
    """
    begin, end = session(first).opens_at, session(last).closes_at
    times = [at for at in known_at if begin < at <= end]
    if not times:
        return [Span(begin, end)]
    closes = [bar.closes_at for day in sessions_between(first, last) for bar in bar_bounds(day, timeframe)]
    cuts = {bisect_left(closes, at) for at in times} - {0}
    edges = [begin, *(closes[cut - 1] for cut in sorted(cuts)), end]
    return [Span(after, until) for after, until in pairwise(edges)]
