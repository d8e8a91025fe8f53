"""Portfolio construction: from the active signals of one decision moment to shares of the account's equity.

A strategy's rule is declared in trading.yaml. The numerics are in allocation.py; orders and positions come later, in
domain/risk. Everything here depends on bars that had closed by the decision, in an order that the symbols' names fix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

    A return is since the symbol's own bar before. NaN: no bar, no bar before, or no price. Times are UTC. `atrs` are
    average true ranges in raw USD by their period, in the same rows and columns; NaN while they warm up.
    """

    timeframe: Timeframe
    after: datetime
    until: datetime
    symbols: tuple[str, ...]
    closes_at: npt.NDArray[np.datetime64]
    returns: Floats
    atrs: Mapping[int, Floats] = field(default_factory=dict)

    @classmethod
    def of_bars(
        cls,
        timeframe: Timeframe,
        after: datetime,
        until: datetime,
        bars: pd.DataFrame,
        factors: pd.Series[float],
        lookback: int,
        atr_periods: Sequence[int] = (),
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
        atrs = {period: _atrs(bars, factors, period, table)[begin:] for period in atr_periods}
        return cls(timeframe, after, until, tuple(table.columns), closes_at[begin:], changes, atrs)

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

    def volatility(self, decision_at: datetime, symbol: str, lookback: int) -> float:
        """The annual volatility of the last `lookback` returns, a fraction; NaN where too many of them are missing."""
        is_short, filled = _checked(self.window(decision_at, [symbol], lookback), lookback)
        deviation = float(filled.std(axis=0, ddof=1)[0])
        return np.nan if is_short[0] else deviation * float(np.sqrt(PERIODS_A_YEAR[self.timeframe]))

    def average_true_range(self, decision_at: datetime, symbol: str, period: int) -> float:
        """The average true range of the bar that closed at `decision_at`, in raw USD; NaN where there is none."""
        row = int(np.searchsorted(self.closes_at, _moment(decision_at), side="right")) - 1
        if row < 0 or self.closes_at[row] != _moment(decision_at) or symbol not in self.symbols:
            return np.nan
        return float(self.atrs[period][row, self.symbols.index(symbol)])


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


def _atrs(bars: pd.DataFrame, factors: pd.Series[float], period: int, like: pd.DataFrame) -> Floats:
    """The average true ranges of `bars` in the rows and columns of `like`."""
    import pandas as pd

    from trading_assets.domain.strategy.indicators import Indicator, compute

    indicator = Indicator("atr", period)
    values = pd.DataFrame(
        {
            "symbol": bars["symbol"].to_numpy(dtype=object),
            "closes_at": _utc(bars["closes_at"]),
            "atr": compute(bars, factors, [indicator])[indicator.column].to_numpy(dtype=np.float64),
        }
    )
    table = values.pivot(index="closes_at", columns="symbol", values="atr").reindex_like(like)
    return np.ascontiguousarray(table.to_numpy(dtype=np.float64))


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
    is_usable, volatility, reason, filled = _usable(rule, signals, returns, periods_a_year)
    target = np.zeros(len(signals))
    if is_usable.any() and capital_weight > 0:
        usable = np.flatnonzero(is_usable)
        strength, sign = np.abs(signals[usable]), np.sign(signals[usable])
        positions = _Positions(
            strength=strength,
            sign=sign,
            sectors=[sectors[place] for place in usable.tolist()],
            volatility=volatility[usable],
            returns=filled[:, usable],
            active=int((signals != 0).sum()),
            universe_size=max(universe_size, 1),
        )
        shares = _shares(rule, capital_weight, positions, periods_a_year)
        sizes, reason[usable] = _within_caps(rule, capital_weight * shares, positions.sectors)
        target[usable] = sizes * sign
    return Weights(target, volatility * 100, reason)


class _Positions(NamedTuple):
    """What can be weighed at a decision, one element or column a position, and how many there would be at best."""

    strength: Floats
    sign: Floats
    sectors: list[str]
    volatility: Floats
    returns: Floats
    active: int
    universe_size: int

    @property
    def part(self) -> float:
        """The part of the capital that belongs to them: that of active symbols without a history stays in cash."""
        return len(self.strength) / self.active


def _usable(
    rule: PortfolioRule, signals: Floats, returns: Floats, periods_a_year: float
) -> tuple[npt.NDArray[np.bool_], Floats, npt.NDArray[np.object_], Floats]:
    """Which symbols can be weighed, their annual volatility, why the others cannot, and the returns without gaps."""
    reason = np.full(len(signals), WeightReason.SIZED, dtype=object)
    is_active = signals != 0
    reason[~is_active] = WeightReason.NO_SIGNAL
    if not rule.reads_returns:
        return is_active, np.full(len(signals), np.nan), reason, np.empty((0, len(signals)))
    is_short, filled = _checked(returns, rule.lookback)
    volatility = np.where(is_short, np.nan, filled.std(axis=0, ddof=1) * np.sqrt(periods_a_year))
    is_still = ~is_short & (volatility < _LEAST_VOLATILITY)
    reason[is_active & is_short] = WeightReason.HISTORY_TOO_SHORT
    reason[is_active & is_still] = WeightReason.PRICE_WITHOUT_MOVEMENT
    return is_active & ~is_short & ~is_still, volatility, reason, filled


def _shares(rule: PortfolioRule, capital_weight: float, positions: _Positions, periods_a_year: float) -> Floats:
    """The shares of the strategy's capital by the rule's method, before the caps."""
    strength = positions.strength
    match rule.sizing:
        case Sizing.UNIVERSE_SHARE:
            return strength / positions.universe_size
        case Sizing.EQUAL_WEIGHT:
            return strength / positions.active
        case Sizing.SIGNAL_WEIGHT:
            return np.asarray(strength / strength.sum(), dtype=np.float64)
        case Sizing.INVERSE_VOLATILITY:
            return inverse_volatility(positions.volatility) * strength * positions.part
    # Of positions: a short one moves against its symbol.
    covariance = shrunk_covariance(positions.returns, periods_a_year) * np.outer(positions.sign, positions.sign)
    if rule.sizing is Sizing.EQUAL_RISK_CONTRIBUTION:
        return equal_risk_contribution(covariance) * strength * positions.part
    return mean_variance(
        strength * np.sqrt(np.diag(covariance)),
        covariance,
        rule.risk_aversion,
        budget=positions.part,
        cap=_share(rule.max_symbol_weight, capital_weight),
        groups=positions.sectors,
        group_cap=_share(rule.max_sector_weight, capital_weight),
    )


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
