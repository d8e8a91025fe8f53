"""Yahoo Finance, asked through the session, cookies and crumb of yfinance.

Only what is asked belongs here; what the answers say is in yahoo_wire.py. yfinance's own tables are not used: they mend
and merge rows and hide errors, and the history of this project must be readable again from the stored answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from curl_cffi import requests as curl

from trading_assets.adapters.errors import AdapterError, AuthFailed, ContractBroken, NotFound, RateLimited, Unreachable
from trading_assets.adapters.vendor_gateway import Fetch, VendorGateway, without_secrets
from trading_assets.adapters.vendor_transport import GatewayAdapter
from trading_assets.adapters.yahoo_fundamentals import (
    PREFIXES,
    STATEMENT_PATH,
    STATEMENTS,
    TOPICS,
    facts_in,
    figures_in,
)
from trading_assets.adapters.yahoo_half_days import HALF_HOURS, half_day_ends_in
from trading_assets.adapters.yahoo_wire import (
    CHART_PATH,
    PROFILE_PATH,
    SOURCE,
    actions_in,
    bars_in,
    explanation,
    instrument_in,
    yahoo_symbol,
)
from trading_assets.domain.market.bars import BAR_COLUMNS
from trading_assets.domain.market.corporate_actions import CorporateAction
from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure, Statement
from trading_assets.domain.market.half_days import missing_ends
from trading_assets.domain.market.instruments import Instrument
from trading_assets.domain.market.sessions import NEW_YORK
from trading_assets.domain.values import Timeframe

if TYPE_CHECKING:
    import pandas as pd

BASE_URL = "https://query2.finance.yahoo.com"
DATA_PATHS = (CHART_PATH, PROFILE_PATH, STATEMENT_PATH)
LINES_A_REQUEST = 60
"""As in yfinance: some networks silently drop addresses that are longer than about 2 kB."""
EXPLAINED = {400, 422}
"""Yahoo's statuses for a range that it has no chart of, with the reason in the body."""
LOGIN_EXPIRED = {401, 403}
"""yfinance fetches a new cookie and crumb after one of these, and asks once more."""
HALF_HOURS_KEPT = timedelta(days=59)
"""How far back Yahoo has bars of half an hour."""
NO_DATA = "data doesn't exist"


