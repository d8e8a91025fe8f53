"""From what a strategy wants and what is known to whole shares, rounded down. Never negative; zero comes with a reason.

Limits do not appear here: sizing says what is wanted, the review what is allowed. How a strategy's capital is shared
among symbols (inverse volatility, equal risk contribution and others) is decided before, in domain/strategy/portfolio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeGuard

from trading_assets.domain.values import ZERO, plain

ONE = Decimal(1)
KELLY_PART = Decimal("0.5")
KELLY_CAP = Decimal("0.10")
KELLY_TRADES = 20
"""With fewer closed trades their statistics say nothing yet."""
KELLY_BOOTSTRAP = Decimal("0.02")
"""The bootstrap: the fixed share of equity with which the sample of closed trades is built. Nothing is resampled."""


class SizingReason(StrEnum):
    SIZED = "SIZED"
    CAPITAL_CAPPED = "CAPITAL_CAPPED"
    TOO_FEW_TRADES = "TOO_FEW_TRADES"
    WEIGHT_ZERO = "WEIGHT_ZERO"
    NO_EDGE = "NO_EDGE"
    BELOW_ONE_SHARE = "BELOW_ONE_SHARE"
    EQUITY_INVALID = "EQUITY_INVALID"
    WEIGHT_INVALID = "WEIGHT_INVALID"
    PRICE_INVALID = "PRICE_INVALID"
    RISK_INVALID = "RISK_INVALID"
    STOP_INVALID = "STOP_INVALID"
    ATR_INVALID = "ATR_INVALID"
    VOLATILITY_INVALID = "VOLATILITY_INVALID"
    TRADES_INVALID = "TRADES_INVALID"

    @property
    def is_sized(self) -> bool:
        """True when the quantity, even zero, is what the inputs ask for; False when an input could not be used."""
        return not self.value.endswith("_INVALID")


class Sizing(NamedTuple):
    """Whole shares, why so many, and what they were computed from (decimals as text)."""

    qty: Decimal
    reason: SizingReason
    inputs: Mapping[str, str]


def fixed_fractional(equity: Decimal | None, weight: Decimal | None, price: Decimal | None) -> Sizing:
    """n = floor(weight x equity / price) whole shares; `weight` is a fraction of equity in 0..1, money in USD.

    A weight of zero needs neither equity nor price. Any other missing, non-finite or out-of-range input gives zero.
    """
    inputs = _texts(equity=equity, weight=weight, price=price)
    if weight is None or not weight.is_finite() or not ZERO <= weight <= 1:
        return Sizing(ZERO, SizingReason.WEIGHT_INVALID, inputs)
    if not weight:
        return Sizing(ZERO, SizingReason.WEIGHT_ZERO, inputs)
    if not _is_positive(equity):
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if not _is_positive(price):
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    return _sized(weight * equity // price, SizingReason.SIZED, inputs)


def fixed_risk(
    equity: Decimal | None,
    risk: Decimal | None,
    price: Decimal | None,
    stop: Decimal | None,
    commission: Decimal = ZERO,
    cap: Decimal = ONE,
) -> Sizing:
    """n = floor((risk x equity - 2 x risk x equity x commission) / |price - stop|) shares, within `cap` x equity.

    What is lost when the position ends at its stop: `risk` is a share of equity, `stop` a price in USD, `commission`
    a rate that is paid twice.
    """
    inputs = _texts(equity=equity, risk=risk, price=price, stop=stop, commission=commission, cap=cap)
    if not _is_positive(equity):
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if not _is_positive(price):
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    if not _is_positive(risk) or risk > ONE:
        return Sizing(ZERO, SizingReason.RISK_INVALID, inputs)
    if stop is None or not stop.is_finite() or stop < ZERO or stop == price:
        return Sizing(ZERO, SizingReason.STOP_INVALID, inputs)
    budget = risk * equity * max(ZERO, ONE - 2 * commission)
    return _risked(budget, abs(price - stop), equity, price, cap, inputs)


def average_true_range(
    equity: Decimal | None,
    risk: Decimal | None,
    price: Decimal | None,
    atr: Decimal | None,
    multiple: Decimal,
    cap: Decimal = ONE,
) -> Sizing:
    """n = floor(risk x equity / (multiple x atr)) shares, within `cap` x equity; `atr` in USD a share (Wilder)."""
    inputs = _texts(equity=equity, risk=risk, price=price, atr=atr, multiple=multiple, cap=cap)
    if not _is_positive(equity):
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if not _is_positive(price):
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    if not _is_positive(risk) or risk > ONE:
        return Sizing(ZERO, SizingReason.RISK_INVALID, inputs)
    if not _is_positive(atr) or not _is_positive(multiple):
        return Sizing(ZERO, SizingReason.ATR_INVALID, inputs)
    return _risked(risk * equity, multiple * atr, equity, price, cap, inputs)


def volatility_target(
    equity: Decimal | None,
    target: Decimal | None,
    volatility: Decimal | None,
    price: Decimal | None,
    cap: Decimal = ONE,
) -> Sizing:
    """n = floor(min(cap, target / volatility) x equity / price) shares; both volatilities annual, as fractions."""
    inputs = _texts(equity=equity, target=target, volatility=volatility, price=price, cap=cap)
    if not _is_positive(equity):
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if not _is_positive(price):
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    if not _is_positive(target) or not _is_positive(volatility):
        return Sizing(ZERO, SizingReason.VOLATILITY_INVALID, inputs)
    return _risked(target * equity, volatility * price, equity, price, cap, inputs)


# Kelly ---------------------------------------------------------------------------------------------


def kelly_discrete(win_rate: Decimal, payoff: Decimal) -> Decimal:
    """f* = p - (1 - p) / b of equity: `win_rate` p, `payoff` b = average win / average loss > 0. Negative: no edge."""
    return win_rate - (1 - win_rate) / payoff


def kelly_continuous(mean: Decimal, variance: Decimal) -> Decimal:
    """f* = mean / variance of equity, both of returns over the same time, at most 1. Negative: no edge."""
    return min(ONE, mean / variance)


def kelly(
    equity: Decimal | None,
    price: Decimal | None,
    trades: Sequence[Decimal] | None,
    *,
    is_continuous: bool = False,
    cap: Decimal = ONE,
) -> Sizing:
    """Half of Kelly's fraction of equity, at most 10 % of it and at most `cap`; the bootstrap of 2 % below 20 trades.

    `trades` are the returns of the closed trades on what they were entered for. Without an edge the size is zero.
    """
    inputs = _texts(equity=equity, price=price, cap=cap) | {"trades": "missing" if trades is None else str(len(trades))}
    if not _is_positive(equity):
        return Sizing(ZERO, SizingReason.EQUITY_INVALID, inputs)
    if not _is_positive(price):
        return Sizing(ZERO, SizingReason.PRICE_INVALID, inputs)
    if trades is None or not all(one.is_finite() for one in trades):
        return Sizing(ZERO, SizingReason.TRADES_INVALID, inputs)
    # Sorted, so that no rounding depends on which of two trades of one moment was booked first.
    known = sorted(trades)
    if len(known) < KELLY_TRADES:
        weight, reason = KELLY_BOOTSTRAP, SizingReason.TOO_FEW_TRADES
    else:
        fraction = _of_returns(known) if is_continuous else _of_wins(known)
        inputs |= {"fraction": plain(fraction)}
        if fraction <= ZERO:
            return Sizing(ZERO, SizingReason.NO_EDGE, inputs)
        weight, reason = min(KELLY_PART * fraction, KELLY_CAP), SizingReason.SIZED
    if weight > cap:
        weight, reason = cap, SizingReason.CAPITAL_CAPPED
    size = fixed_fractional(equity, weight, price)
    return size._replace(reason=reason if size.qty else size.reason, inputs={**inputs, "weight": plain(weight)})


_KELLY_STEP = Decimal("0.000000001")


def _of_wins(trades: Sequence[Decimal]) -> Decimal:
    wins = [one for one in trades if one > ZERO]
    losses = [-one for one in trades if one <= ZERO]
    lost = sum(losses, ZERO)
    if not wins:
        return -ONE
    if not lost:
        return ONE
    payoff = (sum(wins, ZERO) / len(wins)) / (lost / len(losses))
    return kelly_discrete(Decimal(len(wins)) / len(trades), payoff).quantize(_KELLY_STEP)


def _of_returns(trades: Sequence[Decimal]) -> Decimal:
    mean = sum(trades, ZERO) / len(trades)
    variance = sum(((one - mean) ** 2 for one in trades), ZERO) / (len(trades) - 1)
    if not variance:
        return ONE if mean > ZERO else -ONE
    return max(-ONE, kelly_continuous(mean, variance)).quantize(_KELLY_STEP)


# What they share -----------------------------------------------------------------------------------


def _risked(
    budget: Decimal, loss_a_share: Decimal, equity: Decimal, price: Decimal, cap: Decimal, inputs: Mapping[str, str]
) -> Sizing:
    """As many shares as lose the budget, or as `cap` x equity buys: the fewer."""
    most = max(ZERO, cap) * equity // price
    if budget >= most * loss_a_share:
        is_capped = budget >= (most + 1) * loss_a_share
        return _sized(most, SizingReason.CAPITAL_CAPPED if is_capped else SizingReason.SIZED, inputs)
    return _sized(budget // loss_a_share, SizingReason.SIZED, inputs)


def _sized(qty: Decimal, reason: SizingReason, inputs: Mapping[str, str]) -> Sizing:
    return Sizing(qty, reason if qty else SizingReason.BELOW_ONE_SHARE, inputs)


def _is_positive(number: Decimal | None) -> TypeGuard[Decimal]:
    return number is not None and number.is_finite() and number > ZERO


def _texts(**numbers: Decimal | None) -> dict[str, str]:
    return {name: "missing" if number is None else plain(number) for name, number in numbers.items()}
