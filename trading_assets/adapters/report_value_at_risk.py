"""The report's section on value at risk: what was forecast at each close, and the session that came after it.

How often a forecast may fail is judged in domain/performance/var_back_test.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_assets.adapters.report_style import BLUE, MUTED, ORANGE, RED, new_axes, percent_axis, svg, time_axis
from trading_assets.domain.performance.returns import Floats
from trading_assets.domain.performance.var_back_test import BackTestVerdict, VarBackTest, back_test, exceptions
from trading_assets.domain.risk.value_at_risk import TAIL_95, TAIL_99

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BAR_GREY = "#c3cad2"
VERDICTS = {
    BackTestVerdict.PLAUSIBLE: "as forecast",
    BackTestVerdict.TOO_MANY: "too many: risk is underestimated",
    BackTestVerdict.TOO_FEW: "too few: risk is overestimated",
    BackTestVerdict.UNTESTED: "no forecast yet",
}


@dataclass(frozen=True)
class VarForecasts:
    """Value at risk for each session, as a return (a loss is negative): made at the close before it, NaN where none."""

    historical_95: Floats
    historical_99: Floats
    parametric_95: Floats
    parametric_99: Floats

    @classmethod
    def of(cls, sessions: Sequence[date], measured: Mapping[date, Sequence[float]]) -> VarForecasts:
        """From what was measured at the close of each session: historical 95 and 99, parametric 95 and 99."""
        nothing = (np.nan,) * 4
        before = [measured.get(day, nothing) for day in sessions[:-1]]
        return cls(*np.array([nothing, *before], dtype=np.float64).T)

    @property
    def has_any(self) -> bool:
        return bool((np.isfinite(self.historical_95) & (self.historical_95 != 0)).any())


def chart(sessions: Sequence[date], returns: Floats, forecasts: VarForecasts) -> Any:
    """Every session's return against its forecasts, exceptions marked; from the first forecast on."""
    var_95, var_99 = (np.where(made == 0, np.nan, made) for made in (forecasts.historical_95, forecasts.historical_99))
    first = int(np.argmax(np.isfinite(var_95)))
    return svg(partial(_figure, sessions[first:], returns[first:], var_95[first:], var_99[first:]), "value-at-risk")


def rows(returns: Floats, forecasts: VarForecasts) -> list[tuple[str, VarBackTest, str]]:
    """Name of each forecast, its back-test, and the verdict in words."""
    judged = [
        ("Historical 95 %", back_test(returns, forecasts.historical_95, TAIL_95)),
        ("Historical 99 %", back_test(returns, forecasts.historical_99, TAIL_99)),
        ("Parametric 95 %", back_test(returns, forecasts.parametric_95, TAIL_95)),
        ("Parametric 99 %", back_test(returns, forecasts.parametric_99, TAIL_99)),
    ]
    return [(name, test, VERDICTS[test.verdict]) for name, test in judged]


def _figure(sessions: Sequence[date], returns: Floats, var_95: Floats, var_99: Floats) -> Figure:
    figure, axes = new_axes(11, 3.1)
    days = np.array(sessions, dtype="datetime64[D]")
    is_99 = exceptions(returns, var_99)
    only_95 = exceptions(returns, var_95) & ~is_99
    axes.vlines(days, 0, returns * 100, color=BAR_GREY, linewidth=0.9)
    axes.axhline(0, color=MUTED, linewidth=0.7)
    axes.plot(days, var_95 * 100, color=BLUE, linewidth=1.3, drawstyle="steps-mid")
    axes.plot(days, var_99 * 100, color=RED, linewidth=1.1, drawstyle="steps-mid")
    axes.scatter(days[only_95], returns[only_95] * 100, s=16, color=ORANGE, zorder=3, linewidths=0)
    axes.scatter(days[is_99], returns[is_99] * 100, s=20, color=RED, zorder=3, linewidths=0)
    axes.set_ylabel("Return of the session")
    percent_axis(axes)
    time_axis(axes)
    return figure
