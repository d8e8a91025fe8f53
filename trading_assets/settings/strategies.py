"""The sections of trading.yaml about strategies: which ones trade, how large, how they leave, and their limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from trading_assets.domain.execution.entries import EntryPlan
from trading_assets.domain.execution.orders import OrderType, TimeInForce
from trading_assets.domain.strategy.portfolio_rule import PortfolioRule, Sizing
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.values import Timeframe, decimal_of
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


class EntrySettings(Section):
    """How orders that open or enlarge a position are sent: market or limit, for the day or for the closing auction."""

    order_type: Literal["market", "limit"] = "market"
    limit_offset_bps: Annotated[float, Field(gt=-10_000, le=10_000)] | None = None
    time_in_force: Literal["day", "opg", "cls"] = "day"

    @model_validator(mode="after")
    def _is_sent(self) -> Self:
        if (self.order_type == "limit") != (self.limit_offset_bps is not None):
            raise ValueError("order_type limit needs limit_offset_bps, and no other order type has it")
        if self.time_in_force == "opg":
            raise ValueError(
                "time_in_force opg is taken from 19:00 to 9:28 New York time, when no bar closes: use day, which "
                "trades at the next open too"
            )
        return self

    @property
    def plan(self) -> EntryPlan:
        offset = None if self.limit_offset_bps is None else decimal_of(self.limit_offset_bps)
        return EntryPlan(OrderType(self.order_type), offset, TimeInForce(self.time_in_force))

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in self.model_dump().items() if value is not None}


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
    entry: EntrySettings | None = None
    position_size: PositionSizeSettings | None = None

    @field_validator("entry")
    @classmethod
    def _auction_is_reached(cls, entry: EntrySettings | None, info: ValidationInfo) -> EntrySettings | None:
        if entry and entry.time_in_force == "cls":
            if info.data.get("timeframe") is Timeframe.SESSION:
                raise ValueError("time_in_force cls needs timeframe 1h: a bar of a session closes with the auction")
            if info.data.get("exits"):
                raise ValueError("time_in_force cls and exits do not go together: no broker takes legs with an auction")
        return entry

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
        """What decides trading. Of the sizing only what its methods read, of exits and entry what is set."""
        sizing = {"sizing", "sizing_lookback", "risk_aversion", "max_symbol_weight", "max_sector_weight"}
        exits = {} if self.exits is None else {"exits": self.exits.chosen()}
        size = {"position_size": facts} if (facts := self.size.facts()) else {}
        entry = {} if self.entry is None else {"entry": self.entry.facts()}
        own = self.model_dump(exclude=sizing | {"exits", "entry", "position_size"})
        return own | self.portfolio.facts() | size | exits | entry


class StrategyLimitSettings(Section):
    """What the computation of one strategy's signals, and each of its proofs, may take before it is ended."""

    seconds: Annotated[float, Field(gt=0)] = 600
    proof_seconds: Annotated[float, Field(gt=0)] = 1800
    memory_mb: Annotated[int, Field(ge=64)] = 4096
