"""What a strategy is: parameters, declared indicators and a pure function from a point-in-time view to signals.

The view and the checks around a strategy's answer belong here; single strategies live in `trading_assets/strategies`
or in packages of their users, fetching and storing elsewhere.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import PurePath
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.facts import Facts, Figure, known_amounts, membership
from trading_assets.domain.strategy.indicators import Floats, Indicator, symbol_slices
from trading_assets.domain.strategy.parameters import StrategyParameters, facts_of, fingerprint, parse
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule
from trading_assets.domain.strategy.position_size import PositionSize
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

DECISION_COLUMNS = ("symbol", "ts", "closes_at", "session_date")
SIGNAL_COLUMNS = (*DECISION_COLUMNS, "signal", "reason")
LEG_GROUP = "leg_group"
"""A column that signals may have besides: symbols with the same group at a close are legs of one trade, None alone."""
"""Columns of a frame of signals, one row a bar: `ts` is the bar's start and `closes_at` its end (the decision's time),
both tz-aware UTC; `signal` is float64 from -1 (fully short) to 1 (fully long), never NaN; `reason` is for people."""

WARMING_UP = "warming up"
NO_FACTS = Facts()


class StrategyError(Exception):
    """A strategy raised or broke its contract; the message names it."""


class UndeclaredIndicatorError(KeyError):
    """A strategy asked its view for an indicator or a figure that it does not declare."""

    def __str__(self) -> str:
        return str(self.args[0])


class View:
    """All that a strategy sees: bars as they were known, and the indicators it declares, row for row.

    `bars`: symbol, timeframe, ts, closes_at, session_date, open, high, low, close, volume; one timeframe, sorted by
    symbol and ts; prices are raw USD, so across a split only indicators compare, never two bars' prices. Every bar may
    be read for decisions at its own or a later close, never for an earlier one. The same holds for `facts`: read
    them with `figure` and `is_member`, which know only what was known at each bar's close.
    """

    def __init__(
        self,
        owner: str,
        bars: pd.DataFrame,
        values: pd.DataFrame,
        declared: Sequence[Indicator],
        facts: Facts = NO_FACTS,
        figures: Sequence[Figure] = (),
    ) -> None:
        self._owner = owner
        self._values = values.reset_index(drop=True)
        self._declared = {indicator.column for indicator in declared}
        self._figures = tuple(figures)
        self.facts = facts
        self.bars: pd.DataFrame = bars.reset_index(drop=True)
        if len(bars) != len(values):
            raise ValueError(f"A view needs values for every bar: {len(bars)} bars, {len(values)} rows of values.")
        if missing := self._declared - set(values.columns):
            raise ValueError(f"The view of {owner} lacks the declared indicators {', '.join(sorted(missing))}.")

    def indicator(self, indicator: Indicator) -> Floats:
        """The values of a declared indicator, one a bar, NaN while warming up. Raises UndeclaredIndicatorError."""
        if indicator.column not in self._declared:
            declared = ", ".join(sorted(self._declared)) or "none"
            raise UndeclaredIndicatorError(
                f"{self._owner} asks for {indicator.column} but declares only {declared}: "
                "add it to what indicators() returns."
            )
        return self._values[indicator.column].to_numpy(dtype=np.float64)

    def figure(self, figure: Figure) -> Floats:
        """A declared figure's amount as it was known at each bar's close, NaN before the first report of it.

        Raises UndeclaredIndicatorError.
        """
        if figure not in self._figures:
            raise UndeclaredIndicatorError(f"{self._owner} asks for {figure}: add it to what figures() returns.")
        return known_amounts(self.facts.figures, figure, self.bars)

    def is_member(self) -> npt.NDArray[np.bool_]:
        """For every bar whether its symbol belongs to the universe in its session."""
        return membership(self.facts.members, self.bars)

    def bar_numbers(self) -> npt.NDArray[np.int64]:
        """0, 1, 2 ... within each symbol, row for row."""
        numbers = np.empty(len(self.bars), dtype=np.int64)
        for rows in symbol_slices(self.bars):
            numbers[rows] = np.arange(rows.stop - rows.start)
        return numbers

    def moments(self) -> Iterator[tuple[npt.NDArray[np.intp], View]]:
        """The view of each bar close, in order of time, and its rows in this view: one a symbol that has a bar."""
        closes = self.bars["closes_at"].to_numpy(dtype="datetime64[us]")
        order = np.argsort(closes, kind="stable")
        starts = np.flatnonzero(np.diff(closes[order]).astype(bool)) + 1
        for rows in np.split(order, starts) if len(order) else ():
            moment = copy(self)
            moment.bars = self.bars.iloc[rows].reset_index(drop=True)
            moment._values = self._values.iloc[rows].reset_index(drop=True)
            yield rows, moment

    def signals(
        self, signal: npt.ArrayLike, reason: Sequence[str], leg_group: Sequence[str | None] | None = None
    ) -> pd.DataFrame:
        """The frame that `Strategy.signals` returns, from one signal and one reason a bar.

        Symbols with the same `leg_group` at a close are legs of one trade: risk lets their orders pass together, in the
        ratio in which they are wanted, or not at all. None: the symbol is traded alone.
        """
        frame = self.bars[list(DECISION_COLUMNS)].copy()
        frame["signal"] = np.asarray(signal, dtype=np.float64)
        frame["reason"] = list(reason)
        frame[LEG_GROUP] = np.array(leg_group or [None] * len(frame), dtype=object)
        return frame


class Strategy(ABC):
    """Base of every strategy. A subclass sets `name`, `version` and `Parameters` and writes the two abstract methods.

    `version` is the version of its code: raise it with every change that may change a decision.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    sells_short: ClassVar[bool] = False
    """Whether its positions make no sense without short sales; then it needs `risk.allow_short`."""

    class Parameters(StrategyParameters):
        """Override with a subclass of StrategyParameters whose fields are made by `Field`."""

    parameters: Any

    def __init__(self, **parameters: object) -> None:
        self.parameters = parse(self.Parameters, parameters, f"Strategy {self.name!r}")

    @classmethod
    def configured(cls, parameters: Mapping[str, object]) -> Self:
        """The strategy with `parameters`. Raises ParameterError."""
        return cls(**parameters)

    @abstractmethod
    def indicators(self) -> tuple[Indicator, ...]:
        """The indicators that `signals` reads."""

    def figures(self) -> tuple[Figure, ...]:
        """The lines of companies' statements that `signals` reads."""
        return ()

    @abstractmethod
    def signals(self, view: View) -> pd.DataFrame:
        """One row a bar of the view, in its order, columns SIGNAL_COLUMNS. Pure, and vectorised over the whole view.

        A row may depend on the bars of all symbols that close at its own close or earlier, of each symbol on at most
        `memory` bars before it. What it says of a bar on which a declared indicator is NaN is ignored: the signal is 0
        while warming up.
        """

    @property
    def warm_up(self) -> int:
        """How many leading bars of a symbol cannot have a signal other than 0."""
        return max((indicator.warm_up for indicator in self.indicators()), default=0)

    @property
    def memory(self) -> int:
        """How many earlier bars of a symbol a decision looks back on, besides those inside the indicators."""
        return 0


