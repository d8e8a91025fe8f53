"""What Yahoo's answers say about companies: statements and facts. Pure, as yahoo_wire.py is for prices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, ValidationError

from trading_assets.adapters.company_rows import FigureList, facts_about
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, json_object
from trading_assets.adapters.vendor_rows import Place, WireDate, WireModel, explain
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement

STATEMENT_PATH = "/ws/fundamentals-timeseries/v1/finance/timeseries/"
STATEMENTS = {
    Statement.INCOME: "financials",
    Statement.BALANCE_SHEET: "balance-sheet",
    Statement.CASH_FLOW: "cash-flow",
}
"""yfinance's names of the lists of lines."""
PREFIXES = ("annual", "quarterly")
MONTHS = {"12M": 12, "3M": 3}
TOPICS = {
    "assetProfile": "profile",
    "defaultKeyStatistics": "key_statistics",
    "financialData": "financial_data",
    "calendarEvents": "earnings_dates",
    "recommendationTrend": "analyst_recommendations",
    "institutionOwnership": "institutional_holders",
}
"""Yahoo's modules, by our names of what they tell."""
BOOKKEEPING = frozenset({"maxAge", "priceHint"})


class _Amount(WireModel):
    raw: float


class _Figure(WireModel):
    day: WireDate = Field(alias="asOfDate")
    period: str = Field(alias="periodType")
    currency: str | None = Field(default=None, alias="currencyCode")
    amount: _Amount = Field(alias="reportedValue")


def figures_in(fetch: Fetch) -> tuple[list[ReportedFigure], list[QuarantinedRow]]:
    """The lines in the answers to a question for one statement of one symbol, and the rows that are none.

    Raises ContractBroken for an answer that is no list of lines.
    """
    symbol, statement = str(fetch.question["symbol"]), Statement(fetch.question["statement"])
    found = FigureList()
    for page in fetch.pages:
        for name, rows in _lines_of(page):
            item = name.removeprefix("annual").removeprefix("quarterly")
            for position, raw in enumerate(rows):
                # A period in which the company did not report the line.
                if raw is None:
                    continue
                place = Place(page.response_id, name, position)
                try:
                    row = _Figure.model_validate(raw)
                except ValidationError as error:
                    found.quarantine.add(place, raw, explain(error))
                    continue
                months = MONTHS.get(row.period)
                if months is None:
                    found.quarantine.add(place, raw, f"periodType: {row.period!r} is none of {', '.join(MONTHS)}")
                    continue
                figure = ReportedFigure(
                    symbol, statement, item, months, row.day, row.amount.raw, row.currency, page.response_id
                )
                found.add(figure, place, raw)
    return list(found.figures.values()), found.quarantine.rows


def facts_in(fetch: Fetch) -> list[ObservedFact]:
    """The facts in the answers to a question about one symbol. Raises ContractBroken."""
    symbol = str(fetch.question["symbol"])
    facts = []
    for page in fetch.pages:
        try:
            (modules,) = json_object(page.body)["quoteSummary"]["result"]
            topics = {TOPICS[name]: content for name, content in modules.items() if name in TOPICS}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(page, "no facts") from error
        for topic, content in topics.items():
            facts += facts_about(symbol, topic, content, page.response_id, BOOKKEEPING)
    return facts


def _lines_of(page: Page) -> Iterator[tuple[str, list[Any]]]:
    try:
        for line in json_object(page.body)["timeseries"]["result"]:
            (name,) = line["meta"]["type"]
            rows = line.get(name) or []
            if not isinstance(rows, list):
                raise _broken(page, f"no list of {name}")
            yield str(name), rows
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _broken(page, "no lines of a statement") from error


def _broken(page: Page, what: str) -> ContractBroken:
    return ContractBroken(f"yahoo, {page.url} (response {page.response_id}): {what} in it. Nothing was stored from it.")
