"""The catalogue of pre-trade rules: one table, one row a rule. To read what an order is asked, begin here.

A row's function judges one intent by plain numbers; its parameters name the inputs that it needs. How a case supplies
them is in case/, how the answers combine into a verdict in review.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from typing import get_type_hints

from trading_assets.domain.risk.case import Case
from trading_assets.domain.risk.inputs import InputMissingError
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules import exposure, losses, order, permission
from trading_assets.domain.risk.rules.ruling import FLAG, GATE, NUMBER, SHARES, STATE, USD, Ruling, Unit
from trading_assets.domain.risk.verdicts import CheckResult
from trading_assets.domain.values import ZERO, ReasonCode

LIMIT_KEYS = frozenset(field.name for field in fields(RiskLimits))

NOT_LIMITED = "not limited"


@dataclass(frozen=True)
class Rule:
    """One row of the catalogue.

    unit: what value and limit of the function's rulings are. is_rechecked: asked again by the transaction that submits
    the order. A rule with a limit that is not set passes, and says so.
    """

    rule_id: str
    title: str
    function: Callable[..., Ruling]
    reason_code: ReasonCode
    unit: Unit
    is_rechecked: bool = False

    @cached_property
    def inputs(self) -> Mapping[str, Unit]:
        """The names of the numbers that the function needs, in the order of its parameters, with their units."""
        hints = get_type_hints(self.function, include_extras=True)
        return {name: hint.__metadata__[0] for name, hint in hints.items() if name != "return"}

    @cached_property
    def limit_keys(self) -> tuple[str, ...]:
        """Those of its inputs that are set in trading.yaml, under `risk`."""
        return tuple(name for name in self.inputs if name in LIMIT_KEYS)

    def answer(self, case: Case) -> CheckResult:
        """The rule's result; whatever is missing or goes wrong is a failed result that names it."""
        try:
            if unset := [key for key in self.limit_keys if getattr(case.limits, key) is None]:
                return CheckResult(self.rule_id, True, None, None, None, None, dict.fromkeys(unset, NOT_LIMITED))
            ruling = self.function(*[case[name] for name in self.inputs])
            return CheckResult(
                rule_id=self.rule_id,
                is_passed=bool(ruling.is_passed),
                reason_code=None if ruling.is_passed else self.reason_code,
                value=self.unit.amount(ruling.value),
                limit=self.unit.amount(ruling.limit),
                allowed_qty=None if ruling.is_passed else max(ZERO, Decimal(ruling.allowed_qty)),
                inputs={name: case.texts[name] for name in self.inputs},
            )
        except InputMissingError as missing:
            return self._unanswered(ReasonCode.INPUT_MISSING, {"missing": str(missing)})
        except Exception as error:
            return self._unanswered(ReasonCode.CHECK_RAISED, {"error": f"{type(error).__name__}: {error}"})

    def _unanswered(self, reason_code: ReasonCode, inputs: Mapping[str, str]) -> CheckResult:
        return CheckResult(self.rule_id, False, reason_code, None, None, None, inputs)


RULES: tuple[Rule, ...] = (
    Rule(
        "RC-01a",
        "Trading is not halted",
        permission.not_halted,
        ReasonCode.TRADING_STATE_HALTED,
        STATE,
        is_rechecked=True,
    ),
    Rule(
        "RC-01b",
        "While reducing, the order only closes",
        permission.only_closing_while_reducing,
        ReasonCode.TRADING_STATE_REDUCING,
        STATE,
        is_rechecked=True,
    ),
    Rule(
        "RC-03",
        "Quality gate of the symbol is open",
        permission.quality_gate,
        ReasonCode.QUALITY_GATE_CLOSED,
        GATE,
        is_rechecked=True,
    ),
    Rule(
        "RC-10",
        "Quantity is a positive number of whole shares",
        order.whole_quantity,
        ReasonCode.QUANTITY_INVALID,
        FLAG,
    ),
    Rule(
        "RC-13",
        "Order is within the maximum quantity (shares)",
        order.order_quantity,
        ReasonCode.QUANTITY_EXCEEDS_LIMIT,
        SHARES,
    ),
    Rule(
        "RC-14",
        "Opening value is within the maximum notional of an order (USD)",
        order.order_notional,
        ReasonCode.NOTIONAL_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-16a",
        "Opening value is within its share of the average daily volume (USD)",
        order.average_volume,
        ReasonCode.LIQUIDITY_INSUFFICIENT,
        USD,
    ),
    Rule(
        "RC-16b",
        "Opening shares are within their share of the bar's volume (shares)",
        order.bar_volume,
        ReasonCode.LIQUIDITY_INSUFFICIENT,
        SHARES,
    ),
    Rule(
        "RC-17",
        "Worst-case cost is within free buying power (USD)",
        order.buying_power,
        ReasonCode.BUYING_POWER_INSUFFICIENT,
        USD,
        is_rechecked=True,
    ),
    Rule(
        "RC-18",
        "Sell stays within the strategy's own long position (shares)",
        order.short_sale,
        ReasonCode.SHORT_SALE_DISABLED,
        SHARES,
    ),
    Rule(
        "RC-21",
        "Projected position is within its share of equity (USD)",
        exposure.position,
        ReasonCode.POSITION_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-22",
        "Projected gross exposure is within its share of equity (USD)",
        exposure.gross_exposure,
        ReasonCode.GROSS_EXPOSURE_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-23a",
        "Projected net exposure is within its share of equity (USD)",
        exposure.net_exposure,
        ReasonCode.NET_EXPOSURE_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-23b",
        "Projected beta-weighted exposure is within its share of equity (USD)",
        exposure.beta_exposure,
        ReasonCode.BETA_EXPOSURE_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-24",
        "Projected exposure to the sector is within its share of equity (USD)",
        exposure.sector_exposure,
        ReasonCode.SECTOR_EXPOSURE_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-25",
        "Projected exposure to what moves together is within its share of equity (USD)",
        exposure.cluster_exposure,
        ReasonCode.CLUSTER_EXPOSURE_EXCEEDS_LIMIT,
        USD,
    ),
    Rule(
        "RC-30",
        "Daily loss is above its stop (fraction)",
        losses.daily_loss,
        ReasonCode.DAILY_LOSS_EXCEEDS_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-31",
        "Drawdown is above its stop (fraction)",
        losses.drawdown,
        ReasonCode.DRAWDOWN_EXCEEDS_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-36",
        "Strategy stays within its own capital (USD)",
        exposure.strategy_budget,
        ReasonCode.STRATEGY_BUDGET_EXCEEDED,
        USD,
    ),
    Rule(
        "RC-38",
        "Orders of one group pass together, in their ratio (shares)",
        order.leg_group,
        ReasonCode.LEG_GROUP_INCOMPLETE,
        SHARES,
    ),
    Rule(
        "RC-39",
        "Loss in the worst market fall is within its share of equity (USD)",
        losses.stress_loss,
        ReasonCode.STRESS_LOSS_EXCEEDS_LIMIT,
        USD,
    ),
)
