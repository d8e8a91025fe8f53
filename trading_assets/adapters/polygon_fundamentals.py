"""What Polygon's answers say about companies: statements as they were filed, and facts. Pure, as polygon_wire.py."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from trading_assets.adapters.company_rows import FigureList, facts_about
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.polygon_wire import NAME, accepted, ensure_whole, next_url
from trading_assets.adapters.vendor_gateway import Fetch, QuarantinedRow
from trading_assets.adapters.vendor_rows import Place, Row, WireDate, WireModel, explain, sift, with_dots
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement, readable_from

TIMEFRAMES = ("annual", "quarterly")
MONTHS = {"FY": 12, "Q1": 3, "Q2": 3, "Q3": 3, "Q4": 3}
STATEMENTS = {
    "income_statement": Statement.INCOME,
    "comprehensive_income": Statement.INCOME,
    "balance_sheet": Statement.BALANCE_SHEET,
    "cash_flow_statement": Statement.CASH_FLOW,
}
"""Comprehensive income continues the income statement; no line has the same name in both."""
PROFILE = (
    "name",
    "description",
    "type",
    "active",
    "list_date",
    "delisted_utc",
    "primary_exchange",
    "cik",
    "sic_code",
    "sic_description",
    "total_employees",
    "homepage_url",
    "phone_number",
    "address",
)
KEY_STATISTICS = ("market_cap", "share_class_shares_outstanding", "weighted_shares_outstanding")


class _Filing(WireModel):
    fiscal_period: str
    end_date: WireDate
    filing_date: WireDate | None = None
    financials: dict[str, Any]


class _Line(WireModel):
    value: float
    unit: str = ""


def figures_in(fetch: Fetch) -> tuple[list[ReportedFigure], list[QuarantinedRow]]:
    """The lines in the answers to a question for one symbol's statements, and the rows that are none.

    Raises ContractBroken for an answer that is no list of filings, or when pages are missing.
    """
    symbol = str(fetch.question["symbol"])
    found = FigureList()
    ends = 0
    for page in fetch.pages:
        document = accepted(page)
        ends += next_url(document) is None
        for filing in sift(_Filing, document.get("results"), page.response_id, "results", found.quarantine):
            _read_filing(symbol, filing, found)
    ensure_whole(fetch, ends, len(TIMEFRAMES))
    return list(found.figures.values()), found.quarantine.rows


def _read_filing(symbol: str, filing: Row[_Filing], found: FigureList) -> None:
    months = MONTHS.get(filing.model.fiscal_period)
    if months is None:
        reason = f"fiscal_period: {filing.model.fiscal_period!r} is none of {', '.join(MONTHS)}"
        found.quarantine.add(filing.place, filing.raw, reason)
        return
    filing_day = filing.model.filing_date
    filed_at = None if filing_day is None else readable_from(filing_day)
    for name, lines in filing.model.financials.items():
        statement, section = STATEMENTS.get(name), Place(filing.place.response_id, name, filing.place.position)
        if statement is None or not isinstance(lines, dict):
            found.quarantine.add(section, lines, f"{name} is no statement with lines")
            continue
        for item, raw in lines.items():
            place = Place(filing.place.response_id, f"{name}.{item}", filing.place.position)
            try:
                line = _Line.model_validate(raw)
            except ValidationError as error:
                found.quarantine.add(place, raw, explain(error))
                continue
            figure = ReportedFigure(
                symbol,
                statement,
                item,
                months,
                filing.model.end_date,
                line.value,
                _currency(line.unit),
                filing.place.response_id,
                filed_at,
            )
            found.add(figure, place, raw)


def _currency(unit: str) -> str | None:
    """Of "USD" and of "USD / shares"; None of "shares"."""
    first = unit.partition("/")[0].strip()
    return first if len(first) == 3 and first.isupper() else None


def facts_in(fetch: Fetch) -> list[ObservedFact]:
    """The facts in the answer to a question about one symbol. Raises ContractBroken."""
    symbol = str(fetch.question["symbol"])
    facts = []
    for page in fetch.pages:
        details = accepted(page).get("results")
        if not isinstance(details, dict) or details.get("ticker") != with_dots(symbol):
            raise ContractBroken(
                f"{NAME}, response {page.response_id}: no details of {with_dots(symbol)} in it. "
                "Nothing was stored from it."
            )
        for topic, names in (("profile", PROFILE), ("key_statistics", KEY_STATISTICS)):
            content = {name: details[name] for name in names if name in details}
            facts += facts_about(symbol, topic, content, page.response_id)
    return facts