class YahooSource:
    """BarSource and FundamentalsSource over Yahoo Finance: 1h of the last 730 days, 1d of the whole history."""

    name = SOURCE

    def __init__(self, gateway: VendorGateway, base_url: str = BASE_URL, cache_folder: Path | None = None) -> None:
        """Requests to all of Yahoo's hosts go to another `base_url`; yfinance keeps its files in `cache_folder`."""
        self._gateway = gateway
        self._base_url = base_url.rstrip("/")
        self._cache_folder = cache_folder

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """The named instruments, in the order asked for. Raises AdapterError, NotFound for an unknown symbol."""
        return [self._instrument(symbol) for symbol in symbols]

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """Raw bars of the sessions first..last that have closed by `until`: BAR_COLUMNS and response_id.

        By symbol and ts. Where a half day lacks its last hour, it comes from Yahoo's half hours, as source yahoo_30m;
        they reach back two months, and older half days stay without it. Raises AdapterError; NotFound for hours older
        than 730 days.
        """
        import pandas as pd

        frames = []
        for symbol in sorted(symbols):
            with self._asked(
                f"bars/{timeframe}", symbol, first, last, timeframe=str(timeframe), until=until.isoformat()
            ) as fetch:
                self._ask_chart(fetch, str(timeframe))
            bars, quarantined = bars_in(fetch)
            self._gateway.quarantine(quarantined)
            frames += [bars, *self._half_day_ends(bars, symbol, timeframe, until)]
        if not frames:
            return pd.DataFrame(columns=list(BAR_COLUMNS))
        return pd.concat(frames).sort_values(["symbol", "ts"], ignore_index=True)

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """Splits and dividends with an ex-date in first..last, by symbol and ex-date; Yahoo has no pay dates."""
        found: list[CorporateAction] = []
        for symbol in sorted(symbols):
            with self._asked("corporate_actions", symbol, first, last) as fetch:
                self._ask_chart(fetch, str(Timeframe.SESSION))
            actions, quarantined = actions_in(fetch)
            self._gateway.quarantine(quarantined)
            found += actions
        return found

    def figures(self, symbols: Sequence[str]) -> list[ReportedFigure]:
        """Four years and five quarters of income statement, balance sheet and cash flow. Raises AdapterError."""
        return [
            figure for symbol in symbols for statement in STATEMENTS for figure in self._statement(symbol, statement)
        ]

    def facts(self, symbols: Sequence[str]) -> list[ObservedFact]:
        """Profile with officers, key statistics, earnings dates, recommendations, institutional holders.

        Raises AdapterError.
        """
        found: list[ObservedFact] = []
        for symbol in symbols:
            with self._gateway.fetch("fundamentals", symbol=symbol) as fetch:
                self._ask(PROFILE_PATH + yahoo_symbol(symbol), modules=",".join(TOPICS), formatted="false")
            found += facts_in(fetch)
        return found

    def _half_day_ends(
        self, bars: pd.DataFrame, symbol: str, timeframe: Timeframe, until: datetime
    ) -> Iterator[pd.DataFrame]:
        """The last hours of half days that these hours of a symbol lack, as far as Yahoo still has half hours."""
        if timeframe is not Timeframe.HOUR or bars.empty:
            return
        since = max((datetime.now(UTC) - HALF_HOURS_KEPT).date(), bars["session_date"].min())
        days = [end.session_date for end in missing_ends(bars, since, bars["session_date"].max(), until)]
        if not days:
            return
        asked = self._asked(
            "half_day_ends/1h", symbol, days[0], days[-1], timeframe=str(timeframe), until=until.isoformat()
        )
        with asked as fetch, suppress(NotFound):
            self._ask_chart(fetch, HALF_HOURS)
        if not fetch.pages:
            return
        ends, quarantined = half_day_ends_in(fetch)
        self._gateway.quarantine(quarantined)
        ends = ends[ends["session_date"].isin(days)]
        if not ends.empty:
            yield ends

    def _statement(self, symbol: str, statement: Statement) -> list[ReportedFigure]:
        from yfinance.const import fundamentals_keys

        names = [prefix + item for prefix in PREFIXES for item in fundamentals_keys[STATEMENTS[statement]]]
        with self._gateway.fetch("financials", symbol=symbol, statement=str(statement)) as fetch:
            for position in range(0, len(names), LINES_A_REQUEST):
                self._ask(
                    STATEMENT_PATH + yahoo_symbol(symbol),
                    symbol=yahoo_symbol(symbol),
                    type=",".join(names[position : position + LINES_A_REQUEST]),
                    period1="0",
                    period2=str(int((datetime.now(UTC) + timedelta(days=1)).timestamp())),
                )
        figures, quarantined = figures_in(fetch)
        self._gateway.quarantine(quarantined)
        return figures

    def _instrument(self, symbol: str) -> Instrument:
        with self._gateway.fetch("instruments", symbol=symbol) as fetch:
            self._ask(CHART_PATH + yahoo_symbol(symbol), interval=str(Timeframe.SESSION), range="5d")
            # Funds have a chart and no profile.
            with suppress(NotFound):
                self._ask(PROFILE_PATH + yahoo_symbol(symbol), modules="summaryProfile")
        return instrument_in(fetch)

    def _asked(self, dataset: str, symbol: str, first: date, last: date, **more: str) -> AbstractContextManager[Fetch]:
        facts = {"first": f"{first}", "last": f"{last}", "asked_at": datetime.now(UTC).isoformat()}
        return self._gateway.fetch(dataset, symbol=symbol, **facts, **more)

    def _ask_chart(self, fetch: Fetch, interval: str) -> None:
        """Ask for everything from the question's first day to now, because its prices need the splits since then."""
        symbol, first = str(fetch.question["symbol"]), date.fromisoformat(str(fetch.question["first"]))
        since = int(datetime.combine(first, time(), NEW_YORK).timestamp())
        now = datetime.fromisoformat(str(fetch.question["asked_at"])) + timedelta(days=1)
        response = self._ask(
            CHART_PATH + yahoo_symbol(symbol),
            period1=str(since),
            period2=str(int(now.timestamp())),
            interval=interval,
            includePrePost="false",
            events="div,splits",
        )
        if not fetch.pages and NO_DATA not in (reason := explanation(response.content)).lower():
            raise NotFound(f"yahoo has no {interval} bars of {symbol} since {first}: {reason}")

    def _ask(self, path: str, **parameters: str) -> requests.Response:
        """Yahoo's answer, through yfinance. Raises AdapterError, whatever yfinance makes of a fault."""
        from yfinance.data import YfData
        from yfinance.exceptions import YFException, YFRateLimitError

        try:
            # One object for the whole process, which has to be given our session each time.
            response: requests.Response = YfData(session=self._session).get(BASE_URL + path, params=parameters)
        except AdapterError:
            raise
        except YFRateLimitError as error:
            raise RateLimited(f"yahoo asks us to wait, {path}. Try again later.") from error
        except (YFException, requests.RequestException, OSError) as error:
            raise Unreachable(f"yahoo let nobody log in, {path} ({error}). Try again later.") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ContractBroken(f"yfinance does not understand Yahoo's login, {path} ({error!r}).") from error
        if response.status_code in LOGIN_EXPIRED:
            raise AuthFailed(f"yahoo answered {response.status_code} to {path}, with a new login too. Try again later.")
        return response

    @cached_property
    def _session(self) -> requests.Session:
        import yfinance

        if self._cache_folder is not None:
            yfinance.set_tz_cache_location(str(self._cache_folder))
        session = requests.Session()
        session.mount("https://", BrowserAdapter(self._gateway, self._base_url))
        return session


