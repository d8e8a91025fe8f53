"""Typed settings from trading.yaml and the environment; the only reader of os.environ.

Secrets live in the environment only, and are SecretStr: they are never printed, logged or shown in the Dagster UI.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from trading_assets.domain.market.universe import Membership, always, read_members, universe_id
from trading_assets.domain.risk.breakers import DEFAULT_RULES, Breaker, BreakerAction
from trading_assets.domain.risk.protections import ProtectionKind
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.values import Timeframe

PROJECT_ROOT = Path(__file__).parents[1]
CONFIG_NAME = "trading.yaml"


class SettingsError(Exception):
    """trading.yaml or an environment variable is not usable. One line that names the place and what is accepted."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


TickerSymbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.-]{0,11}$")]
WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s/]+/?$")]
STRATEGY_NAME = r"^[a-z][a-z0-9_]{0,39}$"
StrategyName = Annotated[str, Field(pattern=STRATEGY_NAME)]
KNOW_COMPANIES = {"polygon", "yahoo"}


ExitFraction = Annotated[float, Field(gt=0, lt=1)]


class ExitSettings(Section):
    """Where positions end by themselves: fractions of the entry price, or for the trailing stop of the best price."""

    stop_loss: ExitFraction | None = None
    take_profit: ExitFraction | None = None
    trailing_stop: ExitFraction | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not self.chosen():
            raise ValueError("give at least one of stop_loss, take_profit and trailing_stop, or leave exits out")
        return self

    def chosen(self) -> dict[str, float]:
        return {name: fraction for name, fraction in self.model_dump().items() if fraction is not None}


class PositionSizeSettings(Section):
    """How many shares a target is. Each number is read by some methods only."""

    method: SizeMethod
    risk: Annotated[float, Field(gt=0, le=0.25)] = 0.01
    multiple: Annotated[float, Field(gt=0, le=100)] = 2.0
    period: Annotated[int, Field(ge=2, le=1000)] = 14
    target: Annotated[float, Field(gt=0, le=2)] = 0.10


class StrategySettings(Section):
    """One strategy of the portfolio. `parameters` are checked by the strategy's own model."""

    timeframe: Timeframe = Timeframe.SESSION
    capital_weight: Annotated[float, Field(ge=0, le=1)]
    parameters: dict[str, Any] = {}
    sizing: Sizing = Sizing.UNIVERSE_SHARE
    sizing_lookback: Annotated[int, Field(ge=20, le=1000)] = 60
    risk_aversion: Annotated[float, Field(gt=0, le=1000)] = 5.0
    max_symbol_weight: Annotated[float, Field(gt=0, le=1)] | None = None
    max_sector_weight: Annotated[float, Field(gt=0, le=1)] | None = None
    exits: ExitSettings | None = None
    position_size: PositionSizeSettings | None = None

    @field_validator("position_size")
    @classmethod
    def _risk_needs_a_stop(cls, size: PositionSizeSettings | None, info: ValidationInfo) -> PositionSizeSettings | None:
        exits = info.data.get("exits")
        if size and size.method is SizeMethod.FIXED_RISK and (exits is None or exits.stop_loss is None):
            raise ValueError("fixed_risk sizes a position by its stop: set exits.stop_loss of the strategy")
        return size

    @property
    def size(self) -> PositionSize:
        """How the strategy's targets become shares."""
        return PositionSize() if self.position_size is None else PositionSize(**self.position_size.model_dump())

    @property
    def portfolio(self) -> PortfolioRule:
        """How the strategy's signals become weights."""
        return PortfolioRule(
            self.sizing, self.sizing_lookback, self.risk_aversion, self.max_symbol_weight, self.max_sector_weight
        )

    def facts(self) -> dict[str, Any]:
        """What decides trading. Of the sizing only what its methods read, of the exits those there are."""
        sizing = {"sizing", "sizing_lookback", "risk_aversion", "max_symbol_weight", "max_sector_weight"}
        exits = {} if self.exits is None else {"exits": self.exits.chosen()}
        size = {"position_size": facts} if (facts := self.size.facts()) else {}
        own = self.model_dump(exclude=sizing | {"exits", "position_size"})
        return own | self.portfolio.facts() | size | exits


class StrategyLimitSettings(Section):
    """What the computation of one strategy's signals, and each of its proofs, may take before it is ended."""

    seconds: Annotated[float, Field(gt=0)] = 600
    proof_seconds: Annotated[float, Field(gt=0)] = 1800
    memory_mb: Annotated[int, Field(ge=64)] = 4096


