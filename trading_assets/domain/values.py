"""The words every stage shares: sides, money, quantities and reason codes. No behaviour of any one stage."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

QTY_STEP = Decimal("0.000000001")
MONEY_STEP = Decimal("0.000001")
PRICE_DECIMALS = 9
ZERO = Decimal(0)


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Timeframe(StrEnum):
    HOUR = "1h"
    SESSION = "1d"


def money(amount: Decimal) -> Decimal:
    """`amount` in the ledger's smallest unit of a dollar, 1e-6, rounded half to even."""
    return amount.quantize(MONEY_STEP, ROUND_HALF_EVEN)


def quantity(amount: Decimal) -> Decimal:
    """`amount` in the ledger's smallest unit of a share, 1e-9, rounded towards zero."""
    return amount.quantize(QTY_STEP, ROUND_DOWN)


def decimal_of(number: float) -> Decimal:
    """The one crossing from research arrays to the ledger: the shortest decimal that reads back as `number`."""
    return Decimal(repr(float(number)))


def price_of(number: float) -> Decimal:
    """A price as the ledger keeps it: decimal_of to at most nine decimals, rounded half to even.

    With more, an account that is read back from the ledger would be worth a trace less or more than one that lived on.
    """
    exact = decimal_of(number)
    return round(exact, PRICE_DECIMALS) if int(exact.as_tuple().exponent) < -PRICE_DECIMALS else exact


def plain(number: Decimal) -> str:
    """`number` as text that does not depend on how many zeros it carries: 64, 64.0 and 64.000000000 are one record."""
    return format(number.normalize(), "f")


class ReasonCode(StrEnum):
    """Why risk denied or reduced an intent: CATEGORY_CONDITION."""

    TRADING_STATE_HALTED = "TRADING_STATE_HALTED"
    TRADING_STATE_REDUCING = "TRADING_STATE_REDUCING"
    QUALITY_GATE_CLOSED = "QUALITY_GATE_CLOSED"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    QUANTITY_EXCEEDS_LIMIT = "QUANTITY_EXCEEDS_LIMIT"
    NOTIONAL_EXCEEDS_LIMIT = "NOTIONAL_EXCEEDS_LIMIT"
    BUYING_POWER_INSUFFICIENT = "BUYING_POWER_INSUFFICIENT"
    SHORT_SALE_DISABLED = "SHORT_SALE_DISABLED"
    NOT_BORROWABLE = "NOT_BORROWABLE"
    POSITION_EXCEEDS_LIMIT = "POSITION_EXCEEDS_LIMIT"
    GROSS_EXPOSURE_EXCEEDS_LIMIT = "GROSS_EXPOSURE_EXCEEDS_LIMIT"
    LIQUIDITY_INSUFFICIENT = "LIQUIDITY_INSUFFICIENT"
    NET_EXPOSURE_EXCEEDS_LIMIT = "NET_EXPOSURE_EXCEEDS_LIMIT"
    BETA_EXPOSURE_EXCEEDS_LIMIT = "BETA_EXPOSURE_EXCEEDS_LIMIT"
    SECTOR_EXPOSURE_EXCEEDS_LIMIT = "SECTOR_EXPOSURE_EXCEEDS_LIMIT"
    CLUSTER_EXPOSURE_EXCEEDS_LIMIT = "CLUSTER_EXPOSURE_EXCEEDS_LIMIT"
    STRATEGY_BUDGET_EXCEEDED = "STRATEGY_BUDGET_EXCEEDED"
    LEG_GROUP_INCOMPLETE = "LEG_GROUP_INCOMPLETE"
    STRESS_LOSS_EXCEEDS_LIMIT = "STRESS_LOSS_EXCEEDS_LIMIT"
    DAILY_LOSS_EXCEEDS_LIMIT = "DAILY_LOSS_EXCEEDS_LIMIT"
    DRAWDOWN_EXCEEDS_LIMIT = "DRAWDOWN_EXCEEDS_LIMIT"
    APPROVAL_NOT_VALID = "APPROVAL_NOT_VALID"
    BAR_NOT_NEWEST = "BAR_NOT_NEWEST"
    REFERENCE_PRICE_STALE = "REFERENCE_PRICE_STALE"
    CUT_OFF_PASSED = "CUT_OFF_PASSED"
    CLOCK_SKEWED = "CLOCK_SKEWED"
    INSTRUMENT_NOT_TRADABLE = "INSTRUMENT_NOT_TRADABLE"
    SYMBOL_RESTRICTED = "SYMBOL_RESTRICTED"
    SYMBOL_WATCHED = "SYMBOL_WATCHED"
    PARTNERSHIP_UNQUALIFIED = "PARTNERSHIP_UNQUALIFIED"
    CORPORATE_ACTION_UNRESOLVED = "CORPORATE_ACTION_UNRESOLVED"
    TRADING_HALTED = "TRADING_HALTED"
    SHORT_SALE_RESTRICTED = "SHORT_SALE_RESTRICTED"
    PRICE_OFF_GRID = "PRICE_OFF_GRID"
    STOP_ON_WRONG_SIDE = "STOP_ON_WRONG_SIDE"
    ORDER_NOT_TAKEN = "ORDER_NOT_TAKEN"
    LIMIT_PRICE_TOO_FAR = "LIMIT_PRICE_TOO_FAR"
    STOP_PRICE_TOO_FAR = "STOP_PRICE_TOO_FAR"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    ORDER_DUPLICATE = "ORDER_DUPLICATE"
    ORDER_CROSSES_OWN = "ORDER_CROSSES_OWN"
    OPEN_ORDERS_EXCEED_LIMIT = "OPEN_ORDERS_EXCEED_LIMIT"
    ORDER_RATE_EXCEEDS_LIMIT = "ORDER_RATE_EXCEEDS_LIMIT"
    SESSION_ORDERS_EXCEED_LIMIT = "SESSION_ORDERS_EXCEED_LIMIT"
    SESSION_TURNOVER_EXCEEDS_LIMIT = "SESSION_TURNOVER_EXCEEDS_LIMIT"
    SESSION_REVERSALS_EXCEED_LIMIT = "SESSION_REVERSALS_EXCEED_LIMIT"
    WATCHDOG_STALE = "WATCHDOG_STALE"
    REGIME_BREAKER_TRIPPED = "REGIME_BREAKER_TRIPPED"
    PROTECTION_LOCKED = "PROTECTION_LOCKED"
    DAY_TRADES_EXCEED_LIMIT = "DAY_TRADES_EXCEED_LIMIT"
    MARGIN_INSUFFICIENT = "MARGIN_INSUFFICIENT"
    STATE_UNRESOLVED = "STATE_UNRESOLVED"
    ENVIRONMENT_MISMATCH = "ENVIRONMENT_MISMATCH"
    INPUT_MISSING = "INPUT_MISSING"
    CHECK_RAISED = "CHECK_RAISED"
