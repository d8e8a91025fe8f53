"""The sections of trading.yaml about risk: the limits of the review, breakers, protections and the monitor."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from trading_assets.domain.risk.breakers import DEFAULT_RULES, Breaker, BreakerAction
from trading_assets.domain.risk.protections import ProtectionKind
from trading_assets.domain.values import Timeframe
from trading_assets.settings.section import Section, StrategyName, TickerSymbol


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
    breakers: dict[Breaker, BreakerSettings] = Field(default_factory=dict)
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
