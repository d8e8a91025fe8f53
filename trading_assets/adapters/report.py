"""The report of an account or a backtest as a single HTML file: figures counted by the domain, drawn here.

The same data give the same bytes: nothing in it depends on when or where it was made.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_assets.adapters import report_value_at_risk as value_at_risk
from trading_assets.adapters.report_style import (
    BLUE,
    MUTED,
    ORANGE,
    SERIES_COLOURS,
    chart_style,
    dollars,
    new_axes,
    number,
    page_template,
    percent,
    percent_axis,
    shade,
    svg,
    time_axis,
)
from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import Floats, drawdown_table, drawdowns, growth
from trading_assets.domain.performance.round_trips import RoundTrip, TradeStatistics, trade_statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROLLING_SESSIONS = 126
LISTED_TRIPS = 40
LISTED_DRAWDOWNS = 5
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


CONVINCING = 0.95


@dataclass(frozen=True)
class StrategyFacts:
    """Which code traded, and with what."""

    name: str
    version: str
    source_sha256: str
    timeframe: str
    capital_weight: float
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class BacktestFacts:
    """What makes a backtest another one, and what it is worth as one of `tried` configurations of its strategies.

    `overrides` are what differs from trading.yaml. `psr` and `deflated_sharpe` are probabilities. `slippage_usd` is
    what the fills would have lost to slippage if all had been at the market.
    """

    name: str
    backtest_id: str
    data_hash: str
    strategies: Sequence[StrategyFacts]
    overrides: Mapping[str, Any]
    tried: int
    psr: float | None
    deflated_sharpe: float | None
    slippage_bps: float
    slippage_usd: float


@dataclass(frozen=True)
class ReportData:
    """What a report shows. Arrays have one element a session; returns are ratios, exposure is gross value over equity.

    `strategy_profit_usd` is cumulative, before fees. `benchmark_returns` are those of buying and holding the universe.
    """

    account_id: str
    broker: str
    fingerprint: str
    universe: Sequence[str]
    is_survivorship_biased: bool
    sessions: Sequence[date]
    equity_usd: Floats
    flows_usd: Floats
    returns: Floats
    benchmark_returns: Floats
    exposure: Floats
    strategy_profit_usd: Mapping[str, Floats]
    round_trips: Sequence[RoundTrip]
    denials: Sequence[Any]
    bought_usd: float
    sold_usd: float
    fees_usd: float
    dividends_usd: float
    backtest: BacktestFacts | None = None
    var_forecasts: value_at_risk.VarForecasts | None = None


def render(data: ReportData) -> str:
    """The report as HTML."""
    statistics = trade_statistics(data.round_trips)
    largest = sorted((t for t in data.round_trips if not t.is_open), key=lambda t: -abs(t.net_pnl_usd))[:LISTED_TRIPS]
    return page_template("report.html.j2").render(
        data=data,
        first=data.sessions[0],
        last=data.sessions[-1],
        headline=_headline(data),
        metric_groups=_metric_groups(data, statistics),
        equity_chart=svg(partial(_equity_figure, data), "equity"),
        sharpe_chart=svg(partial(_rolling_sharpe_figure, data), "sharpe"),
        exposure_chart=svg(partial(_exposure_figure, data), "exposure"),
        strategy_chart=svg(partial(_strategy_figure, data), "strategies") if data.strategy_profit_usd else "",
        strategies=_strategy_rows(data),
        months=MONTHS,
        years=_monthly_rows(data.sessions, data.returns),
        drawdowns=drawdown_table(data.sessions, data.returns)[:LISTED_DRAWDOWNS],
        trips=sorted(largest, key=lambda trip: (trip.opened_at, trip.strategy, trip.symbol)),
        open_trips=[trip for trip in data.round_trips if trip.is_open],
        statistics=statistics,
        **_value_at_risk(data),
        is_convincing=(_worth(data) or 0.0) >= CONVINCING,
        worth=_worth(data),
    )


def _value_at_risk(data: ReportData) -> dict[str, Any]:
    forecasts = data.var_forecasts
    if forecasts is None or not forecasts.has_any:
        return {"var_chart": "", "var_rows": []}
    return {
        "var_chart": value_at_risk.chart(data.sessions, data.returns, forecasts),
        "var_rows": value_at_risk.rows(data.returns, forecasts),
    }


def _worth(data: ReportData) -> float | None:
    """The probability that the Sharpe ratio is no luck: of one trial above 0, of many above the best of luck."""
    one = data.backtest
    return None if one is None else one.psr if one.tried < 2 else one.deflated_sharpe


def preview(data: ReportData) -> str:
    """A few figures and the equity curve as Markdown, small enough for an event log."""
    buffer = io.BytesIO()
    with chart_style("preview"):
        figure = _equity_figure(data)
        figure.set_size_inches(6.4, 3.2)
        figure.savefig(buffer, format="png", dpi=80)
    image = base64.b64encode(buffer.getvalue()).decode()
    cells = [(tile["label"], tile["value"]) for tile in _headline(data)]
    header, values = (" | ".join(cell[n] for cell in cells) for n in (0, 1))
    return (
        f"| {header} |\n|{'---:|' * len(cells)}\n| {values} |\n\n![Growth of one dollar](data:image/png;base64,{image})"
    )


# Tables ----------------------------------------------------------------------------------------------


def _headline(data: ReportData) -> list[dict[str, str]]:
    total, benchmark = metrics.total_return(data.returns), metrics.total_return(data.benchmark_returns)
    profit = float(data.equity_usd[-1] - data.flows_usd.sum())
    return [
        {"label": "Equity", "value": dollars(data.equity_usd[-1]), "note": f"{dollars(profit, sign=True)} net profit"},
        {"label": "Total return", "value": percent(total), "note": f"buy and hold {percent(benchmark)}"},
        {"label": "CAGR", "value": percent(_cagr(data.returns)), "note": f"{len(data.sessions):,} sessions"},
        {
            "label": "Volatility",
            "value": percent(metrics.volatility(data.returns)),
            "note": f"buy and hold {percent(metrics.volatility(data.benchmark_returns))}",
        },
        {
            "label": "Sharpe ratio",
            "value": number(metrics.sharpe(data.returns)),
            "note": f"buy and hold {number(metrics.sharpe(data.benchmark_returns))}",
        },
        {
            "label": "Max drawdown",
            "value": percent(metrics.max_drawdown(data.returns)),
            "note": f"buy and hold {percent(metrics.max_drawdown(data.benchmark_returns))}",
        },
    ]


def _cagr(returns: Floats) -> float | None:
    return metrics.cagr(returns) if len(returns) >= metrics.MIN_SESSIONS_FOR_CAGR else None


def _metric_groups(data: ReportData, trades: TradeStatistics) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Heading and rows of (name, portfolio, benchmark)."""
    mine, theirs = data.returns, data.benchmark_returns
    relative = metrics.relative_to(mine, theirs)

    def both(name: str, metric: Callable[[Floats], float | None], form: Callable[[Any], str]) -> tuple[str, str, str]:
        return name, form(metric(mine)), form(metric(theirs))

    return [
        (
            "Return",
            [
                both("Total return", metrics.total_return, percent),
                both("CAGR", _cagr, percent),
                both("Best session", lambda r: float(r.max()), percent),
                both("Worst session", lambda r: float(r.min()), percent),
                both("Winning sessions", lambda r: float((r > 0).mean()), percent),
            ],
        ),
        (
            "Risk",
            [
                both("Volatility, a year", metrics.volatility, percent),
                both("Downside risk, a year", metrics.downside_risk, percent),
                both("Max drawdown", metrics.max_drawdown, percent),
                both("VaR 95 %, a session", metrics.value_at_risk, percent),
                both("CVaR 95 %, a session", metrics.conditional_value_at_risk, percent),
                both("Skew", metrics.skew, number),
                both("Kurtosis", metrics.kurtosis, number),
            ],
        ),
        (
            "Return for risk",
            [
                both("Sharpe ratio", metrics.sharpe, number),
                both("Sortino ratio", metrics.sortino, number),
                both("Calmar ratio", metrics.calmar, number),
                both("Omega ratio", metrics.omega, number),
                both("Tail ratio", metrics.tail_ratio, number),
                both("Probability that Sharpe > 0", metrics.probabilistic_sharpe, percent),
            ],
        ),
        (
            "Against buy and hold",
            [
                ("Beta", number(relative.beta if relative else None), ""),
                ("Alpha, a year", percent(relative.alpha if relative else None), ""),
                ("Tracking error, a year", percent(relative.tracking_error if relative else None), ""),
                ("Information ratio", number(relative.information_ratio if relative else None), ""),
            ],
        ),
        (
            "Trading",
            [
                ("Average exposure", percent(float(data.exposure.mean())), ""),
                ("Time in the market", percent(float((data.exposure > 0).mean())), ""),
                ("Turnover, a year", _times(metrics.turnover(data.bought_usd, data.sold_usd, data.equity_usd)), ""),
                ("Round trips closed", f"{trades.closed:,}", ""),
                ("Win rate", percent(trades.win_rate), ""),
                ("Profit factor", number(trades.profit_factor), ""),
                ("Payoff ratio", number(trades.payoff), ""),
                ("Expectancy a trade", dollars(trades.expectancy_usd, 2), ""),
                ("Longest winning / losing streak", f"{trades.longest_win_streak} / {trades.longest_loss_streak}", ""),
                ("Dividends", dollars(data.dividends_usd, 2), ""),
                *([] if data.backtest else [("Regulatory fees", dollars(data.fees_usd, 2), "")]),
            ],
        ),
        *([("Cost", _cost_rows(data, data.backtest))] if data.backtest else []),
    ]


