"""Cuts a range of sessions where a restated fact became known, so that every part uses its own knowledge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from itertools import pairwise

from trading_assets.domain.market.sessions import session, sessions_between


def spans(first: date, last: date, known_at: Iterable[datetime]) -> list[tuple[date, date]]:
    """The sessions first..last as (first, last) of parts, in order; within a part nothing restated became known.

    A part computed with the knowledge of its last close equals its sessions computed one by one, each with the
    knowledge of its own close. `known_at` (UTC) are the times at which restated facts became known.
    """
    days = sessions_between(first, last)
    times = sorted(known_at)
    cuts = {next((number for number, day in enumerate(days) if session(day).closes_at >= at), 0) for at in times}
    starts = sorted({0, *cuts, len(days)})
    return [(days[start], days[stop - 1]) for start, stop in pairwise(starts)]
