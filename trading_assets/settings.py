"""Typed settings from trading.yaml and the environment; the only reader of os.environ.

Secrets live in the environment only, and are SecretStr: they are never printed, logged or shown in the Dagster UI.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from trading_assets.domain.values import Timeframe


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StrategySettings(Section):
    """One strategy of the portfolio. `parameters` are checked by the strategy's own model."""

    timeframe: Timeframe = Timeframe.SESSION
    capital_weight: Annotated[float, Field(ge=0, le=1)]
    parameters: dict[str, Any] = {}


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


class BrokerSettings(Section):
    kind: Literal["simulated"] = "simulated"
    opening_cash_usd: Annotated[Decimal, Field(gt=0)] = Decimal(100_000)
    slippage_bps: Annotated[Decimal, Field(ge=0)] = Decimal(5)
    volume_limit: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.025")


class EmailSettings(Section):
    sender: str
    recipients: Annotated[list[str], Field(min_length=1)]
    min_severity: Literal["info", "warning", "critical"] = "warning"


class NotificationSettings(Section):
    email: EmailSettings | None = None


class TradingSettings(Section):
    """The content of trading.yaml."""

    source: Literal["sample"]
    universe: Annotated[list[str], Field(min_length=1)]
    timeframes: Annotated[list[Timeframe], Field(min_length=1)]
    strategies: dict[str, StrategySettings]
    risk: RiskSettings = RiskSettings()
    broker: BrokerSettings = BrokerSettings()
    clock: Literal["wall", "replay"] = "wall"
    notifications: NotificationSettings = NotificationSettings()


class Environment(Section):
    """What comes from environment variables."""

    database_url: SecretStr
    redis_url: SecretStr | None
    smtp_url: SecretStr | None
    home: Path


class Settings(Section):
    trading: TradingSettings
    environment: Environment
