"""The summary of a life in the compiled loop: the same as of the object loop's journal."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal

import numpy as np

from trading_assets.domain.kernel.arrays import MILLION
from trading_assets.domain.kernel.records import (
    activities_of,
    deposit_of,
    equity_point,
    fills_of,
    verdicts_of,
)
from trading_assets.domain.kernel.run import Life
from trading_assets.domain.performance.summary import Course, Summary, summary_of
from trading_assets.domain.risk.verdicts import Outcome


def summary_of_life(life: Life, opening_cash_usd: Decimal) -> Summary:
    """`life` holds at least one session's end."""
    stretch = life.stretch
    session_of = stretch.market.session
    # The last moment of each session.
    last = np.flatnonzero(np.append(np.diff(session_of) > 0, True))
    points = [equity_point(life, int(moment), opening_cash_usd) for moment in last]
    is_over = stretch.market.closes_session[last]
    fills = list(fills_of(life))
    first: dict[str, date] = {}
    for fill in fills:
        first.setdefault(fill.strategy, fill.session_date)
    sessions = [point.session_date for point in points]
    profit = {}
    for row, (name, _) in enumerate(life.names.strategies):
        if name in first:
            has_traded = np.array([day >= first[name] for day in sessions])
            profit[name] = np.where(is_over & has_traded, life.log.profit[:, row] / MILLION, np.nan)
    refusals = Counter(
        (one.strategy, one.reason_codes[0].value, (Outcome.REDUCED if one.approved_qty else Outcome.DENIED).value)
        for one in verdicts_of(life)
        if one.reason_codes
    )
    return summary_of(
        Course(
            sessions=sessions,
            equity_usd=[point.equity_usd for point in points],
            flows_usd=[point.flows_usd for point in points],
            gross_usd=np.where(is_over, life.log.gross / MILLION, 0.0),
            profit_usd=profit,
            fills=fills,
            activities=[deposit_of(life, opening_cash_usd), *activities_of(life)],
            refusals=refusals,
        )
    )
