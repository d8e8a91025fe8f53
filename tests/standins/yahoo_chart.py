"""Yahoo's answers in miniature, for a company named X: charts with bars of whole sessions, refusals, statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from trading_assets.domain.market.sessions import bar_bounds, sessions_between
from trading_assets.domain.values import Timeframe

Row = tuple[int, Any, Any, Any, Any, Any]
"""Seconds since 1970 of the start, then open, high, low, close and volume."""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def rows_of(first: date, last: date, timeframe: Timeframe, price: float = 10.0) -> list[Row]:
    """A bar at `price`, one dollar wide, for each place in the grid of the sessions."""
    return [
        (int(bounds.ts.timestamp()), price, price + 1, price - 1, price + 0.5, 1000)
        for day in sessions_between(first, last)
        for bounds in bar_bounds(day, timeframe)
    ]


def chart(
    rows: Sequence[Row],
    timeframe: Timeframe = Timeframe.HOUR,
    events: dict[str, Any] | None = None,
    **meta: Any,
) -> dict[str, Any]:
    """An answer of /v8/finance/chart/X; `meta` replaces or adds facts."""
    columns = list(zip(*rows, strict=True)) or [()] * 6
    facts = {
        "currency": "USD",
        "symbol": "X",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "firstTradeDate": at("2010-06-29T13:30"),
        "regularMarketTime": at("2024-12-31T21:00"),
        "exchangeTimezoneName": "America/New_York",
        "longName": "X Incorporated",
        "dataGranularity": str(timeframe),
        "priceHint": 2,
    }
    names = ("open", "high", "low", "close", "volume")
    quote = {name: list(column) for name, column in zip(names, columns[1:], strict=True)}
    result: dict[str, Any] = {"meta": facts | meta, "timestamp": list(columns[0]), "indicators": {"quote": [quote]}}
    if events is not None:
        result["events"] = events
    return {"chart": {"result": [result], "error": None}}


def split(ex_date: str, numerator: float, denominator: float = 1) -> dict[str, Any]:
    moment = at(f"{ex_date}T14:30")
    return {str(moment): {"date": moment, "numerator": numerator, "denominator": denominator}}


def dividend(ex_date: str, amount: Any) -> dict[str, Any]:
    moment = at(f"{ex_date}T14:30")
    return {str(moment): {"amount": amount, "date": moment}}


def refusal(description: str, code: str = "Bad Request") -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


def profile(sector: str) -> dict[str, Any]:
    return {"quoteSummary": {"result": [{"summaryProfile": {"sector": sector, "industry": "Things"}}], "error": None}}


def figure(period_end: Any, amount: Any, period: str = "12M") -> dict[str, Any]:
    value = {"raw": amount, "fmt": f"{amount}"}
    return {"dataId": 1, "asOfDate": period_end, "periodType": period, "currencyCode": "USD", "reportedValue": value}


def statement(**lines: list[Any] | None) -> dict[str, Any]:
    """An answer with lines such as annualTotalRevenue; None stands for a line that the company does not report."""
    results = [
        {"meta": {"symbol": ["X"], "type": [name]}} | ({} if rows is None else {"timestamp": [], name: rows})
        for name, rows in lines.items()
    ]
    return {"timeseries": {"result": results, "error": None}}