def _cost_rows(data: ReportData, backtest: BacktestFacts) -> list[tuple[str, str, str]]:
    cost, years = data.fees_usd + backtest.slippage_usd, len(data.sessions) / metrics.SESSIONS_A_YEAR
    return [
        ("Bought", dollars(data.bought_usd), ""),
        ("Sold", dollars(data.sold_usd), ""),
        ("Regulatory fees", dollars(data.fees_usd, 2), ""),
        (f"Slippage, at most ({backtest.slippage_bps:g} bps)", dollars(backtest.slippage_usd, 2), ""),
        ("Cost of mean equity, a year", percent(cost / years / float(data.equity_usd.mean())), ""),
    ]


def _times(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}×"


def _strategy_rows(data: ReportData) -> list[dict[str, Any]]:
    rows = []
    for number_, (name, profit) in enumerate(data.strategy_profit_usd.items()):
        own = [trip for trip in data.round_trips if trip.strategy == name]
        rows.append(
            {
                "name": name,
                "colour": SERIES_COLOURS[number_ % len(SERIES_COLOURS)],
                "profit_usd": float(profit[-1]),
                "share": float(profit[-1]) / float(data.flows_usd.sum()) if data.flows_usd.sum() > 0 else None,
                "statistics": trade_statistics(own),
            }
        )
    return rows