@dataclass(frozen=True, slots=True)
class ConfiguredStrategy:
    """A strategy of the portfolio: what trading.yaml says of it, and the version that its decisions carry."""

    name: str
    strategy: Strategy
    timeframe: Timeframe
    capital_weight: float
    portfolio: PortfolioRule = field(default_factory=PortfolioRule)
    position_size: PositionSize = field(default_factory=PositionSize)

    @property
    def reads_history(self) -> bool:
        """Whether its weights or its sizes are made of past bars besides its indicators."""
        return self.portfolio.reads_returns or self.position_size.reads_history

    @property
    def version(self) -> str:
        return strategy_version(self.strategy, self.timeframe)


def strategy_version(strategy: Strategy, timeframe: Timeframe) -> str:
    """`<code version>+<hash>`: eight hex digits that change with every parameter and with the timeframe.

    The timeframe counts as a parameter: the same rule on other bars takes other decisions.
    """
    facts = {**facts_of(strategy.parameters), "timeframe": timeframe.value}
    return f"{strategy.version}+{fingerprint(facts)}"


def decide(
    configured: ConfiguredStrategy, bars: pd.DataFrame, values: pd.DataFrame, facts: Facts = NO_FACTS
) -> pd.DataFrame:
    """The strategy's signals on every bar, columns SIGNAL_COLUMNS and LEG_GROUP, 0 while a declared indicator is NaN.

    `bars` and `values` (the declared indicators) as in View. Raises StrategyError, which names the strategy.
    """
    signals = answer(configured, bars, values, facts)
    is_valid = (np.abs(signals["signal"]) <= 1).to_numpy()
    if not is_valid.all():
        row = signals.iloc[int(np.flatnonzero(~is_valid)[0])]
        raise StrategyError(
            f"{_owner(configured)} gave {row['signal']} for {row['symbol']} at {row['closes_at']}: "
            "it must be from -1 to 1."
        )
    if (is_unsaid := signals["reason"].isna().to_numpy()).any():
        row = signals.iloc[int(np.flatnonzero(is_unsaid)[0])]
        raise StrategyError(f"{_owner(configured)} gave no reason for {row['symbol']} at {row['closes_at']}.")
    return signals


