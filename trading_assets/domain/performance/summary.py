"""What became of an account, from the journal of its whole life: equity, drawdowns, round trips and figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from trading_assets.domain.execution.ledger import FEE_KINDS, Activity, ActivityKind, Fill
from trading_assets.domain.journal import Journal
from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import Floats, drawdowns, time_weighted_returns
from trading_assets.domain.performance.round_trips import RoundTrip, round_trips, trade_statistics
from trading_assets.domain.risk.verdicts import Outcome
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

    `strategy_profit_usd` too: cumulative, before fees. `denials` begin with the most frequent, reductions among them.
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


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What a summary is made of; one element a session in `sessions`, `equity_usd`, `flows_usd` and `gross_usd`.

    `equity_usd` and the cumulative `flows_usd` are those at the session's last bar close, `gross_usd` the value of all
    positions there without sign. `profit_usd` is cumulative by strategy, realised or not, without dividends; NaN where
    nothing is said. `refusals` counts what was denied or reduced by strategy, first reason and outcome.
    """

    sessions: Sequence[date]
    equity_usd: Sequence[Decimal]
    flows_usd: Sequence[Decimal]
    gross_usd: Floats
    profit_usd: Mapping[str, Floats]
    fills: Sequence[Fill]
    activities: Sequence[Activity]
    refusals: Mapping[tuple[str, str, str], int]


def summarise(journal: Journal) -> Summary:
    """The summary of an account whose journal begins with its opening deposit and holds at least one session's end."""
    last = {point.session_date: point for point in journal.equity}
    points = [last[day] for day in sorted(last)]
    sessions = [point.session_date for point in points]
    gross: dict[date, Decimal] = defaultdict(lambda: ZERO)
    profits: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for position in journal.positions:
        gross[position.session_date] += abs(position.value_usd)
        profits[position.strategy][position.session_date] += position.realised_usd + position.unrealised_usd
    return summary_of(
        Course(
            sessions=sessions,
            equity_usd=[point.equity_usd for point in points],
            flows_usd=[point.flows_usd for point in points],
            gross_usd=np.array([float(gross[day]) for day in sessions]),
            profit_usd={
                name: np.array([float(of_day[day]) if day in of_day else np.nan for day in sessions])
                for name, of_day in profits.items()
            },
            fills=journal.fills,
            activities=journal.activities,
            refusals=Counter(
                (one.intent.strategy, next(iter(one.reason_codes), ""), one.outcome.value)
                for one in journal.verdicts
                if one.outcome is not Outcome.APPROVED
            ),
        )
    )


def summary_of(course: Course) -> Summary:
    equity = np.array([float(amount) for amount in course.equity_usd])
    flows = np.diff(np.array([0.0, *map(float, course.flows_usd)]))
    returns = time_weighted_returns(equity, flows)
    exposure = np.divide(course.gross_usd, equity, out=np.zeros(len(equity)), where=equity > 0)
    trips = round_trips([*course.fills, *course.activities])
    bought, sold = (
        float(sum(fill.qty * fill.price for fill in course.fills if fill.side is side))
        for side in (Side.BUY, Side.SELL)
    )
    refusals = sorted(course.refusals.items(), key=lambda item: (-item[1], item[0]))
    return Summary(
        sessions=course.sessions,
        equity_usd=course.equity_usd,
        flows_usd=flows,
        returns=returns,
        drawdowns=drawdowns(returns),
        exposure=exposure,
        strategy_profit_usd=_strategy_profit(course),
        trips=trips,
        denials=[Denials(*key, count) for key, count in refusals],
        bought_usd=bought,
        sold_usd=sold,
        figures=_figures(course, returns, exposure, trips, metrics.turnover(bought, sold, equity)),
    )


def _strategy_profit(course: Course) -> dict[str, Floats]:
    """With dividends, up to the end of each session; by strategy, in order of name."""
    row = {day: number for number, day in enumerate(course.sessions)}
    dividends = {name: np.zeros(len(row)) for name in course.profit_usd}
    for activity in course.activities:
        if activity.kind is ActivityKind.DIVIDEND and activity.strategy in dividends:
            dividends[activity.strategy][row[activity.session_date]] += float(activity.amount_usd)
    return {name: _carried(profits) + dividends[name].cumsum() for name, profits in sorted(course.profit_usd.items())}


def _carried(values: Floats) -> Floats:
    """With the last value before it where there is none; 0 before the first."""
    newest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(newest < 0, 0.0, values[newest])


def _figures(
    course: Course,
    returns: Floats,
    exposure: Floats,
    trips: Sequence[RoundTrip],
    turnover: float | None,
) -> Figures:
    trades = trade_statistics(trips)
    has_years = len(returns) >= metrics.MIN_SESSIONS_FOR_CAGR
    fees = [activity.amount_usd for activity in course.activities if activity.kind in FEE_KINDS]
    dividends = [activity.amount_usd for activity in course.activities if activity.kind is ActivityKind.DIVIDEND]
    return Figures(
        final_equity_usd=course.equity_usd[-1],
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
        fills=len(course.fills),
        denied=sum(count for (_, _, outcome), count in course.refusals.items() if outcome == Outcome.DENIED),
        trades=trades.closed,
        win_rate_pct=_percent(trades.win_rate),
        profit_factor=trades.profit_factor,
        fees_usd=-sum(fees, ZERO),
        dividends_usd=sum(dividends, ZERO),
    )


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio
