"""What trading.yaml says of how a strategy's signals become weights. How it is done is in portfolio.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Sizing(StrEnum):
    """How the signals of a decision share a strategy's capital."""

    UNIVERSE_SHARE = "universe_share"
    EQUAL_WEIGHT = "equal_weight"
    SIGNAL_WEIGHT = "signal_weight"
    INVERSE_VOLATILITY = "inverse_volatility"
    EQUAL_RISK_CONTRIBUTION = "equal_risk_contribution"
    MEAN_VARIANCE = "mean_variance"


READS_RETURNS = frozenset({Sizing.INVERSE_VOLATILITY, Sizing.EQUAL_RISK_CONTRIBUTION, Sizing.MEAN_VARIANCE})


@dataclass(frozen=True, slots=True)
class PortfolioRule:
    """How one strategy turns signals into weights. `lookback` counts bars; caps are shares of the account's equity."""

    sizing: Sizing = Sizing.UNIVERSE_SHARE
    lookback: int = 60
    risk_aversion: float = 5.0
    max_symbol_weight: float | None = None
    max_sector_weight: float | None = None

    @property
    def reads_returns(self) -> bool:
        return self.sizing in READS_RETURNS

    @property
    def is_row_by_row(self) -> bool:
        """Whether a weight depends on no other symbol's signal or price."""
        is_capped = self.max_symbol_weight is not None or self.max_sector_weight is not None
        return self.sizing is Sizing.UNIVERSE_SHARE and not is_capped

    def facts(self) -> dict[str, Any]:
        """The fields that change a weight, by name; those at their default, or not read by the method, are left out."""
        unread = set() if self.reads_returns else {"lookback"}
        if self.sizing is not Sizing.MEAN_VARIANCE:
            unread |= {"risk_aversion"}
        default = asdict(PortfolioRule())
        return {name: value for name, value in asdict(self).items() if name not in unread and value != default[name]}
