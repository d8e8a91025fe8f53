"""Bars, corporate actions, instruments and the calendar from Alpaca, through alpaca-py.

The SDK knows addresses, names and keys; requests go out through a VendorGateway, and answers are read from the stored
bytes: the SDK's own models refuse a whole answer for one bad row, and its paging stops at the first empty page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from trading_assets.adapters import alpaca_quotes
from trading_assets.adapters.alpaca_actions import read_lists
from trading_assets.adapters.alpaca_calendar import calendar_in
from trading_assets.adapters.errors import ContractBroken
from trading_assets.adapters.vendor_gateway import Fetch, Page, QuarantinedRow, VendorGateway, json_object
from trading_assets.adapters.vendor_rows import (
    BarList,
    BarQuestion,
    Quarantine,
    WireBar,
    WireModel,
    explain,
    read_bars,
    sift,
    vendor_names,
    with_dots,
)
from trading_assets.domain.market.broker_calendar import BrokerSession
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.quotes import Quote
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd
    from alpaca.common.rest import RESTClient

NAME = "alpaca"
DATA_URL = "https://data.alpaca.markets"
TRADING_URL = "https://paper-api.alpaca.markets"
UNQUALIFIED_PARTNERSHIP = "ptp_no_exception"
HISTORY_BEGINS = date(2016, 1, 1)
BARS_A_PAGE = 10_000
ACTIONS_A_PAGE = 1_000
SYMBOLS_A_REQUEST = 100
# Alpaca selects actions by the day it processes them: dividends on their payment, weeks after the ex-date.
PROCESSING_TIME = timedelta(days=120)


class AlpacaBar(WireBar):
    model_config = ConfigDict(
        alias_generator={"ts": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}.__getitem__
    )

    ts: Annotated[datetime, BeforeValidator(alpaca_quotes.rfc3339)]


class AlpacaAsset(WireModel):
    symbol: str
    name: str | None = None
    asset_class: str = Field(alias="class")
    exchange: str
    status: str
    tradable: bool
    shortable: bool = False
    id: str | None = None
    fractionable: bool | None = None
    easy_to_borrow: bool | None = None
    borrow_status: str | None = None
    attributes: list[str] | None = None

    def is_easy_to_borrow(self) -> bool | None:
        """In the newer of two ways of saying so."""
        return self.easy_to_borrow if self.borrow_status is None else self.borrow_status == "easy_to_borrow"

    def is_unqualified_partnership(self) -> bool | None:
        """None where the answer has no attributes. With an exception there is nothing to withhold."""
        return None if self.attributes is None else UNQUALIFIED_PARTNERSHIP in self.attributes


@dataclass(frozen=True)
class AlpacaSource:
    """BarSource over Alpaca's REST API. `feed`: iex, sip or delayed_sip; `delay`: how late it publishes."""

    gateway: VendorGateway
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    feed: str = "iex"
    delay: timedelta = timedelta()
    data_url: str = DATA_URL
    trading_url: str = TRADING_URL
    name = NAME

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`, BAR_COLUMNS and response_id.

        Empty for a symbol that Alpaca has nothing of. Raises AdapterError.
        """
        question = BarQuestion(tuple(symbols), timeframe, first, last, until - self.delay)
        with self.gateway.fetch(f"bars/{timeframe}", **question.as_json()) as fetch:
            for position in range(0, len(symbols), SYMBOLS_A_REQUEST):
                self._ask_for_bars(symbols[position : position + SYMBOLS_A_REQUEST], question)
        frame, quarantined = bars_in(fetch)
        self.gateway.quarantine(quarantined)
        return frame

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """The actions with an ex-date in first..last; kinds that alpaca_actions.py does not list are quarantined."""
        question = {"symbols": list(symbols), "first": first.isoformat(), "last": last.isoformat()}
        with self.gateway.fetch("corporate_actions", **question) as fetch:
            for position in range(0, len(symbols), SYMBOLS_A_REQUEST):
                chunk = symbols[position : position + SYMBOLS_A_REQUEST]
                self._ask_for_actions([with_dots(symbol) for symbol in chunk], first, last + PROCESSING_TIME)
        actions, quarantined = actions_in(fetch)
        self.gateway.quarantine(quarantined)
        return actions

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for. Raises NotFound for a symbol that Alpaca does not know."""
        with self.gateway.fetch("instruments", symbols=list(symbols)) as fetch:
            for symbol in symbols:
                self._trading.get_asset(with_dots(symbol))
                self._ask_for_first_bar(symbol)
        return instruments_in(fetch)

    def calendar(self, first: date, last: date) -> list[BrokerSession]:
        """Every day of first..last as Alpaca trades it, in order. Raises AdapterError."""
        from alpaca.trading.requests import GetCalendarRequest

        with self.gateway.fetch("calendar", first=first.isoformat(), last=last.isoformat()) as fetch:
            self._trading.get_calendar(GetCalendarRequest(start=first, end=last))
        return calendar_in(fetch)

    def latest_quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """The newest quote on the feed of each of `symbols` that has one, by symbol. Raises AdapterError."""
        with self.gateway.fetch("quotes", symbols=list(symbols)) as fetch:
            for position in range(0, len(symbols), SYMBOLS_A_REQUEST):
                chunk = symbols[position : position + SYMBOLS_A_REQUEST]
                self._data.get(alpaca_quotes.PATH, alpaca_quotes.parameters(chunk, self.feed))
        quotes, quarantined = alpaca_quotes.quotes_in(fetch)
        self.gateway.quarantine(quarantined)
        return quotes

    def _ask_for_bars(self, symbols: Sequence[str], question: BarQuestion) -> None:
        begin = datetime.combine(question.first, time(), NEW_YORK)
        end = min(datetime.combine(question.last + timedelta(days=1), time(), NEW_YORK), question.until)
        if begin < end:
            fields = self._bar_fields(symbols, question.timeframe, begin, end - timedelta(seconds=1))
            self._ask_for_pages(self._data, "/stocks/bars", {**fields, "limit": BARS_A_PAGE})

    def _ask_for_first_bar(self, symbol: str) -> None:
        begin = datetime.combine(HISTORY_BEGINS, time(), NEW_YORK)
        fields = self._bar_fields([symbol], Timeframe.SESSION, begin, None)
        self._data.get("/stocks/bars", {**fields, "limit": 1})

    def _bar_fields(
        self, symbols: Sequence[str], timeframe: Timeframe, begin: datetime, end: datetime | None
    ) -> dict[str, Any]:
        from alpaca.data.enums import Adjustment, DataFeed
        from alpaca.data.requests import StockBarsRequest
        from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        names = [with_dots(symbol) for symbol in symbols]
        hours = timeframe is Timeframe.HOUR
        request = StockBarsRequest(
            symbol_or_symbols=names,
            timeframe=TimeFrame(30, TimeFrameUnit.Minute) if hours else TimeFrame(1, TimeFrameUnit.Day),
            start=begin,
            end=end,
            adjustment=Adjustment.RAW,
            feed=DataFeed(self.feed),
        )
        return {**request.to_request_fields(), "symbols": ",".join(names)}

    def _ask_for_actions(self, symbols: Sequence[str], first: date, last: date) -> None:
        from alpaca.data.requests import CorporateActionsRequest

        fields = CorporateActionsRequest(start=first, end=last).to_request_fields()
        self._ask_for_pages(
            self._actions, "/corporate-actions", {**fields, "symbols": ",".join(symbols), "limit": ACTIONS_A_PAGE}
        )

    def _ask_for_pages(self, client: RESTClient, path: str, fields: dict[str, Any]) -> None:
        token: str | None = None
        seen: set[str] = set()
        while True:
            document = client.get(path, {**fields, "page_token": token} if token else fields)
            token = _next_token(document)
            if token is None:
                return
            if token in seen:
                raise ContractBroken(f"{NAME} gave the page token {token} twice: its answer has no end.")
            seen.add(token)

    @cached_property
    def _data(self) -> RESTClient:
        from alpaca.data.historical.stock import StockHistoricalDataClient

        return self._through_gateway(
            StockHistoricalDataClient(self.api_key, self.secret_key, raw_data=True, url_override=self.data_url)
        )

    @cached_property
    def _actions(self) -> RESTClient:
        from alpaca.data.historical.corporate_actions import CorporateActionsClient

        return self._through_gateway(
            CorporateActionsClient(self.api_key, self.secret_key, raw_data=True, url_override=self.data_url)
        )

    @cached_property
    def _trading(self) -> Any:
        from alpaca.trading.client import TradingClient

        return self._through_gateway(
            TradingClient(self.api_key, self.secret_key, raw_data=True, url_override=self.trading_url)
        )

    def _through_gateway(self, client: RESTClient) -> RESTClient:
        from trading_assets.adapters.vendor_transport import GatewayAdapter

        for scheme in ("https://", "http://"):
            client._session.mount(scheme, GatewayAdapter(self.gateway))
        return client


# Reading stored answers --------------------------------------------------------------------------


def bars_in(fetch: Fetch) -> tuple[pd.DataFrame, list[QuarantinedRow]]:
    """The final bars in the answers to a question for bars, and the rows set aside. Raises ContractBroken."""
    question = BarQuestion.of_json(fetch.question)
    names = vendor_names(question.symbols, with_dots)
    lists = [
        BarList(names.get(name, name), page.response_id, rows)
        for page, document in _pages(fetch)
        for name, rows in _section(page, document, "bars").items()
    ]
    return read_bars(question, lists, AlpacaBar, NAME)


def actions_in(fetch: Fetch) -> tuple[list[CorporateAction], list[QuarantinedRow]]:
    """The actions in the answers to a question for corporate actions, and the rows set aside. Raises ContractBroken."""
    lists = [
        (page, kind, rows)
        for page, document in _pages(fetch)
        for kind, rows in _section(page, document, "corporate_actions").items()
    ]
    return read_lists(fetch.question, lists)


def instruments_in(fetch: Fetch) -> list[Instrument]:
    """The instruments in the answers to a question for them, in the order asked for. Raises ContractBroken."""
    assets: dict[str, AlpacaAsset] = {}
    firsts: dict[str, date] = {}
    for page in fetch.pages:
        document = json_object(page.body)
        if "bars" not in document:
            asset = _asset(page, document)
            assets[asset.symbol] = asset
            continue
        for name, rows in _section(page, document, "bars").items():
            for row in sift(AlpacaBar, rows, page.response_id, name, Quarantine())[:1]:
                firsts[name] = row.model.ts.astimezone(NEW_YORK).date()
    names = [with_dots(symbol) for symbol in fetch.question["symbols"]]
    if missing := [name for name in names if name not in assets]:
        raise ContractBroken(f"{NAME} gave no asset {', '.join(missing)} when asked for it.")
    return [
        _instrument(symbol, assets[name], firsts.get(name))
        for symbol, name in zip(fetch.question["symbols"], names, strict=True)
    ]


def _instrument(symbol: str, asset: AlpacaAsset, first_session: date | None) -> Instrument:
    return Instrument(
        symbol,
        asset.name or symbol,
        asset.exchange,
        is_tradable=asset.tradable and asset.status == "active",
        is_shortable=asset.shortable,
        asset_class=asset.asset_class,
        first_session=first_session,
        is_fractionable=asset.fractionable,
        is_easy_to_borrow=asset.is_easy_to_borrow(),
        is_unqualified_partnership=asset.is_unqualified_partnership(),
        source_id=asset.id,
    )


def _asset(page: Page, document: Mapping[str, Any]) -> AlpacaAsset:
    try:
        return AlpacaAsset.model_validate(document)
    except ValidationError as error:
        raise ContractBroken(f"{NAME}, response {page.response_id}: {explain(error)}, in an asset.") from error


def _pages(fetch: Fetch) -> Iterator[tuple[Page, dict[str, Any]]]:
    """Every page with its document. Raises ContractBroken when the last page of a request is missing."""
    ends = 0
    for page in fetch.pages:
        document = json_object(page.body)
        ends += _next_token(document) is None
        yield page, document
    asked = -(-len(fetch.question["symbols"]) // SYMBOLS_A_REQUEST)
    if fetch.pages and ends != asked:
        raise ContractBroken(
            f"{NAME}, fetch {fetch.fetch_id}: not all pages were received. Nothing was stored from it."
        )


def _next_token(document: object) -> str | None:
    token = document.get("next_page_token") if isinstance(document, dict) else None
    if token is not None and not isinstance(token, str):
        raise ContractBroken(f"{NAME} sent {token!r} for a page token. Nothing was stored from the answer.")
    return token or None


def _section(page: Page, document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The lists of rows by symbol or kind. Null is how Alpaca says: none."""
    section = document.get(name, ())
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise ContractBroken(
            f"{NAME}, response {page.response_id}: no {name} in the answer. Nothing was stored from it."
        )
    return section
