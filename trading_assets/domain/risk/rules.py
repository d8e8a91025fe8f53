"""The catalogue of pre-trade rules: one table, one small pure function a rule.

A rule judges one intent against one snapshot, its limits and what this moment has approved so far. It denies by a
failed result, reduces by a failed result with `allowed_qty`. A missing number or an exception in a rule is a denial,
never a crash. Combining the answers into a verdict is the review's business.

Equality passes every cap (`<=`); a loss that equals its limit has reached it and fails. Caps on exposure and cost count
only shares that open: an order that surely closes is never trapped by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading_assets.domain.risk.breakers import Breaker, daily_decline, drawdown, effective_state
from trading_assets.domain.risk.exposure import WORST_FILL, Projection
from trading_assets.domain.risk.inputs import InputMissingError, finite, positive
from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.verdicts import AccountSnapshot, CheckResult, Intent, TradingState
from trading_assets.domain.values import ZERO, ReasonCode, Side, plain

Check = Callable[[Intent, AccountSnapshot, RiskLimits, Projection], CheckResult]

_MAX_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the catalogue. `is_rechecked`: asked again by the transaction that submits the order."""

    rule_id: str
    title: str
    check: Check
    is_rechecked: bool = False

    def answer(
        self, intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
    ) -> CheckResult:
        """The rule's result; whatever goes wrong inside the rule is a failed result that names it."""
        try:
            return self.check(intent, snapshot, limits, projection)
        except InputMissingError as missing:
            return _failed(self.rule_id, ReasonCode.INPUT_MISSING, inputs={"missing": str(missing)})
        except Exception as error:
            inputs = {"error": f"{type(error).__name__}: {error}"}
            return _failed(self.rule_id, ReasonCode.CHECK_RAISED, inputs=inputs)


