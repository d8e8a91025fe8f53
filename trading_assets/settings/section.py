"""What every section of trading.yaml is, and the kinds of text that several of them have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SettingsError(Exception):
    """trading.yaml or an environment variable is not usable. One line that names the place and what is accepted."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


TickerSymbol = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9.-]{0,11}$")]
STRATEGY_NAME = r"^[a-z][a-z0-9_]{0,39}$"
StrategyName = Annotated[str, Field(pattern=STRATEGY_NAME)]
