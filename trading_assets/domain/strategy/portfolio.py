"""Portfolio construction: from the active signals of one decision moment to shares of the account's equity.

A strategy's rule is declared in trading.yaml. The numerics are in allocation.py; orders and positions come later, in
domain/risk. Everything here depends on bars that had closed by the decision, in an order that the symbols' names fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from trading_assets.domain.strategy.allocation import (
    Floats,
    equal_risk_contribution,
    inverse_volatility,
    mean_variance,
    shrunk_covariance,
)
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

MAX_MISSING = 0.05
"""The most of a window's bars that a symbol may lack; at each the last price stands, as it does in the account."""

PERIODS_A_YEAR = {Timeframe.SESSION: 252, Timeframe.HOUR: 252 * 7}

UNKNOWN_SECTOR = "unknown"

_LEAST_VOLATILITY = 1e-9


class WeightReason(StrEnum):
    """Why a target weight is what it is."""

    SIZED = "SIZED"
    NO_SIGNAL = "NO_SIGNAL"
    NOT_A_MEMBER = "NOT_A_MEMBER"
    HISTORY_TOO_SHORT = "HISTORY_TOO_SHORT"
    PRICE_WITHOUT_MOVEMENT = "PRICE_WITHOUT_MOVEMENT"
    SYMBOL_CAPPED = "SYMBOL_CAPPED"
    SECTOR_CAPPED = "SECTOR_CAPPED"


class Weights(NamedTuple):
    """One element a symbol: share of equity, annual volatility in percent (NaN where it was not asked), and why."""

    target: Floats
    volatility_pct: Floats
    reason: npt.NDArray[np.object_]


# What was known ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReturnHistory:
    """Returns on adjusted prices for the decisions in (after, until]: one row a close, one column a symbol.

    A return is since the symbol's own bar before. NaN: no bar, no bar before, or no price. Times are UTC.
    """

    timeframe: Timeframe
    after: datetime
    until: datetime
    symbols: tuple[str, ...]
    closes_at: npt.NDArray[np.datetime64]
    returns: Floats

    @classmethod
    def of_bars(
        cls,
        timeframe: Timeframe,
        after: datetime,
        until: datetime,
        bars: pd.DataFrame,
        factors: pd.Series[float],
        lookback: int,
    ) -> ReturnHistory:
        """From all bars of the symbols since their first, as known at `until`, with their point-in-time factors.

        Only the `lookback` closes before `after` and those that follow are kept.
        """
        import pandas as pd

        prices = pd.DataFrame(
            {
                "symbol": bars["symbol"].to_numpy(dtype=object),
                "closes_at": _utc(bars["closes_at"]),
                "price": bars["close"].to_numpy(dtype=np.float64) * factors.to_numpy(dtype=np.float64),
            }
        ).sort_values(["symbol", "closes_at"])
        previous = prices.groupby("symbol")["price"].shift(1)
        table = prices.assign(change=prices["price"] / previous - 1).pivot(
            index="closes_at", columns="symbol", values="change"
        )
        closes_at = table.index.to_numpy(dtype="datetime64[us]")
        begin = max(int(np.searchsorted(closes_at, _moment(after), side="right")) - lookback, 0)
        changes = np.ascontiguousarray(table.to_numpy(dtype=np.float64)[begin:])
        return cls(timeframe, after, until, tuple(table.columns), closes_at[begin:], changes)

    def covers(self, timeframe: Timeframe, decision_at: datetime) -> bool:
        return self.timeframe is timeframe and self.after < decision_at <= self.until

    def window(self, decision_at: datetime, symbols: Sequence[str], lookback: int) -> Floats:
        """The last `lookback` rows that had closed by `decision_at`, or as many as there are; columns as `symbols`."""
        end = int(np.searchsorted(self.closes_at, _moment(decision_at), side="right"))
        rows = self.returns[max(end - lookback, 0) : end]
        place = {symbol: column for column, symbol in enumerate(self.symbols)}
        window = np.full((len(rows), len(symbols)), np.nan)
        for column, symbol in enumerate(symbols):
            if symbol in place:
                window[:, column] = rows[:, place[symbol]]
        return window


class SectorFact(NamedTuple):
    """`symbol` belongs to `sector` on first_day..last_day (None: still), as was known from `known_at` (UTC) on."""

    symbol: str
    first_day: date
    last_day: date | None
    sector: str
    known_at: datetime


class Sectors:
    """The sectors of symbols as of a decision. As with bars, what was said first counts from the beginning."""

    def __init__(self, facts: Iterable[SectorFact] = ()) -> None:
        self._facts: dict[str, list[SectorFact]] = {}
        for fact in sorted(facts, key=lambda fact: (fact.symbol, fact.known_at, fact.sector)):
            self._facts.setdefault(fact.symbol, []).append(fact)

    def at(self, symbol: str, session_date: date, decision_at: datetime) -> str:
        """The sector of what `symbol` meant on `session_date`; UNKNOWN_SECTOR where nobody said."""
        said = [
            fact
            for fact in self._facts.get(symbol, ())
            if fact.first_day <= session_date and (fact.last_day is None or session_date <= fact.last_day)
        ]
        known = [fact for fact in said if fact.known_at <= decision_at] or said[:1]
        return known[-1].sector if known else UNKNOWN_SECTOR


