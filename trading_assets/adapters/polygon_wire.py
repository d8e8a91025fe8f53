"""What Polygon's answers say: from the stored bodies of a question to raw bars, corporate actions and instruments.

Pure: the same bodies always give the same rows, today and when they are read again. Asking belongs in polygon.py; what
the answers say about companies, in polygon_fundamentals.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_actions import WireAction, WireDividend, WireRename, WireSplit, read_actions
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, json_object
from trading_assets.adapters.vendor_rows import (
    BarList,
    BarQuestion,
    Quarantine,
    Row,
    WireBar,
    WireDate,
    WireModel,
    explain,
    read_bars,
    sift,
    vendor_names,
    with_dots,
)
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument

if TYPE_CHECKING:
    import pandas as pd

NAME = "polygon"
HISTORY_BEGINS = date(2003, 9, 10)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXCHANGES = {"XNAS": "NASDAQ", "XNYS": "NYSE", "XASE": "AMEX", "ARCX": "ARCA", "BATS": "BATS"}


def _milliseconds(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**14:
        raise ValueError(f"{str(value)[:30]!r} is no time in milliseconds")
    return EPOCH + timedelta(milliseconds=value)


def _day_of_moment(value: object) -> object:
    """The day of a moment such as 2023-05-01T00:00:00Z, which stands for a day."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


class PolygonBar(WireBar):
    model_config = ConfigDict(
        alias_generator={"ts": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}.__getitem__
    )

    ts: Annotated[datetime, BeforeValidator(_milliseconds)]


class PolygonSplit(WireSplit):
    symbol: str = Field(alias="ticker")
    ex_date: WireDate = Field(alias="execution_date")
    new_shares: float = Field(alias="split_to")
    old_shares: float = Field(alias="split_from")


class PolygonDividend(WireDividend):
    symbol: str = Field(alias="ticker")
    ex_date: WireDate = Field(alias="ex_dividend_date")
    amount_usd: float = Field(alias="cash_amount")
    dividend_type: str = ""

    def nature(self) -> str:
        return self.dividend_type


class PolygonTickerChange(WireModel):
    ticker: str


class PolygonTickerEvent(WireModel):
    date: WireDate
    ticker_change: PolygonTickerChange


class PolygonTicker(WireModel):
    ticker: str
    name: str
    market: str
    primary_exchange: str = ""
    active: bool
    currency_name: str = "usd"
    list_date: WireDate | None = None
    delisted_utc: Annotated[date | None, BeforeValidator(_day_of_moment)] = None
    share_class_figi: str | None = None
    composite_figi: str | None = None


