"""Polygon, now called Massive, asked through its SDK: bars, corporate actions, instruments and companies.

Works with polygon-api-client or with its successor, the package massive. The SDK knows addresses and follows pages;
requests go out through a VendorGateway, and rows are read from the stored bytes: the SDK takes half a page for the end.
What the answers say is in polygon_wire.py and polygon_fundamentals.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from trading_assets.adapters.errors import ContractBroken, NotFound
from trading_assets.adapters.polygon_fundamentals import TIMEFRAMES, facts_in, figures_in
from trading_assets.adapters.polygon_wire import NAME, actions_in, bars_in, instruments_in, next_url
from trading_assets.adapters.vendor_gateway import VendorGateway, json_object
from trading_assets.adapters.vendor_rows import BarQuestion, with_dots
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

BASE_URL = "https://api.polygon.io"
MINUTES_A_PAGE = 50_000
ROWS_A_PAGE = 1_000
STATEMENTS_A_PAGE = 100


@dataclass(frozen=True)
class PolygonSource:
    """BarSource and FundamentalsSource over Polygon's REST API. `delay`: how late the plan publishes."""

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
        """Splits, cash dividends and renames with an ex-date in first..last. Dividends not in USD are quarantined."""
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
                # Polygon has no history of names for funds, and none for what is long gone.
                with suppress(NotFound):
                    client.get_ticker_events(ticker, types="ticker_change", raw=True)
        actions, quarantined = actions_in(fetch)
        self.gateway.quarantine(quarantined)
        return actions

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for. Raises NotFound for a symbol that Polygon does not know."""
        with self.gateway.fetch("instruments", symbols=list(symbols)) as fetch:
            for symbol in symbols:
                self._client().get_ticker_details(with_dots(symbol), raw=True)
        return instruments_in(fetch)

    def figures(self, symbols: Sequence[str]) -> list[ReportedFigure]:
        """Income statement, balance sheet and cash flow of every annual and quarterly filing, with its filing time.

        Nothing for a symbol that files none, such as a fund. Raises AdapterError.
        """
        found: list[ReportedFigure] = []
        for symbol in symbols:
            with self.gateway.fetch("financials", symbol=symbol) as fetch:
                for timeframe in TIMEFRAMES:
                    _exhaust(
                        self._client().vx.list_stock_financials(
                            ticker=with_dots(symbol),
                            timeframe=timeframe,
                            limit=STATEMENTS_A_PAGE,
                            sort="filing_date",
                            order="asc",
                        )
                    )
            figures, quarantined = figures_in(fetch)
            self.gateway.quarantine(quarantined)
            found += figures
        return found

    def facts(self, symbols: Sequence[str]) -> list[ObservedFact]:
        """Profile, market capitalisation and shares. Raises AdapterError, NotFound for an unknown symbol."""
        found: list[ObservedFact] = []
        for symbol in symbols:
            with self.gateway.fetch("fundamentals", symbol=symbol) as fetch:
                self._client().get_ticker_details(with_dots(symbol), raw=True)
            found += facts_in(fetch)
        return found

    def _client(self) -> Any:
        """The SDK for one question, with a pool of connections that is the gateway."""
        client = _sdk_client()(api_key=self.api_key, base=self.base_url.rstrip("/"), retries=0)
        client.client = client.vx.client = _GatewayPool(self.gateway)
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
        following = next_url(json_object(response.content))
        envelope = {"results": [], **({"next_url": following} if following else {})}
        return _PoolAnswer(200, json.dumps(envelope).encode(), response.headers)


def _sdk_client() -> Callable[..., Any]:
    for package in ("polygon", "massive"):
        try:
            module = __import__(package)
        except ModuleNotFoundError:
            continue
        client: Callable[..., Any] = module.RESTClient
        return client
    raise NotFound(
        "Neither polygon-api-client nor massive is installed: "
        "`pip install polygon-api-client`, or choose another `source`."
    )


def _exhaust(pages: Iterator[object]) -> None:
    for _row in pages:
        raise AssertionError("the SDK sees no rows")
