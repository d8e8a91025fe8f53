"""From signals to target weights of the account's equity, for every strategy at every decision.

How a strategy's signals share its capital is decided in portfolio.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trading_assets.domain.market.universe import Membership, members_on
from trading_assets.domain.strategy.portfolio import (
    PERIODS_A_YEAR,
    ReturnHistory,
    Sectors,
    WeightReason,
    construct,
)
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule
from trading_assets.domain.strategy.strategy import LEG_GROUP, ConfiguredStrategy
from trading_assets.domain.values import Timeframe, decimal_of

if TYPE_CHECKING:
    import pandas as pd

WEIGHT_STEP = Decimal("0.000000001")

STORED_SIGNAL_COLUMNS = ("strategy", "strategy_version", "symbol", "decision_at", "session_date", "signal")
TARGET_COLUMNS = (
    *STORED_SIGNAL_COLUMNS,
    "capital_weight",
    "target_weight",
    "sizing",
    "volatility_pct",
    "atr_usd",
    "reason_code",
    "leg_group",
)
"""Columns of a frame of targets: `decision_at` is the close of the bar, tz-aware UTC; weights are shares of equity;
`volatility_pct` is the annual volatility that the weight or the size is made with, `atr_usd` a share's average true
range, both NaN where nothing is made of them; `reason_code` is a WeightReason; `leg_group` is that of the signal."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a strategy wants to hold of a symbol, decided at a bar's close: a share of the account's equity.

    One that may not open only reduces what is held, or leaves it: its strategy was paused at the decision. `atr_usd`, a
    share's average true range, and `volatility`, annual and a fraction, are None where no size is made of them. To
    flatten is what a person or a breaker decided, and no strategy. Targets of a strategy and decision with the same
    `leg_group` are legs of one trade.
    """

    strategy: str
    strategy_version: str
    symbol: str
    decision_at: datetime
    session_date: date
    target_weight: Decimal
    may_open: bool = True
    atr_usd: Decimal | None = None
    volatility: Decimal | None = None
    is_flatten: bool = False
    leg_group: str | None = None


def weight_of(number: float) -> Decimal:
    """The one crossing of weights into the ledger: 9 places, towards zero so that rounding never adds exposure."""
    return decimal_of(number).quantize(WEIGHT_STEP, ROUND_DOWN)


TARGET_FACTS = (
    "strategy",
    "strategy_version",
    "symbol",
    "decision_at",
    "session_date",
    "target_weight",
    "atr_usd",
    "volatility_pct",
    "leg_group",
)
"""The columns that `target_of` takes, in its order."""


def target_of(
    strategy: str,
    strategy_version: str,
    symbol: str,
    decision_at: datetime,
    session_date: date,
    weight: float,
    atr_usd: float | None,
    volatility_pct: float | None,
    leg_group: str | float | None,
) -> Target:
    """A row of targets in the ledger's arithmetic; NaN and None are one."""
    return Target(
        strategy,
        strategy_version,
        symbol,
        decision_at,
        session_date,
        weight_of(weight),
        atr_usd=_known(atr_usd),
        volatility=_known(None if volatility_pct is None else volatility_pct / 100),
        leg_group=leg_group if isinstance(leg_group, str) else None,
    )


def _known(number: float | None) -> Decimal | None:
    return None if number is None or np.isnan(number) else decimal_of(number)


def needed_history(configured: Sequence[ConfiguredStrategy], timeframe: Timeframe) -> tuple[int, list[int]]:
    """How many returns, and which average true ranges, the strategies on `timeframe` read."""
    users = [one for one in configured if one.timeframe is timeframe]
    periods = {one.position_size.atr_period for one in users}
    return max(one.portfolio.lookback for one in users), sorted(period for period in periods if period is not None)