def _utc(times: pd.Series[pd.Timestamp]) -> npt.NDArray[np.datetime64]:
    return times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def _moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")


# Weights -------------------------------------------------------------------------------------------


def construct(
    rule: PortfolioRule,
    capital_weight: float,
    signals: Floats,
    sectors: Sequence[str],
    returns: Floats,
    *,
    universe_size: int,
    periods_a_year: float,
) -> Weights:
    """The weights of one strategy at one decision; element i of everything is the same symbol, in order of its name.

    `signals` are from -1 to 1, and a position has the sign of its signal. A signal of zero takes no part. `returns`
    (rows x symbols) is the trailing window, read by three of the methods: a symbol that lacks more than MAX_MISSING of
    `rule.lookback` rows, or whose price did not move, gets no weight, and its part of the capital stays in cash. So
    does what the caps take away; caps never add. Absolute weights sum to at most `capital_weight`.
    Raises AllocationError when a solver fails: no weights are better than wrong ones.
    """
    count = len(signals)
    reason = np.full(count, WeightReason.SIZED, dtype=object)
    volatility = np.full(count, np.nan)
    is_active = signals != 0
    reason[~is_active] = WeightReason.NO_SIGNAL
    active = int(is_active.sum())
    is_usable = is_active.copy()
    if rule.reads_returns:
        is_short, filled = _checked(returns, rule.lookback)
        volatility = np.where(is_short, np.nan, filled.std(axis=0, ddof=1) * np.sqrt(periods_a_year))
        is_still = ~is_short & (volatility < _LEAST_VOLATILITY)
        reason[is_active & is_short] = WeightReason.HISTORY_TOO_SHORT
        reason[is_active & is_still] = WeightReason.PRICE_WITHOUT_MOVEMENT
        is_usable &= ~is_short & ~is_still
    target = np.zeros(count)
    if is_usable.any() and capital_weight > 0:
        usable = np.flatnonzero(is_usable)
        strength, sign = np.abs(signals[usable]), np.sign(signals[usable])
        of_usable = [sectors[place] for place in usable]
        match rule.sizing:
            case Sizing.UNIVERSE_SHARE:
                shares = strength / max(universe_size, 1)
            case Sizing.EQUAL_WEIGHT:
                shares = strength / active
            case Sizing.SIGNAL_WEIGHT:
                shares = strength / strength.sum()
            case Sizing.INVERSE_VOLATILITY:
                shares = inverse_volatility(volatility[usable]) * strength * len(usable) / active
            case _:
                # The covariance of positions: a short position moves against its symbol.
                covariance = shrunk_covariance(filled[:, usable], periods_a_year) * np.outer(sign, sign)
                if rule.sizing is Sizing.EQUAL_RISK_CONTRIBUTION:
                    shares = equal_risk_contribution(covariance) * strength * len(usable) / active
                else:
                    shares = mean_variance(
                        strength * np.sqrt(np.diag(covariance)),
                        covariance,
                        rule.risk_aversion,
                        budget=len(usable) / active,
                        cap=_share(rule.max_symbol_weight, capital_weight),
                        groups=of_usable,
                        group_cap=_share(rule.max_sector_weight, capital_weight),
                    )
        sizes, capped = _within_caps(rule, capital_weight * shares, of_usable)
        target[usable] = sizes * sign
        reason[usable] = capped
    return Weights(target, volatility * 100, reason)


def _checked(returns: Floats, lookback: int) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which columns have too few observations, and the returns with zero, an unchanged price, where one is missing."""
    is_missing = ~np.isfinite(returns)
    lacking = is_missing.sum(axis=0) + lookback - len(returns)
    filled = np.where(is_missing, 0.0, returns) if len(returns) > 1 else np.zeros((2, returns.shape[1]))
    return lacking > MAX_MISSING * lookback, filled


def _share(cap: float | None, capital_weight: float) -> float:
    """A cap on equity as one on the strategy's capital."""
    return 1.0 if cap is None else min(1.0, cap / capital_weight)


def _within_caps(rule: PortfolioRule, sizes: Floats, sectors: Sequence[str]) -> tuple[Floats, npt.NDArray[np.object_]]:
    """The absolute weights cut to the cap of a symbol, then each sector scaled down to its own; and why."""
    reason = np.full(len(sizes), WeightReason.SIZED, dtype=object)
    if rule.max_symbol_weight is not None:
        reason[_reaches(sizes, rule.max_symbol_weight)] = WeightReason.SYMBOL_CAPPED
        sizes = np.minimum(sizes, rule.max_symbol_weight)
    if rule.max_sector_weight is not None:
        for sector in sorted(set(sectors)):
            members = np.array([one == sector for one in sectors], dtype=bool)
            total = float(sizes[members].sum())
            if _reaches(total, rule.max_sector_weight):
                reason[members] = WeightReason.SECTOR_CAPPED
                sizes = np.where(members, sizes * min(1.0, rule.max_sector_weight / total), sizes)
    return sizes, reason


def _reaches(size: Floats | float, cap: float) -> npt.NDArray[np.bool_] | bool:
    """At the cap, too: the optimiser stops there by itself, a solver's rounding short of it."""
    return size >= cap - 1e-9
