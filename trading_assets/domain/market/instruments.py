"""What can be traded: the facts about an instrument, its permanent identity, and the symbols it had over time.

An instrument outlives its symbols: Facebook's shares were FB and are META, one instrument. And a symbol outlives its
instrument: what is delisted sets its symbol free for another company.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

DAY = timedelta(days=1)
BEGINNING = date(1900, 1, 1)
"""Since when a symbol is valid whose source cannot tell since when."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A listed security. `first_session` is the first one its source has bars of; None when the source cannot tell.

    `figi` (of the share class) and `source_id` (the source's own permanent name) are None where there is none, and so
    is any fact that the source does not know. `delisted_on` is the last day of trading. An unqualified partnership is
    traded publicly and has given no qualified notice: a tenth of what a foreign seller gets is withheld (IRC 1446(f)).
    """

    symbol: str
    name: str
    exchange: str
    is_tradable: bool
    is_shortable: bool = False
    asset_class: str = "us_equity"
    currency: str = "USD"
    sector: str | None = None
    first_session: date | None = None
    is_fractionable: bool | None = None
    is_easy_to_borrow: bool | None = None
    is_unqualified_partnership: bool | None = None
    listed_on: date | None = None
    delisted_on: date | None = None
    figi: str | None = None
    source_id: str | None = None

    def identifiers(self, source: str) -> dict[str, str]:
        """The permanent names by scheme, the ones that everybody agrees on first."""
        named = {"figi": self.figi, source: self.source_id}
        return {scheme: name for scheme, name in named.items() if name is not None}

    def new_id(self, source: str) -> str:
        """The instrument_id when it is first seen: a FIGI, else the source's own id, else symbol and first session.

        The same answer gives the same id in every database. It is kept when a better name becomes known later, because
        an id that changes is none.
        """
        for scheme, name in self.identifiers(source).items():
            return f"{scheme}:{name}"
        return f"{self.symbol}@{self.first_session or 'unknown'}"


@dataclass(frozen=True, slots=True)
class SymbolPeriod:
    """`symbol` means the instrument on the days valid_from..valid_to, both included; None: until further notice."""

    symbol: str
    valid_from: date
    valid_to: date | None
    instrument_id: str

    def covers(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def identify(
    instrument: Instrument,
    source: str,
    identified: Mapping[tuple[str, str], str],
    periods: Sequence[SymbolPeriod],
    today: date,
) -> str:
    """The instrument_id of what `source` calls by a symbol today.

    `identified`: instrument_id by (scheme, identifier). A known identifier decides; else the instrument that the symbol
    means today, unless this source knows that one by another name of its own or by another FIGI: then it is a new one.
    """
    names = set(instrument.identifiers(source).items())
    for name in instrument.identifiers(source).items():
        if name in identified:
            return identified[name]
    held = next((one for one in periods if one.symbol == instrument.symbol and one.covers(today)), None)
    schemes = {scheme for scheme, _ in names}
    others = {scheme for (scheme, _), owner in identified.items() if held and owner == held.instrument_id}
    return instrument.new_id(source) if held is None or schemes & others else held.instrument_id


def place(
    periods: Sequence[SymbolPeriod], instrument_id: str, instrument: Instrument, today: date
) -> list[SymbolPeriod]:
    """The periods after `instrument_id` was seen under the instrument's symbol on the day `today`.

    A newcomer has its symbol from its first session on, as far as nobody else had it; an instrument that had another
    symbol changed it today, as far as anybody knows. What is delisted keeps its symbol until its last day.
    """
    symbol, placed = instrument.symbol, list(periods)
    mine = [one for one in periods if one.instrument_id == instrument_id]
    is_gone = not instrument.is_tradable and any(one.symbol == symbol for one in mine)
    if not is_gone and not any(one.symbol == symbol and one.covers(today) for one in mine):
        since = today if mine else instrument.first_session or instrument.listed_on or BEGINNING
        for other in periods:
            if other.symbol == symbol and not mine:
                since = max(since, (other.valid_to or other.valid_from) + DAY)
        placed = _assign(placed, SymbolPeriod(symbol, since, None, instrument_id))
    return placed if instrument.delisted_on is None else end(placed, symbol, instrument.delisted_on)


def rename(periods: Sequence[SymbolPeriod], old: str, new: str, ex_date: date) -> list[SymbolPeriod]:
    """The periods when the instrument called `old` until the day before `ex_date` is called `new` from then on.

    It does not matter which of the two names was known, or since when. Nothing changes where neither was.
    """
    before = next((one for one in periods if one.symbol == old and one.covers(ex_date - DAY)), None)
    after = next((one for one in periods if one.symbol == new and one.covers(ex_date)), None)
    known = before or after
    if known is None:
        return list(periods)
    later = [one for one in periods if one.symbol == new and one.valid_from > ex_date]
    foreign = [one.valid_from - DAY for one in later if one.instrument_id != known.instrument_id]
    own = [one for one in (after, *later) if one is not None and one.instrument_id == known.instrument_id]
    if own:
        last = own[0].valid_to
    elif before is not None and before.valid_to is not None and before.valid_to >= ex_date:
        last = before.valid_to
    else:
        last = min(foreign, default=None)
    result = _assign(periods, SymbolPeriod(new, ex_date, last, known.instrument_id))
    if known.valid_from < ex_date:
        result = _assign(result, SymbolPeriod(old, known.valid_from, ex_date - DAY, known.instrument_id))
    return result


def absorbed(periods: Sequence[SymbolPeriod], renamed: Sequence[SymbolPeriod]) -> set[str]:
    """Instruments that `rename` showed to be another one, first seen under its new symbol: they have no day left."""
    return {one.instrument_id for one in periods} - {one.instrument_id for one in renamed}


def end(periods: Sequence[SymbolPeriod], symbol: str, last_day: date) -> list[SymbolPeriod]:
    """The periods when what `symbol` meant on `last_day` trades no longer after it."""
    return [
        replace(one, valid_to=last_day) if one.symbol == symbol and one.covers(last_day) else one for one in periods
    ]


def _assign(periods: Sequence[SymbolPeriod], claim: SymbolPeriod) -> list[SymbolPeriod]:
    """The periods with `claim`, and without what contradicts it: on its days its symbol means no other instrument, and
    its instrument has no other symbol."""
    kept = [
        part
        for one in periods
        for part in (
            _without(one, claim) if one.symbol == claim.symbol or one.instrument_id == claim.instrument_id else [one]
        )
    ]
    return sorted([*kept, claim], key=lambda one: (one.symbol, one.valid_from))


def _without(period: SymbolPeriod, claim: SymbolPeriod) -> list[SymbolPeriod]:
    """The parts of `period` before and after the days of `claim`."""
    last = period.valid_to or date.max
    before = replace(period, valid_to=min(last, claim.valid_from - DAY))
    parts = [before] if period.valid_from < claim.valid_from else []
    if claim.valid_to is not None and claim.valid_to < last:
        parts.append(replace(period, valid_from=max(period.valid_from, claim.valid_to + DAY)))
    return parts
