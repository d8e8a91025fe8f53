"""Orders and fills of an account as the risk review counts them: what is open, was sent, was day traded, is unsettled.

Judging is the rules' business; the time loop and the ledger's reader both build an account's state with this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from trading_assets.domain.execution.entries import FOR_THE_DAY, EntryPlan
from trading_assets.domain.execution.ledger import Fill, replay_key
from trading_assets.domain.execution.order_matrix import phase_at, placement
from trading_assets.domain.execution.order_times import cut_off
from trading_assets.domain.execution.orders import (
    Order,
    OrderClass,
    OrderStatus,
    OrderType,
    WorkingOrder,
)
from trading_assets.domain.execution.settlement import settles_on
from trading_assets.domain.market.sessions import next_session, previous_session, session
from trading_assets.domain.risk.activity import OpenOrder, SentOrder
from trading_assets.domain.risk.circumstances import OrderTerms
from trading_assets.domain.risk.day_trades import DayTradeRecord, Trade, count_day_trades
from trading_assets.domain.risk.margin_rules import PATTERN_SESSIONS, day_trading_rule
from trading_assets.domain.values import ZERO, Side, money

UNRESOLVED = frozenset({OrderStatus.SUBMIT_UNKNOWN, OrderStatus.HELD})
"""An order that is no leg is held when the broker says something of it that nobody knows the meaning of."""

LOOK_BACK = timedelta(days=14)
"""Calendar days that surely hold the sessions of the pattern day trader and of the longest settlement."""

_AT_ANY_PRICE = frozenset({OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP})


def order_terms(
    at: datetime,
    with_legs: Iterable[str],
    plan: EntryPlan = FOR_THE_DAY,
    order_class: OrderClass = OrderClass.SIMPLE,
) -> OrderTerms:
    """What an approval of `at` (UTC) becomes, by its `plan`. `with_legs`: strategies with exits."""
    return OrderTerms(
        placement=placement(plan.order_type, plan.time_in_force, phase_at(at), order_class=order_class).value,
        cut_off_at=cut_off(at, plan.time_in_force),
        limit_offset_bps=plan.limit_offset_bps,
        with_legs=frozenset(with_legs),
    )


def entry_terms(at: datetime, plans: Mapping[str, EntryPlan], with_legs: Collection[str]) -> dict[str, OrderTerms]:
    """The same of the entries of each strategy that has a plan for them."""
    classes = {True: OrderClass.BRACKET, False: OrderClass.SIMPLE}
    return {name: order_terms(at, with_legs, plan, classes[name in with_legs]) for name, plan in plans.items()}


def sent_order(order: Order, reference_price: Decimal | None) -> SentOrder:
    """`order` as the session's activity counts it; without a reference price its value is not known."""
    value_usd = Decimal("NaN") if reference_price is None else order.qty * reference_price
    return SentOrder(
        order.intent_id, order.strategy, order.symbol, order.side, order.qty, value_usd, order.submitted_at
    )


def in_order(sent: Iterable[SentOrder]) -> list[SentOrder]:
    """The orders as the session's activity counts them: the same order in every process, near to that of the review."""
    return sorted(sent, key=lambda one: (one.at, one.side is Side.BUY, one.strategy, one.symbol, one.intent_id))


def open_order(working: WorkingOrder) -> OpenOrder:
    order = working.order
    return OpenOrder(
        symbol=order.symbol,
        side=order.side,
        limit_usd=None if order.order_type in _AT_ANY_PRICE else working.limit_price,
        has_legs=order.order_class is not OrderClass.SIMPLE or order.order_type is OrderType.TRAILING_STOP,
        is_unresolved=working.status in UNRESOLVED,
    )


# Day trades -------------------------------------------------------------------------------------------


def day_trades_of(fills: Iterable[Fill], held_after: Mapping[str, Decimal]) -> int:
    """The day trades of a session with `fills` that ended with `held_after` signed shares by symbol."""
    traded = sorted(fills, key=replay_key)
    return count_day_trades(_before(traded, held_after), [_trade(fill) for fill in traded])


def can_have_day_trades(fills: Iterable[Fill]) -> bool:
    """Whether a symbol was both bought and sold."""
    sides: dict[str, set[Side]] = defaultdict(set)
    for fill in fills:
        sides[fill.symbol].add(fill.side)
    return any(len(both) > 1 for both in sides.values())


def day_trade_record(
    at: datetime,
    day: date,
    equity_usd: Decimal,
    past: Mapping[date, int],
    fills: Sequence[Fill],
    working: Iterable[WorkingOrder],
    held: Mapping[str, Decimal],
) -> DayTradeRecord | None:
    """What the pattern day trader rule looks at for an order sent at `at` (UTC) in session `day`; None: nothing.

    `equity_usd` is that of the end of the session before, `past` the day trades by session, `fills` those of `day`,
    `held` the account's signed shares by symbol. An order sent at the close executes in the next session.
    """
    rule = day_trading_rule(day)
    if rule.max_day_trades is None or equity_usd >= rule.min_equity_usd:
        return None
    counts = dict(past)
    traded = sorted(fills, key=replay_key)
    if at >= session(day).closes_at:
        counts[day] = day_trades_of(traded, held)
        day, traded = next_session(day), []
    first = day
    for _ in range(PATTERN_SESSIONS - 1):
        first = previous_session(first)
    pending = [Trade(one.order.symbol, one.order.side, one.remaining) for one in sorted(working, key=_when)]
    return DayTradeRecord(
        past=sum(count for one, count in counts.items() if first <= one < day),
        held=_before(traded, held),
        trades=[*map(_trade, traded), *pending],
    )


def _when(working: WorkingOrder) -> tuple[datetime, bool, str, str, str]:
    order = working.order
    return order.submitted_at, order.side is Side.BUY, order.strategy, order.symbol, order.client_order_id


def _before(fills: Iterable[Fill], held_after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    held = dict(held_after)
    for fill in fills:
        held[fill.symbol] = held.get(fill.symbol, ZERO) - fill.signed_qty
    return held


def _trade(fill: Fill) -> Trade:
    return Trade(fill.symbol, fill.side, fill.qty)


# Settlement -------------------------------------------------------------------------------------------


def unsettled_sales(fills: Iterable[Fill], day: date) -> list[Fill]:
    """The sales among `fills` whose money a cash account does not have yet in session `day`."""
    return [fill for fill in fills if fill.side is Side.SELL and settles_on(fill.session_date) > day]


def proceeds_usd(sales: Iterable[Fill]) -> Decimal:
    return sum((money(fill.qty * fill.price) for fill in sales), ZERO)