class BrowserAdapter(GatewayAdapter):
    """Sends with the TLS handshake of a browser, because Yahoo turns others away; data goes through the gateway.

    Cookies and crumb are fetched past it: they are secrets that nobody may keep, and yfinance copes without them.
    """

    def __init__(self, gateway: VendorGateway, base_url: str) -> None:
        super().__init__(
            gateway,
            rewrite=lambda url: url if base_url == BASE_URL else base_url + url[url.index("/", len("https://")) :],
            accepts=lambda url, status: _is_data(url) and status in EXPLAINED | LOGIN_EXPIRED,
        )
        self._browser: curl.Session[curl.Response] = curl.Session(impersonate="chrome")

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """As GatewayAdapter; a fault on the way to a cookie is one that yfinance knows."""
        asked = request.url or ""
        if not _is_data(asked):
            try:
                request.url = self._rewrite(asked)
                return self._send_and_read(request, True, None, None)
            except AdapterError as error:
                raise requests.ConnectionError(str(error), request=request) from error
            finally:
                request.url = asked
        response = super().send(request, *arguments, **options)
        if response.status_code in EXPLAINED:
            # yfinance would log in anew and ask again; the answer is final and says why.
            response.status_code = 200
        return response

    def _send_and_read(
        self, request: requests.PreparedRequest, verify: Any, cert: Any, proxies: dict[str, str] | None
    ) -> requests.Response:
        del verify, cert, proxies
        policy = self._gateway.policy
        address = without_secrets(request.url or "")
        content_type = request.headers.get("Content-Type")
        try:
            answer = self._browser.request(
                "POST" if request.method == "POST" else "GET",
                request.url or "",
                data=request.body if isinstance(request.body, str | bytes) else None,
                headers={"Content-Type": str(content_type)} if content_type else {},
                allow_redirects=False,
                timeout=(policy.connect_timeout_s, policy.read_timeout_s),
            )
        except (curl.exceptions.InvalidURL, curl.exceptions.InvalidSchema) as error:
            raise ContractBroken(f"{address} is no address. Correct it in trading.yaml.") from error
        except curl.exceptions.RequestException as error:
            raise Unreachable(
                f"{self._gateway.vendor} does not answer at {address} ({error}). Try again later, or check the "
                "network and the vendor's address in trading.yaml."
            ) from error
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status_code, request.url or "", request
        # The body is already unpacked.
        response.headers.update(
            {name: value or "" for name, value in answer.headers.items() if name.lower() != "content-encoding"}
        )
        response._content = answer.content
        response._content_consumed = True
        return response


def _is_data(url: str) -> bool:
    return urlsplit(url).path.startswith(DATA_PATHS)