class BreakerSettings(Section):
    """A breaker of its own choice; what limit and window count depends on the breaker."""

    limit: Annotated[float, Field(ge=0)] | None = None
    window: Annotated[int, Field(ge=1)] | None = None
    action: BreakerAction = BreakerAction.REDUCE
    clears_after_sessions: Annotated[int, Field(ge=1)] | None = None


class ProtectionSettings(Section):
    """What keeps positions from being opened for `stop_bars` after exits of the last `lookback_bars`."""

    kind: ProtectionKind
    stop_bars: Annotated[int, Field(ge=1)]
    lookback_bars: Annotated[int, Field(ge=1)] | None = None
    trade_limit: Annotated[int, Field(ge=1)] = 1
    required_profit: float = 0.0
    max_drawdown: Annotated[float, Field(gt=0, lt=1)] | None = None
    per_symbol: bool = True
    per_side: bool = False
    strategy: StrategyName | None = None
    timeframe: Timeframe = Timeframe.SESSION

    @model_validator(mode="after")
    def _says_what_it_counts(self) -> Self:
        if self.lookback_bars is None and self.kind is not ProtectionKind.COOLDOWN:
            raise ValueError(f"a {self.kind} needs lookback_bars")
        if (self.max_drawdown is None) == (self.kind is ProtectionKind.MAX_DRAWDOWN):
            raise ValueError("a max_drawdown needs max_drawdown, and no other protection has one")
        return self


FractionOrOff = Annotated[float | None, Field(gt=0, le=1)]
"""A limit that does not bind while nobody sets it."""
CountOrOff = Annotated[int | None, Field(gt=0)]


class RiskSettings(Section):
    """Limits of the pre-trade review; shares of equity unless the name says otherwise."""

    max_order_qty: Annotated[int, Field(gt=0)] = 10_000
    max_order_notional: Annotated[float, Field(gt=0, le=1)] = 0.10
    max_position: Annotated[float, Field(gt=0, le=1)] = 0.10
    max_gross_exposure: Annotated[float, Field(gt=0, le=1)] = 0.80
    cash_buffer: Annotated[float, Field(ge=0, lt=1)] = 0.05
    stop_new_daily_loss: Annotated[float, Field(gt=0, lt=1)] = 0.02
    stop_all_daily_loss: Annotated[float, Field(gt=0, lt=1)] = 0.05
    stop_all_drawdown: Annotated[float, Field(gt=0, lt=1)] = 0.10
    approval_ttl_s: Annotated[int, Field(gt=0)] = 120
    rebalance_band: Annotated[float, Field(ge=0, lt=1)] = 0.02
    allow_short: bool = False
    max_order_adv: FractionOrOff = None
    max_order_bar_volume: FractionOrOff = None
    max_net_exposure: FractionOrOff = None
    max_beta_exposure: FractionOrOff = None
    max_sector_exposure: FractionOrOff = None
    max_cluster_exposure: FractionOrOff = None
    cluster_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.8
    max_strategy_exposure: FractionOrOff = None
    max_stress_loss: FractionOrOff = None
    max_reference_age_s: CountOrOff = None
    cut_off_margin_s: Annotated[int, Field(ge=0)] = 30
    max_clock_skew_ms: Annotated[int, Field(ge=0)] = 500
    restricted: tuple[TickerSymbol, ...] = ()
    watch: tuple[TickerSymbol, ...] = ()
    max_limit_distance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    max_stop_distance: Annotated[float, Field(gt=0, lt=1)] = 0.20
    max_spread: Annotated[float, Field(gt=0, lt=1)] = 0.01
    duplicate_window_s: Annotated[int, Field(ge=0)] = 30
    allow_self_cross: bool = True
    max_open_orders_symbol: CountOrOff = None
    max_open_orders: CountOrOff = None
    max_symbol_orders_second: CountOrOff = None
    max_strategy_orders_minute: CountOrOff = None
    max_orders_minute: CountOrOff = None
    max_session_orders: CountOrOff = None
    max_session_turnover: Annotated[float | None, Field(gt=0)] = None
    max_session_reversals: CountOrOff = None
    max_heartbeat_age_s: Annotated[int, Field(gt=0)] = 90
    max_reconciliation_age_s: Annotated[int, Field(gt=0)] = 120
    max_connection_age_s: Annotated[int, Field(gt=0)] = 60
    margin_buffer: Annotated[float, Field(gt=0, lt=1)] = 0.25
    breakers: dict[Breaker, BreakerSettings] = {}
    protections: tuple[ProtectionSettings, ...] = ()

    @field_validator("breakers")
    @classmethod
    def _breakers_can_be_chosen(cls, breakers: dict[Breaker, BreakerSettings]) -> dict[Breaker, BreakerSettings]:
        if fixed := [breaker for breaker in breakers if breaker not in DEFAULT_RULES]:
            raise ValueError(f"{fixed[0]} has a limit of its own; give one of {', '.join(DEFAULT_RULES)}")
        return breakers

    def limits(self) -> dict[str, Any]:
        """The limits by name: what persons may change while it trades."""
        return self.model_dump(exclude={"breakers", "protections", "restricted", "watch"})

    def facts(self) -> dict[str, Any]:
        """What decides trading. A key that came later counts where it is not what it is by default."""
        return {
            name: value
            for name, value in self.model_dump().items()
            if name in _FIRST_LIMITS or getattr(self, name) != type(self).model_fields[name].default
        }


