"""How a symbol stood at a moment: listed, tradable, halted, restricted. What is done about it is the rules' business.

Conditions hold over spans of time and begin when they were known, so that a replay finds what the live run found: the
first version of a fact counts from when it is about, a later one from the moment it was stored.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import NEW_YORK, previous_session, session_from

BEGINNING = datetime.min.replace(tzinfo=UTC)
FOR_EVER = datetime.max.replace(tzinfo=UTC)
EVERYBODY = "*"
"""Stands for all symbols in a span: a halt of the whole market."""

MARKET_WIDE_HALT = "MWC"
"""How the reason codes begin of halts that stop the whole market, whichever symbol they are published for."""

TRADED_CLASS = "us_equity"
OVER_THE_COUNTER = frozenset({"OTC", "OTCM", "PINK", "PNK", "OQB", "OQX", "GREY"})


class Condition(StrEnum):
    LISTED = "listed"
    TRADABLE = "tradable"
    OTHER_CLASS = "other_class"
    OVER_THE_COUNTER = "over_the_counter"
    HALTED = "halted"
    MARKET_HALTED = "market_halted"
    RESTRICTED = "restricted"
    WATCHED = "watched"
    UNRESOLVED_ACTION = "unresolved_action"
    UNQUALIFIED_PARTNERSHIP = "unqualified_partnership"
    NOT_SHORTABLE = "not_shortable"
    HARD_TO_BORROW = "hard_to_borrow"


ORDINARY = frozenset({Condition.LISTED, Condition.TRADABLE})
ABOUT_SHORTS = frozenset({Condition.NOT_SHORTABLE, Condition.HARD_TO_BORROW})
"""Conditions that matter to nobody who holds no short position."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`symbol` was in `condition` from `begin` until just before `end`, both UTC."""

    symbol: str
    condition: Condition
    begin: datetime = BEGINNING
    end: datetime = FOR_EVER


