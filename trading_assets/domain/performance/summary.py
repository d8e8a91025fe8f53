"""What became of an account, from the journal of its whole life: equity, drawdowns, round trips and figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from trading_assets.domain.execution.ledger import FEE_KINDS, ActivityKind
from trading_assets.domain.journal import Journal
from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import Floats, drawdowns, time_weighted_returns
from trading_assets.domain.performance.round_trips import RoundTrip, round_trips, trade_statistics
from trading_assets.domain.risk.verdicts import Outcome, Verdict
from trading_assets.domain.values import ZERO, Side


@dataclass(frozen=True, slots=True)
class Figures:
    """Percentages are in per cent; a figure that has no value is None. `psr` is the probability of a Sharpe above 0."""

    final_equity_usd: Decimal
    total_return_pct: float
    cagr_pct: float | None
    volatility_pct: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown_pct: float
    calmar: float | None
    psr: float | None
    exposure_pct: float
    turnover: float | None
    fills: int
    denied: int
    trades: int
    win_rate_pct: float | None
    profit_factor: float | None
    fees_usd: Decimal
    dividends_usd: Decimal


@dataclass(frozen=True, slots=True)
class Denials:
    """How often risk denied or reduced a strategy's intents for one first reason."""

    strategy: str
    reason_code: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """One element a session in `sessions`, `equity_usd`, `returns`, `drawdowns` (ratios) and `exposure`.

    `strategy_profit_usd` too: cumulative, before fees. `denials` begin with the most frequent; reductions are among them.
    """

    sessions: Sequence[date]
    equity_usd: Sequence[Decimal]
    flows_usd: Floats
    returns: Floats
    drawdowns: Floats
    exposure: Floats
    strategy_profit_usd: Mapping[str, Floats]
    trips: Sequence[RoundTrip]
    denials: Sequence[Denials]
    bought_usd: float
    sold_usd: float
    figures: Figures


def summarise(journal: Journal) -> Summary:
    """The summary of an account whose journal begins with its opening deposit and holds at least one session's end."""
    last = {point.session_date: point for point in journal.equity}
    points = [last[day] for day in sorted(last)]
    equity = np.array([float(point.equity_usd) for point in points])
    flows = np.diff(np.array([0.0, *(float(point.flows_usd) for point in points)]))
    returns = time_weighted_returns(equity, flows)
    gross: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for position in journal.positions:
        gross[position.session_date] += abs(position.value_usd)
    held = np.array([float(gross[point.session_date]) for point in points])
    exposure = np.divide(held, equity, out=np.zeros(len(equity)), where=equity > 0)
    trips = round_trips([*journal.fills, *journal.activities])
    sessions = [point.session_date for point in points]
    bought, sold = (
        float(sum(fill.qty * fill.price for fill in journal.fills if fill.side is side))
        for side in (Side.BUY, Side.SELL)
    )
    return Summary(
        sessions=sessions,
        equity_usd=[point.equity_usd for point in points],
        flows_usd=flows,
        returns=returns,
        drawdowns=drawdowns(returns),
        exposure=exposure,
        strategy_profit_usd=_strategy_profit(journal, sessions),
        trips=trips,
        denials=_denials(journal.verdicts),
        bought_usd=bought,
        sold_usd=sold,
        figures=_figures(journal, equity, returns, exposure, trips, metrics.turnover(bought, sold, equity)),
    )


def _strategy_profit(journal: Journal, sessions: Sequence[date]) -> dict[str, Floats]:
    """Realised, unrealised and dividends up to the end of each session; by strategy, in order of name."""
    row = {day: number for number, day in enumerate(sessions)}
    held: dict[str, Floats] = {}
    for name in sorted({one.strategy for one in journal.positions}):
        held[name] = np.full(len(sessions), np.nan)
    dividends = {name: np.zeros(len(sessions)) for name in held}
    for one in journal.positions:
        profits, at = held[one.strategy], row[one.session_date]
        profits[at] = np.nan_to_num(profits[at]) + float(one.realised_usd + one.unrealised_usd)
    for activity in journal.activities:
        if activity.kind is ActivityKind.DIVIDEND and activity.strategy in dividends:
            dividends[activity.strategy][row[activity.session_date]] += float(activity.amount_usd)
    return {name: _carried(profits) + dividends[name].cumsum() for name, profits in held.items()}


def _carried(values: Floats) -> Floats:
    """With the last value before it where there is none; 0 before the first."""
    newest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(newest < 0, 0.0, values[newest])


def _denials(verdicts: Sequence[Verdict]) -> list[Denials]:
    counts = Counter(
        (one.intent.strategy, next(iter(one.reason_codes), ""), one.outcome.value)
        for one in verdicts
        if one.outcome is not Outcome.APPROVED
    )
    return [Denials(*key, count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _figures(
    journal: Journal,
    equity: Floats,
    returns: Floats,
    exposure: Floats,
    trips: Sequence[RoundTrip],
    turnover: float | None,
) -> Figures:
    trades = trade_statistics(trips)
    has_years = len(returns) >= metrics.MIN_SESSIONS_FOR_CAGR
    fees = [activity.amount_usd for activity in journal.activities if activity.kind in FEE_KINDS]
    dividends = [activity.amount_usd for activity in journal.activities if activity.kind is ActivityKind.DIVIDEND]
    return Figures(
        final_equity_usd=journal.equity[-1].equity_usd,
        total_return_pct=100 * metrics.total_return(returns),
        cagr_pct=_percent(metrics.cagr(returns)) if has_years else None,
        volatility_pct=_percent(metrics.volatility(returns)),
        sharpe=metrics.sharpe(returns),
        sortino=metrics.sortino(returns),
        max_drawdown_pct=100 * metrics.max_drawdown(returns),
        calmar=metrics.calmar(returns) if has_years else None,
        psr=metrics.probabilistic_sharpe(returns),
        exposure_pct=100 * float(exposure.mean()),
        turnover=turnover,
        fills=len(journal.fills),
        denied=sum(verdict.outcome is Outcome.DENIED for verdict in journal.verdicts),
        trades=trades.closed,
        win_rate_pct=_percent(trades.win_rate),
        profit_factor=trades.profit_factor,
        fees_usd=-sum(fees, ZERO),
        dividends_usd=sum(dividends, ZERO),
    )


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio
