"""The catalogue of pre-trade rules: one table, one row a rule. To read what an order is asked, begin here.

A row's function judges one intent by plain numbers; its parameters name the inputs that it needs. How a case supplies
them is in case/, how the answers combine into a verdict in review.py.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from typing import get_type_hints

from trading_assets.domain.risk.case import OF_ORDER, Case, Number
from trading_assets.domain.risk.inputs import InputMissingError
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.rules import (
    account,
    activity,
    exposure,
    instrument,
    locks,
    losses,
    order,
    permission,
    prices,
    timing,
)
from trading_assets.domain.risk.rules.prices import PLACEMENT
from trading_assets.domain.risk.rules.ruling import FLAG, GATE, NUMBER, PPM, SHARES, STATE, USD, Ruling, Unit
from trading_assets.domain.risk.verdicts import CheckResult
from trading_assets.domain.values import ReasonCode

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

    @cached_property
    def is_shared(self) -> bool:
        """Whether all intents of a moment have the same answer."""
        return not any(name in OF_ORDER for name in self.inputs)

    @cached_property
    def _numbers(self) -> Callable[[Case], tuple[Number, ...]]:
        names = tuple(self.inputs)
        # itemgetter is several times as fast as a loop, but gives a tuple only from two names on.
        return itemgetter(*names) if len(names) > 1 else lambda case: tuple(case[name] for name in names)

    def answer(self, case: Case) -> CheckResult:
        """The rule's result; whatever is missing or goes wrong is a failed result that names it."""
        try:
            return self._shared(case) or self._ruled(case)
        except InputMissingError as missing:
            return self._unanswered(ReasonCode.INPUT_MISSING, {"missing": str(missing)})
        except Exception as error:
            return self._unanswered(ReasonCode.CHECK_RAISED, {"error": f"{type(error).__name__}: {error}"})

    def _shared(self, case: Case) -> CheckResult | None:
        """The answer that all intents of the moment have; None where each has its own."""
        answers = case.standing.answers
        if self.rule_id not in answers:
            unset = [key for key in self.limit_keys if getattr(case.limits, key) is None]
            if unset:
                answers[self.rule_id] = self._not_limited(unset)
            else:
                answers[self.rule_id] = self._ruled(case) if self.is_shared else None
        return answers[self.rule_id]

    def _ruled(self, case: Case) -> CheckResult:
        numbers = self._numbers(case)
        is_passed, value, limit, allowed_qty = self.function(*numbers)
        amount, inputs = self.unit.amount, NumbersInWords(self.inputs, numbers)
        if is_passed:
            return CheckResult(self.rule_id, True, None, amount(value), amount(limit), None, inputs)
        allowed = Decimal(max(0, allowed_qty))
        return CheckResult(self.rule_id, False, self.reason_code, amount(value), amount(limit), allowed, inputs)

    def _not_limited(self, unset: Sequence[str]) -> CheckResult:
        return CheckResult(self.rule_id, True, None, None, None, None, dict.fromkeys(unset, NOT_LIMITED))

    def _unanswered(self, reason_code: ReasonCode, inputs: Mapping[str, str]) -> CheckResult:
        return CheckResult(self.rule_id, False, reason_code, None, None, None, inputs)


