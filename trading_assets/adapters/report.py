"""One account's report as a single HTML file: figures counted by the domain, drawn here. No request leaves the file.

The same data give the same bytes: nothing in it depends on when or where it was made.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_assets.domain.performance import metrics
from trading_assets.domain.performance.returns import Floats, drawdown_table, drawdowns, growth
from trading_assets.domain.performance.round_trips import RoundTrip, TradeStatistics, trade_statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("report.html.j2")
INK, MUTED, GRID, PAPER = "#16202c", "#66717f", "#e4e8ed", "#ffffff"
BLUE, ORANGE, RED = "#0b5394", "#d98200", "#b23a0e"
STRATEGY_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
FONTS = ["Inter", "Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"]
ROLLING_SESSIONS = 126
LISTED_TRIPS = 40
LISTED_DRAWDOWNS = 5
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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


def render(data: ReportData) -> str:
    """The report as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"pct": percent, "usd": dollars, "num": number, "shares": shares}
    statistics = trade_statistics(data.round_trips)
    largest = sorted((t for t in data.round_trips if not t.is_open), key=lambda t: -abs(t.net_pnl_usd))[:LISTED_TRIPS]
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        data=data,
        first=data.sessions[0],
        last=data.sessions[-1],
        headline=_headline(data),
        metric_groups=_metric_groups(data, statistics),
        equity_chart=_svg(_equity_figure, data, "equity"),
        sharpe_chart=_svg(_rolling_sharpe_figure, data, "sharpe"),
        exposure_chart=_svg(_exposure_figure, data, "exposure"),
        strategy_chart=_svg(_strategy_figure, data, "strategies") if data.strategy_profit_usd else "",
        strategies=_strategy_rows(data),
        months=MONTHS,
        years=_monthly_rows(data.sessions, data.returns),
        drawdowns=drawdown_table(data.sessions, data.returns)[:LISTED_DRAWDOWNS],
        trips=sorted(largest, key=lambda trip: (trip.opened_at, trip.strategy, trip.symbol)),
        open_trips=[trip for trip in data.round_trips if trip.is_open],
        statistics=statistics,
    )


def preview(data: ReportData) -> str:
    """A few figures and the equity curve as Markdown, small enough for an event log."""
    buffer = io.BytesIO()
    with _style("preview"):
        figure = _equity_figure(data)
        figure.set_size_inches(6.4, 3.2)
        figure.savefig(buffer, format="png", dpi=80)
    image = base64.b64encode(buffer.getvalue()).decode()
    cells = [(tile["label"], tile["value"]) for tile in _headline(data)]
    header, values = (" | ".join(cell[n] for cell in cells) for n in (0, 1))
    return (
        f"| {header} |\n|{'---:|' * len(cells)}\n| {values} |\n\n![Growth of one dollar](data:image/png;base64,{image})"
    )


# Numbers as text -----------------------------------------------------------------------------------


def percent(ratio: float | None, places: int = 2, sign: bool = False) -> str:
    return "–" if ratio is None or np.isnan(ratio) else _minus(f"{ratio * 100:{'+' if sign else ''},.{places}f} %")


def dollars(amount: Any, places: int = 0, sign: bool = False) -> str:
    if amount is None:
        return "–"
    prefix = "−" if round(float(amount), places) < 0 else "+" if sign and amount > 0 else ""
    return f"{prefix}${abs(float(amount)):,.{places}f}"


def number(value: float | None, places: int = 2) -> str:
    return "–" if value is None or np.isnan(value) else _minus(f"{value:,.{places}f}")


def shares(quantity: Any) -> str:
    return f"{float(quantity):,.4f}".rstrip("0").rstrip(".")


def _minus(text: str) -> str:
    """With a real minus sign, and none before a number that is rounded to zero."""
    is_zero = not any(digit in text for digit in "123456789")
    return text.lstrip("-+") if is_zero else text.replace("-", "−")


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
                ("Regulatory fees", dollars(data.fees_usd, 2), ""),
            ],
        ),
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
                "colour": STRATEGY_COLOURS[number_ % len(STRATEGY_COLOURS)],
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
        rows.append({"year": year, "cells": [(cell, _shade(cell, widest)) for cell in cells], "whole": whole})
    return rows