def answer(
    configured: ConfiguredStrategy, bars: pd.DataFrame, values: pd.DataFrame, facts: Facts = NO_FACTS
) -> pd.DataFrame:
    """As `decide`, whatever the numbers are: bars that a proof has spoilt may give signals beyond 1, or NaN."""
    strategy = configured.strategy
    owner = _owner(configured)
    declared = strategy.indicators()
    view = View(owner, bars, values, declared, facts, strategy.figures())
    try:
        told = strategy.signals(view)
    except Exception as error:
        place = _place(strategy, error)
        raise StrategyError(f"{owner} raised {type(error).__name__}{place}: {error}") from error
    signals = _checked_shape(owner, told, view)
    is_warming_up = np.zeros(len(signals), dtype=bool)
    for indicator in declared:
        is_warming_up |= np.isnan(view.indicator(indicator))
    # Adding 0.0 turns -0.0 into 0.0: one value, one bit pattern.
    signals["signal"] = np.where(is_warming_up, 0.0, signals["signal"].to_numpy(dtype=np.float64)) + 0.0
    signals["reason"] = np.where(is_warming_up, WARMING_UP, signals["reason"].to_numpy(dtype=object))
    return signals


def _owner(configured: ConfiguredStrategy) -> str:
    return f"Strategy {configured.name!r} ({configured.version})"


def _place(strategy: Strategy, error: Exception) -> str:
    """The line of the strategy's own file that the error passed through last; empty when it passed through none."""
    file = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return f" in line {lines[-1]} of {PurePath(file or '').name}" if lines else ""


def _checked_shape(owner: str, answer: pd.DataFrame, view: View) -> pd.DataFrame:
    columns = getattr(answer, "columns", None)
    missing = [name for name in SIGNAL_COLUMNS if columns is None or name not in columns]
    if missing:
        raise StrategyError(f"{owner} returned no frame with {', '.join(missing)}: build it with view.signals().")
    keys, wanted = answer[["symbol", "ts"]].reset_index(drop=True), view.bars[["symbol", "ts"]]
    if len(keys) != len(wanted):
        raise StrategyError(
            f"{owner} returned {len(keys)} rows for {len(wanted)} bars: one row a bar, as in view.bars."
        )
    if not keys.equals(wanted):
        at = int((keys.astype(str) != wanted.astype(str)).any(axis=1).to_numpy().argmax())
        raise StrategyError(
            f"{owner} returned {keys['symbol'][at]} at {keys['ts'][at]} in row {at}, where view.bars has "
            f"{wanted['symbol'][at]} at {wanted['ts'][at]}: one row a bar, in their order and with their types."
        )
    told = answer[list(SIGNAL_COLUMNS)].reset_index(drop=True)
    told[LEG_GROUP] = answer[LEG_GROUP].to_numpy(dtype=object) if LEG_GROUP in answer else None
    try:
        told["signal"] = told["signal"].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"{owner} gave signals that are no numbers: {error}.") from error
    return told
