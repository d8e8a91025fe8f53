"""Alpaca's latest quotes: how they are asked for, and how they are read from the stored answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, QuarantinedRow, json_object
from trading_assets.adapters.vendor_rows import Quarantine, WireModel, sift, vendor_names, with_dots
from trading_assets.domain.market.quotes import Quote

PATH = "/stocks/quotes/latest"


def rfc3339(value: object) -> datetime:
    """A time as Alpaca writes it, with the time zone and up to nanoseconds, which are cut off. Raises ValueError."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{value!r} is no time such as 2024-05-31T13:30:00Z")
    return moment


def _utc(value: object) -> datetime:
    try:
        return rfc3339(value).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} is outside of the calendar") from error


class AlpacaQuote(WireModel):
    """A side without a quote has the price 0."""

    model_config = ConfigDict(
        alias_generator={"quoted_at": "t", "bid": "bp", "bid_size": "bs", "ask": "ap", "ask_size": "as"}.__getitem__
    )

    quoted_at: Annotated[datetime, BeforeValidator(_utc)]
    bid: Annotated[float, Field(ge=0)]
    bid_size: Annotated[float, Field(ge=0)]
    ask: Annotated[float, Field(ge=0)]
    ask_size: Annotated[float, Field(ge=0)]


def parameters(symbols: Sequence[str], feed: str) -> dict[str, str]:
    """The parameters of a request for the latest quotes of these symbols."""
    return {"symbols": ",".join(with_dots(symbol) for symbol in symbols), "feed": feed}


def quotes_in(fetch: Fetch) -> tuple[list[Quote], list[QuarantinedRow]]:
    """The quotes in the answers to a question for them, by symbol, and the rows set aside. Raises ContractBroken."""
    names = vendor_names(fetch.question["symbols"], with_dots)
    quarantine = Quarantine()
    quotes = [
        _quote(names.get(name, name), row.model, page.response_id)
        for page in fetch.pages
        for name, raw in _section(json_object(page.body), page.response_id).items()
        for row in sift(AlpacaQuote, [raw], page.response_id, name, quarantine)
    ]
    return sorted(quotes, key=lambda quote: quote.symbol), quarantine.rows


def _quote(symbol: str, row: AlpacaQuote, response_id: int) -> Quote:
    return Quote(
        symbol,
        row.quoted_at,
        bid=row.bid or None,
        bid_size=row.bid_size if row.bid else None,
        ask=row.ask or None,
        ask_size=row.ask_size if row.ask else None,
        response_id=response_id,
    )


def _section(document: Mapping[str, Any], response_id: int) -> Mapping[str, Any]:
    quotes = document.get("quotes")
    if not isinstance(quotes, dict):
        raise ContractBroken(f"alpaca, response {response_id}: no quotes in the answer. Nothing was stored from it.")
    return quotes
