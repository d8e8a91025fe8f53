"""A backtest: the functions that the graph runs over stored rows, one after the other over arrays in memory.

Indicators, decisions, targets and the time loop are the graph's own; only where their inputs come from and where their
results go differs. Reading and storing both belong to the adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trading_assets.domain import simulation
from trading_assets.domain.journal import Journal
from trading_assets.domain.kernel.arrays import NotRepresentableError
from trading_assets.domain.kernel.convert import Stretch, stretch_of
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.sessions import session
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.risk.limit_changes import LimitChange
from trading_assets.domain.risk.market_view import NO_HISTORY, MarketHistory, SessionHistory, market_timeframe
from trading_assets.domain.risk.price_falls import PastPrices
from trading_assets.domain.strategy import indicators as technical
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.indicators import Floats, Indicator
from trading_assets.domain.strategy.knowledge import Part
from trading_assets.domain.strategy.portfolio import ReturnHistory, Sectors
from trading_assets.domain.strategy.stateful import StatefulStrategy, decide_from
from trading_assets.domain.strategy.strategy import ConfiguredStrategy, Strategy, decide
from trading_assets.domain.strategy.targets import TARGET_FACTS, Target, combine, needed_history, target_of
from trading_assets.domain.tape import NothingStoredError, Tape
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd


MOST_SIGNALS = 8
MOST_INDICATORS = 64


@dataclass(frozen=True, slots=True, eq=False)
class KnownBars:
    """The bars of one timeframe that the decisions of `part` know, each symbol's from its first one on.

    `bars`: BAR_COLUMNS, by symbol and ts. `factors`: point_in_time_factors of them and of the `actions`, row for row.
    """

    part: Part
    bars: pd.DataFrame
    factors: pd.Series[float]
    actions: Sequence[CorporateAction] = ()


class _Kept:
    """The newest `most` results by what they were computed of."""

    def __init__(self, most: int) -> None:
        self._most, self._results = most, dict[Any, Any]()

    def get(self, key: Any, compute: Callable[[], Any]) -> Any:
        result = self._results.pop(key) if key in self._results else compute()
        self._results[key] = result
        if len(self._results) > self._most:
            self._results.pop(next(iter(self._results)))
        return result


Lead = Callable[[ConfiguredStrategy, Callable[[], Any]], Any]
"""Gives what the work of a strategy returns, wherever that is computed."""


def _here(_: ConfiguredStrategy, work: Callable[[], Any]) -> Any:
    return work()


@dataclass(frozen=True, slots=True, eq=False)
class MarketRecord:
    """All that backtests over the sessions first..last read, as known at `now` (UTC). Read it once for many of them.

    `known` also has the parts before `first`, which only strategies with a state live through. `facts_of` says what a
    strategy may know besides bars, `limit_changes` what persons made of the account's limits, and `lead` keeps what a
    strategy may do to this process within limits.

    Of what is computed of it the newest is kept: configurations that follow each other have much in common.
    """

    first: date
    last: date
    now: datetime
    members: Sequence[Membership]
    known: Mapping[Timeframe, Sequence[KnownBars]]
    tape: Tape
    sectors: Sectors
    facts_of: Callable[[Strategy, Part], Facts]
    limit_changes: Sequence[LimitChange] = ()
    lead: Lead = _here
    _signals: _Kept = field(default_factory=lambda: _Kept(MOST_SIGNALS), repr=False)
    _stretch: _Kept = field(default_factory=lambda: _Kept(1), repr=False)
    _market: _Kept = field(default_factory=lambda: _Kept(1), repr=False)
    _indicators: _Kept = field(default_factory=lambda: _Kept(MOST_INDICATORS), repr=False)

    def signals(self, configured: ConfiguredStrategy) -> pd.DataFrame:
        """STORED_SIGNAL_COLUMNS, `reason` and `leg_group` of every bar of the sessions. Raises StrategyError."""
        key = (configured.name, configured.version)
        signals: pd.DataFrame = self._signals.get(key, lambda: self._decided(configured))
        return signals

    def targets(self, strategies: Sequence[ConfiguredStrategy]) -> list[Target]:
        """What the strategies together want at every decision, by decision time, strategy and symbol."""
        if not strategies:
            return []
        wanted = self.wanted(strategies)
        targets = map(
            target_of,
            *(wanted[name].tolist() for name in TARGET_FACTS[:3]),
            [at.to_pydatetime() for at in wanted["decision_at"]],
            *(wanted[name].tolist() for name in TARGET_FACTS[4:]),
        )
        return sorted(targets, key=lambda one: (one.decision_at, one.strategy, one.symbol))

    def wanted(self, strategies: Sequence[ConfiguredStrategy]) -> pd.DataFrame:
        """TARGET_COLUMNS of at least one strategy."""
        import pandas as pd

        signals = pd.concat([self.signals(one) for one in strategies], ignore_index=True)
        return combine(signals, strategies, self.members, self._histories(strategies), self.sectors)

    def stretch(self, rules: simulation.Rules) -> Stretch:
        """All sessions as arrays, made once, with what a short sale is asked about where `rules` allow one.

        Raises NotRepresentableError and NothingStoredError.
        """
        key = self._traded(rules) if rules.allows_shorts else None
        made = self._stretch.get(key, partial(self._as_arrays, rules))
        if isinstance(made, Exception):
            raise made
        stretch: Stretch = made
        return stretch

    def _as_arrays(self, rules: simulation.Rules) -> Stretch | Exception:
        history = self.market_history(rules) if rules.allows_shorts else NO_HISTORY
        try:
            moments = self.tape.moments([], self.first, self.last, self.now, history=history)
            return stretch_of(moments, with_shorts=rules.allows_shorts)
        except (NotRepresentableError, NothingStoredError) as refused:
            return refused

    def market_history(self, rules: simulation.Rules) -> MarketHistory:
        """What the limits of `rules`, and short sales that they allow, may ask of the sessions before each decision."""
        traded, with_shorts = self._traded(rules), rules.allows_shorts
        asked = ((timeframe, one) for timeframe in traded for one in self.known[timeframe])
        asked_since = ((timeframe, one) for timeframe, one in asked if one.part.first >= self.first)
        history: MarketHistory = self._market.get(
            (traded, with_shorts),
            lambda: market_history(asked_since, market_timeframe(traded), self.sectors, with_shorts),
        )
        return history

    def _traded(self, rules: simulation.Rules) -> tuple[Timeframe, ...]:
        return tuple(sorted(rules.timeframes or self.known))

    def _histories(self, strategies: Sequence[ConfiguredStrategy]) -> list[ReturnHistory]:
        """The returns that the sizing of the strategies reads."""
        histories = []
        for timeframe in sorted({one.timeframe for one in strategies if one.reads_history}):
            lookback, atr_periods = needed_history(strategies, timeframe)
            for known in self.known[timeframe]:
                if known.part.first >= self.first:
                    span = known.part.after, known.part.knowledge_time
                    histories.append(
                        ReturnHistory.of_bars(timeframe, *span, known.bars, known.factors, lookback, atr_periods)
                    )
        return histories

    def _decided(self, configured: ConfiguredStrategy) -> pd.DataFrame:
        import pandas as pd

        strategy = configured.strategy
        decide_all = self._decided_in_turn if isinstance(strategy, StatefulStrategy) else self._decided_at_once
        frame = pd.concat(decide_all(configured), ignore_index=True)
        frame = frame.rename(columns={"closes_at": "decision_at"}).drop(columns="ts")
        return frame.assign(strategy=configured.name, strategy_version=configured.version)

    def _decided_at_once(self, configured: ConfiguredStrategy) -> Iterator[pd.DataFrame]:
        strategy = configured.strategy
        for known, values in self._values(configured, self.first):
            rows = _looked_back_on(known, strategy.memory)
            facts = self.facts_of(strategy, known.part)
            signals = self.lead(configured, partial(decide, configured, known.bars[rows], values[rows], facts))
            yield signals[signals["closes_at"] > known.part.after]

    def _decided_in_turn(self, configured: ConfiguredStrategy) -> Iterator[pd.DataFrame]:
        """Of a strategy with a state, from the first bar of all, each decision with the knowledge of its own time."""
        strategy, newest = configured.strategy, None
        for known, values in self._values(configured):
            is_asked = known.part.first >= self.first
            rows = _looked_back_on(known, strategy.memory if is_asked else 0)
            after = known.part.after if newest is None else max(known.part.after, newest.decision_at)
            rows &= (known.bars["closes_at"] > after).to_numpy()
            if not rows.any():
                continue
            state = newest.state if newest else None
            facts = self.facts_of(strategy, known.part)
            work = partial(decide_from, configured, known.bars[rows], values[rows], state, facts)
            signals, states = self.lead(configured, work)
            newest = states[-1] if states else newest
            if is_asked:
                yield signals

    def _values(
        self, configured: ConfiguredStrategy, first: date | None = None
    ) -> Iterator[tuple[KnownBars, pd.DataFrame]]:
        """The strategy's indicators, part by part from session `first`; a bar of an earlier part keeps its values."""
        import pandas as pd

        declared = configured.strategy.indicators()
        names = [indicator.column for indicator in declared]
        earlier: pd.DataFrame | None = None
        for number, known in enumerate(self.known[configured.timeframe]):
            if first and known.part.first < first:
                continue
            columns = {
                one.column: self._indicators.get((configured.timeframe, number, one), partial(_values_of, known, one))
                for one in declared
            }
            values = pd.DataFrame(columns, index=known.bars.index, columns=names, dtype=np.float64)
            if earlier is not None:
                values = _as_computed_before(values, known, earlier)
            earlier = known.bars[["symbol", "ts", "closes_at"]].join(values)
            yield known, values


