"""What Yahoo's answers say about companies: lines of statements, facts, and what is set aside or refused."""

import json
import uuid
from datetime import date
from typing import Any

import pytest
from standins.yahoo_chart import figure, statement

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page
from trading_assets.adapters.yahoo_fundamentals import facts_in, figures_in
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement


def fetched(*bodies: Any) -> Fetch:
    pages = [Page(7 + number, "https://query2/x", json.dumps(body).encode()) for number, body in enumerate(bodies)]
    return Fetch(uuid.uuid4(), "yahoo", "financials", {"symbol": "X", "statement": "income"}, pages)


def test_lines_of_years_and_quarters_become_figures() -> None:
    body = statement(
        annualTotalRevenue=[figure("2023-09-30", 383e9), None, figure("2024-09-30", 391e9)],
        quarterlyTotalRevenue=[figure("2024-09-30", 95e9, "3M")],
        annualOperatingRevenue=None,
    )
    figures, quarantined = figures_in(fetched(body))
    assert quarantined == []
    line = ("X", Statement.INCOME, "TotalRevenue")
    assert figures == [
        ReportedFigure(*line, 12, date(2023, 9, 30), 383e9, "USD", 7),
        ReportedFigure(*line, 12, date(2024, 9, 30), 391e9, "USD", 7),
        ReportedFigure(*line, 3, date(2024, 9, 30), 95e9, "USD", 7),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (figure("30.9.2024", 1.0), "asOfDate"),
        (figure("2024-09-30", "1"), "reportedValue.raw"),
        (figure("2024-09-30", float("inf")), "reportedValue.raw"),
        (figure("2024-09-30", 1.0, "TTM"), "periodType: 'TTM' is none of 12M, 3M"),
        (figure("2023-09-30", 2.0), "TotalRevenue of 12 months to 2023-09-30 is there twice"),
        ("nothing", "Input should be a valid dictionary"),
    ],
)
def test_broken_line_is_set_aside_and_the_others_kept(row: Any, reason: str) -> None:
    figures, quarantined = figures_in(fetched(statement(annualTotalRevenue=[figure("2023-09-30", 1.0), row])))
    assert len(figures) == 1
    assert [(aside.section, aside.position) for aside in quarantined] == [("annualTotalRevenue", 1)]
    assert reason in quarantined[0].reason


@pytest.mark.parametrize("body", [{}, [], {"timeseries": {"result": None}}, {"timeseries": {"result": [{}]}}])
def test_answer_without_lines_is_refused(body: Any) -> None:
    with pytest.raises(ContractBroken, match="Nothing was stored"):
        figures_in(fetched(body))


def test_facts_are_flat_and_numbers_where_they_are_numbers() -> None:
    modules = {
        "defaultKeyStatistics": {"maxAge": 1, "beta": 1.2, "category": None, "lastSplitFactor": "4:1"},
        "recommendationTrend": {"trend": [{"period": "0m", "buy": 21}]},
        "calendarEvents": {"earnings": {"earningsDate": [1746010740], "isEarningsDateEstimate": True}},
        "quoteType": {"symbol": "X"},
    }
    assert facts_in(fetched({"quoteSummary": {"result": [modules]}})) == [
        ObservedFact("X", "key_statistics", "beta", "1.2", 1.2, 7),
        ObservedFact("X", "key_statistics", "lastSplitFactor", "4:1", None, 7),
        ObservedFact("X", "analyst_recommendations", "trend.0.period", "0m", None, 7),
        ObservedFact("X", "analyst_recommendations", "trend.0.buy", "21", 21.0, 7),
        ObservedFact("X", "earnings_dates", "earnings.earningsDate.0", "1746010740", 1746010740.0, 7),
        ObservedFact("X", "earnings_dates", "earnings.isEarningsDateEstimate", "True", None, 7),
    ]


@pytest.mark.parametrize("body", [{}, {"quoteSummary": {"result": None}}, {"quoteSummary": {"result": []}}])
def test_answer_without_facts_is_refused(body: Any) -> None:
    with pytest.raises(ContractBroken, match="no facts in it"):
        facts_in(fetched(body))