def _monthly_rows(sessions: Sequence[date], returns: Floats) -> list[dict[str, Any]]:
    """One row a year: the compounded return of each month (None without a session) with its shade, and the year's."""
    months: dict[tuple[int, int], float] = {}
    for day, value in zip(sessions, returns.tolist(), strict=True):
        months[day.year, day.month] = (1 + months.get((day.year, day.month), 0.0)) * (1 + value) - 1
    widest = max((abs(value) for value in months.values()), default=0.0) or 1.0
    rows = []
    for year in sorted({year for year, _ in months}):
        cells = [months.get((year, month)) for month in range(1, 13)]
        whole = float(np.prod([1 + cell for cell in cells if cell is not None]) - 1)
        rows.append({"year": year, "cells": [(cell, shade(cell, widest)) for cell in cells], "whole": whole})
    return rows


# Charts ----------------------------------------------------------------------------------------------


def _label_end(axes: Axes, data: ReportData, series: Floats, text: str, colour: str, shift: float = 0) -> None:
    axes.annotate(
        text, (data.sessions[-1], float(series[-1])), xytext=(6, shift), textcoords="offset points",
        color=colour, va="center", fontsize=9, fontweight="bold", annotation_clip=False,
    )  # fmt: skip


def _equity_figure(data: ReportData) -> Figure:
    figure, (upper, lower) = new_axes(11, 5.2, nrows=2, sharex=True, height_ratios=(2.4, 1))
    mine, theirs = growth(data.returns), growth(data.benchmark_returns)
    upper.plot(data.sessions, theirs, color=ORANGE, linewidth=1.1)
    upper.plot(data.sessions, mine, color=BLUE, linewidth=1.9)
    upper.axhline(1, color=MUTED, linewidth=0.7)
    gap = 7 if abs(mine[-1] - theirs[-1]) < 0.06 * float(np.ptp(np.concatenate((mine, theirs)))) else 0
    above = 1 if mine[-1] >= theirs[-1] else -1
    _label_end(upper, data, mine, "Portfolio", BLUE, gap * above)
    _label_end(upper, data, theirs, "Buy and hold", ORANGE, -gap * above)
    upper.set_ylabel("Growth of $1")
    upper.yaxis.set_major_formatter(lambda value, _: f"${value:,.2f}")
    lower.plot(data.sessions, drawdowns(data.benchmark_returns) * 100, color=ORANGE, linewidth=0.9)
    lower.fill_between(data.sessions, drawdowns(data.returns) * 100, 0, color=BLUE, alpha=0.22, linewidth=0)
    lower.plot(data.sessions, drawdowns(data.returns) * 100, color=BLUE, linewidth=1.1)
    lower.set_ylabel("Drawdown")
    percent_axis(lower)
    time_axis(lower)
    return figure


