"""What trading.yaml says of how many shares a target becomes. How it is computed is in domain/risk/sizing.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class SizeMethod(StrEnum):
    """What the number of shares follows from."""

    FIXED_FRACTIONAL = "fixed_fractional"
    FIXED_RISK = "fixed_risk"
    ATR = "atr"
    VOLATILITY_TARGET = "volatility_target"
    KELLY = "kelly"
    KELLY_CONTINUOUS = "kelly_continuous"


READS = {
    SizeMethod.FIXED_RISK: ("risk",),
    SizeMethod.ATR: ("risk", "multiple", "period"),
    SizeMethod.VOLATILITY_TARGET: ("target",),
}
"""The numbers that each method reads; the others read none."""


@dataclass(frozen=True, slots=True)
class PositionSize:
    """How one strategy's targets become shares.

    `risk`: the share of equity that a position may lose at its stop, or over `multiple` average true ranges of `period`
    bars. `target`: the annual volatility that a position may bring to the account, as a fraction.
    """

    method: SizeMethod = SizeMethod.FIXED_FRACTIONAL
    risk: float = 0.01
    multiple: float = 2.0
    period: int = 14
    target: float = 0.10

    @property
    def atr_period(self) -> int | None:
        """The period of the average true range that the method reads; None when it reads none."""
        return self.period if self.method is SizeMethod.ATR else None

    @property
    def reads_volatility(self) -> bool:
        return self.method is SizeMethod.VOLATILITY_TARGET

    @property
    def reads_history(self) -> bool:
        return self.atr_period is not None or self.reads_volatility

    def facts(self) -> dict[str, Any]:
        """Method and the numbers it reads; empty for the default method."""
        if self.method is SizeMethod.FIXED_FRACTIONAL:
            return {}
        numbers = asdict(self)
        return {"method": self.method.value} | {name: numbers[name] for name in READS.get(self.method, ())}