def _values_of(known: KnownBars, indicator: Indicator) -> Floats:
    values: Floats = technical.compute(known.bars, known.factors, [indicator])[indicator.column].to_numpy()
    return values


def market_history(
    known: Iterable[tuple[Timeframe, KnownBars]], timeframe: Timeframe, sectors: Sectors, with_shorts: bool
) -> MarketHistory:
    """The history of the sessions in `known`, each part with the knowledge of its time: figures from bars of one
    `timeframe`, prices for short sales from all of them."""
    parts, prices = [], []
    for of, one in known:
        span = one.part.after, one.part.knowledge_time
        if of is timeframe:
            parts.append(SessionHistory.of_bars(*span, one.bars, one.factors))
        if with_shorts:
            prices.append(PastPrices.of_bars(*span, one.bars, one.actions))
    return MarketHistory(parts, sectors, prices)


def _looked_back_on(known: KnownBars, memory: int) -> npt.NDArray[np.bool_]:
    """The rows from the session on from which every symbol has its last `memory` bars before the part's first."""
    days = known.bars["session_date"].to_numpy().astype("datetime64[D]")
    start = first = np.datetime64(known.part.first)
    if memory:
        for rows in technical.symbol_slices(known.bars):
            before = int(np.searchsorted(days[rows], first))
            if before:
                start = min(start, days[rows][max(before - memory, 0)])
    return np.asarray(days >= start)


