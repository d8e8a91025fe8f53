"""What Polygon's answers say about companies: lines of filings, facts, and what is set aside or refused."""

import json
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.polygon_fundamentals import facts_in, figures_in
from trading_assets.adapters.vendor_gateway import Fetch, Page
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement

NONE_LEFT: dict[str, Any] = {"status": "OK", "results": []}


def fetched(*bodies: Any, symbol: str = "BRK-B") -> Fetch:
    pages = [Page(7 + number, "https://api/x", json.dumps(body).encode()) for number, body in enumerate(bodies)]
    return Fetch(uuid.uuid4(), "polygon", "financials", {"symbol": symbol}, pages)


def line(value: Any, unit: str = "USD") -> dict[str, Any]:
    return {"label": "A line", "order": 100, "unit": unit, "value": value}


def filing(day: str | None = "2024-05-02", period: str = "Q1", **statements: Any) -> dict[str, Any]:
    dated = {"filing_date": day} if day else {}
    return {"fiscal_period": period, "end_date": "2024-03-30", "financials": statements, **dated}


def page(*filings: Any) -> dict[str, Any]:
    return {"status": "OK", "results": list(filings)}


def test_lines_of_a_filing_become_figures_with_the_midnight_after_it() -> None:
    quarter = filing(
        income_statement={"revenues": line(90.5), "diluted_earnings_per_share": line(1.5, "USD / shares")},
        balance_sheet={"assets": line(7)},
        cash_flow_statement={"net_cash_flow": line(-3.0)},
        comprehensive_income={"comprehensive_income_loss": line(2.0)},
    )
    year = filing(None, "FY", income_statement={"basic_average_shares": line(15, "shares")})
    figures, quarantined = figures_in(fetched(page(quarter), page(year)))
    assert quarantined == []
    period, filed_at = (3, date(2024, 3, 30)), datetime(2024, 5, 3, 4, tzinfo=UTC)
    assert figures == [
        ReportedFigure("BRK-B", Statement.INCOME, "revenues", *period, 90.5, "USD", 7, filed_at),
        ReportedFigure("BRK-B", Statement.INCOME, "diluted_earnings_per_share", *period, 1.5, "USD", 7, filed_at),
        ReportedFigure("BRK-B", Statement.BALANCE_SHEET, "assets", *period, 7.0, "USD", 7, filed_at),
        ReportedFigure("BRK-B", Statement.CASH_FLOW, "net_cash_flow", *period, -3.0, "USD", 7, filed_at),
        ReportedFigure("BRK-B", Statement.INCOME, "comprehensive_income_loss", *period, 2.0, "USD", 7, filed_at),
        ReportedFigure("BRK-B", Statement.INCOME, "basic_average_shares", 12, date(2024, 3, 30), 15.0, None, 8),
    ]


def test_amended_filing_of_a_period_is_a_figure_of_its_own() -> None:
    first = filing("2024-05-02", income_statement={"revenues": line(1.0)})
    amended = filing("2024-06-03", income_statement={"revenues": line(2.0)})
    figures, quarantined = figures_in(fetched(page(first, amended), NONE_LEFT))
    assert quarantined == []
    assert [(figure.amount, figure.filed_at.date()) for figure in figures if figure.filed_at] == [
        (1.0, date(2024, 5, 3)),
        (2.0, date(2024, 6, 4)),
    ]


@pytest.mark.parametrize(
    ("row", "section", "reason"),
    [
        ("nothing", "results", "Input should be a valid dictionary"),
        (filing("2.5.2024"), "results", "filing_date"),
        (filing(period="TTM"), "results", "fiscal_period: 'TTM' is none of FY, Q1, Q2, Q3, Q4"),
        (filing(ratios={}), "ratios", "ratios is no statement with lines"),
        (filing(balance_sheet=[1]), "balance_sheet", "balance_sheet is no statement with lines"),
        (filing(balance_sheet={"assets": line("1")}), "balance_sheet.assets", "value"),
        (filing(balance_sheet={"assets": line(float("nan"))}), "balance_sheet.assets", "value"),
        (
            filing(income_statement={"revenues": line(2)}),
            "income_statement.revenues",
            "revenues of 3 months to 2024-03-30 is there twice",
        ),
    ],
)
def test_broken_row_is_set_aside_and_the_others_kept(row: Any, section: str, reason: str) -> None:
    good = filing(income_statement={"revenues": line(1)})
    figures, quarantined = figures_in(fetched(page(good, row), NONE_LEFT))
    assert len(figures) == 1
    assert [(aside.section, aside.position) for aside in quarantined] == [(section, 1)]
    assert reason in quarantined[0].reason


@pytest.mark.parametrize(
    "bodies",
    [
        [page()],
        [page(), {"status": "OK", "results": [], "next_url": "https://h/x?cursor=2"}],
        [page(), {"status": "ERROR", "results": []}],
        [page(), {"status": "OK", "results": {}}],
    ],
)
def test_answers_that_are_not_whole_are_refused(bodies: list[Any]) -> None:
    with pytest.raises(ContractBroken):
        figures_in(fetched(*bodies))


def test_facts_are_profile_and_statistics() -> None:
    details = {
        "ticker": "BRK.B",
        "name": "Berkshire",
        "sic_code": "6331",
        "total_employees": 396500,
        "address": {"city": "OMAHA"},
        "branding": {"icon_url": "https://elsewhere"},
        "market_cap": 8.9e11,
    }
    assert facts_in(fetched({"status": "OK", "results": details})) == [
        ObservedFact("BRK-B", "profile", "name", "Berkshire", None, 7),
        ObservedFact("BRK-B", "profile", "sic_code", "6331", None, 7),
        ObservedFact("BRK-B", "profile", "total_employees", "396500", 396500.0, 7),
        ObservedFact("BRK-B", "profile", "address.city", "OMAHA", None, 7),
        ObservedFact("BRK-B", "key_statistics", "market_cap", "890000000000.0", 8.9e11, 7),
    ]


@pytest.mark.parametrize("details", [None, [], {"ticker": "AAPL", "name": "Apple Inc."}])
def test_details_of_another_company_are_refused(details: Any) -> None:
    with pytest.raises(ContractBroken, match=r"no details of BRK\.B"):
        facts_in(fetched({"status": "OK", "results": details}))
