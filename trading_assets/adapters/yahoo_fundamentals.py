"""What Yahoo's answers say about companies: statements and facts. Pure, as yahoo_wire.py is for prices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, json_object
from trading_assets.adapters.vendor_rows import Place, Quarantine, explain
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
BOOKKEEPING = {"maxAge", "priceHint"}


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no day such as 2024-09-30")  # noqa: TRY004  pydantic catches ValueError only
    return date.fromisoformat(value)


class _Amount(BaseModel):
    model_config = ConfigDict(strict=True)

    raw: Annotated[float, Field(allow_inf_nan=False)]


class _Figure(BaseModel):
    model_config = ConfigDict(strict=True)

    asOfDate: Annotated[date, BeforeValidator(_day)]  # noqa: N815  Yahoo's name
    periodType: str  # noqa: N815  Yahoo's name
    currencyCode: str | None = None  # noqa: N815  Yahoo's name
    reportedValue: _Amount  # noqa: N815  Yahoo's name


def figures_in(fetch: Fetch) -> tuple[list[ReportedFigure], list[QuarantinedRow]]:
    """The lines in the answers to a question for one statement of one symbol, and the rows that are none.

    Raises ContractBroken for an answer that is no list of lines.
    """
    symbol, statement = str(fetch.question["symbol"]), Statement(fetch.question["statement"])
    figures: dict[tuple[str, int, date], ReportedFigure] = {}
    quarantine = Quarantine()
    for page in fetch.pages:
        for name, rows in _lines_of(page):
            item = name.removeprefix("annual").removeprefix("quarterly")
            for position, row in enumerate(rows):
                # A period in which the company did not report the line.
                if row is None:
                    continue
                place = Place(page.response_id, name, position)
                try:
                    figure = _Figure.model_validate(row)
                except ValidationError as error:
                    quarantine.add(place, row, explain(error))
                    continue
                if figure.periodType not in MONTHS:
                    quarantine.add(place, row, f"periodType: {figure.periodType!r} is none of {', '.join(MONTHS)}")
                    continue
                months, amount = MONTHS[figure.periodType], figure.reportedValue.raw
                key = (item, months, figure.asOfDate)
                if key in figures:
                    quarantine.add(place, row, f"{item} of {months} months to {figure.asOfDate} is there twice")
                    continue
                figures[key] = ReportedFigure(
                    symbol, statement, item, months, figure.asOfDate, amount, figure.currencyCode, page.response_id
                )
    return list(figures.values()), quarantine.rows


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
            for item, value in _flat(content):
                number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
                if number is None or math.isfinite(number):
                    # No database takes a NUL.
                    text = str(value).replace("\0", "")
                    facts.append(ObservedFact(symbol, topic, item, text, number, page.response_id))
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


def _flat(content: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The values of nested objects and lists with their places, without the empty ones."""
    if isinstance(content, dict):
        children = [(str(name), child) for name, child in content.items() if name not in BOOKKEEPING]
    elif isinstance(content, list):
        children = [(str(position), child) for position, child in enumerate(content)]
    else:
        if content is not None:
            yield path, content
        return
    for name, child in children:
        yield from _flat(child, f"{path}.{name}" if path else name)


def _broken(page: Page, what: str) -> ContractBroken:
    return ContractBroken(f"yahoo, {page.url} (response {page.response_id}): {what} in it. Nothing was stored from it.")