def _rolling_sharpe_figure(data: ReportData) -> Figure:
    figure, axes = new_axes(5.4, 2.5)
    window = min(ROLLING_SESSIONS, max(len(data.sessions) // 3, 2))
    axes.plot(data.sessions, metrics.rolling_sharpe(data.benchmark_returns, window), color=ORANGE, linewidth=0.9)
    axes.plot(data.sessions, metrics.rolling_sharpe(data.returns, window), color=BLUE)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel(f"Sharpe, {window} sessions")
    time_axis(axes)
    return figure


def _exposure_figure(data: ReportData) -> Figure:
    figure, axes = new_axes(5.4, 2.5)
    axes.fill_between(data.sessions, data.exposure * 100, 0, color=BLUE, alpha=0.22, linewidth=0, step="mid")
    axes.plot(data.sessions, data.exposure * 100, color=BLUE, linewidth=0.9, drawstyle="steps-mid")
    axes.set_ylabel("Gross exposure / equity")
    axes.set_ylim(bottom=0)
    percent_axis(axes)
    time_axis(axes)
    return figure


def _strategy_figure(data: ReportData) -> Figure:
    figure, axes = new_axes(11, 2.7)
    ends = sorted(data.strategy_profit_usd, key=lambda name: data.strategy_profit_usd[name][-1])
    for number_, (name, profit) in enumerate(data.strategy_profit_usd.items()):
        colour = SERIES_COLOURS[number_ % len(SERIES_COLOURS)]
        axes.plot(data.sessions, profit, color=colour)
        _label_end(axes, data, profit, name, colour, 9 * (ends.index(name) - (len(ends) - 1) / 2))
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel("Cumulative profit")
    axes.yaxis.set_major_formatter(lambda value, _: dollars(value))
    time_axis(axes)
    return figure