_FIRST_LIMITS = {
    "max_order_qty",
    "max_order_notional",
    "max_position",
    "max_gross_exposure",
    "cash_buffer",
    "stop_new_daily_loss",
    "stop_all_daily_loss",
    "stop_all_drawdown",
    "approval_ttl_s",
    "rebalance_band",
    "allow_short",
}


class RiskMonitorSettings(Section):
    """How the risk of the book is measured, and what is watched of it beside `risk`. People are told; nothing stops."""

    benchmark: TickerSymbol | None = None
    lookback_sessions: Annotated[int, Field(ge=20, le=2520)] = 252
    min_returns: Annotated[int, Field(ge=20)] = 60
    max_value_at_risk: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _lookback_holds_enough(self) -> Self:
        if self.min_returns > self.lookback_sessions:
            raise ValueError(f"min_returns is {self.min_returns}, and lookback_sessions only {self.lookback_sessions}")
        return self


class BrokerSettings(Section):
    """Where orders go. At Alpaca the environment and the number of the one account that may trade are named here."""

    kind: Literal["simulated", "alpaca"] = "simulated"
    environment: Literal["paper", "live"] | None = None
    account: Annotated[str, Field(pattern=r"^[A-Z0-9]{4,32}$")] | None = None
    url: WebAddress | None = None
    opening_cash_usd: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    slippage_bps: Annotated[Decimal, Field(ge=0)] = Decimal(5)
    volume_limit: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.025")
    account_type: Literal["margin", "cash"] = "margin"

    @model_validator(mode="after")
    def _account_is_declared_where_there_is_one(self) -> Self:
        declared = {"environment": self.environment, "account": self.account}
        if self.kind == "alpaca" and (missing := [name for name, value in declared.items() if value is None]):
            raise ValueError(
                f"kind: alpaca needs {' and '.join(missing)}: say where it may trade, and on whose account"
            )
        if self.kind == "simulated" and (given := [name for name, value in declared.items() if value is not None]):
            raise ValueError(f"kind: simulated has no {' and no '.join(given)}; write kind: alpaca, or leave it out")
        return self

    def facts(self) -> dict[str, Any]:
        """What decides trading: not by which address the broker is reached."""
        usual = {"account_type"} if self.account_type == "margin" else set()
        return self.model_dump(exclude={"url"} | usual, exclude_none=True)


class EmailSettings(Section):
    sender: str
    recipients: Annotated[list[str], Field(min_length=1)]
    min_severity: Literal["info", "warning", "critical"] = "warning"


class NotificationSettings(Section):
    email: EmailSettings | None = None


class YahooSettings(Section):
    """How Yahoo Finance is asked; it wants no key and says nowhere how much it allows."""

    base_url: WebAddress = "https://query2.finance.yahoo.com"
    requests_per_minute: Annotated[float, Field(gt=0)] = 60


class AlpacaSettings(Section):
    """How Alpaca's market data is asked for; the keys are in the environment."""

    feed: Literal["iex", "sip", "delayed_sip"] = "iex"
    delay_minutes: Annotated[int, Field(ge=0)] = 0
    requests_per_minute: Annotated[float, Field(gt=0)] = 200
    data_url: WebAddress = "https://data.alpaca.markets"
    trading_url: WebAddress = "https://paper-api.alpaca.markets"