def _as_computed_before(values: pd.DataFrame, known: KnownBars, earlier: pd.DataFrame) -> pd.DataFrame:
    """`values` with those of the bars up to `known.part.after` as an earlier part computed them, where it did."""
    import pandas as pd

    before = known.bars[["symbol", "ts", "closes_at"]].merge(
        earlier.drop(columns="closes_at"), "left", ["symbol", "ts"], indicator=True
    )
    is_kept = ((before["closes_at"] <= known.part.after) & (before["_merge"] == "both")).to_numpy()
    kept = before[list(values.columns)].to_numpy()
    chosen = np.where(is_kept[:, None], kept, values.to_numpy())
    return pd.DataFrame(chosen, index=values.index, columns=values.columns)


@dataclass(frozen=True, slots=True)
class Terms:
    """The account that trades: its id, what it begins with, and the rules it keeps."""

    account_id: str
    opening_cash_usd: Decimal
    rules: simulation.Rules


@dataclass(frozen=True, slots=True)
class Stage:
    """What an account wants and keeps to in the sessions first..last."""

    targets: Sequence[Target]
    rules: simulation.Rules
    first: date
    last: date


Report = Callable[[int, int], None]
"""Told how many bar closes of how many have been lived through."""


def trade(
    record: MarketRecord,
    targets: Sequence[Target],
    terms: Terms,
    first: date | None = None,
    last: date | None = None,
    report: Report | None = None,
) -> Journal:
    """A new account lives through the sessions first..last, by default all of `record`. Raises NothingStoredError."""
    stage = Stage(targets, terms.rules, first or record.first, last or record.last)
    return trade_in_turn(record, [stage], terms.account_id, terms.opening_cash_usd, report)


def trade_in_turn(
    record: MarketRecord,
    stages: Sequence[Stage],
    account_id: str,
    opening_cash_usd: Decimal,
    report: Report | None = None,
) -> Journal:
    """A new account lives through the stages, which follow upon each other, with all three phases at each bar close.

    `report` hears of every bar close, stage by stage. Raises NothingStoredError.
    """
    account, journal = simulation.open_book(account_id, opening_cash_usd, session(stages[0].first))
    for stage in stages:
        wanted = [target for target in stage.targets if stage.first <= target.session_date <= stage.last]
        history = NO_HISTORY
        if stage.rules.reads_market:
            history = record.market_history(stage.rules)
        moments = record.tape.moments(wanted, stage.first, stage.last, record.now, stage.rules.breakers, history)
        # Wherever the configuration trades, a backtest does so at a simulated broker.
        rules = replace(stage.rules, broker=simulation.SIMULATED)
        simulation.walk(account, _reported(moments, report), rules, {}, (), journal)
    return journal


def _reported(moments: Sequence[simulation.Moment], report: Report | None) -> Iterator[simulation.Moment]:
    for done, moment in enumerate(moments, start=1):
        yield moment
        if report is not None:
            report(done, len(moments))
