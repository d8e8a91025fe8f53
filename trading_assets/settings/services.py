"""The sections of trading.yaml about what is outside: the broker, vendors, messages, the archive."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from trading_assets.settings.section import Section

WebAddress = Annotated[str, Field(pattern=r"^https?://[^\s/]+/?$")]


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
    reprice_after_s: Annotated[int, Field(ge=10)] | None = None
    cancel_after_s: Annotated[int, Field(ge=10)] | None = None

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

    @property
    def venue(self) -> str:
        """Where accounts are: simulated, or the broker and whether it is paper or live."""
        return self.kind if self.environment is None else f"{self.kind}-{self.environment}"

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