class NumbersInWords(Mapping[str, str]):
    """The inputs of an answer as people read them, put into words when somebody does."""

    __slots__ = ("_numbers", "_units")

    def __init__(self, units: Mapping[str, Unit], numbers: tuple[Number, ...]) -> None:
        self._units, self._numbers = units, numbers

    def __getitem__(self, name: str) -> str:
        return dict(self.items())[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)

    def items(self) -> ItemsView[str, str]:
        pairs = zip(self._units.items(), self._numbers, strict=True)
        return {name: unit.text(number) for (name, unit), number in pairs}.items()

    def __repr__(self) -> str:
        return repr(dict(self.items()))


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
        "RC-02",
        "Approval is unused and within its time (seconds)",
        timing.approval,
        ReasonCode.APPROVAL_NOT_VALID,
        NUMBER,
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
        "RC-04a",
        "No bar has closed since the decision",
        timing.newest_bar,
        ReasonCode.BAR_NOT_NEWEST,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-04b",
        "Reference price is fresh (seconds of trading)",
        timing.reference_age,
        ReasonCode.REFERENCE_PRICE_STALE,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-05a",
        "Order is sent before the cut-off (seconds)",
        timing.before_cut_off,
        ReasonCode.CUT_OFF_PASSED,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-05b",
        "Clock agrees with the broker's (milliseconds)",
        timing.clock_skew,
        ReasonCode.CLOCK_SKEWED,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-06",
        "Instrument is known, listed on an exchange and tradable",
        instrument.instrument,
        ReasonCode.INSTRUMENT_NOT_TRADABLE,
        FLAG,
    ),
    Rule(
        "RC-07a",
        "Symbol is not restricted",
        instrument.restricted,
        ReasonCode.SYMBOL_RESTRICTED,
        FLAG,
        is_rechecked=True,
    ),
    Rule(
        "RC-07b",
        "Nothing is opened that is watched",
        instrument.watched,
        ReasonCode.SYMBOL_WATCHED,
        FLAG,
        is_rechecked=True,
    ),
    Rule(
        "RC-08",
        "Corporate actions of today and the next session are resolved",
        instrument.resolved_action,
        ReasonCode.CORPORATE_ACTION_UNRESOLVED,
        FLAG,
        is_rechecked=True,
    ),
    Rule(
        "RC-09",
        "Neither the symbol nor the market is halted",
        instrument.halt,
        ReasonCode.TRADING_HALTED,
        FLAG,
        is_rechecked=True,
    ),
    Rule(
        "RC-10",
        "Quantity is a positive number of whole shares",
        order.whole_quantity,
        ReasonCode.QUANTITY_INVALID,
        FLAG,
    ),
    Rule("RC-11a", "Prices stand on the grid (USD off it)", prices.price_grid, ReasonCode.PRICE_OFF_GRID, USD),
    Rule("RC-11b", "Stop is on the far side of the market (USD)", prices.stop_side, ReasonCode.STOP_ON_WRONG_SIDE, USD),
    Rule(
        "RC-12",
        "Order of this kind is taken at this hour",
        prices.legal_order,
        ReasonCode.ORDER_NOT_TAKEN,
        PLACEMENT,
        is_rechecked=True,
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
        "RC-15a", "Limit is near the reference price (USD)", prices.limit_distance, ReasonCode.LIMIT_PRICE_TOO_FAR, USD
    ),
    Rule("RC-15b", "Stop is near the reference price (USD)", prices.stop_distance, ReasonCode.STOP_PRICE_TOO_FAR, USD),
    Rule("RC-15c", "Quoted spread is narrow (USD)", prices.quoted_spread, ReasonCode.SPREAD_TOO_WIDE, USD),
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
        "RC-19",
        "Order is no duplicate (seconds since its twin)",
        activity.no_duplicate,
        ReasonCode.ORDER_DUPLICATE,
        NUMBER,
    ),
    Rule(
        "RC-20",
        "Order cannot trade with an own one",
        activity.no_self_cross,
        ReasonCode.ORDER_CROSSES_OWN,
        NUMBER,
        is_rechecked=True,
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
        "RC-26a",
        "Open orders in the symbol are within their number",
        activity.open_orders_of_symbol,
        ReasonCode.OPEN_ORDERS_EXCEED_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-26b",
        "Open orders of the account are within their number",
        activity.open_orders_of_account,
        ReasonCode.OPEN_ORDERS_EXCEED_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-27a",
        "Orders in the symbol come slowly enough (orders in the bucket)",
        activity.order_rate_of_symbol,
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT,
        PPM,
        is_rechecked=True,
    ),
    Rule(
        "RC-27b",
        "Orders of the strategy come slowly enough (orders in the bucket)",
        activity.order_rate_of_strategy,
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT,
        PPM,
        is_rechecked=True,
    ),
    Rule(
        "RC-27c",
        "Orders of the account come slowly enough (orders in the bucket)",
        activity.order_rate_of_account,
        ReasonCode.ORDER_RATE_EXCEEDS_LIMIT,
        PPM,
        is_rechecked=True,
    ),
    Rule(
        "RC-28a",
        "Orders of the session are within their number",
        activity.orders_of_session,
        ReasonCode.SESSION_ORDERS_EXCEED_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-28b",
        "Turnover of the session is within its share of equity (USD)",
        activity.turnover_of_session,
        ReasonCode.SESSION_TURNOVER_EXCEEDS_LIMIT,
        USD,
        is_rechecked=True,
    ),
    Rule(
        "RC-28c",
        "Changes of side in the symbol are within their number",
        activity.reversals_of_session,
        ReasonCode.SESSION_REVERSALS_EXCEED_LIMIT,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-29a",
        "Somebody watches the account's risk (seconds)",
        timing.heartbeat,
        ReasonCode.WATCHDOG_STALE,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-29b",
        "Our record was found to be the broker's (seconds)",
        timing.reconciliation,
        ReasonCode.WATCHDOG_STALE,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-29c",
        "Connection to the broker is well (seconds)",
        timing.connection,
        ReasonCode.WATCHDOG_STALE,
        NUMBER,
        is_rechecked=True,
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
        "RC-32",
        "No breaker of the market's regime is tripped",
        locks.regime,
        ReasonCode.REGIME_BREAKER_TRIPPED,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-33",
        "No protection locks symbol, side or strategy",
        locks.protection,
        ReasonCode.PROTECTION_LOCKED,
        NUMBER,
        is_rechecked=True,
    ),
    Rule(
        "RC-34",
        "Small account makes no pattern of day trades",
        account.pattern_day_trader,
        ReasonCode.DAY_TRADES_EXCEED_LIMIT,
        NUMBER,
    ),
    Rule(
        "RC-35",
        "Maintenance excess is above its buffer (USD)",
        account.maintenance_excess,
        ReasonCode.MARGIN_INSUFFICIENT,
        USD,
    ),
    Rule(
        "RC-36",
        "Strategy stays within its own capital (USD)",
        exposure.strategy_budget,
        ReasonCode.STRATEGY_BUDGET_EXCEEDED,
        USD,
    ),
    Rule(
        "RC-37",
        "Nothing about the symbol is unresolved",
        account.resolved,
        ReasonCode.STATE_UNRESOLVED,
        NUMBER,
        is_rechecked=True,
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
    Rule(
        "RC-40",
        "Account and broker are the configured ones",
        account.environment,
        ReasonCode.ENVIRONMENT_MISMATCH,
        FLAG,
        is_rechecked=True,
    ),
)
