"""Bars, corporate actions and instruments from Polygon, now called Massive, through its SDK.

Works with polygon-api-client or with its successor, the package massive. The SDK knows addresses and follows pages;
requests go out through a VendorGateway, and rows are read from the stored bytes: the SDK takes half a page for the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, VendorGateway, json_object
from trading_assets.adapters.vendor_rows import (
    BarList,
    BarQuestion,
    Quarantine,
    WireBar,
    WireDate,
    WireDividend,
    WireModel,
    WireSplit,
    explain,
    read_actions,
    read_bars,
    sift,
    vendor_names,
    with_dots,
)
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

NAME = "polygon"
BASE_URL = "https://api.polygon.io"
HISTORY_BEGINS = date(2003, 9, 10)
MINUTES_A_PAGE = 50_000
ROWS_A_PAGE = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXCHANGES = {"XNAS": "NASDAQ", "XNYS": "NYSE", "XASE": "AMEX", "ARCX": "ARCA", "BATS": "BATS"}


def _milliseconds(value: object) -> datetime:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**14:
        raise ValueError(f"{str(value)[:30]!r} is no time in milliseconds")
    return EPOCH + timedelta(milliseconds=value)


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
    currency: str = "USD"
    dividend_type: str = ""

    def nature(self) -> str:
        return self.dividend_type

    def fault(self) -> str | None:
        return f"paid in {self.currency}, not in USD" if self.currency != "USD" else super().fault()


class PolygonTicker(WireModel):
    ticker: str
    name: str
    market: str
    primary_exchange: str = ""
    active: bool
    currency_name: str = "usd"
    list_date: WireDate | None = None


@dataclass(frozen=True)
class PolygonSource:
    """BarSource over Polygon's REST API. `delay`: how late the plan publishes."""

    gateway: VendorGateway
    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    delay: timedelta = timedelta()
    name = NAME

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`, BAR_COLUMNS and response_id.

        Empty for a symbol that Polygon has nothing of. Raises AdapterError.
        """
        question = BarQuestion(tuple(symbols), timeframe, first, last, until - self.delay)
        begin = datetime.combine(first, time(), NEW_YORK)
        end = min(datetime.combine(last + timedelta(days=1), time(), NEW_YORK), question.until)
        with self.gateway.fetch(f"bars/{timeframe}", **question.as_json()) as fetch:
            for symbol in symbols if begin < end else ():
                hours = timeframe is Timeframe.HOUR
                _exhaust(
                    self._client().list_aggs(
                        with_dots(symbol),
                        *((30, "minute") if hours else (1, "day")),
                        *((begin, end - timedelta(milliseconds=1)) if hours else (first, last)),
                        adjusted=False,
                        sort="asc",
                        limit=MINUTES_A_PAGE,
                    )
                )
        frame, quarantined = bars_in(fetch)
        self.gateway.quarantine(quarantined)
        return frame

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """Splits and cash dividends with an ex-date in first..last. Dividends not in USD are quarantined."""
        question = {"symbols": list(symbols), "first": first.isoformat(), "last": last.isoformat()}
        with self.gateway.fetch("corporate_actions", **question) as fetch:
            for symbol in symbols:
                ticker, client = with_dots(symbol), self._client()
                _exhaust(
                    client.list_splits(
                        ticker, execution_date_gte=first, execution_date_lte=last, limit=ROWS_A_PAGE, order="asc"
                    )
                )
                _exhaust(
                    client.list_dividends(
                        ticker, ex_dividend_date_gte=first, ex_dividend_date_lte=last, limit=ROWS_A_PAGE, order="asc"
                    )
                )
        actions, quarantined = actions_in(fetch)
        self.gateway.quarantine(quarantined)
        return actions

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for. Raises NotFound for a symbol that Polygon does not know."""
        with self.gateway.fetch("instruments", symbols=list(symbols)) as fetch:
            for symbol in symbols:
                self._client().get_ticker_details(with_dots(symbol), raw=True)
        return instruments_in(fetch)

    def _client(self) -> Any:
        """The SDK for one question, with a pool of connections that is the gateway."""
        client = _sdk_client()(api_key=self.api_key, base=self.base_url.rstrip("/"), retries=0)
        client.client = _GatewayPool(self.gateway)
        return client


@dataclass(frozen=True, slots=True)
class _PoolAnswer:
    status: int
    data: bytes
    headers: Mapping[str, str]


class _GatewayPool:
    """What the SDK asks of a urllib3 pool. It is told where the next page is and none of the rows."""

    def __init__(self, gateway: VendorGateway) -> None:
        import requests

        from trading_assets.adapters.vendor_transport import GatewayAdapter

        self._session = requests.Session()
        self._asked: set[str] = set()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, GatewayAdapter(gateway))

    def request(
        self,
        method: str,
        url: str,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        **_timeouts: Any,
    ) -> _PoolAnswer:
        address = f"{url}?{json.dumps(fields, default=str)}"
        if address in self._asked:
            raise ContractBroken(f"{NAME} named the same next page twice: its answer has no end.")
        self._asked.add(address)
        response = self._session.request(method, url, params=fields, headers=headers, allow_redirects=False)
        next_url = _next_url(json_object(response.content))
        envelope = {"results": [], **({"next_url": next_url} if next_url else {})}
        return _PoolAnswer(200, json.dumps(envelope).encode(), response.headers)


def _sdk_client() -> Callable[..., Any]:
    for package in ("polygon", "massive"):
        try:
            module = __import__(package)
        except ModuleNotFoundError:
            continue
        client: Callable[..., Any] = module.RESTClient
        return client
    raise NotFound("Neither polygon-api-client nor massive is installed: run `make setup`, or choose another `source`.")


def _exhaust(pages: Iterator[object]) -> None:
    for _row in pages:
        raise AssertionError("the SDK sees no rows")


# Reading stored answers --------------------------------------------------------------------------


def bars_in(fetch: Fetch) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The final bars in the answers to a question for bars, and the rows set aside. Raises ContractBroken."""
    question = BarQuestion.of_json(fetch.question)
    names = vendor_names(question.symbols, with_dots)
    lists = []
    whole: set[str] = set()
    for page in fetch.pages:
        document = _accepted(page)
        ticker = _ticker_of(page)
        if document.get("adjusted"):
            raise ContractBroken(
                f"{NAME}, response {page.response_id}: prices adjusted for splits, asked for raw ones."
            )
        lists.append(BarList(names.get(ticker, ticker), page.response_id, document.get("results")))
        whole |= {ticker} if _next_url(document) is None else set()
    _ensure_whole(fetch, len(whole), len(names))
    return read_bars(question, lists, PolygonBar, NAME)


def actions_in(fetch: Fetch) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    """The splits and dividends in the answers to a question for corporate actions, and the rows set aside."""
    quarantine = Quarantine()
    splits, dividends, ends = [], [], 0
    for page in fetch.pages:
        document = _accepted(page)
        rows, ends = document.get("results"), ends + (_next_url(document) is None)
        if "/splits" in urlsplit(page.url).path:
            splits += sift(PolygonSplit, rows, page.response_id, "splits", quarantine)
        else:
            dividends += sift(PolygonDividend, rows, page.response_id, "dividends", quarantine)
    names = vendor_names(fetch.question["symbols"], with_dots)
    _ensure_whole(fetch, ends, 2 * len(names))
    first, last = date.fromisoformat(fetch.question["first"]), date.fromisoformat(fetch.question["last"])
    return read_actions(splits, dividends, names, first, last, quarantine), quarantine.rows


def instruments_in(fetch: Fetch) -> list[Instrument]:
    """The instruments in the answers to a question for them, in the order asked for. Raises ContractBroken."""
    _ensure_whole(fetch, len(fetch.pages), len(fetch.question["symbols"]))
    return [_instrument(symbol, page) for symbol, page in zip(fetch.question["symbols"], fetch.pages, strict=True)]


def _instrument(symbol: str, page: Page) -> Instrument:
    try:
        ticker = PolygonTicker.model_validate(_accepted(page).get("results"))
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
    )


def _ticker_of(page: Page) -> str:
    """The ticker in the address of a page of bars: the one fact about a page that its body cannot get wrong."""
    found = re.search("/ticker/([^/]+)/range/", urlsplit(page.url).path)
    if found is None:
        raise ContractBroken(f"{NAME}, response {page.response_id}: {page.url} is no address of bars.")
    return unquote(found[1])


def _accepted(page: Page) -> dict[str, Any]:
    document = json_object(page.body)
    if document.get("status") not in {"OK", "DELAYED", None}:
        raise ContractBroken(f"{NAME}, response {page.response_id}: status {document['status']!r}, not OK.")
    if not {"results", "resultsCount", "status"} & document.keys():
        raise ContractBroken(
            f"{NAME}, response {page.response_id}: no results in the answer. Nothing was stored from it."
        )
    return document


def _next_url(document: Mapping[str, Any]) -> str | None:
    next_url = document.get("next_url")
    if next_url is not None and not isinstance(next_url, str):
        raise ContractBroken(f"{NAME} sent {next_url!r} for the address of the next page.")
    return next_url or None


def _ensure_whole(fetch: Fetch, ends: int, asked: int) -> None:
    if fetch.pages and ends != asked:
        raise ContractBroken(
            f"{NAME}, fetch {fetch.fetch_id}: not all pages were received. Nothing was stored from it."
        )
