"""All of trading.yaml as one value: what an installation trades, and within which limits."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from trading_assets.domain.market.universe import Membership, always, read_members, universe_id
from trading_assets.domain.values import Timeframe
from trading_assets.settings.risk import RiskMonitorSettings, RiskSettings
from trading_assets.settings.section import Section, StrategyName, TickerSymbol
from trading_assets.settings.services import (
    AlpacaSettings,
    ArchiveSettings,
    BrokerSettings,
    ComparisonSettings,
    NotificationSettings,
    PolygonSettings,
    YahooSettings,
)
from trading_assets.settings.strategies import StrategyLimitSettings, StrategySettings

KNOW_COMPANIES = {"polygon", "yahoo"}


class TradingSettings(Section):
    """The content of trading.yaml."""

    source: Literal["sample", "folder", "alpaca", "polygon", "yahoo"]
    fallbacks: tuple[Literal["alpaca", "polygon", "yahoo"], ...] = ()
    folder: Path | None = Field(default=None, validate_default=True)
    alpaca: AlpacaSettings = AlpacaSettings()
    polygon: PolygonSettings = PolygonSettings()
    yahoo: YahooSettings = YahooSettings()
    fundamentals: Literal["polygon", "yahoo"] | None = None
    comparison: ComparisonSettings = ComparisonSettings()
    halts_file: Path | None = None
    universe_file: Path | None = None
    universe: Annotated[tuple[TickerSymbol, ...], Field(min_length=1, validate_default=True)] = ()
    timeframes: Annotated[tuple[Timeframe, ...], Field(min_length=1)]
    strategies: dict[StrategyName, StrategySettings]
    strategies_folder: Path | None = None
    strategy_limits: StrategyLimitSettings = StrategyLimitSettings()
    risk: RiskSettings = RiskSettings()
    risk_monitor: RiskMonitorSettings = RiskMonitorSettings()
    broker: BrokerSettings = BrokerSettings()
    clock: Literal["wall", "replay"] = "wall"
    catch_up_sessions: Annotated[int, Field(ge=0)] = 10
    notifications: NotificationSettings = NotificationSettings()
    archive: ArchiveSettings = ArchiveSettings()

    @field_validator("fallbacks")
    @classmethod
    def _fallbacks_are_other_vendors(cls, fallbacks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        source = info.data.get("source")
        if fallbacks and source in {"sample", "folder"}:
            raise ValueError(f"source: {source} is not a vendor and has no fall-back")
        named = [source, *fallbacks]
        if repeated := [name for name, count in Counter(named).items() if count > 1]:
            raise ValueError(f"{repeated[0]} is listed twice; `source` is asked first")
        return fallbacks

    @field_validator("comparison")
    @classmethod
    def _compared_with_other_vendors(cls, comparison: ComparisonSettings, info: ValidationInfo) -> ComparisonSettings:
        named = [info.data.get("source"), *comparison.vendors]
        if repeated := [name for name, count in Counter(named).items() if count > 1]:
            raise ValueError(f"{repeated[0]} is the source itself or is listed twice; compare with other vendors")
        return comparison

    @field_validator("halts_file", "strategies_folder")
    @classmethod
    def _path_of_a_home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @field_validator("folder")
    @classmethod
    def _folder_is_named_when_asked_for(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        if info.data.get("source") == "folder" and folder is None:
            raise ValueError("source: folder needs the folder of your Parquet or CSV files")
        return folder.expanduser() if folder else None

    @field_validator("universe_file")
    @classmethod
    def _members_can_be_read(cls, path: Path | None) -> Path | None:
        if path is not None:
            _read_universe(path)
        return path and path.expanduser()

    @field_validator("universe", mode="before")
    @classmethod
    def _symbols_of_the_file(cls, universe: Any, info: ValidationInfo) -> Any:
        path = info.data.get("universe_file")
        if path is not None and universe:
            raise ValueError("give the symbols here or the members in universe_file, not both")
        if path is not None:
            return tuple(sorted({one.symbol for one in _read_universe(path)}))
        if universe == () and "universe_file" in info.data:
            raise PydanticCustomError("missing", "universe is missing")
        return universe

    @field_validator("universe", "timeframes")
    @classmethod
    def _in_order_and_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        # Sorted, so that the order somebody typed them in can never change a trade.
        if repeated := [value for value, count in Counter(values).items() if count > 1]:
            raise ValueError(f"{repeated[0]} is listed twice")
        return tuple(sorted(values))

    @field_validator("strategies")
    @classmethod
    def _strategies_fit(
        cls, strategies: dict[str, StrategySettings], info: ValidationInfo
    ) -> dict[str, StrategySettings]:
        timeframes = info.data.get("timeframes", ())
        for name, strategy in strategies.items():
            if timeframes and strategy.timeframe not in timeframes:
                raise ValueError(
                    f"{name} asks for timeframe {strategy.timeframe}; timeframes lists only {', '.join(timeframes)}"
                )
        total = sum(Decimal(repr(strategy.capital_weight)) for strategy in strategies.values())
        if total > 1:
            raise ValueError(f"the capital weights sum to {total}: together they may use at most 1, the whole account")
        return strategies

    @field_validator("risk")
    @classmethod
    def _protections_fit(cls, risk: RiskSettings, info: ValidationInfo) -> RiskSettings:
        strategies, timeframes = info.data.get("strategies", {}), info.data.get("timeframes", ())
        for one in risk.protections:
            if one.strategy is not None and one.strategy not in strategies:
                raise ValueError(f"a {one.kind} protects {one.strategy}, which strategies does not list")
            if timeframes and one.timeframe not in timeframes:
                raise ValueError(
                    f"a {one.kind} counts bars of {one.timeframe}; timeframes lists only {', '.join(timeframes)}"
                )
        return risk

    @property
    def company_vendor(self) -> str | None:
        """Who is asked about companies: `fundamentals`, else the first of source and fall-backs that knows any."""
        named = (self.fundamentals, self.source, *self.fallbacks)
        return next((name for name in named if name in KNOW_COMPANIES), None)

    @property
    def members(self) -> tuple[Membership, ...]:
        """Who belongs to the universe on which days; everybody on every day where `universe` is a list."""
        return always(self.universe) if self.universe_file is None else _read_universe(self.universe_file)

    @property
    def is_survivorship_biased(self) -> bool:
        """Whether the universe is a list of symbols that somebody chose when it was known how they fared."""
        return self.universe_file is None

    def fingerprint(self) -> str:
        """Eight hex digits that change when, and only when, something that decides trading changes.

        Notifications, the clock, the place of a folder, how a vendor is asked and what it is compared with do not
        count: who is told, whether it is a rehearsal, and where the data lie moves no order.
        """
        text = json.dumps(self._trading_facts(), sort_keys=True, default=_canonical)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def trading_facts(self) -> dict[str, Any]:
        """What the fingerprint is made of, as plain JSON values."""
        facts: dict[str, Any] = json.loads(json.dumps(self._trading_facts(), default=_canonical))
        return facts

    def _trading_facts(self) -> dict[str, Any]:
        facts = self.model_dump(exclude=_MOVES_NO_ORDER)
        facts["strategies"] = {name: strategy.facts() for name, strategy in self.strategies.items()}
        facts["risk"] = self.risk.facts()
        facts["broker"] = self.broker.facts()
        if self.source == "alpaca":
            facts["feed"] = self.alpaca.feed  # one exchange's prices are not those of all of them
        if self.universe_file is not None:
            facts["members"] = universe_id(self.members)
        return facts


_MOVES_NO_ORDER = {
    "archive",
    "notifications",
    "clock",
    "catch_up_sessions",
    "folder",
    "fallbacks",
    "fundamentals",
    "alpaca",
    "polygon",
    "yahoo",
    "comparison",
    "halts_file",
    "universe_file",
    "strategies_folder",
    "strategy_limits",
    "risk_monitor",
}


def _read_universe(path: Path) -> tuple[Membership, ...]:
    """The memberships in a file. Raises ValueError naming it."""
    try:
        return read_members(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ValueError(f"{path} cannot be read ({reason})") from error
    except ValueError as error:
        raise ValueError(f"{path}, {error}") from error


def _canonical(value: object) -> str:
    """5, 5.0 and 5.00 are one configuration."""
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)
