"""Who may be traded on which day: a universe as a list of memberships, and its file.

A list of today's symbols knows nothing of those that failed: a history traded on it alone is survivorship-biased.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from trading_assets.domain.market.instruments import BEGINNING

COLUMNS = ["symbol", "from", "to"]


@dataclass(frozen=True, slots=True)
class Membership:
    """`symbol` belongs to the universe on the days valid_from..valid_to, both included; None: until further notice."""

    symbol: str
    valid_from: date
    valid_to: date | None = None

    def covers(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def always(symbols: Sequence[str]) -> tuple[Membership, ...]:
    """The memberships of a plain list: every symbol on every day."""
    return tuple(Membership(symbol, BEGINNING) for symbol in sorted(symbols))


def members_on(members: Sequence[Membership], day: date) -> frozenset[str]:
    """The symbols that belong to the universe on `day`."""
    return frozenset(one.symbol for one in members if one.covers(day))


def universe_id(members: Sequence[Membership]) -> str:
    """Sixteen hex digits of all memberships, in whatever order: a changed list is another universe."""
    lines = sorted(f"{one.symbol} {one.valid_from} {one.valid_to or ''}" for one in members)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def read_members(text: str) -> tuple[Membership, ...]:
    """The memberships in a CSV file with the columns symbol, from and to (empty: until further notice).

    Raises ValueError naming the line: for other columns, a broken date, an end before its beginning, or two
    memberships of a symbol on one day.
    """
    table = csv.DictReader(text.splitlines())
    if table.fieldnames != COLUMNS:
        raise ValueError(f"line 1: the columns must be {','.join(COLUMNS)}")
    members: dict[str, list[Membership]] = defaultdict(list)
    for row in table:
        try:
            one = _membership(row)
            _ensure_alone(one, members[one.symbol])
        except ValueError as error:
            raise ValueError(f"line {table.line_num}: {error}") from error
        members[one.symbol].append(one)
    if not members:
        raise ValueError("line 1: no symbol follows")
    return tuple(one for symbol in sorted(members) for one in sorted(members[symbol], key=lambda one: one.valid_from))


def _membership(row: dict[str, str | None]) -> Membership:
    symbol, begin, end = (str(row[column] or "").strip() for column in COLUMNS)
    if not symbol:
        raise ValueError("symbol is empty")
    one = Membership(symbol, _day("from", begin), _day("to", end) if end else None)
    if one.valid_to is not None and one.valid_to < one.valid_from:
        raise ValueError(f"{symbol} ends on {end}, before it begins on {begin}")
    return one


def _day(column: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{column} {text!r} is no date such as 2024-07-02") from error


def _ensure_alone(one: Membership, others: Sequence[Membership]) -> None:
    for other in others:
        if other.covers(one.valid_from) or one.covers(other.valid_from):
            raise ValueError(f"{one.symbol} is a member twice on {max(one.valid_from, other.valid_from)}")