class PolygonSettings(Section):
    """How Polygon (Massive) is asked; the key is in the environment."""

    delay_minutes: Annotated[int, Field(ge=0)] = 15
    requests_per_minute: Annotated[float, Field(gt=0)] = 5
    base_url: WebAddress = "https://api.polygon.io"


class ComparisonSettings(Section):
    """Vendors whose bars are put beside the stored ones after the close, and how far apart they may be."""

    vendors: tuple[Literal["alpaca", "polygon", "yahoo"], ...] = ()
    tolerance_bps: Annotated[float, Field(gt=0)] = 20
    error_multiple: Annotated[float, Field(ge=1)] = 5
    volume_tolerance_pct: Annotated[float, Field(gt=0)] | None = None


class ArchiveSettings(Section):
    """Where old rows go, and after how many days; None keeps them in the database for ever."""

    folder: Path | None = None
    vendor_responses_days: Annotated[int, Field(ge=31)] | None = 365
    bars_days: Annotated[int, Field(ge=31)] | None = None
    events_days: Annotated[int, Field(ge=31)] | None = None

    def retention_days(self) -> dict[str, int | None]:
        """By table. The rows that were set aside leave with the answers they stood in."""
        return {
            "market.vendor_responses": self.vendor_responses_days,
            "market.quarantined_rows": self.vendor_responses_days,
            "market.bars": self.bars_days,
            "ops.events": self.events_days,
        }


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


# trading.yaml ------------------------------------------------------------------------------------


def load_trading_settings(path: Path | None = None) -> TradingSettings:
    """The settings in `path`; without it in TRADING_CONFIG, else ./trading.yaml, else the project's own trading.yaml.

    Raises SettingsError.
    """
    path = path or config_path()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(f"{path} cannot be read ({reason}). Set TRADING_CONFIG to your trading.yaml.") from error
    try:
        root = yaml.compose(text, Loader=_TradingLoader)
        content = yaml.load(text, Loader=_TradingLoader)  # noqa: S506  derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{path}:{line}: not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"{path}: not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise SettingsError(
            f"{path}: expected keys such as {', '.join(TradingSettings.model_fields)}; the file has none."
        )
    try:
        settings = TradingSettings.model_validate(content)
    except ValidationError as error:
        # A mistyped key is also a missing one: the typing mistake is the better explanation.
        problem = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        location = problem["loc"]
        raise SettingsError(f"{path}:{_line_of(root, location)}: {_explain(problem, location)}") from None
    if settings.strategies_folder is None:
        return settings
    return settings.model_copy(update={"strategies_folder": path.resolve().parent / settings.strategies_folder})


