"""A range at once and session by session are the same bytes, and five planted defects each break that.

Both ways run the platform's own functions over the bundled daily bars; a session knows what was known at its close. A
defect is one changed fragment of real code. Three make the two ways part by their nature and are planted in both;
where both ways would be wrong alike, a threshold and an order of iteration, the defect is in the sessions only.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import zip_longest
from typing import Any

import pandas as pd
import pytest

from trading_assets.adapters.sample import SampleSource
from trading_assets.domain import simulation
from trading_assets.domain.backtest import KnownBars, MarketRecord, Terms, trade
from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.fill_model import FillModel
from trading_assets.domain.execution.orders import OrderStatus, OrderType
from trading_assets.domain.journal import Journal
from trading_assets.domain.market.adjust import adjusted_as_of, point_in_time_factors
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import next_session, session, sessions_between
from trading_assets.domain.market.universe import always
from trading_assets.domain.risk import review
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.standings import always_tradable
from trading_assets.domain.risk.verdicts import Outcome
from trading_assets.domain.simulation import Rules
from trading_assets.domain.strategy.knowledge import parts
from trading_assets.domain.strategy.portfolio import Sectors
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.tape import Tape
from trading_assets.domain.values import Timeframe
from trading_assets.settings import RiskSettings
from trading_assets.strategies.rsi_reversion import RsiReversion
from trading_assets.strategies.sma_crossover import SmaCrossover

Decisions = tuple[Sequence[pd.DataFrame], Sequence[Target]]
Decide = Callable[[date, date], Decisions]

SYMBOLS = ("AAPL", "GOOG", "IBM", "MSFT")
# Sixty-one sessions with a split of AAPL and dividends of IBM and MSFT, after enough history for the averages.
HISTORY, FIRST, LAST = date(2004, 8, 19), date(2005, 1, 3), date(2005, 3, 31)
SPLIT = date(2005, 2, 28)

STRATEGIES = (
    ConfiguredStrategy("rsi_reversion", RsiReversion(period=5, entry=40, exit=60, max_hold=4), Timeframe.SESSION, 0.5),
    ConfiguredStrategy("sma_crossover", SmaCrossover(fast=5, slow=20), Timeframe.SESSION, 0.4),
)
# The limits bind, so that which of two orders comes first decides how much of each is allowed.
LIMITS = RiskLimits.of(RiskSettings(max_gross_exposure=0.3, max_position=0.2, rebalance_band=0.005).limits())
TERMS = Terms("parity", Decimal(100_000), Rules(LIMITS, FillModel(Decimal(5), Decimal("0.025"))))


@dataclass(frozen=True, slots=True)
class Lived:
    """What the account's strategies decided and what came of it, table by table, each row as text."""

    tables: Mapping[str, Sequence[str]]
    journal: Journal

    @classmethod
    def of(cls, signals: Sequence[pd.DataFrame], journal: Journal) -> Lived:
        columns = ["strategy", "strategy_version", "symbol", "decision_at", "session_date", "signal", "reason"]
        decided = pd.concat(signals)[columns].sort_values(["decision_at", "strategy", "symbol"])
        rows = {one.name: [_text(row) for row in getattr(journal, one.name)] for one in fields(journal)}
        return cls({"signals": [_text(row) for row in decided.itertuples(index=False, name="Signal")], **rows}, journal)


def _text(row: Any) -> str:
    """What it is about, then every digit of it."""
    about = getattr(row, "intent", row)
    names = ("strategy", "symbol", "decision_at", "submitted_at", "filled_at", "at")
    return " ".join([*(str(getattr(about, name)) for name in names if hasattr(about, name)), repr(row)])


def first_difference(at_once: Lived, in_turn: Lived) -> str | None:
    """The first row that differs, byte for byte, in the order in which tables follow from each other."""
    for name, rows in at_once.tables.items():
        for number, (one, other) in enumerate(zip_longest(rows, in_turn.tables[name], fillvalue="no row")):
            if one != other:
                where = next(at for at, pair in enumerate(zip_longest(one, other)) if pair[0] != pair[1])
                start = max(where - 40, 0)
                found = f"{one[start : where + 40]!r} at once, {other[start : where + 40]!r} session by session"
                return f"{name}, row {number}: {one[:80]}: {found}"
    return None


