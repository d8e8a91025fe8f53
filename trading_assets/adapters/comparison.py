"""Backtests side by side as a single HTML page: their curves and figures, what differs, and what a search has found.

A page of many trials says first what the best of so many is worth. The same backtests give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_assets.adapters.postgres.stored_backtests import StoredBacktest, StoredSweep
from trading_assets.adapters.report import CONVINCING
from trading_assets.adapters.report_style import (
    BLUE,
    MUTED,
    ORANGE,
    SERIES_COLOURS,
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
from trading_assets.domain.performance.returns import drawdowns, growth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = len(SERIES_COLOURS)
MOST_LISTED = 50
LEAST_FOR_HISTOGRAM = 8


@dataclass(frozen=True)
class _Row:
    """A figure of each backtest as text; `best` is the place of the best one, if that can be said."""

    label: str
    cells: Sequence[str]
    best: int | None = None


def render_comparison(backtests: Sequence[StoredBacktest]) -> str:
    """Some backtests side by side, in the order given. At most DRAWN are drawn."""
    return _render(f"{len(backtests)} backtests side by side", backtests, backtests, None)


def render_sweep(sweep: StoredSweep) -> str:
    """The trials of a search, the best first, and what the best of so many is worth."""
    ranked = sorted(sweep.trials, key=lambda one: (-_sharpe(one), one.trial_no or 0))
    stitched = [sweep.out_of_sample] if sweep.out_of_sample else []
    return _render(f"Search: {sweep.name}", [*stitched, *ranked][:DRAWN], ranked, sweep)


def _render(
    title: str, shown: Sequence[StoredBacktest], ranked: Sequence[StoredBacktest], sweep: StoredSweep | None
) -> str:
    first, last = (edge(one.sessions[at] for one in shown) for edge, at in ((min, 0), (max, -1)))
    labels = [_label(one) for one in shown]
    parameters = list(sweep.parameters) if sweep else []
    return page_template("comparison.html.j2").render(
        title=title,
        first=first,
        last=last,
        is_survivorship_biased=any(one.is_survivorship_biased for one in shown),
        sweep=sweep,
        worth=(sweep.out_of_sample or ranked[0]) if sweep else None,
        convincing=CONVINCING,
        tried=len(sweep.trials) + sweep.earlier_trials if sweep else 0,
        names=list(zip(labels, [*SERIES_COLOURS, *[""] * len(shown)], strict=False)),
        curves=svg(partial(_curves, shown[:DRAWN]), "curves"),
        rows=_figure_rows(shown),
        differences=_differences(shown),
        heat_maps=_heat_maps(sweep) if sweep and len(parameters) == 2 else [],
        marginals=_marginals(sweep) if sweep and len(parameters) != 2 else [],
        histogram=_histogram(sweep) if sweep and len(sweep.trials) >= LEAST_FOR_HISTOGRAM else "",
        parameters=[_short(key) for key in parameters],
        trials=[(one, [_text(one.overrides.get(key)) for key in parameters]) for one in ranked[:MOST_LISTED]],
        left=max(len(ranked) - MOST_LISTED, 0),
    )


def _sharpe(one: StoredBacktest) -> float:
    return one.figures.sharpe or 0.0


def _label(one: StoredBacktest) -> str:
    return {"walk_forward": "walk-forward", "trial": f"trial {one.trial_no}"}.get(one.kind, one.name)


def _short(key: str) -> str:
    return key.removeprefix("strategies.").replace(".parameters.", ".")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# Tables ----------------------------------------------------------------------------------------------


def _figure_rows(shown: Sequence[StoredBacktest]) -> list[_Row]:
    def row(label: str, field: str, form: Callable[[Any], str], best: Callable[..., int] | None = None) -> _Row:
        values = [getattr(one.figures, field) for one in shown]
        known = [(value, at) for at, value in enumerate(values) if value is not None]
        is_told = best is not None and len({value for value, _ in known}) > 1
        return _Row(label, [form(value) for value in values], best(known)[1] if best and is_told else None)  # type: ignore[index]

    def of_hundred(value: float | None) -> str:
        return percent(None if value is None else value / 100)

    def whole(value: int) -> str:
        return f"{value:,}"

    is_deflated = any(one.deflated_sharpe is not None for one in shown)

    return [
        row("Total return", "total_return_pct", of_hundred, max),
        row("CAGR", "cagr_pct", of_hundred, max),
        row("Volatility, a year", "volatility_pct", of_hundred, min),
        row("Max drawdown", "max_drawdown_pct", of_hundred, max),
        row("Sharpe ratio", "sharpe", number, max),
        row("Probability that Sharpe > 0", "psr", percent, max),
        *([_Row("Deflated Sharpe ratio", [percent(one.deflated_sharpe) for one in shown])] if is_deflated else []),
        row("Sortino ratio", "sortino", number, max),
        row("Calmar ratio", "calmar", number, max),
        row("Average exposure", "exposure_pct", of_hundred),
        row("Turnover, a year", "turnover", lambda value: "–" if value is None else f"{value:.2f}×", min),
        row("Round trips closed", "trades", whole),
        row("Win rate", "win_rate_pct", of_hundred, max),
        row("Profit factor", "profit_factor", number, max),
        row("Fills", "fills", whole),
        row("Denied by risk", "denied", whole),
        row("Regulatory fees", "fees_usd", lambda value: dollars(value, 2), min),
        row("Equity at the end", "final_equity_usd", lambda value: dollars(value, 2), max),
        _Row("Sessions", [f"{len(one.sessions):,}" for one in shown]),
    ]


def _differences(shown: Sequence[StoredBacktest]) -> list[_Row]:
    """The settings, versions and sources in which not all agree."""
    flat = [
        {
            **_flattened(one.configuration),
            **{f"{name}, version": version for name, version in one.code_versions.items()},
            **{f"{name}, source": source[:16] for name, source in one.sources.items()},
            "sessions": f"{one.sessions[0]} to {one.sessions[-1]}",
        }
        for one in shown
    ]
    keys = dict.fromkeys(key for facts in flat for key in facts)
    rows = [_Row(_short(key), [_text(facts[key]) if key in facts else "–" for facts in flat]) for key in keys]
    return [row for row in rows if len(set(row.cells)) > 1]


def _flattened(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in sorted(content.items()):
        flat |= _flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _heat_maps(sweep: StoredSweep) -> list[dict[str, Any]]:
    """The grid of two parameters: rows of the first, columns of the second; what was not accepted is empty."""
    down, across = sweep.parameters
    by_place = {(_text(one.overrides[down]), _text(one.overrides[across])): one for one in sweep.trials}
    best = max(sweep.trials, key=_sharpe)

    def heat_map(
        name: str, value_of: Callable[[StoredBacktest], float], form: Callable[[float], str]
    ) -> dict[str, Any]:
        widest = max(abs(value_of(one)) for one in sweep.trials) or 1.0
        rows = []
        for row in map(_text, sweep.parameters[down]):
            cells = []
            for column in map(_text, sweep.parameters[across]):
                one = by_place.get((row, column))
                value = value_of(one) if one else None
                text = "" if value is None else form(value)
                cells.append({"text": text, "shade": shade(value, widest), "is_best": one is best})
            rows.append({"value": row, "cells": cells})
        columns = list(map(_text, sweep.parameters[across]))
        return {"name": name, "down": _short(down), "across": _short(across), "columns": columns, "rows": rows}

    return [
        heat_map("Sharpe ratio", _sharpe, number),
        heat_map("Max drawdown", lambda one: one.figures.max_drawdown_pct / 100, lambda value: percent(value, 1)),
    ]


def _marginals(sweep: StoredSweep) -> list[dict[str, Any]]:
    """Of each value of each parameter: how many trials had it, and their Sharpe ratios."""
    rows = []
    for key, values in sweep.parameters.items():
        for value in values:
            sharpes = [_sharpe(one) for one in sweep.trials if one.overrides[key] == value]
            if sharpes:
                facts = {"trials": len(sharpes), "worst": min(sharpes), "mean": float(np.mean(sharpes))}
                rows.append({"key": _short(key), "value": _text(value), **facts, "best": max(sharpes)})
    return rows


# Charts ----------------------------------------------------------------------------------------------


def _curves(drawn: Sequence[StoredBacktest]) -> Figure:
    figure, (upper, lower) = new_axes(11, 5.2, nrows=2, sharex=True, height_ratios=(2.4, 1))
    for one, colour in zip(drawn, SERIES_COLOURS, strict=False):
        upper.plot(one.sessions, growth(one.returns), color=colour, linewidth=1.3)
        lower.plot(one.sessions, drawdowns(one.returns) * 100, color=colour, linewidth=1.0)
    upper.axhline(1, color=MUTED, linewidth=0.7)
    upper.set_ylabel("Growth of $1")
    upper.yaxis.set_major_formatter(lambda value, _: f"${value:,.2f}")
    lower.set_ylabel("Drawdown")
    percent_axis(lower)
    time_axis(lower)
    return figure


def _histogram(sweep: StoredSweep) -> Any:
    sharpes = [_sharpe(one) for one in sweep.trials]
    luck = metrics.best_of_luck(len(sharpes), float(np.std(sharpes, ddof=1)))

    def draw() -> Figure:
        figure, axes = new_axes(11, 2.4)
        axes.hist(sharpes, bins=min(40, max(8, len(sharpes) // 3)), color=BLUE, alpha=0.55, linewidth=0)
        axes.axvline(luck, color=ORANGE, linewidth=1.6)
        note = f"best of these {len(sharpes)} by luck alone: {luck:.2f}"
        at = (luck, axes.get_ylim()[1] * 0.92)
        axes.annotate(note, at, xytext=(6, 0), textcoords="offset points", color=ORANGE, fontweight="bold")
        axes.set_xlabel("Sharpe ratio of a trial, a year")
        axes.set_ylabel("Trials")
        return figure

    return svg(draw, "histogram")