def overridden(settings: TradingSettings, overrides: Mapping[str, Any]) -> TradingSettings:
    """The settings with other values at dotted keys: {"risk.allow_short": True}.

    None takes a key out: it has its default then, and a strategy is not traded. Raises SettingsError.
    """
    content = settings.model_dump(exclude_unset=True)
    for key, value in overrides.items():
        *path, name = key.split(".")
        section: Any = content
        for step in path:
            section = section.setdefault(step, {}) if isinstance(section, dict) else None
        if not isinstance(section, dict):
            raise SettingsError(f"{key} is not a setting: {'.'.join(path)} has no parts.")
        if value is None:
            section.pop(name, None)
        else:
            section[name] = value
    try:
        return TradingSettings.model_validate(content)
    except ValidationError as error:
        problem = min(error.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
        raise SettingsError(_explain(problem, problem["loc"])) from None


def read_override(text: str) -> tuple[str, Any]:
    """Key and value of `risk.allow_short=true`, the value as in trading.yaml. Raises SettingsError."""
    key, separator, value = text.partition("=")
    try:
        return key.strip(), yaml.load(value if separator else "[", Loader=_TradingLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise SettingsError(f"{text!r} is no setting: write it as strategies.NAME.parameters.KEY=VALUE.") from error


class _TradingLoader(yaml.SafeLoader):
    """YAML in which ON, NO and Y are words (they are ticker symbols) and in which no key may appear twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value} appears twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BOOLEAN = "tag:yaml.org,2002:bool"
_TradingLoader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] != _BOOLEAN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_TradingLoader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def config_path() -> Path:
    """Where trading.yaml is looked for: TRADING_CONFIG, else the folder one is in, else the project's own."""
    if configured := os.environ.get("TRADING_CONFIG"):
        return Path(configured).expanduser()
    here = Path(CONFIG_NAME)
    return here if here.is_file() else PROJECT_ROOT / CONFIG_NAME


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of the deepest part of `location` that the file has."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _explain(problem: Any, location: tuple[int | str, ...]) -> str:
    keys = ".".join(str(step) for step in location if step != "[key]")
    match problem["type"]:
        case "extra_forbidden":
            accepted = _accepted_keys(location[:-1])
            near = get_close_matches(str(location[-1]), accepted, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            return f"{keys} is not a setting.{hint} Accepted here: {', '.join(accepted)}."
        case "missing":
            return f"{keys} is missing."
        case "string_pattern_mismatch":
            return f"{keys}: {problem['input']!r} does not match {problem['ctx']['pattern']}."
        case "value_error":
            return f"{keys}: {problem['ctx']['error']}."
        case "too_short":
            return f"{keys} is empty: it needs at least one entry."
        case _:
            message = problem["msg"][0].lower() + problem["msg"][1:]
            value = repr(problem["input"])
            return f"{keys}: {message}, got {value if len(value) <= 60 else value[:57] + '...'}."


def _accepted_keys(location: tuple[int | str, ...]) -> list[str]:
    kind: Any = TradingSettings
    for step in location:
        # Either a field of a section, or an entry of a mapping such as `strategies`.
        kind = kind.model_fields[str(step)].annotation if _is_section(kind) else get_args(kind)[-1]
        if get_origin(kind) is not dict:
            kind = next((part for part in get_args(kind) if _is_section(part)), kind)
    return list(kind.model_fields)


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


# The environment ---------------------------------------------------------------------------------


class Environment(Section):
    """What comes from environment variables. `database_url` None means: the embedded server of `make up`."""

    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    smtp_url: SecretStr | None = None
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    polygon_api_key: SecretStr | None = None
    home: Path = Path(".trading")
    pg_bin: Path | None = None
    redis_bin: Path | None = None

    def required_database_url(self) -> str:
        """The URL of the database, or SettingsError when nobody has set or started one."""
        if self.database_url is None:
            raise SettingsError(
                "DATABASE_URL is not set. `make up` starts a PostgreSQL of its own and sets it; "
                "for your own server: export DATABASE_URL=postgresql://user:password@host:5432/name"
            )
        return self.database_url.get_secret_value()


def load_environment() -> Environment:
    """The URLs of servers, the keys of vendors, and where programs and state are; an empty variable counts as unset.

    Raises SettingsError, which never shows a value: a URL carries a password.
    """
    return Environment(
        database_url=_url("DATABASE_URL", ("postgresql", "postgres")),
        redis_url=_url("REDIS_URL", ("redis", "rediss", "unix")),
        smtp_url=_url("SMTP_URL", ("smtp", "smtps")),
        alpaca_api_key=_secret("ALPACA_API_KEY"),
        alpaca_secret_key=_secret("ALPACA_SECRET_KEY"),
        polygon_api_key=_secret("POLYGON_API_KEY"),
        home=_path("TRADING_HOME") or Path(".trading"),
        pg_bin=_path("TRADING_PG_BIN"),
        redis_bin=_path("TRADING_REDIS_BIN"),
    )


def _url(name: str, schemes: tuple[str, ...]) -> SecretStr | None:
    value = os.environ.get(name, "").strip()
    if not value:
        return None
    scheme, separator, rest = value.partition("://")
    if scheme not in schemes or not separator or not rest:
        raise SettingsError(f"{name} must start with {' or '.join(f'{scheme}://' for scheme in schemes)}.")
    return SecretStr(f"{schemes[0] if scheme == 'postgres' else scheme}://{rest}")


def _secret(name: str) -> SecretStr | None:
    value = os.environ.get(name, "").strip()
    return SecretStr(value) if value else None


def _path(name: str) -> Path | None:
    value = os.environ.get(name, "").strip()
    return Path(value).expanduser() if value else None


def load_env_file(path: Path = Path(".env")) -> None:
    """Take over the variables of a .env file, as `dagster dev` does; what the shell has set stays as it is."""
    from dotenv import load_dotenv

    load_dotenv(path)


def publish_environment(variables: Mapping[str, str]) -> None:
    """Set environment variables for Dagster and dbt, which read them in this process and in the ones it starts."""
    os.environ.update(variables)


@contextmanager
def temporary_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the block, for a library that reads them in this process."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
