"""What the record of orders says about the broker: refusals, slippage, acknowledgements, orders that got stuck.

Pure functions of recorded rows. Which of their numbers trip a breaker is decided in breakers.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from trading_assets.domain.risk.breakers import Breaker, BreakerRule

REFUSED = "REJECTED"
SENT = "SUBMITTING"
PENDING = frozenset({"SUBMITTING", "SUBMIT_UNKNOWN", "ACKED", "PENDING_CANCEL", "PENDING_REPLACE"})
"""Statuses that only the broker's next word ends; an order that works in the market may wait as long as it likes."""

_PERCENTILE = 0.95


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An order took a status at `at` (UTC). The same order's changes are given in their order."""

    client_order_id: str
    status: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Slippage:
    """One executed order: what it paid beyond its reference price, and what the model expected, in basis points."""

    at: datetime
    paid_bps: float
    modelled_bps: float


@dataclass(frozen=True, slots=True)
class ExecutionRecord:
    """What is recorded of an account's orders, and the differences from the broker that nothing explains."""

    changes: Sequence[StatusChange] = ()
    slippages: Sequence[Slippage] = ()
    unexplained_differences: int | None = None


def execution_values(
    record: ExecutionRecord,
    rules: Mapping[str, BreakerRule],
    now: datetime,
    cleared_at: Mapping[str, datetime],
) -> dict[Breaker, float | None]:
    """The values that `breakers.judge` compares with the limits. What lies before a breaker's clearing is forgiven."""
    values: dict[Breaker, float | None] = {}
    for name, rule in rules.items():
        breaker, since = Breaker(name), cleared_at.get(name)
        changes = [one for one in record.changes if since is None or one.at > since]
        if breaker is Breaker.ORDER_ERRORS:
            values[breaker] = float(refusals(changes, now, timedelta(seconds=rule.window)))
        elif breaker is Breaker.SLIPPAGE:
            paid = [one for one in record.slippages if since is None or one.at > since]
            values[breaker] = least_multiple(paid, rule.window)
        elif breaker is Breaker.LATENCY:
            values[breaker] = acknowledgement_s(changes, rule.window)
        elif breaker is Breaker.STUCK_ORDER:
            values[breaker] = longest_wait_s(changes, now)
        elif breaker is Breaker.RECONCILIATION:
            differences = record.unexplained_differences
            values[breaker] = None if differences is None else float(differences)
    return values


def refusals(changes: Iterable[StatusChange], now: datetime, window: timedelta) -> int:
    """Orders that were refused in the `window` up to `now`, its beginning not included."""
    return sum(one.status == REFUSED and now - window < one.at <= now for one in changes)


def least_multiple(slippages: Iterable[Slippage], orders: int) -> float | None:
    """The smallest multiple of the modelled slippage among the newest `orders`; None with fewer of them.

    Every one of them exceeds whatever the smallest exceeds. One modelled as free counts as infinitely dear if it cost.
    """
    newest = sorted(slippages, key=lambda one: one.at)[-orders:]
    if len(newest) < orders:
        return None
    return min(_multiple(one) for one in newest)


def acknowledgement_s(changes: Iterable[StatusChange], orders: int) -> float | None:
    """Seconds from sending to the first answer that 95 % of the newest `orders` answered ones needed at most.

    None before the first answer.
    """
    sent: dict[str, datetime] = {}
    answered: dict[str, tuple[datetime, float]] = {}
    for one in changes:
        if one.status == SENT:
            sent[one.client_order_id] = one.at
        elif one.client_order_id in sent and one.client_order_id not in answered:
            waited = (one.at - sent[one.client_order_id]).total_seconds()
            answered[one.client_order_id] = (one.at, waited)
    newest = sorted(answered.values())[-orders:]
    if not newest:
        return None
    waits = sorted(waited for _, waited in newest)
    return waits[ceil(_PERCENTILE * len(waits)) - 1]


def longest_wait_s(changes: Iterable[StatusChange], now: datetime) -> float | None:
    """Seconds since the order that has waited longest for the broker's word took its status; None when none waits."""
    last: dict[str, StatusChange] = {}
    for one in changes:
        last[one.client_order_id] = one
    waiting: dict[str, float] = defaultdict(float)
    for name, one in last.items():
        if one.status in PENDING:
            waiting[name] = (now - one.at).total_seconds()
    return max(waiting.values(), default=None)


def _multiple(one: Slippage) -> float:
    if one.modelled_bps > 0:
        return one.paid_bps / one.modelled_bps
    return float("inf") if one.paid_bps > 0 else 0.0
