"""Figures and memberships as a view offers them: what was known at a bar's close, not what is known today."""

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from trading_assets.domain.market.fundamentals import Statement
from trading_assets.domain.market.universe import Membership
from trading_assets.domain.strategy.facts import FIGURE_COLUMNS, Facts, Figure, known_amounts, membership
from trading_assets.domain.strategy.strategy import UndeclaredIndicatorError, View

INCOME = Figure(Statement.INCOME, "Net Income", 3)
CLOSES = [datetime(2020, 5, day, 20, tzinfo=UTC) for day in (4, 5, 6, 7)]
BARS = pd.DataFrame(
    {
        "symbol": ["A"] * 4 + ["B"] * 4,
        "ts": CLOSES * 2,
        "closes_at": CLOSES * 2,
        "session_date": [close.date() for close in CLOSES] * 2,
    }
)


def reported(*rows: tuple[str, date, int, float, datetime]) -> pd.DataFrame:
    return pd.DataFrame(
        [(symbol, "income", "Net Income", 3, *facts) for symbol, *facts in rows], columns=list(FIGURE_COLUMNS)
    )


MARCH, DECEMBER = date(2020, 3, 31), date(2019, 12, 31)


def test_figure_counts_from_the_close_at_which_it_is_known_and_a_restatement_from_its_own():
    figures = reported(("A", MARCH, 1, 10.0, CLOSES[1]), ("A", MARCH, 2, 11.0, CLOSES[3]))
    np.testing.assert_array_equal(known_amounts(figures, INCOME, BARS), [np.nan, 10, 10, 11] + [np.nan] * 4)


def test_figure_of_an_older_period_that_is_restated_does_not_hide_the_newer_period():
    figures = reported(
        ("B", DECEMBER, 1, 5.0, CLOSES[0]), ("B", MARCH, 1, 6.0, CLOSES[1]), ("B", DECEMBER, 2, 7.0, CLOSES[2])
    )
    np.testing.assert_array_equal(known_amounts(figures, INCOME, BARS)[4:], [5, 6, 6, 6])


def test_figure_of_another_line_or_period_length_is_not_taken():
    figures = reported(("A", MARCH, 1, 10.0, CLOSES[0]))
    assert np.isnan(known_amounts(figures, Figure(Statement.INCOME, "Net Income", 12), BARS)).all()
    assert np.isnan(known_amounts(None, INCOME, BARS)).all()


def test_membership_covers_both_its_ends_and_everybody_without_a_list():
    members = [Membership("A", date(2020, 5, 5), date(2020, 5, 6)), Membership("B", date(2020, 5, 7))]
    assert membership(members, BARS).tolist() == [False, True, True, False, False, False, False, True]
    assert membership(None, BARS).all()


def test_view_offers_declared_figures_only():
    values = pd.DataFrame(index=BARS.index)
    facts = Facts(reported(("A", MARCH, 1, 10.0, CLOSES[0])), [Membership("A", date(2020, 1, 1))])
    view = View("Strategy 'x'", BARS, values, (), facts, (INCOME,))
    assert view.figure(INCOME)[0] == 10
    assert view.is_member().tolist() == [True] * 4 + [False] * 4
    with pytest.raises(UndeclaredIndicatorError, match="add it to what figures"):
        view.figure(Figure(Statement.INCOME, "Revenue", 3))
