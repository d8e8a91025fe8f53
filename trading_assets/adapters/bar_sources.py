"""Builds the source that trading.yaml names, with the vendors to ask when it fails. Nothing connects before a question.

A fall-back is always another vendor that the configuration lists: bundled data never stands in for real data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from trading_assets.adapters.errors import AdapterError, AuthFailed, ContractBroken, Transient
from trading_assets.adapters.ports import BarSource, CalendarSource, FundamentalsSource
from trading_assets.adapters.postgres.database import Database
from trading_assets.adapters.postgres.vendor_responses import SharedTokenBucket, StoredResponses, bucket_of
from trading_assets.adapters.vendor_gateway import VendorGateway, json_document, json_object
from trading_assets.domain.market.sessions import bar_bounds
from trading_assets.domain.values import Timeframe
from trading_assets.settings import Environment, TradingSettings

if TYPE_CHECKING:
    import pandas as pd
    from pydantic import SecretStr

    from trading_assets.domain.market.corporate_actions import CorporateAction
    from trading_assets.domain.market.fundamentals import ObservedFact, ReportedFigure
    from trading_assets.domain.market.instruments import Instrument

logger = logging.getLogger(__name__)

BROKERS = {"alpaca"}
"""Sources that are brokers as well, and have a calendar of their own."""
COMPARISON = "comparison/"
"""Begins the dataset of answers that only stand beside stored ones: reading them again must not store them."""
MOST_AT_ONCE = 10
"""Requests that may follow each other without a wait, as long as the minute's number is kept."""
Result = TypeVar("Result")


def build_bar_source(settings: TradingSettings, environment: Environment, database: Database) -> BarSource:
    """The configured source. Raises AuthFailed when its key is missing in the environment."""
    kept = StoredResponses(database)
    first = _build(settings.source, settings, environment, kept)
    if not settings.fallbacks:
        return first
    return FallbackSource([first, *(_build(name, settings, environment, kept) for name in settings.fallbacks)])


def build_comparison_sources(
    settings: TradingSettings, environment: Environment, database: Database
) -> list[BarSource]:
    """The vendors to compare stored bars with, in order. Raises AuthFailed when a key is missing in the environment."""
    kept = StoredResponses(database, COMPARISON)
    return [_build(name, settings, environment, kept) for name in settings.comparison.vendors]


def calendar_source(source: BarSource) -> CalendarSource | None:
    """`source` or the first of its fall-backs that has a broker's calendar; None when none of them has."""
    candidates = source.sources if isinstance(source, FallbackSource) else [source]
    return next((candidate for candidate in candidates if isinstance(candidate, CalendarSource)), None)


def calendar_vendor(settings: TradingSettings) -> str | None:
    """The name of the `calendar_source` that these settings lead to, without building it."""
    return next((name for name in (settings.source, *settings.fallbacks) if name in BROKERS), None)


def build_fundamentals_source(
    settings: TradingSettings, environment: Environment, database: Database
) -> FundamentalsSource:
    """Who is asked about companies; NoFundamentals where nobody in the configuration knows any. Raises AuthFailed."""
    if settings.company_vendor is None:
        return NoFundamentals(settings.source)
    source = _build(settings.company_vendor, settings, environment, StoredResponses(database))
    assert isinstance(source, FundamentalsSource)  # noqa: S101  the settings name no other vendor
    return source


@dataclass
class NoFundamentals:
    """The FundamentalsSource of a source that knows prices only."""

    name: str

    def figures(self, symbols: Sequence[str]) -> list[ReportedFigure]:
        """None."""
        del symbols
        return []

    def facts(self, symbols: Sequence[str]) -> list[ObservedFact]:
        """None."""
        del symbols
        return []


