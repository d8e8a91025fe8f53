"""The numbers that risk is measured against, typed and proven sane.

Their values and defaults belong to trading.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading_assets.domain.values import ZERO, decimal_of

_ONE = Decimal(1)
_STEP = Decimal("0.000001")
_FRACTIONS_THAT_MAY_BE_OFF = (
    "max_order_adv",
    "max_order_bar_volume",
    "max_net_exposure",
    "max_beta_exposure",
    "max_sector_exposure",
    "max_cluster_exposure",
    "max_strategy_exposure",
    "max_stress_loss",
)

_COUNTS = (
    "max_reference_age_s",
    "max_open_orders_symbol",
    "max_open_orders",
    "max_symbol_orders_second",
    "max_strategy_orders_minute",
    "max_orders_minute",
    "max_session_orders",
    "max_session_reversals",
    "max_heartbeat_age_s",
    "max_reconciliation_age_s",
    "max_connection_age_s",
)

_LIMITS_OF_THE_MARKET = (
    "max_order_adv",
    "max_beta_exposure",
    "max_sector_exposure",
    "max_cluster_exposure",
    "max_stress_loss",
)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Limits of the pre-trade review. Decimals are fractions of at most six places (0.10 is 10 %), int counts things.

    Losses are positive. A limit that is None does not bind. Raises ValueError naming the field when a limit is not
    finite or outside its range: a limit that cannot bind is no limit.
    """

    max_order_qty: int
    max_order_notional: Decimal
    max_position: Decimal
    max_gross_exposure: Decimal
    cash_buffer: Decimal
    stop_new_daily_loss: Decimal
    stop_all_daily_loss: Decimal
    stop_all_drawdown: Decimal
    rebalance_band: Decimal
    approval_ttl: timedelta
    allow_short: bool
    max_order_adv: Decimal | None = None
    max_order_bar_volume: Decimal | None = None
    max_net_exposure: Decimal | None = None
    max_beta_exposure: Decimal | None = None
    max_sector_exposure: Decimal | None = None
    max_cluster_exposure: Decimal | None = None
    cluster_correlation: Decimal = Decimal("0.8")
    max_strategy_exposure: Decimal | None = None
    max_stress_loss: Decimal | None = None
    max_reference_age_s: int | None = None
    cut_off_margin_s: int = 30
    max_clock_skew_ms: int = 500
    max_limit_distance: Decimal = Decimal("0.05")
    max_stop_distance: Decimal = Decimal("0.2")
    max_spread: Decimal = Decimal("0.01")
    duplicate_window_s: int = 30
    allow_self_cross: bool = True
    max_open_orders_symbol: int | None = None
    max_open_orders: int | None = None
    max_symbol_orders_second: int | None = None
    max_strategy_orders_minute: int | None = None
    max_orders_minute: int | None = None
    max_session_orders: int | None = None
    max_session_turnover: Decimal | None = None
    max_session_reversals: int | None = None
    max_heartbeat_age_s: int = 90
    max_reconciliation_age_s: int = 120
    max_connection_age_s: int = 60
    margin_buffer: Decimal = Decimal("0.25")

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Decimal):
                if not value.is_finite():
                    raise ValueError(f"risk limit {field.name} is {value}: set a finite number")
                self._require(field.name, value == value.quantize(_STEP), "a number of at most six decimals")
        for name in ("cash_buffer", "rebalance_band"):
            self._require(name, ZERO <= getattr(self, name) < _ONE, "at least 0 and below 1")
        for name in ("max_order_notional", "max_position", "max_gross_exposure"):
            self._require(name, ZERO < getattr(self, name) <= _ONE, "above 0 and at most 1")
        for name in _FRACTIONS_THAT_MAY_BE_OFF:
            self._require(name, getattr(self, name) is None or ZERO < getattr(self, name) <= _ONE, "above 0, at most 1")
        self._require("cluster_correlation", ZERO <= self.cluster_correlation < _ONE, "at least 0 and below 1")
        for name in ("stop_new_daily_loss", "stop_all_daily_loss", "stop_all_drawdown"):
            self._require(name, ZERO < getattr(self, name) < _ONE, "above 0 and below 1")
        for name in _COUNTS:
            self._require(name, getattr(self, name) is None or getattr(self, name) >= 1, "at least 1")
        for name in ("cut_off_margin_s", "max_clock_skew_ms", "duplicate_window_s"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        for name in ("max_limit_distance", "max_stop_distance", "max_spread", "margin_buffer"):
            self._require(name, ZERO < getattr(self, name) < _ONE, "above 0 and below 1")
        turnover = self.max_session_turnover
        self._require("max_session_turnover", turnover is None or turnover > ZERO, "above 0")
        self._require("max_order_qty", self.max_order_qty >= 1, "at least one share")
        self._require("approval_ttl", self.approval_ttl > timedelta(0), "above zero")
        self._require(
            "stop_all_daily_loss", self.stop_all_daily_loss >= self.stop_new_daily_loss, "at least stop_new_daily_loss"
        )

    @property
    def reads_market(self) -> bool:
        """Whether some limit asks for what sessions before the decision say about symbols, as short sales do."""
        return self.allow_short or any(getattr(self, name) is not None for name in _LIMITS_OF_THE_MARKET)

    def _require(self, name: str, is_sane: bool, rule: str) -> None:
        if not is_sane:
            raise ValueError(f"risk limit {name} is {getattr(self, name)}: it must be {rule}")

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> RiskLimits:
        """Limits from the plain numbers of the settings' `risk` section (`settings.risk.limits()`)."""
        rest = dict(numbers)
        approval_ttl = timedelta(seconds=rest.pop("approval_ttl_s"))
        exact: dict[str, Any] = {
            name: decimal_of(number) if isinstance(number, float) else number for name, number in rest.items()
        }
        return cls(approval_ttl=approval_ttl, **exact)
