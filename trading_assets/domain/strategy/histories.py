"""What strategies are tried on: histories, and others that agree with them in all that was known at a time only."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.adjust import point_in_time_factors
from trading_assets.domain.market.corporate_actions import ActionKind, CorporateAction
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import Facts
from trading_assets.domain.strategy.indicators import compute
from trading_assets.domain.strategy.strategy import NO_FACTS, ConfiguredStrategy, answer

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ["open", "high", "low", "close", "volume"]
PRICES = NUMBERS[:-1]
FAR_AHEAD_DAYS = 400


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What a strategy is tried on: `bars` of one timeframe (BAR_COLUMNS, by symbol and ts) and what was known besides.

    Bars are as they are known at the end. That a restated bar is used from its restatement on only is no matter of the
    strategy: the graph cuts its range there (`knowledge.spans`). Facts carry all their versions, and are mutated.
    """

    bars: pd.DataFrame
    actions: Sequence[CorporateAction] = ()
    facts: Facts = NO_FACTS

    def closes(self) -> npt.NDArray[np.datetime64]:
        """The close of every bar, row for row, UTC."""
        return self.bars["closes_at"].to_numpy(dtype="datetime64[us]")

    def values(self, configured: ConfiguredStrategy) -> pd.DataFrame:
        """The declared indicators, from each symbol's first bar on."""
        factors = point_in_time_factors(self.bars, self.actions)
        return compute(self.bars, factors, configured.strategy.indicators())

    def decisions(self, configured: ConfiguredStrategy) -> pd.DataFrame:
        """SIGNAL_COLUMNS, one row a bar. Raises StrategyError."""
        return answer(configured, self.bars, self.values(configured), self.facts)


@dataclass(frozen=True, slots=True)
class Mutation:
    """`apply(history, moment, random)`: all that became known after `moment` is `name`, the rest is as it was."""

    name: str
    apply: Callable[[History, np.datetime64, np.random.Generator], History]
    may_be_refused: bool = False


def removed(history: History, moment: np.datetime64, random: np.random.Generator) -> History:  # noqa: ARG001
    """The history as it ended at `moment`."""
    facts = history.facts
    figures = None if facts.figures is None else facts.figures[~_counts_later(facts.figures, moment)]
    members = None if facts.members is None else _members_known(facts.members, _day(moment))
    return History(
        bars=history.bars[history.closes() <= moment].reset_index(drop=True),
        actions=_actions_known(history, moment),
        facts=Facts(figures, members),
    )


def noise(history: History, moment: np.datetime64, random: np.random.Generator) -> History:
    """Other prices, volumes, splits, figures and members than those that came."""
    day, facts = _day(moment), history.facts
    symbols = sorted(set(history.bars["symbol"]))
    is_later = history.closes() > moment
    numbers = history.bars[NUMBERS].to_numpy(dtype=np.float64, copy=True)
    # One factor for the prices of a bar keeps its low below its high.
    numbers[is_later, : len(PRICES)] *= random.lognormal(size=(is_later.sum(), 1))
    numbers[is_later, len(PRICES) :] *= random.lognormal(size=(is_later.sum(), 1))
    splits = [
        CorporateAction(symbol, day + timedelta(days=1), ActionKind.SPLIT, split_ratio=Decimal(ratio))
        for symbol, ratio in zip(symbols, random.integers(2, 9, size=len(symbols)).tolist(), strict=True)
    ]
    members = None
    if facts.members is not None:
        members = [_ended(one, day + timedelta(days=_days(random))) for one in _members_known(facts.members, day)]
        members += [Membership(symbol, day + timedelta(days=_days(random))) for symbol in symbols]
    return History(
        bars=history.bars.assign(**dict(zip(NUMBERS, numbers.T, strict=True))),
        actions=[*_actions_known(history, moment), *splits],
        facts=Facts(_with_later_amounts(facts.figures, moment, lambda count: random.lognormal(size=count)), members),
    )


def void(history: History, moment: np.datetime64, random: np.random.Generator) -> History:  # noqa: ARG001
    """Bars and figures without numbers, and no member after the session of `moment`."""
    day, facts = _day(moment), history.facts
    numbers = history.bars[NUMBERS].to_numpy(dtype=np.float64, copy=True)
    numbers[history.closes() > moment] = np.nan
    members = None if facts.members is None else [_ended(one, day) for one in _members_known(facts.members, day)]
    return History(
        bars=history.bars.assign(**dict(zip(NUMBERS, numbers.T, strict=True))),
        actions=_actions_known(history, moment),
        facts=Facts(_with_later_amounts(facts.figures, moment, lambda count: np.full(count, np.nan)), members),
    )


MUTATIONS = (Mutation("removed", removed), Mutation("noise", noise), Mutation("NaN", void, may_be_refused=True))


def _day(moment: np.datetime64) -> date:
    """The session of the bars that close at `moment`."""
    return utc(moment).astimezone(NEW_YORK).date()


def _days(random: np.random.Generator) -> int:
    return int(random.integers(1, FAR_AHEAD_DAYS))


def _actions_known(history: History, moment: np.datetime64) -> list[CorporateAction]:
    day = _day(moment)
    return [action for action in history.actions if action.ex_date <= day]


def _counts_later(figures: pd.DataFrame, moment: np.datetime64) -> npt.NDArray[np.bool_]:
    return np.asarray(figures["counts_from"].to_numpy(dtype="datetime64[us]") > moment)


def _with_later_amounts(
    figures: pd.DataFrame | None, moment: np.datetime64, factors: Callable[[int], npt.NDArray[np.float64]]
) -> pd.DataFrame | None:
    if figures is None:
        return None
    is_later = _counts_later(figures, moment)
    amounts = figures["amount"].to_numpy(dtype=np.float64, copy=True)
    amounts[is_later] *= factors(int(is_later.sum()))
    return figures.assign(amount=amounts)


def _members_known(members: Sequence[Membership], day: date) -> list[Membership]:
    """The memberships that had begun on `day`; until it is over, nobody knows of an end."""
    return [
        dataclasses.replace(one, valid_to=one.valid_to if one.valid_to is not None and one.valid_to < day else None)
        for one in members
        if one.valid_from <= day
    ]


def _ended(one: Membership, day: date) -> Membership:
    """The membership, ending on `day` unless it has ended."""
    return dataclasses.replace(one, valid_to=one.valid_to or day)


def utc(moment: np.datetime64) -> datetime:
    converted: datetime = moment.astype("datetime64[us]").item()
    return converted.replace(tzinfo=UTC)
