"""The sections of trading.yaml about strategies: which ones trade, how large, how they leave, and their limits."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.values import Timeframe
from trading_assets.settings.section import Section

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
    parameters: dict[str, Any] = Field(default_factory=dict)
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
