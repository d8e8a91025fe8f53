"""The risk page: one self-contained HTML file with each limit and how near it is, what stops trading, and the book.

What a figure means belongs to domain/risk; how pages look, to report_style.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.postgres.risk_overview import LimitStanding, RiskOverview
from trading_assets.adapters.report_style import (
    BLUE,
    MUTED,
    ORANGE,
    RED,
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
from trading_assets.domain.risk.alerts import AlertState
from trading_assets.domain.risk.breakers import Breaker, BreakerAction
from trading_assets.domain.risk.trading_states import Scope, tightest
from trading_assets.domain.risk.verdicts import TradingState

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STALE_AFTER = timedelta(days=4)
"""A long weekend: prices that are older are pointed out."""

TITLES = {
    "stop_all_drawdown": "Drawdown, stops trading",
    "stop_new_daily_loss": "Loss of the session, stops new positions",
    "stop_all_daily_loss": "Loss of the session, stops trading",
    "max_gross_exposure": "Gross exposure",
    "max_net_exposure": "Net exposure",
    "max_beta_exposure": "Beta-weighted exposure",
    "max_position": "Largest position",
    "max_sector_exposure": "Largest sector",
    "max_stress_loss": "Worst stress scenario",
    "max_value_at_risk": "Value at risk 95 %",
}
STATE_WORDS = {
    TradingState.ACTIVE: "Trading is active",
    TradingState.REDUCING: "Only orders that reduce a position pass",
    TradingState.HALTED: "Trading is halted",
}
ALERT_WORDS = {
    AlertState.CLEAR: "clear",
    AlertState.WARNING: "near",
    AlertState.BREACHED: "reached",
    AlertState.UNKNOWN: "unknown",
}


def render(overview: RiskOverview, actions: Mapping[str, BreakerAction]) -> str:
    """The page as HTML. `actions`: what the configured breakers do when they trip."""
    newest = overview.newest
    return page_template("risk_page.html.j2").render(
        page=overview,
        newest=newest,
        state=account_state(overview, actions),
        state_words=STATE_WORDS[account_state(overview, actions)],
        blocks=_blocks(overview, actions),
        headline=_headline(overview),
        limits=[_limit_row(one) for one in overview.limits],
        positions=_position_rows(overview),
        tails=_tail_rows(overview),
        matrix=_matrix(overview.correlations),
        age=None if newest is None else age(overview.now - newest.at),
        price_age=None if newest is None else age(overview.now - newest.marked_at),
        is_stale=newest is not None and overview.now - newest.marked_at > STALE_AFTER,
        tail_chart=svg(partial(_tail_figure, overview), "risk-tail") if _has_history(overview) else "",
        exposure_chart=svg(partial(_exposure_figure, overview), "risk-exposure") if _has_history(overview) else "",
        moment=moment,
    )


def summary(overview: RiskOverview, actions: Mapping[str, BreakerAction]) -> str:
    """A few figures as Markdown, for the event log."""
    lines = [
        f"**{STATE_WORDS[account_state(overview, actions)]}.**",
        *(f"- {block}" for block in _blocks(overview, actions)),
    ]
    lines += ["", "| limit | value | limit | used | state |", "|---|---:|---:|---:|---|"]
    lines += [
        f"| {row['title']} | {row['value']} | {row['limit']} | {row['used_text']} | {row['state']} |"
        for row in map(_limit_row, overview.limits)
    ]
    return "\n".join(lines)


def account_state(overview: RiskOverview, actions: Mapping[str, BreakerAction]) -> TradingState:
    """The tightest of what persons declared for the account and of what its latched breakers lead to."""
    declared = [change.state for change in overview.states if change.scope is Scope.ACCOUNT]
    latched = [
        actions.get(event.breaker, BreakerAction.REDUCE).state
        for event in overview.breakers
        if event.breaker != Breaker.DAILY_LOSS
    ]
    return tightest(*declared, *latched)


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def age(span: timedelta) -> str:
    """How long ago, in the largest unit that makes sense."""
    seconds = max(int(span.total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


# Tables ----------------------------------------------------------------------------------------------


def _blocks(overview: RiskOverview, actions: Mapping[str, BreakerAction]) -> list[str]:
    """Everything that keeps orders back now, one line each, whoever or whatever did it."""
    lines = [
        f"{change.scope.value} {'(all)' if change.subject == '*' else change.subject} is {change.in_words} since "
        f"{moment(change.at)}, by {change.set_by}: {change.why}"
        for change in overview.states
    ]
    for event in overview.breakers:
        effect = "no new positions in this session"
        if event.breaker != Breaker.DAILY_LOSS:
            effect = STATE_WORDS[actions.get(event.breaker, BreakerAction.REDUCE).state].lower()
        cause = ", ".join(f"{name} {value}" for name, value in sorted(event.cause.items()))
        lines.append(f"breaker {event.breaker} tripped at {moment(event.at)}: {effect} ({cause})")
    return lines


def _headline(overview: RiskOverview) -> list[dict[str, str]]:
    newest = overview.newest
    if newest is None:
        return []
    equity = float(newest.equity_usd)
    effective = None if not newest.herfindahl else 1 / newest.herfindahl
    worst = min((profit for _, profit, _ in overview.stress if profit is not None), default=None)
    return [
        {
            "label": "Equity",
            "value": dollars(equity),
            "note": f"{newest.positions} position{'' if newest.positions == 1 else 's'}",
        },
        {
            "label": "Gross",
            "value": percent(_share(newest.gross_usd, equity), 1),
            "note": f"net {percent(_share(newest.net_usd, equity), 1)}",
        },
        {
            "label": "Beta",
            "value": number(newest.beta),
            "note": "to the benchmark" if newest.beta is not None else "too little history",
        },
        {
            "label": "VaR 95 %",
            "value": percent(_share(newest.var_95_usd, equity)),
            "note": f"CVaR {percent(_share(newest.cvar_95_usd, equity))}",
        },
        {"label": "Worst stress", "value": percent(_share(worst, equity), 1), "note": dollars(worst)},
        {
            "label": "Concentration",
            "value": number(newest.herfindahl),
            "note": f"as {number(effective, 1)} equal positions",
        },
    ]


def _share(amount: float | None, equity: float) -> float | None:
    return None if amount is None or equity <= 0 else amount / equity


def _limit_row(one: LimitStanding) -> dict[str, Any]:
    used = None if one.used is None else float(one.used)
    return {
        "title": TITLES.get(one.limit_name, one.limit_name),
        "name": one.limit_name,
        "value": "–" if one.value is None else percent(float(one.value)),
        "limit": percent(float(one.limit_value)),
        "used": used,
        "used_text": percent(used, 0),
        "headroom": percent(None if used is None else 1 - used, 0),
        "detail": one.missing or one.detail,
        "state": ALERT_WORDS[one.state],
        "class": one.state.value,
        "since": one.since,
        "checked_at": one.checked_at,
        "spark": _spark(one.used_before),
    }


def _spark(used: Sequence[float | None]) -> str:
    """Points of a polyline in a box of 100 x 20 that ends at the limit; what is unknown is left out."""
    known = [(place, min(max(value, 0.0), 1.0)) for place, value in enumerate(used) if value is not None]
    if len(known) < 2:
        return ""
    width = max(len(used) - 1, 1)
    return " ".join(f"{100 * place / width:.1f},{19 - 18 * value:.1f}" for place, value in known)


def _position_rows(overview: RiskOverview) -> list[dict[str, Any]]:
    newest = overview.newest
    if newest is None:
        return []
    widest = max((abs(one.component_var_95_usd or 0.0) for one in overview.positions), default=0.0) or 1.0
    return [
        {
            "one": one,
            "weight": _share(one.value_usd, float(newest.equity_usd)),
            "var_share": _ratio(one.component_var_95_usd, newest.parametric_var_95_usd),
            "cvar_share": _ratio(one.component_cvar_95_usd, newest.cvar_95_usd),
            "bar": 100 * abs(one.component_var_95_usd or 0.0) / widest,
            "hedges": (one.component_var_95_usd or 0.0) > 0,
        }
        for one in overview.positions
    ]


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _tail_rows(overview: RiskOverview) -> list[tuple[str, float | None, float | None]]:
    """Name, historical and parametric figure in USD."""
    newest = overview.newest
    if newest is None:
        return []
    return [
        ("VaR 95 %", newest.var_95_usd, newest.parametric_var_95_usd),
        ("CVaR 95 %", newest.cvar_95_usd, newest.parametric_cvar_95_usd),
        ("VaR 99 %", newest.var_99_usd, newest.parametric_var_99_usd),
        ("CVaR 99 %", newest.cvar_99_usd, newest.parametric_cvar_99_usd),
    ]


def _matrix(pairs: Sequence[tuple[str, str, float]]) -> list[tuple[str, list[tuple[float, str]]]]:
    """Rows of the correlation matrix: symbol and its (value, shade) with each symbol, in the order of names."""
    symbols = sorted({name for one, other, _ in pairs for name in (one, other)})
    known = {frozenset((one, other)): value for one, other, value in pairs}
    cells = [[1.0 if one == other else known[frozenset((one, other))] for other in symbols] for one in symbols]
    return [(symbol, [(value, shade(value, 1.0)) for value in row]) for symbol, row in zip(symbols, cells, strict=True)]


# Charts ----------------------------------------------------------------------------------------------


def _has_history(overview: RiskOverview) -> bool:
    return any(one.session_date != other.session_date for one, other in pairwise(overview.past))


def _tail_figure(overview: RiskOverview) -> Figure:
    figure, axes = new_axes(5.4, 2.4)
    days = [one.session_date for one in overview.past]
    for values, colour in (
        ([one.var_95 for one in overview.past], BLUE),
        ([one.var_99 for one in overview.past], RED),
    ):
        axes.plot(days, [float("nan") if value is None else value * 100 for value in values], color=colour)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel("VaR / equity")
    percent_axis(axes)
    time_axis(axes)
    return figure


def _exposure_figure(overview: RiskOverview) -> Figure:
    figure, axes = new_axes(5.4, 2.4)
    days = [one.session_date for one in overview.past]
    gross, net = ([100 * one.gross for one in overview.past], [100 * one.net for one in overview.past])
    axes.fill_between(days, gross, 0, color=BLUE, alpha=0.22, linewidth=0, step="mid")
    axes.plot(days, gross, color=BLUE, drawstyle="steps-mid")
    axes.plot(days, net, color=ORANGE, linewidth=1.1, linestyle=(0, (4, 2)), drawstyle="steps-mid")
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.set_ylabel("Exposure / equity")
    percent_axis(axes)
    time_axis(axes)
    return figure