def _shade(value: float | None, widest: float) -> str:
    """Blue for gains and orange-red for losses: told apart with any colour vision."""
    if value is None:
        return "transparent"
    strength = 0.06 + 0.54 * min(abs(value) / widest, 1.0)
    return f"rgba({'11,83,148' if value >= 0 else '196,78,22'},{strength:.3f})"


# Charts ----------------------------------------------------------------------------------------------


def _style(salt: str) -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    return mpl.rc_context(
        {
            "font.family": "sans-serif",
            "font.sans-serif": FONTS,
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": salt,
            "text.color": INK,
            "axes.labelcolor": MUTED,
            "axes.edgecolor": GRID,
            "axes.facecolor": PAPER,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.spines.left": False,
            "axes.unicode_minus": True,
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.major.size": 3,
            "ytick.major.size": 0,
            "lines.linewidth": 1.5,
            "lines.solid_joinstyle": "round",
            "figure.facecolor": PAPER,
            "legend.frameon": False,
        }
    )


def _svg(draw: Callable[[ReportData], Figure], data: ReportData, name: str) -> Any:
    """The figure as inline SVG that scales with its column."""
    import re

    from markupsafe import Markup

    buffer = io.StringIO()
    with _style(name):
        draw(data).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1), count=1
    )
    return Markup(svg)  # noqa: S704  made by matplotlib from numbers and escaped names


def _axes(width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(**options)


def _time_axis(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.margins(x=0.01)


def _label_end(axes: Axes, data: ReportData, series: Floats, text: str, colour: str, shift: float = 0) -> None:
    axes.annotate(
        text, (data.sessions[-1], float(series[-1])), xytext=(6, shift), textcoords="offset points",
        color=colour, va="center", fontsize=9, fontweight="semibold", annotation_clip=False,
    )  # fmt: skip


def _equity_figure(data: ReportData) -> Figure:
    figure, (upper, lower) = _axes(11, 5.2, nrows=2, sharex=True, height_ratios=(2.4, 1))
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
    _percent_axis(lower)
    _time_axis(lower)
    return figure


def _percent_axis(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: _minus(f"{value:,.4g} %"))


def _rolling_sharpe_figure(data: ReportData) -> Figure:
    figure, axes = _axes(5.4, 2.5)
    window = min(ROLLING_SESSIONS, max(len(data.sessions) // 3, 2))
    axes.plot(data.sessions, metrics.rolling_sharpe(data.benchmark_returns, window), color=ORANGE, linewidth=0.9)
    axes.plot(data.sessions, metrics.rolling_sharpe(data.returns, window), color=BLUE)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel(f"Sharpe, {window} sessions")
    _time_axis(axes)
    return figure


def _exposure_figure(data: ReportData) -> Figure:
    figure, axes = _axes(5.4, 2.5)
    axes.fill_between(data.sessions, data.exposure * 100, 0, color=BLUE, alpha=0.22, linewidth=0, step="mid")
    axes.plot(data.sessions, data.exposure * 100, color=BLUE, linewidth=0.9, drawstyle="steps-mid")
    axes.set_ylabel("Gross exposure / equity")
    axes.set_ylim(bottom=0)
    _percent_axis(axes)
    _time_axis(axes)
    return figure


def _strategy_figure(data: ReportData) -> Figure:
    figure, axes = _axes(11, 2.7)
    ends = sorted(data.strategy_profit_usd, key=lambda name: data.strategy_profit_usd[name][-1])
    for number_, (name, profit) in enumerate(data.strategy_profit_usd.items()):
        colour = STRATEGY_COLOURS[number_ % len(STRATEGY_COLOURS)]
        axes.plot(data.sessions, profit, color=colour)
        _label_end(axes, data, profit, name, colour, 9 * (ends.index(name) - (len(ends) - 1) / 2))
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel("Cumulative profit")
    axes.yaxis.set_major_formatter(lambda value, _: dollars(value))
    _time_axis(axes)
    return figure