def bars_in(fetch: Fetch) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The final bars in the answers to a question for bars, and the rows set aside. Raises ContractBroken."""
    question = BarQuestion.of_json(fetch.question)
    names = vendor_names(question.symbols, with_dots)
    lists = []
    whole: set[str] = set()
    for page in fetch.pages:
        document = accepted(page)
        ticker = _ticker_of(page)
        if document.get("adjusted"):
            raise ContractBroken(
                f"{NAME}, response {page.response_id}: prices adjusted for splits, asked for raw ones."
            )
        lists.append(BarList(names.get(ticker, ticker), page.response_id, document.get("results")))
        whole |= {ticker} if next_url(document) is None else set()
    ensure_whole(fetch, len(whole), len(names))
    return read_bars(question, lists, PolygonBar, NAME)


def actions_in(fetch: Fetch) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    """The actions in the answers to a question for corporate actions, and the rows set aside."""
    quarantine = Quarantine()
    found: list[Row[WireAction]] = []
    ends = 0
    for page in fetch.pages:
        document, path = accepted(page), urlsplit(page.url).path
        rows = document.get("results")
        if path.endswith("/events"):
            found += _renames(page, rows, quarantine)
            continue
        ends += next_url(document) is None
        if "/splits" in path:
            found += sift(PolygonSplit, rows, page.response_id, "splits", quarantine)
        else:
            found += sift(PolygonDividend, rows, page.response_id, "dividends", quarantine)
    names = vendor_names(fetch.question["symbols"], with_dots)
    ensure_whole(fetch, ends, 2 * len(names))
    first, last = date.fromisoformat(fetch.question["first"]), date.fromisoformat(fetch.question["last"])
    return read_actions(found, names, first, last, quarantine), quarantine.rows


def _renames(page: Page, results: object, quarantine: Quarantine) -> list[Row[WireAction]]:
    """The changes between the names that an entity has had; its first name is no change."""
    events = results.get("events") if isinstance(results, dict) else None
    rows = sift(PolygonTickerEvent, events, page.response_id, "events", quarantine)
    ordered = sorted(rows, key=lambda row: row.model.date)
    changes: list[Row[WireAction]] = []
    for earlier, later in pairwise(ordered):
        old, new = earlier.model.ticker_change.ticker, later.model.ticker_change.ticker
        facts = {"symbol": old, "ex_date": later.model.date.isoformat(), "new_symbol": new}
        changes.append(Row(later.place, WireRename.model_validate(facts), later.raw))
    return changes


def instruments_in(fetch: Fetch) -> list[Instrument]:
    """The instruments in the answers to a question for them, in the order asked for. Raises ContractBroken."""
    ensure_whole(fetch, len(fetch.pages), len(fetch.question["symbols"]))
    return [_instrument(symbol, page) for symbol, page in zip(fetch.question["symbols"], fetch.pages, strict=True)]


def _instrument(symbol: str, page: Page) -> Instrument:
    try:
        ticker = PolygonTicker.model_validate(accepted(page).get("results"))
    except ValidationError as error:
        raise ContractBroken(f"{NAME}, response {page.response_id}: {explain(error)}, in a ticker.") from error
    if ticker.ticker != with_dots(symbol):
        raise ContractBroken(f"{NAME}, response {page.response_id}: {ticker.ticker}, asked for {with_dots(symbol)}.")
    return Instrument(
        symbol,
        ticker.name,
        EXCHANGES.get(ticker.primary_exchange, ticker.primary_exchange),
        is_tradable=ticker.active,
        asset_class="us_equity" if ticker.market == "stocks" else ticker.market,
        currency=ticker.currency_name.upper(),
        first_session=ticker.list_date and max(ticker.list_date, HISTORY_BEGINS),
        listed_on=ticker.list_date,
        delisted_on=ticker.delisted_utc,
        figi=ticker.share_class_figi or ticker.composite_figi,
    )


def _ticker_of(page: Page) -> str:
    """The ticker in the address of a page of bars: the one fact about a page that its body cannot get wrong."""
    found = re.search("/ticker/([^/]+)/range/", urlsplit(page.url).path)
    if found is None:
        raise ContractBroken(f"{NAME}, response {page.response_id}: {page.url} is no address of bars.")
    return unquote(found[1])


def accepted(page: Page) -> dict[str, Any]:
    """The object in an answer that says of itself that it is one. Raises ContractBroken."""
    document = json_object(page.body)
    if document.get("status") not in {"OK", "DELAYED", None}:
        raise ContractBroken(f"{NAME}, response {page.response_id}: status {document['status']!r}, not OK.")
    if not {"results", "resultsCount", "status"} & document.keys():
        raise ContractBroken(
            f"{NAME}, response {page.response_id}: no results in the answer. Nothing was stored from it."
        )
    return document


def next_url(document: Mapping[str, Any]) -> str | None:
    """Where the next page is; None on the last one. Raises ContractBroken."""
    address = document.get("next_url")
    if address is not None and not isinstance(address, str):
        raise ContractBroken(f"{NAME} sent {address!r} for the address of the next page.")
    return address or None


def ensure_whole(fetch: Fetch, ends: int, asked: int) -> None:
    """Raise ContractBroken unless the answers have as many last pages as there were lists `asked` for."""
    if fetch.pages and ends != asked:
        raise ContractBroken(
            f"{NAME}, fetch {fetch.fetch_id}: not all pages were received. Nothing was stored from it."
        )
