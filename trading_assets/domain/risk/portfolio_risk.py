"""The risk of a book as it stands: exposure, beta, concentration, value at risk and who contributes to it.

Arrays have one element a held symbol; returns are sessions x symbols, ratios, NaN where there is none. What history
lacks is said and never filled: the figure is None, with the reason beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trading_assets.domain.risk.stress import StressResult, stress
from trading_assets.domain.risk.value_at_risk import (
    TAIL_95,
    TAIL_99,
    Floats,
    component_cvar,
    component_var,
    deviation_usd,
    historical_cvar,
    historical_var,
    marginal_var,
    parametric_cvar,
    parametric_var,
)
from trading_assets.domain.strategy.allocation import shrunk_covariance

SESSIONS_A_YEAR = 252


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """What an account holds: signed USD values and sectors of the symbols it is not flat in, and its equity in USD."""

    symbols: tuple[str, ...]
    values_usd: Floats
    sectors: tuple[str, ...]
    equity_usd: float


class SectorExposure(NamedTuple):
    net_usd: float
    gross_usd: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """What needs no history. `leverage` is gross over equity, None without equity; `herfindahl` is the sum of squared
    shares of gross, 1 for a single position, None without any."""

    gross_usd: float
    net_usd: float
    leverage: float | None
    largest_symbol: str | None
    largest_usd: float
    herfindahl: float | None
    sectors: Mapping[str, SectorExposure]


@dataclass(frozen=True, slots=True, eq=False)
class TailRisk:
    """The distribution of a session's profit of the book, in USD; losses are negative.

    `sessions`: in how many all symbols had a return. Contributions are of the 95 % figures: `component_var_95_usd` adds
    up to the parametric VaR, `component_cvar_95_usd` to the historical CVaR; `marginal_var_95` is per dollar.
    `correlations` are those of the shrunk covariance.
    """

    sessions: int
    deviation_usd: float
    var_95_usd: float
    cvar_95_usd: float
    var_99_usd: float
    cvar_99_usd: float
    parametric_var_95_usd: float
    parametric_cvar_95_usd: float
    parametric_var_99_usd: float
    parametric_cvar_99_usd: float
    marginal_var_95: Floats
    component_var_95_usd: Floats
    component_cvar_95_usd: Floats
    correlations: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PortfolioRisk:
    """`tail` is None when `tail_missing` says why, `beta` when `beta_missing` does.

    `return_counts`, `betas` and `volatilities` (a year) are by symbol, NaN where that symbol's history is too short.
    """

    exposure: Exposure
    tail: TailRisk | None
    tail_missing: str | None
    beta: float | None
    beta_missing: str | None
    return_counts: tuple[int, ...]
    betas: Floats
    volatilities: Floats
    stress: tuple[StressResult, ...]


def measure(holdings: Holdings, returns: Floats, benchmark: Floats, min_returns: int) -> PortfolioRisk:
    """The risk of `holdings`, judged by the sessions of `returns` and of the market's returns `benchmark`.

    Whatever is estimated needs at least `min_returns` sessions. A book without positions risks nothing.
    """
    counts = tuple(int(count) for count in np.isfinite(returns).sum(axis=0))
    betas = np.array([market_beta(column, benchmark, min_returns) for column in returns.T], dtype=np.float64)
    beta_missing = _beta_missing(holdings, counts, betas, min_returns)
    complete = returns[np.isfinite(returns).all(axis=1)]
    tail_missing = _tail_missing(holdings.symbols, counts, len(complete), min_returns)
    tail = None if tail_missing else tail_risk(holdings.values_usd, complete)
    return PortfolioRisk(
        exposure=exposure(holdings),
        tail=tail,
        tail_missing=tail_missing,
        beta=None if beta_missing else float(holdings.values_usd @ betas) / holdings.equity_usd,
        beta_missing=beta_missing,
        return_counts=counts,
        betas=betas,
        volatilities=np.array([_volatility(column, min_returns) for column in returns.T], dtype=np.float64),
        stress=stress(
            holdings.values_usd,
            betas if np.isfinite(betas).all() else None,
            None if tail is None else tail.deviation_usd,
        ),
    )


def exposure(holdings: Holdings) -> Exposure:
    values = holdings.values_usd
    sizes = np.abs(values)
    gross = float(sizes.sum())
    largest = int(np.argmax(sizes)) if len(sizes) else None
    return Exposure(
        gross_usd=gross,
        net_usd=float(values.sum()),
        leverage=gross / holdings.equity_usd if holdings.equity_usd > 0 else None,
        largest_symbol=None if largest is None else holdings.symbols[largest],
        largest_usd=0.0 if largest is None else float(values[largest]),
        herfindahl=float(((sizes / gross) ** 2).sum()) if gross else None,
        sectors=sector_exposures(values, holdings.sectors),
    )


def sector_exposures(values_usd: Floats, sectors: Sequence[str]) -> dict[str, SectorExposure]:
    """Net and gross USD value by sector, in the order of names."""
    return {
        sector: SectorExposure(float(values_usd[own].sum()), float(np.abs(values_usd[own]).sum()))
        for sector in sorted(set(sectors))
        for own in [np.array([one == sector for one in sectors])]
    }


def tail_risk(values_usd: Floats, returns: Floats) -> TailRisk:
    """The session's profit of positions worth `values_usd`, after complete `returns`, at least two sessions.

    Variances and covariances are shrunk (Ledoit, Wolf 2004), so that many symbols with few sessions give no nonsense.
    """
    count = len(values_usd)
    covariance = shrunk_covariance(returns, 1) if count else np.zeros((0, 0))
    profits = returns @ values_usd if count else np.zeros(max(len(returns), 1))
    deviation = deviation_usd(values_usd, covariance)
    return TailRisk(
        sessions=len(returns),
        deviation_usd=deviation,
        var_95_usd=historical_var(profits, TAIL_95),
        cvar_95_usd=historical_cvar(profits, TAIL_95),
        var_99_usd=historical_var(profits, TAIL_99),
        cvar_99_usd=historical_cvar(profits, TAIL_99),
        parametric_var_95_usd=parametric_var(deviation, TAIL_95) + 0.0,
        parametric_cvar_95_usd=parametric_cvar(deviation, TAIL_95) + 0.0,
        parametric_var_99_usd=parametric_var(deviation, TAIL_99) + 0.0,
        parametric_cvar_99_usd=parametric_cvar(deviation, TAIL_99) + 0.0,
        marginal_var_95=marginal_var(values_usd, covariance, TAIL_95),
        component_var_95_usd=component_var(values_usd, covariance, TAIL_95),
        component_cvar_95_usd=component_cvar(values_usd, returns, TAIL_95) if count else np.zeros(0),
        correlations=correlations(covariance),
    )


def correlations(covariance: Floats) -> Floats:
    """The correlation matrix of a covariance; what never moves is correlated with nothing but itself."""
    deviations = np.sqrt(np.diag(covariance))
    scale = np.outer(deviations, deviations)
    matrix: Floats = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def benchmark_returns(returns: Floats) -> Floats:
    """The equal-weighted mean of the symbols that have a return in a session; NaN in a session without any."""
    known = np.isfinite(returns)
    counts = known.sum(axis=1)
    sums = np.where(known, returns, 0.0).sum(axis=1)
    means: Floats = np.divide(sums, counts, out=np.full(len(returns), np.nan), where=counts > 0)
    return means


def market_beta(returns: Floats, benchmark: Floats, min_returns: int) -> float:
    """The slope of the ordinary least squares line through the sessions that both have; NaN with too few, or flat."""
    both = np.isfinite(returns) & np.isfinite(benchmark)
    market = benchmark[both]
    if len(market) < max(min_returns, 2) or np.ptp(market) == 0:
        return math.nan
    return float(np.cov(returns[both], market, ddof=1)[0, 1] / np.var(market, ddof=1))


def _volatility(returns: Floats, min_returns: int) -> float:
    own = returns[np.isfinite(returns)]
    return float(np.std(own, ddof=1) * math.sqrt(SESSIONS_A_YEAR)) if len(own) >= max(min_returns, 2) else math.nan


def _tail_missing(symbols: Sequence[str], counts: Sequence[int], complete: int, min_returns: int) -> str | None:
    if not symbols:
        return None
    if short := _too_short(symbols, counts, min_returns):
        return short
    if complete < max(min_returns, 2):
        return f"only {complete} sessions have a return of every held symbol, {min_returns} are needed"
    return None


def _beta_missing(holdings: Holdings, counts: Sequence[int], betas: Floats, min_returns: int) -> str | None:
    if not holdings.equity_usd > 0:
        return f"equity is {holdings.equity_usd:.2f} USD"
    if np.isfinite(betas).all():
        return None
    if short := _too_short(holdings.symbols, counts, min_returns):
        return short
    without = ", ".join(np.array(holdings.symbols)[~np.isfinite(betas)])
    return f"the benchmark has too few returns, or never moves, in the sessions of {without}"


def _too_short(symbols: Sequence[str], counts: Sequence[int], min_returns: int) -> str | None:
    short = [f"{symbol} {count}" for symbol, count in zip(symbols, counts, strict=True) if count < min_returns]
    return f"too few returns, {min_returns} are needed: {', '.join(short)}" if short else None
