"""From targets to intents: how many shares each strategy has to buy or sell to hold what it wants.

How many shares a target is follows from the strategy's method (sizing.py). Whether they may be traded is not decided
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from trading_assets.domain.risk.limits import RiskLimits
from trading_assets.domain.risk.sizing import (
    ONE,
    Sizing,
    average_true_range,
    fixed_fractional,
    fixed_risk,
    kelly,
    volatility_target,
)
from trading_assets.domain.risk.verdicts import AccountSnapshot, Intent, Purpose
from trading_assets.domain.strategy.position_size import PositionSize, SizeMethod
from trading_assets.domain.strategy.targets import Target
from trading_assets.domain.values import ZERO, Side, decimal_of, plain

OPENING = frozenset({Purpose.OPEN, Purpose.INCREASE})


@dataclass(frozen=True, slots=True)
class SizeRule:
    """How a strategy's targets become shares. `capital`: the most that one position may take, a share of equity.

    `stop_loss`: the distance of its stop from the price of entry, as a fraction of it; None without a stop.
    """

    position_size: PositionSize
    capital: Decimal = ONE
    stop_loss: Decimal | None = None


FIXED_FRACTIONAL = SizeRule(PositionSize())


def size_of(target: Target, snapshot: AccountSnapshot, rule: SizeRule = FIXED_FRACTIONAL) -> Sizing:
    """The unsigned shares of `target`. A weight of zero is flat by every method; the others take only its sign."""
    weight, price = abs(target.target_weight), snapshot.reference_prices.get(target.symbol)
    equity, size = snapshot.equity_usd, rule.position_size
    if size.method is SizeMethod.FIXED_FRACTIONAL or not weight.is_finite() or not weight:
        return fixed_fractional(equity, weight, price)
    risk = decimal_of(size.risk)
    match size.method:
        case SizeMethod.FIXED_RISK:
            stop = _stop(price, rule.stop_loss, is_short=target.target_weight < ZERO)
            return fixed_risk(equity, risk, price, stop, cap=rule.capital)
        case SizeMethod.ATR:
            return average_true_range(equity, risk, price, target.atr_usd, decimal_of(size.multiple), rule.capital)
        case SizeMethod.VOLATILITY_TARGET:
            return volatility_target(equity, decimal_of(size.target), target.volatility, price, rule.capital)
    trades = snapshot.closed_trades.get(target.strategy, ())
    return kelly(equity, price, trades, is_continuous=size.method is SizeMethod.KELLY_CONTINUOUS, cap=rule.capital)


def _stop(price: Decimal | None, stop_loss: Decimal | None, *, is_short: bool) -> Decimal | None:
    if price is None or stop_loss is None:
        return None
    return price * (ONE + stop_loss if is_short else ONE - stop_loss)


class _Leg(NamedTuple):
    side: Side
    purpose: Purpose
    qty: Decimal


def intent_id(
    account_id: str,
    strategy: str,
    strategy_version: str,
    decision_at: datetime,
    symbol: str,
    side: Side,
    purpose: Purpose,
    leg: int,
) -> str:
    """64 hex digits that name what is wanted, not how much: a rerun with another quantity conflicts, it never adds.

    The account is part of it, so that two accounts can take the same decision. Raises ValueError for a naive time.
    """
    if decision_at.tzinfo is None:
        raise ValueError(f"decision_at {decision_at.isoformat()} of {strategy} {symbol} has no time zone: give UTC")
    decided = decision_at.astimezone(UTC).isoformat()
    parts = (account_id, strategy, strategy_version, decided, symbol, side.value, purpose.value, str(leg))
    return sha256("\x1f".join(parts).encode()).hexdigest()


def intents_from_targets(
    targets: Iterable[Target],
    snapshot: AccountSnapshot,
    limits: RiskLimits,
    account_id: str,
    sizes: Mapping[str, SizeRule] | None = None,
) -> list[Intent]:
    """Intents that bring each strategy's projected position to its target, in the order of `targets`.

    Projected is filled plus the strategy's working buys minus its working sells. Opening and going flat always trade; a
    resize only when it is worth at least `rebalance_band` of equity. A change of sign is two legs: close (0), open (1).
    A target without a usable price, weight or equity becomes an intent of zero shares, which the review denies: the
    position is left alone and the record says why. A target that may not open gives only intents that reduce.
    `sizes` says by strategy how many shares a target is; one that is not in it takes the share of equity it wants.
    """
    intents = []
    for target in targets:
        rule = (sizes or {}).get(target.strategy, FIXED_FRACTIONAL)
        size = size_of(target, snapshot, rule)
        inputs = {**size.inputs, "wanted_qty": plain(size.qty), "reason": size.reason.value}
        for number, leg in enumerate(_legs(target, size, snapshot, limits)):
            if leg.purpose in OPENING and not target.may_open:
                continue
            purpose = Purpose.FLATTEN if target.is_flatten else leg.purpose
            name = intent_id(
                account_id,
                target.strategy,
                target.strategy_version,
                target.decision_at,
                target.symbol,
                leg.side,
                purpose,
                number,
            )
            intents.append(
                Intent(
                    intent_id=name,
                    account_id=account_id,
                    strategy=target.strategy,
                    strategy_version=target.strategy_version,
                    symbol=target.symbol,
                    side=leg.side,
                    purpose=purpose,
                    decision_at=target.decision_at,
                    session_date=target.session_date,
                    target_weight=target.target_weight,
                    qty=leg.qty,
                    leg=number,
                    sizing=rule.position_size.method.value,
                    sizing_inputs=inputs,
                    group=None if target.is_flatten else target.leg_group,
                )
            )
    return intents


def _legs(target: Target, size: Sizing, snapshot: AccountSnapshot, limits: RiskLimits) -> Iterator[_Leg]:
    key = (target.strategy, target.symbol)
    held = (
        snapshot.strategy_positions.get(key, ZERO)
        + snapshot.strategy_working_buys.get(key, ZERO)
        - snapshot.strategy_working_sells.get(key, ZERO)
    )
    price = snapshot.reference_prices.get(target.symbol)
    is_short = target.target_weight.is_signed()
    if not size.reason.is_sized or not held.is_finite():
        yield _Leg(Side.SELL if is_short else Side.BUY, Purpose.INCREASE if held else Purpose.OPEN, ZERO)
        return
    wanted = -size.qty if is_short else size.qty
    if held * wanted <= ZERO:
        yield from _traded(-held, Purpose.CLOSE)
        yield from _traded(wanted, Purpose.OPEN)
    else:
        delta = wanted - held
        # A size was found, so price and equity are positive numbers.
        if price is not None and abs(delta) * price >= limits.rebalance_band * snapshot.equity_usd:
            yield from _traded(delta, Purpose.INCREASE if abs(wanted) > abs(held) else Purpose.REDUCE)


def _traded(delta: Decimal, purpose: Purpose) -> Iterator[_Leg]:
    qty = abs(delta) // 1
    if qty:
        yield _Leg(Side.BUY if delta > ZERO else Side.SELL, purpose, qty)