def check_trading_state(
    intent: Intent, snapshot: AccountSnapshot, _limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-01: ACTIVE passes, REDUCING passes what surely closes, HALTED denies."""
    if not isinstance(snapshot.trading_state, TradingState):
        raise InputMissingError("trading_state")
    inputs = {
        "trading_state": snapshot.trading_state.value,
        "tripped_breakers": ",".join(sorted(snapshot.tripped_breakers)),
    }
    state = effective_state(snapshot)
    if state is TradingState.ACTIVE:
        return CheckResult("RC-01", True, None, None, None, None, inputs)
    if state is TradingState.REDUCING:
        return _only_closing("RC-01", ReasonCode.TRADING_STATE_REDUCING, intent, projection, None, None, inputs)
    return _failed("RC-01", ReasonCode.TRADING_STATE_HALTED, inputs=inputs)


def check_quality_gate(
    intent: Intent, snapshot: AccountSnapshot, _limits: RiskLimits, _projection: Projection
) -> CheckResult:
    """RC-03: the gate of the symbol's bars is open. Pending, closed and absent deny."""
    gate = snapshot.gates.get(intent.symbol)
    inputs = {"gate": gate or "absent"}
    if gate == "open":
        return CheckResult("RC-03", True, None, None, None, None, inputs)
    return _failed("RC-03", ReasonCode.QUALITY_GATE_CLOSED, inputs=inputs)


def check_quantity(
    intent: Intent, _snapshot: AccountSnapshot, _limits: RiskLimits, _projection: Projection
) -> CheckResult:
    """RC-10: positive, finite, whole shares, written with at most nine decimals."""
    qty = intent.qty
    if qty is None:
        raise InputMissingError("qty")
    inputs = {"qty": plain(qty)}
    if not qty.is_finite():
        return _failed("RC-10", ReasonCode.QUANTITY_INVALID, inputs=inputs)
    decimals = -int(qty.as_tuple().exponent)
    if qty > ZERO and decimals <= _MAX_DECIMALS and qty % 1 == ZERO:
        return CheckResult("RC-10", True, None, float(qty), None, None, inputs)
    return _failed("RC-10", ReasonCode.QUANTITY_INVALID, value=float(qty), inputs=inputs)


def check_order_quantity(
    intent: Intent, _snapshot: AccountSnapshot, limits: RiskLimits, _projection: Projection
) -> CheckResult:
    """RC-13: shares of one order. Closing orders too: what is cut off is wanted again at the next decision."""
    qty = positive(intent.qty, "qty")
    return _capped(
        "RC-13",
        ReasonCode.QUANTITY_EXCEEDS_LIMIT,
        is_passed=qty <= limits.max_order_qty,
        value=qty,
        limit=limits.max_order_qty,
        allowed_qty=limits.max_order_qty // 1,
        inputs={"qty": plain(qty)},
    )


def check_order_notional(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-14: USD value of the opening shares of one order, at the reference price."""
    price, equity_usd = _price(intent, snapshot), positive(snapshot.equity_usd, "equity_usd")
    opening_qty = projection.opening_qty(intent)
    limit_usd = limits.max_order_notional * equity_usd
    value_usd = opening_qty * price
    closing_qty = intent.qty - opening_qty
    return _capped(
        "RC-14",
        ReasonCode.NOTIONAL_EXCEEDS_LIMIT,
        is_passed=value_usd <= limit_usd,
        value=value_usd,
        limit=limit_usd,
        allowed_qty=_whole_shares(limit_usd + closing_qty * price, price),
        inputs={"opening_qty": plain(opening_qty), "reference_price": plain(price), "equity_usd": plain(equity_usd)},
    )


def check_buying_power(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-17: worst-case USD cost of the opening shares against cash that nothing else needs.

    Free is settled cash less the buffer, working orders, approvals of this moment and what shorts reserve. Sells add
    nothing before they are executed.
    """
    price, equity_usd = _price(intent, snapshot), positive(snapshot.equity_usd, "equity_usd")
    cash_usd = finite(snapshot.cash_usd, "cash_usd")
    reserved_usd = projection.reserved_usd()
    free_usd = max(ZERO, cash_usd - limits.cash_buffer * equity_usd - reserved_usd)
    worst_price = price * WORST_FILL[intent.side]
    opening_qty = projection.opening_qty(intent)
    cost_usd = opening_qty * worst_price
    closing_qty = intent.qty - opening_qty
    return _capped(
        "RC-17",
        ReasonCode.BUYING_POWER_INSUFFICIENT,
        is_passed=cost_usd <= free_usd,
        value=cost_usd,
        limit=free_usd,
        allowed_qty=_whole_shares(free_usd + closing_qty * worst_price, worst_price),
        inputs={
            "opening_qty": plain(opening_qty),
            "worst_price": plain(worst_price),
            "cash_usd": plain(cash_usd),
            "reserved_usd": plain(reserved_usd),
            "equity_usd": plain(equity_usd),
        },
    )


def check_short_sale(
    intent: Intent, _snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-18: unless shorts are allowed, a sell stays within what its own strategy surely still owns."""
    inputs = {"allow_short": str(limits.allow_short).lower()}
    if intent.side is Side.BUY:
        return CheckResult("RC-18", True, None, None, None, None, inputs)
    qty = positive(intent.qty, "qty")
    owned_qty = max(ZERO, projection.strategy_long_qty(intent.strategy, intent.symbol))
    return _capped(
        "RC-18",
        ReasonCode.SHORT_SALE_DISABLED,
        is_passed=limits.allow_short or qty <= owned_qty,
        value=qty,
        limit=owned_qty,
        allowed_qty=owned_qty // 1,
        inputs=inputs,
    )


def check_position(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-21: USD value of the symbol's position when all orders of this side fill and none of the other."""
    price, equity_usd = _price(intent, snapshot), positive(snapshot.equity_usd, "equity_usd")
    qty = positive(intent.qty, "qty")
    before_qty = projection.directed_qty(intent.symbol, intent.side)
    limit_usd = limits.max_position * equity_usd
    value_usd = max(ZERO, before_qty + qty) * price
    return _capped(
        "RC-21",
        ReasonCode.POSITION_EXCEEDS_LIMIT,
        is_passed=value_usd <= limit_usd,
        value=value_usd,
        limit=limit_usd,
        allowed_qty=_whole_shares(limit_usd - before_qty * price, price),
        inputs={
            "projected_qty_before": plain(before_qty * intent.side.sign),
            "reference_price": plain(price),
            "equity_usd": plain(equity_usd),
        },
    )


def check_gross_exposure(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-22: sum of all symbols' worst absolute USD values, unless this order leaves its symbol's worst as it is."""
    price, equity_usd = _price(intent, snapshot), positive(snapshot.equity_usd, "equity_usd")
    qty = positive(intent.qty, "qty")
    others_usd = projection.gross_without_usd(intent.symbol)
    before_qty = projection.directed_qty(intent.symbol, intent.side)
    worst_qty = projection.worst_qty(intent.symbol)
    limit_usd = limits.max_gross_exposure * equity_usd
    value_usd = others_usd + max(worst_qty, before_qty + qty) * price
    within_limit_qty = _whole_shares(limit_usd - others_usd - before_qty * price, price)
    return _capped(
        "RC-22",
        ReasonCode.GROSS_EXPOSURE_EXCEEDS_LIMIT,
        is_passed=value_usd <= limit_usd or before_qty + qty <= worst_qty,
        value=value_usd,
        limit=limit_usd,
        allowed_qty=max(within_limit_qty, (worst_qty - before_qty) // 1),
        inputs={
            "other_symbols_usd": plain(others_usd),
            "projected_qty_before": plain(before_qty * intent.side.sign),
            "reference_price": plain(price),
            "equity_usd": plain(equity_usd),
        },
    )


def check_daily_loss(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-30: while the session's loss has reached stop-new or stop-all, or either is latched, only closing passes."""
    decline = daily_decline(snapshot)
    latched = snapshot.tripped_breakers
    is_stop_all = Breaker.DAILY_LOSS_STOP_ALL in latched or decline.has_reached(limits.stop_all_daily_loss)
    is_stop_new = Breaker.DAILY_LOSS in latched or decline.has_reached(limits.stop_new_daily_loss)
    limit = -float(limits.stop_all_daily_loss if is_stop_all else limits.stop_new_daily_loss)
    inputs = {
        "equity_usd": plain(decline.equity_usd),
        "start_equity_usd": plain(decline.base_usd),
        "tripped_breakers": ",".join(sorted(latched)),
    }
    if not (is_stop_new or is_stop_all):
        return CheckResult("RC-30", True, None, float(decline.change), limit, None, inputs)
    return _only_closing(
        "RC-30", ReasonCode.DAILY_LOSS_EXCEEDS_LIMIT, intent, projection, float(decline.change), limit, inputs
    )


def check_drawdown(
    intent: Intent, snapshot: AccountSnapshot, limits: RiskLimits, projection: Projection
) -> CheckResult:
    """RC-31: while the drawdown has reached its limit or its breaker is latched, only closing passes."""
    decline = drawdown(snapshot)
    limit = -float(limits.stop_all_drawdown)
    inputs = {
        "equity_usd": plain(decline.equity_usd),
        "high_water_mark_usd": plain(decline.base_usd),
        "tripped_breakers": ",".join(sorted(snapshot.tripped_breakers)),
    }
    if not (Breaker.DRAWDOWN in snapshot.tripped_breakers or decline.has_reached(limits.stop_all_drawdown)):
        return CheckResult("RC-31", True, None, float(decline.change), limit, None, inputs)
    return _only_closing(
        "RC-31", ReasonCode.DRAWDOWN_EXCEEDS_LIMIT, intent, projection, float(decline.change), limit, inputs
    )


RULES: tuple[Rule, ...] = (
    Rule("RC-01", "Trading state allows the order", check_trading_state, is_rechecked=True),
    Rule("RC-03", "Quality gate of the symbol is open", check_quality_gate, is_rechecked=True),
    Rule("RC-10", "Quantity is a positive number of whole shares", check_quantity),
    Rule("RC-13", "Order is within the maximum quantity (shares)", check_order_quantity),
    Rule("RC-14", "Opening value is within the maximum notional of an order (USD)", check_order_notional),
    Rule("RC-17", "Worst-case cost is within free buying power (USD)", check_buying_power, is_rechecked=True),
    Rule("RC-18", "Sell stays within the strategy's own long position (shares)", check_short_sale),
    Rule("RC-21", "Projected position is within its share of equity (USD)", check_position),
    Rule("RC-22", "Projected gross exposure is within its share of equity (USD)", check_gross_exposure),
    Rule("RC-30", "Daily loss is above its stop (fraction)", check_daily_loss, is_rechecked=True),
    Rule("RC-31", "Drawdown is above its stop (fraction)", check_drawdown, is_rechecked=True),
)


def _price(intent: Intent, snapshot: AccountSnapshot) -> Decimal:
    return positive(snapshot.reference_prices.get(intent.symbol), "reference_prices", intent.symbol)


def _whole_shares(budget_usd: Decimal, price: Decimal) -> Decimal:
    """Floor division is exact where dividing and rounding could round up across the limit."""
    return max(ZERO, budget_usd // price)


def _only_closing(
    rule_id: str,
    reason_code: ReasonCode,
    intent: Intent,
    projection: Projection,
    value: float | None,
    limit: float | None,
    inputs: Mapping[str, str],
) -> CheckResult:
    qty = positive(intent.qty, "qty")
    closable_qty = projection.closable_qty(intent.symbol, intent.side)
    if qty <= closable_qty:
        return CheckResult(rule_id, True, None, value, limit, None, inputs)
    return CheckResult(rule_id, False, reason_code, value, limit, closable_qty // 1, inputs)


def _capped(
    rule_id: str,
    reason_code: ReasonCode,
    *,
    is_passed: bool,
    value: Decimal,
    limit: Decimal,
    allowed_qty: Decimal,
    inputs: Mapping[str, str],
) -> CheckResult:
    if is_passed:
        return CheckResult(rule_id, True, None, float(value), float(limit), None, inputs)
    return CheckResult(rule_id, False, reason_code, float(value), float(limit), allowed_qty, inputs)


def _failed(
    rule_id: str, reason_code: ReasonCode, *, value: float | None = None, inputs: Mapping[str, str]
) -> CheckResult:
    return CheckResult(rule_id, False, reason_code, value, None, None, inputs)