@cache
def sample() -> tuple[pd.DataFrame, list[CorporateAction]]:
    source = SampleSource()
    bars = source.bars(SYMBOLS, Timeframe.SESSION, HISTORY, LAST, session(LAST).closes_at)
    return bars, source.corporate_actions(SYMBOLS, HISTORY, LAST)


@cache
def known_at_close_of(day: date) -> tuple[pd.DataFrame, pd.Series[float], list[CorporateAction]]:
    """Bars, their factors and actions as known at the close of session `day`."""
    bars, actions = sample()
    bars = bars[bars["closes_at"] <= session(day).closes_at].reset_index(drop=True)
    actions = [action for action in actions if action.ex_date <= day]
    return bars, point_in_time_factors(bars, actions), actions


def market(first: date, last: date) -> MarketRecord:
    """The sessions first..last with no more than was known when the last of them closed."""
    now = session(last).closes_at
    bars, factors, actions = known_at_close_of(last)
    traded = bars[bars["session_date"] >= first].sort_values(["closes_at", "symbol"], ignore_index=True)
    gates = {(day, symbol): "open" for day in sessions_between(first, last) for symbol in SYMBOLS}
    return MarketRecord(
        first=first,
        last=last,
        now=now,
        members=always(SYMBOLS),
        known={
            Timeframe.SESSION: [
                KnownBars(part, bars, factors) for part in parts(first, last, Timeframe.SESSION, [], now)
            ]
        },
        tape=Tape.of(traded, actions, gates, always_tradable(traded["symbol"].unique())),
        sectors=Sectors(),
        facts_of=lambda strategy, part: NO_FACTS,
    )


def decided(first: date, last: date) -> Decisions:
    record = market(first, last)
    return [record.signals(one) for one in STRATEGIES], record.targets(STRATEGIES)


decided_soundly = cache(decided)
"""Decisions without a defect, made once for all that trade on them."""


def lived_at_once(decide: Decide = decided_soundly, terms: Terms = TERMS) -> Lived:
    signals, targets = decide(FIRST, LAST)
    return Lived.of(signals, trade(market(FIRST, LAST), targets, terms))


def lived_in_turn(decide: Decide = decided_soundly, terms: Terms = TERMS) -> Lived:
    account, journal = simulation.open_book(terms.account_id, terms.opening_cash_usd, session(FIRST))
    all_signals = []
    for day in sessions_between(FIRST, LAST):
        signals, targets = decide(day, day)
        record = market(day, day)
        simulation.walk(account, record.tape.moments(targets, day, day, record.now), terms.rules, {}, (), journal)
        all_signals += signals
    return Lived.of(all_signals, journal)


@pytest.fixture(scope="module")
def healthy_at_once() -> Lived:
    return lived_at_once()


def test_range_at_once_and_session_by_session_are_the_same_bytes(healthy_at_once: Lived) -> None:
    assert first_difference(healthy_at_once, lived_in_turn()) is None


def test_limit_entries_are_the_same_bytes_both_ways() -> None:
    entries = {
        "rsi_reversion": EntryPlan(OrderType.LIMIT, Decimal(-50)),
        "sma_crossover": EntryPlan(OrderType.LIMIT, Decimal(30)),
    }
    terms = replace(TERMS, rules=replace(TERMS.rules, entries=entries))
    at_once = lived_at_once(terms=terms)

    assert first_difference(at_once, lived_in_turn(terms=terms)) is None
    expired = [one for one in at_once.journal.order_events if one.status is OrderStatus.EXPIRED]
    assert expired
    assert {one.strategy for one in at_once.journal.fills} == set(entries)