class FallbackSource:
    """Asks its sources in order until one answers. `name` is the one that answered last.

    The next one is asked when a source stays unreachable or breaks its contract. A wrong key or an unknown symbol is a
    mistake that somebody has to mend, and fails.
    """

    def __init__(self, sources: Sequence[BarSource]) -> None:
        self.sources = sources
        self.name = sources[0].name

    def bars(
        self, symbols: Sequence[str], timeframe: Timeframe, first: date, last: date, until: datetime
    ) -> pd.DataFrame:
        """As the first source that answers gives them; the column `source` names it. Raises AdapterError.

        The last hours of half days that it is known to lack come from the next source that has them.
        """
        answer = self._first_answer(lambda source: source.bars(symbols, timeframe, first, last, until))
        return self._with_half_day_ends(answer, first, last, until) if timeframe is Timeframe.HOUR else answer

    def _with_half_day_ends(self, hours: pd.DataFrame, first: date, last: date, until: datetime) -> pd.DataFrame:
        import pandas as pd

        from trading_assets.domain.market.half_days import missing_ends

        for source in self.sources:
            missing = missing_ends(hours, first, last, until) if source.name != self.name else []
            for day in sorted({end.session_date for end in missing}):
                symbols = [end.symbol for end in missing if end.session_date == day]
                try:
                    found = source.bars(symbols, Timeframe.HOUR, day, day, until)
                except AdapterError as error:
                    logger.warning("%s has no last hour of %s either: %s", source.name, day, error)
                    continue
                ends = found[found["ts"] == bar_bounds(day, Timeframe.HOUR)[-1].ts]
                if not ends.empty:
                    hours = pd.concat([hours, ends]).sort_values(["symbol", "ts"], ignore_index=True)
        return hours

    def corporate_actions(self, symbols: Sequence[str], first: date, last: date) -> list[CorporateAction]:
        """As the first source that answers gives them. Raises AdapterError."""
        return self._first_answer(lambda source: source.corporate_actions(symbols, first, last))

    def instruments(self, symbols: Sequence[str]) -> list[Instrument]:
        """As the first source that answers gives them. Raises AdapterError."""
        return self._first_answer(lambda source: source.instruments(symbols))

    def _first_answer(self, ask: Callable[[BarSource], Result]) -> Result:
        failures: list[AdapterError] = []
        for source in self.sources:
            try:
                answer = ask(source)
            except (Transient, ContractBroken) as error:
                logger.warning("%s failed: %s", source.name, error)
                failures.append(error)
            else:
                self.name = source.name
                return answer
        # The preferred source's failure is the one to mend.
        raise failures[0]


def _build(name: str, settings: TradingSettings, environment: Environment, kept: StoredResponses) -> BarSource:
    match name:
        case "sample":
            from trading_assets.adapters.sample import SampleSource

            return SampleSource()
        case "folder" if settings.folder is not None:
            from trading_assets.adapters.folder import FolderSource

            return FolderSource(settings.folder)
        case "yahoo":
            from trading_assets.adapters.yahoo import YahooSource

            yahoo = settings.yahoo
            # Yahoo knows no keys and counts by address: all processes on this database share one bucket.
            gateway = _gateway("yahoo", yahoo.base_url, yahoo.requests_per_minute, kept)
            return YahooSource(gateway, yahoo.base_url, environment.home / "yahoo")
        case "alpaca":
            from trading_assets.adapters.alpaca import AlpacaSource

            alpaca = settings.alpaca
            key = _required("ALPACA_API_KEY", environment.alpaca_api_key)
            return AlpacaSource(
                # Its calendar is a list; the readers of everything else insist on an object themselves.
                _gateway("alpaca", key, alpaca.requests_per_minute, kept, json_document),
                key,
                _required("ALPACA_SECRET_KEY", environment.alpaca_secret_key),
                alpaca.feed,
                timedelta(minutes=alpaca.delay_minutes),
                alpaca.data_url,
                alpaca.trading_url,
            )
        case "polygon":
            from trading_assets.adapters.polygon import PolygonSource

            polygon = settings.polygon
            key = _required("POLYGON_API_KEY", environment.polygon_api_key)
            gateway = _gateway("polygon", key, polygon.requests_per_minute, kept)
            return PolygonSource(gateway, key, polygon.base_url, timedelta(minutes=polygon.delay_minutes))
    raise ValueError(f"{name} is no source of bars.")


def _gateway(
    vendor: str, key: str, per_minute: float, kept: StoredResponses, check: Callable[[bytes], object] = json_object
) -> VendorGateway:
    limiter = SharedTokenBucket(kept.database, bucket_of(vendor, key), min(MOST_AT_ONCE, per_minute), per_minute)
    return VendorGateway(vendor, limiter, kept, check=check)


def _required(name: str, secret: SecretStr | None) -> str:
    if secret is None:
        raise AuthFailed(f"{name} is not set: put it into the environment or .env, or choose another `source`.")
    return secret.get_secret_value()