@dataclass(slots=True, eq=False)
class Standings:
    """The conditions of all symbols at all times. One that no span names is not listed, and so cannot be traded."""

    spans: Sequence[Span]
    _changes: Mapping[str, tuple[list[datetime], list[frozenset[Condition]]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_symbol: dict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            if span.begin < span.end:
                by_symbol[span.symbol].append(span)
        self._changes = {symbol: _changes(spans) for symbol, spans in by_symbol.items()}

    def of(self, symbol: str, at: datetime) -> frozenset[Condition]:
        """The conditions of `symbol` at `at` (UTC), those of the whole market among them."""
        own = self._at(symbol, at)
        return own | self._at(EVERYBODY, at) if EVERYBODY in self._changes else own

    def are_ordinary(self, symbols: Iterable[str], first: datetime, last: datetime) -> bool:
        """Whether at all times from `first` to `last` (UTC) each of `symbols` was listed and tradable, and no more.

        Short sales aside.
        """
        return EVERYBODY not in self._changes and all(
            self.of(symbol, at) - ABOUT_SHORTS == ORDINARY
            for symbol in symbols
            for at in [first, *(at for at in self._changes.get(symbol, ((), ()))[0] if first < at <= last)]
        )

    def _at(self, symbol: str, at: datetime) -> frozenset[Condition]:
        if symbol not in self._changes:
            return frozenset()
        moments, conditions = self._changes[symbol]
        index = bisect_right(moments, at)
        return conditions[index - 1] if index else frozenset()


NO_STANDINGS = Standings(())


def always_tradable(symbols: Iterable[str]) -> Standings:
    """Symbols that were listed and traded at all times, and could be borrowed."""
    return Standings([Span(symbol, condition) for symbol in symbols for condition in sorted(ORDINARY)])


def _changes(spans: Sequence[Span]) -> tuple[list[datetime], list[frozenset[Condition]]]:
    """When the conditions of one symbol change, and what they are from then on."""
    moments = sorted({span.begin for span in spans} | {span.end for span in spans})
    return moments, [frozenset(one.condition for one in spans if one.begin <= at < one.end) for at in moments]


# Facts become spans ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListingFact:
    """What was said of the instrument that `symbol` means on the days first_day..last_day. `last_day` None: until now.

    `delisted_on` is its last day of trading. `known_at` is UTC. What nobody said that it can be borrowed cannot.
    """

    symbol: str
    first_day: date
    last_day: date | None
    is_tradable: bool
    asset_class: str
    exchange: str
    delisted_on: date | None
    known_at: datetime
    is_shortable: bool = False
    is_easy_to_borrow: bool = False
    is_unqualified_partnership: bool = False

    @property
    def conditions(self) -> frozenset[Condition]:
        """Those that hold as long as the fact does."""
        said = {
            Condition.OTHER_CLASS: self.asset_class != TRADED_CLASS,
            Condition.OVER_THE_COUNTER: self.exchange.upper() in OVER_THE_COUNTER,
            Condition.UNQUALIFIED_PARTNERSHIP: self.is_unqualified_partnership,
            Condition.NOT_SHORTABLE: not self.is_shortable,
            Condition.HARD_TO_BORROW: not self.is_easy_to_borrow,
        }
        return frozenset(condition for condition, holds in said.items() if holds)


@dataclass(frozen=True, slots=True)
class HaltVersion:
    """One version of what was known of a halt; all times UTC, `resumed_at` None while it lasts."""

    symbol: str
    halted_at: datetime
    resumed_at: datetime | None
    reason: str
    is_withdrawn: bool
    known_at: datetime


@dataclass(frozen=True, slots=True)
class ActionVersion:
    """One version of a corporate action, known from `known_at` (UTC)."""

    action: CorporateAction
    known_at: datetime


class RestrictionKind(StrEnum):
    """RESTRICTED: nobody trades it. WATCHED: nothing new is opened. FREE: neither any longer."""

    RESTRICTED = "restricted"
    WATCHED = "watched"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Somebody's decision about a symbol, in force from `at` (UTC) until the next one about it."""

    symbol: str
    kind: RestrictionKind
    at: datetime
    set_by: str
    why: str


def listing_spans(facts: Iterable[ListingFact]) -> list[Span]:
    """LISTED while the symbol means an instrument; TRADABLE and the others as its facts said.

    Of an instrument that cannot be traded any more the facts say until which day it could.
    """
    spans = []
    by_period: dict[tuple[str, date, date | None], list[ListingFact]] = defaultdict(list)
    for fact in facts:
        by_period[fact.symbol, fact.first_day, fact.last_day].append(fact)
    for (symbol, first_day, last_day), versions in by_period.items():
        begin, end = _midnight(first_day), _midnight_after(last_day)
        spans.append(Span(symbol, Condition.LISTED, begin, end))
        for fact, since, until in _in_force(versions):
            since, until = max(begin, since), min(end, until)
            if fact.is_tradable or fact.delisted_on is not None:
                last = min(until, _midnight_after(fact.delisted_on))
                spans.append(Span(symbol, Condition.TRADABLE, since, last))
            spans += [Span(symbol, condition, since, until) for condition in sorted(fact.conditions)]
    return spans


def _in_force(versions: Sequence[ListingFact]) -> list[tuple[ListingFact, datetime, datetime]]:
    """Each version with the time it counts: the first one from the beginning, the others from when they were known."""
    ordered = sorted(versions, key=lambda one: one.known_at)
    begins = [BEGINNING, *(one.known_at for one in ordered[1:])]
    return list(zip(ordered, begins, [*begins[1:], FOR_EVER], strict=True))


def halt_spans(versions: Iterable[HaltVersion]) -> list[Span]:
    """HALTED, or MARKET_HALTED for everybody where the reason says so."""
    spans = []
    by_halt: dict[tuple[str, datetime], list[HaltVersion]] = defaultdict(list)
    for version in versions:
        by_halt[version.symbol, version.halted_at].append(version)
    for (symbol, halted_at), of_halt in by_halt.items():
        ordered = sorted(of_halt, key=lambda one: one.known_at)
        begins = [halted_at, *(max(halted_at, one.known_at) for one in ordered[1:])]
        for version, since, until in zip(ordered, begins, [*begins[1:], FOR_EVER], strict=True):
            if version.is_withdrawn:
                continue
            is_market_wide = version.reason.upper().startswith(MARKET_WIDE_HALT)
            condition = Condition.MARKET_HALTED if is_market_wide else Condition.HALTED
            end = min(until, version.resumed_at or FOR_EVER)
            spans.append(Span(EVERYBODY if is_market_wide else symbol, condition, since, end))
    return spans


def restriction_spans(restrictions: Iterable[Restriction]) -> list[Span]:
    """RESTRICTED and WATCHED, from each decision about a symbol to the next."""
    conditions = {
        RestrictionKind.RESTRICTED: Condition.RESTRICTED,
        RestrictionKind.WATCHED: Condition.WATCHED,
    }
    spans = []
    by_symbol: dict[str, list[Restriction]] = defaultdict(list)
    for restriction in restrictions:
        by_symbol[restriction.symbol].append(restriction)
    for symbol, of_symbol in by_symbol.items():
        ordered = sorted(of_symbol, key=lambda one: one.at)
        ends = [*(one.at for one in ordered[1:]), FOR_EVER]
        spans += [
            Span(symbol, conditions[one.kind], one.at, end)
            for one, end in zip(ordered, ends, strict=True)
            if one.kind in conditions
        ]
    return spans


CHANGES_SHARES = frozenset({ActionKind.SPLIT, ActionKind.STOCK_DIVIDEND, ActionKind.RENAME, ActionKind.DELISTING})


def action_spans(versions: Iterable[ActionVersion]) -> list[Span]:
    """UNRESOLVED_ACTION from the session before an ex-date to its end, where nobody can say what a share becomes.

    That is where two actions of one day both change what a share is, where a spin-off has no known value, and where
    the symbol ceases to trade.
    """
    spans = []
    by_day: dict[tuple[str, date], dict[tuple[ActionKind, str | None], list[ActionVersion]]] = defaultdict(dict)
    for version in versions:
        action = version.action
        own = by_day[action.symbol, session_from(action.ex_date)]
        own.setdefault((action.kind, action.new_symbol), []).append(version)
    for (symbol, ex_date), actions in by_day.items():
        begin, end = _midnight(previous_session(ex_date)), _midnight_after(ex_date)
        for since, until in _unresolved(list(actions.values()), _midnight(ex_date)):
            spans.append(Span(symbol, Condition.UNRESOLVED_ACTION, max(begin, since), min(end, until)))
    return spans


def _unresolved(actions: Sequence[Sequence[ActionVersion]], ex_midnight: datetime) -> list[tuple[datetime, datetime]]:
    """The times at which what was known of one symbol's actions of one day did not say what a share becomes."""
    histories = []
    for versions in actions:
        ordered = sorted(versions, key=lambda one: one.known_at)
        # The first version counts from the ex-date for everybody who learnt of it later.
        histories.append([(min(ordered[0].known_at, ex_midnight), ordered[0].action)])
        histories[-1] += [(one.known_at, one.action) for one in ordered[1:]]
    moments = sorted({since for history in histories for since, _ in history})
    unresolved = []
    for since, until in zip(moments, [*moments[1:], FOR_EVER], strict=True):
        known = [[action for at, action in history if at <= since][-1:] for history in histories]
        if _is_unresolved([action for newest in known for action in newest]):
            unresolved.append((since, until))
    return unresolved


def _is_unresolved(actions: Sequence[CorporateAction]) -> bool:
    return (
        sum(action.kind in CHANGES_SHARES for action in actions) > 1
        or any(action.kind is ActionKind.SPIN_OFF and action.value_usd is None for action in actions)
        or any(action.kind is ActionKind.DELISTING for action in actions)
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), NEW_YORK).astimezone(UTC)


def _midnight_after(day: date | None) -> datetime:
    return FOR_EVER if day is None else _midnight(day + timedelta(days=1))