def test_range_has_what_the_defects_need(healthy_at_once: Lived) -> None:
    journal = healthy_at_once.journal
    assert len(sessions_between(FIRST, LAST)) >= 60
    assert {fill.strategy for fill in journal.fills} == {one.name for one in STRATEGIES}
    assert {verdict.outcome for verdict in journal.verdicts} >= {Outcome.APPROVED, Outcome.REDUCED}
    _, actions = sample()
    assert ("AAPL", SPLIT, ActionKind.SPLIT) in {(one.symbol, one.ex_date, one.kind) for one in actions}
    before = max(row.session_date for row in journal.positions if row.session_date < SPLIT)
    assert any(row.symbol == "AAPL" and row.qty for row in journal.positions if row.session_date == before)


@dataclass(frozen=True, slots=True)
class Defect:
    """The code `function`, found as `name` in `owner`, in which `before` became `after`; `names` are its new imports.

    `shows_in` is the first row that differs: its table and number, and what it is about.
    """

    owner: Any
    name: str
    function: Callable[..., Any]
    before: str
    after: str
    is_in_both: bool
    shows_in: str
    names: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def planted(self) -> Iterator[None]:
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.before) == 1, f"{self.before!r} is no longer one place of {self.name}: plant it anew"
        code = compile(source.replace(self.before, self.after), self.name, "exec")
        namespace = {**self.function.__globals__, **self.names}
        exec(code, namespace)  # noqa: S102  the project's own code with one fragment changed
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.owner, self.name, namespace[self.function.__name__])
            yield


DEFECTS = {
    # The oversold level is 41 and not 40.
    "threshold": Defect(
        RsiReversion,
        "signals",
        RsiReversion.signals,
        before="(values < entry)",
        after="(values < entry + 1)",
        is_in_both=False,
        shows_in="signals, row 19: rsi_reversion MSFT 2005-01-05",
    ),
    # The oldest crossing that counts is not compared with the bar before it any more.
    "warm-up off by one": Defect(
        RsiReversion,
        "memory",
        RsiReversion.memory.fget,
        before="return self.parameters.max_hold",
        after="return self.parameters.max_hold - 1",
        is_in_both=True,
        shows_in="signals, row 24: rsi_reversion AAPL 2005-01-06",
    ),
    # Orders are at the market one bar too early: at the open of the bar whose close decided them.
    "same-bar fills": Defect(
        Tape,
        "moments",
        Tape.moments,
        before="targets=wanted.get((trading.date, at), [])",
        after="targets=wanted.get(((day := next_session(trading.date)), session(day).closes_at), [])",
        is_in_both=True,
        shows_in="verdicts, row 0: rsi_reversion AAPL 2005-01-04",
        names={"next_session": next_session},
    ),
    # The account trades at prices that later splits and dividends have changed.
    "adjusted against raw": Defect(
        Tape,
        "of",
        Tape.of.__func__,
        before="_bars(frame)",
        after='_bars(adjusted_as_of(frame, actions, frame["session_date"].max()))',
        is_in_both=True,
        shows_in="verdicts, row 0: rsi_reversion AAPL 2005-01-03",
        names={"adjusted_as_of": adjusted_as_of},
    ),
    # Intents compete for the limits in the order of their hashes, which is that of a set.
    "unordered iteration": Defect(
        review,
        "_together",
        review._together,
        before="sorted(intents, key=_place)",
        after="sorted(intents, key=lambda intent: intent.intent_id)",
        is_in_both=False,
        shows_in="verdicts, row 0: rsi_reversion AAPL 2005-01-03",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_caught_with_the_first_row_that_differs(healthy_at_once: Lived, name: str) -> None:
    defect = DEFECTS[name]
    # What trades wrongly decides as before.
    decide = decided if defect.owner is RsiReversion else decided_soundly
    with defect.planted():
        at_once = lived_at_once(decide) if defect.is_in_both else healthy_at_once
        in_turn = lived_in_turn(decide)
    difference = first_difference(at_once, in_turn)
    assert difference is not None
    assert difference.startswith(f"{defect.shows_in} "), difference