def combine(
    signals: pd.DataFrame,
    configured: Sequence[ConfiguredStrategy],
    members: Sequence[Membership],
    histories: Sequence[ReturnHistory] = (),
    sectors: Sectors | None = None,
) -> pd.DataFrame:
    """Target weights, columns TARGET_COLUMNS, row for row with `signals` (STORED_SIGNAL_COLUMNS, perhaps LEG_GROUP).

    By default capital weight x signal / size of the universe on the signal's day. That divisor is the number of members
    and not of the symbols that happen to have a bar: a weight never depends on another symbol's data, and a missing
    symbol's share stays in cash instead of enlarging the others. The other rules weigh the signals of one decision
    together (portfolio.construct), with the returns in `histories`; a decision that none covers gets no weight. In any
    case the absolute weights of a decision sum to at most the sum of the capital weights. A symbol that is no member
    has the weight zero: what is held of one that left is sold, and one that has not joined yet is not bought.

    Raises ValueError for signals of strategies that are not configured, or of other versions, and AllocationError.
    """
    of_key = {(one.name, one.version): one for one in configured}
    keys = list(zip(signals["strategy"], signals["strategy_version"], strict=True))
    if unknown := sorted(set(keys) - of_key.keys()):
        raise ValueError(f"Signals of {' '.join(unknown[0])} belong to no configured strategy.")
    targets = signals[list(STORED_SIGNAL_COLUMNS)].copy()
    targets["capital_weight"] = np.array([of_key[key].capital_weight for key in keys], dtype=np.float64)
    of_day = {day: members_on(members, day) for day in set(targets["session_date"])}
    size = np.array([max(len(of_day[day]), 1) for day in targets["session_date"]], dtype=np.float64)
    targets["target_weight"] = targets["capital_weight"] * targets["signal"] / size
    targets["sizing"] = np.array([of_key[key].portfolio.sizing.value for key in keys], dtype=object)
    targets["volatility_pct"] = np.nan
    targets["atr_usd"] = np.nan
    is_flat = (targets["signal"] == 0).to_numpy()
    targets["reason_code"] = np.where(is_flat, WeightReason.NO_SIGNAL, WeightReason.SIZED).astype(object)
    targets[LEG_GROUP] = signals[LEG_GROUP].astype("str") if LEG_GROUP in signals else None
    places = zip(targets["symbol"], targets["session_date"], strict=True)
    is_member = np.array([symbol in of_day[day] for symbol, day in places], dtype=bool)
    targets.loc[~is_member, "target_weight"] = 0.0
    targets.loc[~is_member, "reason_code"] = WeightReason.NOT_A_MEMBER
    for one in configured:
        if not one.portfolio.is_row_by_row:
            is_own = np.array([key == (one.name, one.version) for key in keys], dtype=bool)
            _weigh_together(targets, np.flatnonzero(is_own & is_member), one, size, histories, sectors or Sectors())
        if one.position_size.reads_history:
            is_own = np.array([key == (one.name, one.version) for key in keys], dtype=bool)
            _measure(targets, np.flatnonzero(is_own & is_member & ~is_flat), one, histories)
    return targets


def _measure(
    targets: pd.DataFrame, own: npt.NDArray[np.intp], one: ConfiguredStrategy, histories: Sequence[ReturnHistory]
) -> None:
    """Set what the sizes of the rows `own` are made of, each as it was known at its decision."""
    symbols = targets["symbol"].to_numpy(dtype=object)
    moments = [at.to_pydatetime() for at in targets["decision_at"].iloc[own]]
    atr_usd, volatility_pct = targets["atr_usd"].to_numpy(copy=True), targets["volatility_pct"].to_numpy(copy=True)
    for row, at in zip(own.tolist(), moments, strict=True):
        history = next((each for each in histories if each.covers(one.timeframe, at)), None)
        if history is None:
            continue
        if one.position_size.atr_period is not None:
            atr_usd[row] = history.average_true_range(at, symbols[row], one.position_size.atr_period)
        if one.position_size.reads_volatility:
            volatility_pct[row] = 100 * history.volatility(at, symbols[row], one.portfolio.lookback)
    targets["atr_usd"], targets["volatility_pct"] = atr_usd, volatility_pct


def _weigh_together(
    targets: pd.DataFrame,
    own: npt.NDArray[np.intp],
    one: ConfiguredStrategy,
    size: npt.NDArray[np.float64],
    histories: Sequence[ReturnHistory],
    sectors: Sectors,
) -> None:
    """Set the weights of the rows `own`, decision by decision, within a decision in the order of the symbols."""
    symbols = targets["symbol"].to_numpy(dtype=object)
    decisions: dict[datetime, list[int]] = {}
    moments = [at.to_pydatetime() for at in targets["decision_at"].iloc[own]]
    for row, at in sorted(zip(own.tolist(), moments, strict=True), key=lambda pair: (pair[1], symbols[pair[0]])):
        decisions.setdefault(at, []).append(row)
    signals, days = targets["signal"].to_numpy(dtype=np.float64), targets["session_date"].to_numpy(dtype=object)
    target, volatility_pct = targets["target_weight"].to_numpy(copy=True), targets["volatility_pct"].to_numpy(copy=True)
    reason = targets["reason_code"].to_numpy(dtype=object, copy=True)
    for at, rows in decisions.items():
        names = [symbols[row] for row in rows]
        weights = construct(
            one.portfolio,
            one.capital_weight,
            signals[rows],
            [sectors.at(symbol, days[row], at) for symbol, row in zip(names, rows, strict=True)],
            _returns(one.portfolio, one.timeframe, histories, at, names),
            universe_size=int(size[rows[0]]),
            periods_a_year=PERIODS_A_YEAR[one.timeframe],
        )
        target[rows], volatility_pct[rows], reason[rows] = weights
    targets["target_weight"], targets["volatility_pct"], targets["reason_code"] = target, volatility_pct, reason


def _returns(
    rule: PortfolioRule, timeframe: Timeframe, histories: Sequence[ReturnHistory], at: datetime, symbols: Sequence[str]
) -> npt.NDArray[np.float64]:
    history = next((each for each in histories if each.covers(timeframe, at)), None)
    if history is None or not rule.reads_returns:
        return np.empty((0, len(symbols)))
    return history.window(at, symbols, rule.lookback)
